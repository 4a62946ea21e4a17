package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/mollyguard/mollyguard/operation"
)

// follow reads a file until ctx ends, and those that replace it.
func (s *Source) follow(ctx context.Context, position string, out *output) error {
	var f *input
	defer func() {
		if f != nil {
			closeFile(s.Log, f.File)
		}
	}()
	for first := true; ; {
		var err error
		if f == nil {
			f, err = s.openNext(ctx, position, first, out)
		}
		if f != nil {
			first = false
			f, err = s.look(ctx, f, out)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			out.gone(err)
		}
		if f == nil && err == nil { // the next file is there already
			continue
		}
		if err := s.Wait(ctx); err != nil {
			return err
		}
	}
}

// openNext opens the file: the first time at the position, after the rest of the file
// that was rotated away meanwhile; later from its beginning.
func (s *Source) openNext(ctx context.Context, position string, first bool, out *output) (*input, error) {
	f, err := open(s.Path)
	if err != nil || !first {
		return f, err
	}
	lost, err := f.resume(position)
	if err == nil && lost != "" {
		found, rotatedErr := s.readRotated(ctx, position, out)
		if rotatedErr != nil && ctx.Err() != nil {
			err = rotatedErr
		} else if !found {
			out.gap(lost + " while it was not read: what was written to it before may be missing: mollyguard audit replay judges it, if it is kept")
		}
	}
	if err != nil {
		closeFile(s.Log, f.File)
		return nil, err
	}
	return f, nil
}

// readRotated reads the rest of the file that a position is in, if it is where
// logrotate puts it (https://man7.org/linux/man-pages/man8/logrotate.8.html).
func (s *Source) readRotated(ctx context.Context, position string, out *output) (found bool, err error) {
	f, err := open(s.Path + ".1")
	if err != nil { // there is none
		return false, nil
	}
	defer closeFile(s.Log, f.File)
	if lost, err := f.resume(position); err != nil || lost != "" {
		return false, nil
	}
	if err := f.read(ctx, out); err != nil {
		return false, err
	}
	return true, f.finish(ctx, out)
}

// look reads what was written. It returns nil if the file was replaced and is read to
// its end, and the file otherwise.
func (s *Source) look(ctx context.Context, f *input, out *output) (*input, error) {
	// Whoever replaces the file may write to it until then: look first, read then.
	replaced, err := s.replaced(f, out)
	if err != nil {
		return f, err
	}
	if err := s.cutOff(f, out); err != nil {
		return f, err
	}
	if err := f.read(ctx, out); err != nil || !replaced {
		return f, err
	}
	if err := f.finish(ctx, out); err != nil {
		return f, err
	}
	s.Log.Info("a file was replaced, reading the new one", "source", s.name)
	closeFile(s.Log, f.File)
	return nil, nil
}

// replaced reports whether another file is at the path now. While none is, the one
// that was there may still be written to; it is a trouble if none was at the last look.
func (s *Source) replaced(f *input, out *output) (bool, error) {
	old, err := f.Stat()
	if err != nil {
		return false, err
	}
	now, err := os.Stat(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		if out.absent {
			out.gone(err)
		}
		out.absent = true
		return false, nil
	}
	if err != nil {
		return false, err
	}
	out.absent = false
	out.there()
	return !os.SameFile(old, now), nil
}

// cutOff begins anew if the file was cut off, or written anew.
func (s *Source) cutOff(f *input, out *output) error {
	read := value{end: f.split.offset}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	same := info.Size() >= f.base+read.end
	if same && f.head != "" {
		begins, err := head(f, f.headSize)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		same = begins == f.head
	}
	if same {
		return nil
	}
	// Whoever cuts off a file for rotation (copytruncate) waits for nobody: what was
	// written in the last moment is in the copy only. It is known to be lost if half of
	// a value was read.
	if f.split.pending() {
		out.gap("the file was cut off in the middle of an entry: " + operation.Printable(s.Path))
	}
	s.Log.Info("a file was cut off, reading it from its beginning", "source", s.name)
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	f.base, f.split, f.head, f.headSize = 0, splitter{}, "", 0
	return nil
}
