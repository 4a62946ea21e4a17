package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// auditTimeout bounds WaitForAudit for a caller that set no deadline.
const auditTimeout = 30 * time.Second

// Audit returns the events that the API server has logged so far, oldest first.
// They are shared: read them, don't change them. To look at what follows, keep
// the length.
//
// An event is written when its request has been answered, so the client may be
// faster: wait for an event with [Cluster.WaitForAudit].
func (c *Cluster) Audit() ([]auditv1.Event, error) { return c.audit.read() }

// WaitForAudit returns the oldest event for which match says yes, and waits for
// it until ctx ends, or half a minute if ctx has no deadline.
func (c *Cluster) WaitForAudit(ctx context.Context, match func(*auditv1.Event) bool) (*auditv1.Event, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, auditTimeout)
		defer cancel()
	}
	var (
		found *auditv1.Event
		seen  int
	)
	err := c.poll(ctx, "an event in the audit log", func(context.Context) (bool, error) {
		events, err := c.audit.read()
		if err != nil {
			return false, err
		}
		for ; seen < len(events); seen++ {
			if match(&events[seen]) {
				found = &events[seen]
				return true, nil
			}
		}
		return false, fmt.Errorf("none of %d events matches", seen)
	})
	return found, err
}

// auditLog reads the API server's audit log as it grows.
type auditLog struct {
	path string

	mu     sync.Mutex
	offset int64
	events []auditv1.Event
}

// read returns all events. A last line that is still being written is left for
// the next call.
func (a *auditLog) read() ([]auditv1.Event, error) {
	a.mu.Lock()
	defer a.mu.Unlock()

	f, err := os.Open(a.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(a.offset, io.SeekStart); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	for {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		if !whole {
			// Appending later does not change what a caller holds.
			return slices.Clip(a.events), nil
		}
		var event auditv1.Event
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("decode the audit log at byte %d: %w", a.offset, err)
		}
		a.events = append(a.events, event)
		a.offset += int64(len(line)) + 1
		data = rest
	}
}
