package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/mollyguard/mollyguard/operation"
)

// input is a file that is open.
type input struct {
	*os.File
	inode uint64
	// base is the offset at which the splitter began.
	base  int64
	split splitter
	buf   []byte
	// head and headSize tell the file from others.
	head     string
	headSize int64
}

func open(path string) (*input, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder", path)
	}
	if err != nil {
		_ = f.Close() // the error before says more
		return nil, err
	}
	return &input{File: f, inode: inodeOf(info), buf: make([]byte, readSize)}, nil
}

// resume goes to a position if it is in this file. lost says why it is not.
func (f *input) resume(text string) (lost string, err error) {
	p, err := decodePosition(text)
	if err != nil {
		return "the position cannot be read (" + operation.Printable(err.Error()) + ")", nil
	}
	if p.Offset == 0 {
		return "", nil
	}
	if lost, err := f.differs(p); lost != "" || err != nil {
		return lost, err
	}
	if _, err := f.Seek(p.Offset, io.SeekStart); err != nil {
		return "", err
	}
	f.base = p.Offset
	return "", nil
}

// differs says why a position is not in this file, or "".
func (f *input) differs(p position) (why string, err error) {
	if f.inode != p.Inode {
		return "the file was replaced", nil
	}
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if info.Size() < p.Offset {
		return "the file was cut off", nil
	}
	begins, err := head(f, p.HeadSize)
	if err != nil {
		return "", err
	}
	if begins != p.Head {
		return "the file was written anew", nil
	}
	return "", nil
}

// at is the position behind a value.
func (f *input) at(v value) (position, error) {
	p := position{Version: positionVersion, Inode: f.inode, Offset: f.base + v.end}
	p.HeadSize = min(maxHead, p.Offset)
	if p.HeadSize != f.headSize || f.head == "" {
		begins, err := head(f, p.HeadSize)
		if err != nil {
			return position{}, err
		}
		f.head, f.headSize = begins, p.HeadSize
	}
	p.Head = f.head
	return p, nil
}

// read reads to the end that the file has now.
func (f *input) read(ctx context.Context, out *output) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := f.Read(f.buf)
		if err := f.split.write(f.buf[:n], f.pass(ctx, out)); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// finish hands out what there is of a last value: nobody writes the rest.
func (f *input) finish(ctx context.Context, out *output) error {
	return f.split.end(f.pass(ctx, out))
}

func (f *input) pass(ctx context.Context, out *output) func(value) error {
	return func(v value) error {
		p, err := f.at(v)
		if errors.Is(err, io.EOF) { // cut off while it was read: the next look sees it
			return out.pass(ctx, v, "")
		}
		if err != nil {
			return err
		}
		return out.pass(ctx, v, p.encode())
	}
}
