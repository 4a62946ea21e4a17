package sink

import (
	"slices"

	"github.com/mollyguard/mollyguard/operation"
)

// maxTold is how many alerts are remembered: more than a day's, at some hundred bytes
// each.
const maxTold = 1000

// place is where an alert was told, and as how bad.
type place struct {
	channel, ts string
	severity    operation.Severity
}

// told remembers the last maxTold alerts. It is for one goroutine.
type told struct {
	places map[string]place
	order  []string
}

func newTold() *told { return &told{places: map[string]place{}} }

func (t *told) get(id string) (place, bool) {
	p, ok := t.places[id]
	return p, ok
}

func (t *told) put(id string, p place) {
	if _, ok := t.places[id]; !ok {
		if t.order = append(t.order, id); len(t.order) > maxTold {
			delete(t.places, t.order[0])
			t.order = slices.Clone(t.order[1:])
		}
	}
	t.places[id] = p
}
