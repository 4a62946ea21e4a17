// Package ledger keeps what must be found later: the decision log, one JSON
// object per line.
package ledger

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/mollyguard/mollyguard/operation"
)

// Log appends decision records. It may be used concurrently; a record is one
// write, so that lines of several processes on one file do not mix (O_APPEND).
type Log struct {
	lock   sync.Mutex
	writer io.Writer
	closer io.Closer
	// torn says that the last line was cut short, by a full disk.
	torn bool
}

// NewLog returns a Log that writes to w, which it does not close.
func NewLog(w io.Writer) *Log { return &Log{writer: w} }

// OpenLog returns a Log that appends to a file, readable by its owner and group.
func OpenLog(path string) (*Log, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open the decision log: %w", err)
	}
	return &Log{writer: file, closer: file}, nil
}

// Record writes a decision. When it returns nil the record has been handed to
// the operating system.
func (l *Log) Record(_ context.Context, decision operation.Decision) error {
	line, err := decision.MarshalJSON() // json.Marshal would check and copy what it returns
	if err != nil {
		return fmt.Errorf("encode decision %s: %w", decision.ID, err)
	}
	line = append(line, '\n')
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.torn {
		line = append([]byte{'\n'}, line...)
	}
	n, err := l.writer.Write(line)
	l.torn = err != nil && (n > 0 || l.torn)
	if err != nil {
		return fmt.Errorf("write the decision log: %w", err)
	}
	return nil
}

// Close makes a file's records durable and closes it.
func (l *Log) Close() error {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.closer == nil {
		return nil
	}
	if file, ok := l.closer.(*os.File); ok {
		if err := file.Sync(); err != nil {
			_ = file.Close() // the failed sync is the news
			return fmt.Errorf("sync the decision log: %w", err)
		}
	}
	return l.closer.Close()
}
