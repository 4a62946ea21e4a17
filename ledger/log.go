// Package ledger keeps what must be found later: the decision log, one JSON
// object per line, and in a bbolt file the break-glass cases and the outbox of
// what people are to be told.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// Log appends decisions and break-glass events. It may be used concurrently; a record is one
// write, so that lines of several processes on one file do not mix (O_APPEND).
type Log struct {
	file io.Closer // nil if the writer is somebody else's
	// lines go to one goroutine, so that who waits for a record can stop waiting
	// when a reader of ours has stopped reading: a write cannot be called off.
	lines  chan line
	closed chan struct{}
	closer sync.Once
	// done is closed when the goroutine has ended.
	done chan struct{}
}

// line is a text to write or, without one, a call to make what was written durable.
type line struct {
	text    []byte
	written chan<- error
}

// NewLog returns a Log that writes to w, which Close does not close.
func NewLog(w io.Writer) *Log {
	l := &Log{lines: make(chan line), closed: make(chan struct{}), done: make(chan struct{})}
	go l.write(w)
	return l
}

// OpenLog returns a Log that appends to a file, readable by its owner and group.
func OpenLog(path string) (*Log, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open the decision log: %w", err)
	}
	l := NewLog(file)
	l.file = file
	return l, nil
}

// write ends when the Log is closed.
func (l *Log) write(w io.Writer) {
	defer close(l.done)
	torn := false // the last line was cut short, by a full disk
	for {
		select {
		case <-l.closed:
			return
		case next := <-l.lines:
			text := next.text
			if text == nil {
				next.written <- durable(w)
				continue
			}
			if torn {
				text = append([]byte{'\n'}, text...)
			}
			n, err := w.Write(text)
			torn = err != nil && (n > 0 || torn)
			next.written <- err
		}
	}
}

// durable makes what was written to a file survive a crash of the machine.
func durable(w io.Writer) error {
	file, ok := w.(*os.File)
	if !ok {
		return nil
	}
	err := file.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) { // /dev/null and pipes have nothing to make durable
		return nil
	}
	return err
}

// Sync returns nil when all records that were written before are on disk, if they go to
// a file. It stops waiting when ctx ends.
func (l *Log) Sync(ctx context.Context) error { return l.hand(ctx, nil) }

// Record writes a decision. When it returns nil the record has been handed to
// the operating system. It stops waiting when ctx ends; the record may still be
// written then.
func (l *Log) Record(ctx context.Context, decision operation.Decision) error {
	text, err := decision.MarshalJSON() // json.Marshal would check and copy what it returns
	if err != nil {
		return fmt.Errorf("encode decision %s: %w", decision.ID, err)
	}
	return l.append(ctx, text)
}

// append writes one line, of which text is all but the end.
func (l *Log) append(ctx context.Context, text []byte) error {
	return l.hand(ctx, append(text, '\n'))
}

// hand passes a line to who writes, and waits until that is done.
func (l *Log) hand(ctx context.Context, text []byte) error {
	written := make(chan error, 1)
	select {
	case l.lines <- line{text, written}:
	case <-l.closed:
		return fmt.Errorf("write the decision log: %w", os.ErrClosed)
	case <-ctx.Done():
		return fmt.Errorf("write the decision log: nobody takes the records: %w", ctx.Err())
	}
	var err error
	select {
	case err = <-written:
	case <-ctx.Done():
		err = fmt.Errorf("nobody takes the records: %w", ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("write the decision log: %w", err)
	}
	return nil
}

// closeTimeout is how long Close waits for a write that hangs.
const closeTimeout = 2 * time.Second

// Close ends the Log, and makes a file's records durable and closes it.
func (l *Log) Close() error {
	l.closer.Do(func() { close(l.closed) })
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
		return errors.New("close the decision log: nobody takes the records")
	}
	file, ok := l.file.(*os.File)
	if !ok {
		return nil
	}
	if err := errors.Join(durable(file), file.Close()); err != nil {
		return fmt.Errorf("close the decision log: %w", err)
	}
	return nil
}
