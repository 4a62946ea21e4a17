// Package file reads log entries from a file or a stream: JSON lines, the array that
// gcloud logging read --format=json prints, or JSON values one after another. A file
// can be followed across rotation.
//
// What is no JSON is handed out as it is, for the Watcher to keep, and reading goes
// on behind it; see splitter for how that is found.
package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/pause"
)

const (
	// interval is between two looks at a file that is followed.
	interval = time.Second
	// readSize is how much is read at once.
	readSize = 64 << 10
)

// Options says what is read. One of Path and Reader is required.
type Options struct {
	// Path is a file's, Reader a stream.
	Path   string
	Reader io.Reader
	// Follow goes on at the end of the file at Path, until Run's context ends.
	Follow bool
	// Name stands for the file in the source's name; empty means Path, or "-".
	Name string
	// Interval is between two looks at a file that is followed; zero means a second.
	Interval time.Duration

	// Wait waits between two looks, and returns an error if ctx ended first; nil means
	// for Interval.
	Wait func(ctx context.Context) error
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log is told of rotations; nil discards.
	Log *slog.Logger
}

// Source is a file or a stream. It implements auditlog.Source.
type Source struct {
	Options
	name  string
	blank bool
}

// New returns a Source. It opens nothing.
func New(o Options) (*Source, error) {
	if (o.Path == "") == (o.Reader == nil) {
		return nil, errors.New("audit log file: either a path or a reader says what is read")
	}
	if o.Follow && o.Path == "" {
		return nil, errors.New("audit log file: only a file can be followed")
	}
	if o.Interval <= 0 {
		o.Interval = interval
	}
	if o.Wait == nil {
		o.Wait = func(ctx context.Context) error { return pause.For(ctx, o.Interval) }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Source{Options: o, name: "file:" + cmp.Or(o.Name, o.Path, "-"), blank: true}, nil
}

// Name implements auditlog.Source.
func (s *Source) Name() string { return s.name }

// Blank reports, after Run has read something once, that there was nothing but white
// space: not even the brackets of an empty list, which a command that found nothing
// prints.
func (s *Source) Blank() bool { return s.blank }

// Run implements auditlog.Source. What is read once ends with nil after its last
// byte; if it cannot be read, that is the error. What is followed has troubles instead:
// Missing while the file is not there or cannot be read, Gap if the file was replaced
// or cut off while nobody read it.
func (s *Source) Run(ctx context.Context, position string, hand auditlog.Hand, report auditlog.Report) error {
	out := &output{Source: s, hand: hand, report: report}
	var err error
	switch {
	case s.Reader != nil:
		err = s.readStream(ctx, s.Reader, out)
	case s.Follow:
		err = s.follow(ctx, position, out)
	default:
		err = s.readOnce(ctx, position, out)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *Source) readOnce(ctx context.Context, position string, out *output) error {
	if info, err := os.Stat(s.Path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return s.readStream(ctx, &pipe{path: s.Path}, out)
	}
	f, err := open(s.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.resume(position); err != nil {
		return fmt.Errorf("read %s: %w", s.Path, err)
	}
	err = f.read(ctx, out)
	s.blank = f.split.blank()
	if err != nil {
		return fmt.Errorf("read %s: %w", s.Path, err)
	}
	return f.finish(ctx, out)
}

// readStream reads what cannot be told to stop: whoever reads is left behind when ctx
// ends, as the process ends then.
func (s *Source) readStream(ctx context.Context, r io.Reader, out *output) error {
	type chunk struct {
		data []byte
		err  error
	}
	chunks := make(chan chunk)
	go func() {
		for {
			data := make([]byte, readSize)
			n, err := r.Read(data)
			select {
			case chunks <- chunk{data[:n], err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	var split splitter
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-chunks:
			err := split.write(c.data, func(v value) error { return out.pass(ctx, v, "") })
			s.blank = split.blank()
			if err != nil {
				return err
			}
			switch {
			case errors.Is(c.err, io.EOF):
				return split.end(func(v value) error { return out.pass(ctx, v, "") })
			case c.err != nil:
				return fmt.Errorf("read %s: %w", s.name, c.err)
			}
		}
	}
}

// output hands out what one Run reads.
type output struct {
	*Source
	hand   auditlog.Hand
	report auditlog.Report
	// missing is since when the file is, absent whether it was at the last look.
	missing time.Time
	absent  bool
}

func (o *output) pass(ctx context.Context, v value, position string) error {
	return o.hand(ctx, auditlog.Message{Data: v.data, Received: o.Now(), Position: position})
}

func (o *output) gap(text string) {
	o.Log.Warn("entries of a file may be missing", "source", o.name, "reason", text)
	o.report(alert.Trouble{Kind: alert.Gap, Source: o.name, Since: o.Now(), Text: text})
}

func (o *output) gone(cause error) {
	if o.missing.IsZero() {
		o.missing = o.Now()
	}
	o.report(alert.Trouble{
		Kind: alert.Missing, Source: o.name, Since: o.missing,
		Text: fmt.Sprintf("the file cannot be read: %v: see that whoever writes it does, and that mollyguard may read it", cause),
	})
}

func (o *output) there() {
	if !o.missing.IsZero() {
		o.missing = time.Time{}
		o.report(alert.Trouble{Kind: alert.Missing, Source: o.name, Over: true, Text: "the file can be read again"})
	}
}

func closeFile(log *slog.Logger, f *os.File) {
	if err := f.Close(); err != nil {
		log.Warn("close a file that was read", "path", f.Name(), "error", err)
	}
}
