package auditlog

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mollyguard/mollyguard/alert"
)

// idler is a Source that may read nothing on purpose, since another replica does.
type idler interface{ Idle() bool }

// silence knows when each source was heard last.
type silence struct {
	lock sync.Mutex
	last map[string]time.Time
	idle map[string]func() bool
	// told are the sources of which people know that they are silent.
	told map[string]bool
}

func (s *silence) begin(sources []Source, now time.Time) {
	s.last, s.told, s.idle = map[string]time.Time{}, map[string]bool{}, map[string]func() bool{}
	for _, source := range sources {
		s.last[source.Name()] = now
		if i, ok := source.(idler); ok {
			s.idle[source.Name()] = i.Idle
		}
	}
}

func (s *silence) heard(source string, at time.Time) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if at.After(s.last[source]) {
		s.last[source] = at
	}
}

// changed returns what has fallen silent, or is heard again, since it was asked last.
func (s *silence) changed(now time.Time, limit time.Duration) []alert.Trouble {
	s.lock.Lock()
	defer s.lock.Unlock()
	var troubles []alert.Trouble
	for source, last := range s.last {
		if idle := s.idle[source]; idle != nil && idle() {
			s.last[source] = now
			continue
		}
		silent := now.Sub(last) > limit
		if silent == s.told[source] {
			continue
		}
		s.told[source] = silent
		text := fmt.Sprintf("no entries and no heartbeat since %s: check the log sink, its filter and its rights, and the subscription", last.UTC().Format(time.RFC3339))
		if !silent {
			text = "entries come again"
		}
		troubles = append(troubles, alert.Trouble{Kind: alert.Silence, Source: source, Since: last, Text: text, Over: !silent})
	}
	return troubles
}

// silenceInterval is how often sources are looked at, which is soon enough for a
// silence of minutes.
const silenceInterval = 10 * time.Second

func (w *Watcher) watchSilence(ctx context.Context, finished <-chan struct{}) error {
	if w.Silence <= 0 {
		return nil
	}
	ticker := time.NewTicker(silenceInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-finished:
			return nil
		case <-ticker.C:
		}
		for _, t := range w.silence.changed(w.Now(), w.Silence) {
			select {
			case w.troubles <- t:
			case <-ctx.Done():
				return nil
			case <-finished:
				return nil
			}
		}
	}
}
