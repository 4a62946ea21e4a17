package auditlog

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mollyguard/mollyguard/alert"
)

// idler is a Source that may read nothing on purpose, since another replica does.
type idler interface{ Idle() bool }

// silence knows when each source was heard.
type silence struct {
	lock    sync.Mutex
	sources map[string]*hearing
}

// hearing is what is known of one source.
type hearing struct {
	idle func() bool // nil if it never is
	// first is when the first entry came, last when the last did, or would have.
	first, last time.Time
	// speaks is whether an entry came since people were told that none does.
	speaks bool
	// told is what people were told last, mended whether they know that it works.
	told   hush
	mended bool
}

// hush is what people know of a silence: of an earlier run they may know of one.
type hush int

const (
	hushUnknown hush = iota
	hushSilent
	hushOver
)

const (
	textHeard = "entries come again"
	textIdle  = "another replica reads it"
)

func (s *silence) begin(sources []Source, now time.Time) {
	s.sources = map[string]*hearing{}
	for _, source := range sources {
		h := &hearing{last: now}
		if i, ok := source.(idler); ok {
			h.idle = i.Idle
		}
		s.sources[source.Name()] = h
	}
}

func (s *silence) heard(source string, at time.Time) {
	s.lock.Lock()
	defer s.lock.Unlock()
	h := s.sources[source]
	if h == nil {
		return
	}
	if h.first.IsZero() {
		h.first = at
	}
	if at.After(h.last) {
		h.last = at
	}
	h.speaks = true
}

// ended says that nothing is to come from a source any more.
func (s *silence) ended(source string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	delete(s.sources, source)
}

// mendPatience is how long a source that works takes to say what does not: that nobody
// answers is a trouble after a minute, all else is at once.
const mendPatience = 2 * time.Minute

// look says what has fallen silent, or is heard again, since it was called last, and
// which sources have come to work. deaf says that it is we who take nothing.
func (s *silence) look(now time.Time, limit time.Duration, deaf bool) (troubles []alert.Trouble, working []string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for source, h := range s.sources {
		idle := h.idle != nil && h.idle()
		if idle || deaf {
			h.last = now
		}
		t := alert.Trouble{Kind: alert.Silence, Source: source, Since: h.last}
		switch {
		case limit > 0 && now.Sub(h.last) > limit:
			if h.told != hushSilent {
				h.told, h.speaks = hushSilent, false
				look := "check the log sink, its filter and its rights, and the subscription"
				if strings.HasPrefix(source, "file:") {
					look = "check whether whoever writes the file still does"
				}
				t.Text = fmt.Sprintf("no entries and no heartbeat since %s: %s", h.last.UTC().Format(time.RFC3339), look)
				troubles = append(troubles, t)
			}
		case h.told != hushOver && (idle || h.speaks):
			h.told = hushOver
			t.Text, t.Over = textHeard, true
			if idle {
				t.Text = textIdle
			}
			troubles = append(troubles, t)
		}
		if !h.mended && !h.first.IsZero() && now.Sub(h.first) >= mendPatience {
			h.mended = true
			working = append(working, source)
		}
	}
	return troubles, working
}

// lookInterval is how often sources are looked at, which is soon enough for a silence
// of minutes.
const lookInterval = 10 * time.Second

// watchSources says what is silent, and what has come to work.
func (w *Watcher) watchSources(ctx context.Context) error {
	return w.every(ctx, lookInterval, func() {
		troubles, working := w.silence.look(w.Now(), w.Silence, w.Ready() != nil)
		for _, t := range troubles {
			w.reports.tell(t)
		}
		for _, source := range working {
			w.reports.mended(source)
		}
	})
}
