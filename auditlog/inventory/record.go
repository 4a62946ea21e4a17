package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

// recordVersion is the version of what is in the table. A record of another one is not
// read, and the next search writes it anew.
const recordVersion = 1

// record is what is known of a resource. Times are microseconds since 1970. Names are
// short, for there are many.
type record struct {
	Version int    `json:"v"`
	Kind    string `json:"k"`
	// Project is its project's id, or the number if that is all that is known.
	Project string `json:"p,omitzero"`
	// Number is the project's number, in a project's record.
	Number string `json:"n,omitzero"`
	// Ancestors are folders and organization, in records of projects and of what is in
	// none, or in one that is not known.
	Ancestors []string `json:"a,omitempty"`
	Created   int64    `json:"c,omitzero"`
	// Lost is when a state ended that was let go too early, see trim.
	Lost   int64   `json:"l,omitzero"`
	States []state `json:"s"`
}

// state is what a resource was like from one time on, until the next state's. To is when
// it was last said to be so: what is said late of a time before is older.
type state struct {
	From   int64             `json:"f"`
	To     int64             `json:"t"`
	Gone   gone              `json:"g,omitzero"`
	Labels map[string]string `json:"l,omitempty"`
	// Tags are nil if they are not known, for the feed does not have them.
	Tags map[string]string `json:"tags,omitzero"`
}

// gone says whether a resource is no more, and how that is known.
type gone int

const (
	there gone = iota
	// deleted: the feed or history said so.
	deleted
	// missed: a complete search did not find it.
	missed
)

// maxStates is how many states are kept of a resource: that many changes of labels in an
// hour are not a person's.
const maxStates = 8

func (r *record) encode() ([]byte, error) {
	r.Version = recordVersion
	return json.Marshal(r, json.Deterministic(true))
}

// errVersion says that a record is another version's.
var errVersion = errors.New("of another version")

func decodeRecord(text []byte) (*record, error) {
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("not a record of an asset: %w", err)
	}
	if r.Version != recordVersion {
		return nil, errVersion
	}
	return &r, nil
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func (s state) says(other state) bool {
	return (s.Gone != there) == (other.Gone != there) &&
		(s.Gone != there || maps.Equal(s.Labels, other.Labels) && (s.Tags == nil || other.Tags == nil || maps.Equal(s.Tags, other.Tags)))
}

// newest returns the last state, or nil.
func (r *record) newest() *state {
	if len(r.States) == 0 {
		return nil
	}
	return &r.States[len(r.States)-1]
}

// put adds what is known of one time, and reports whether that is news. States may come
// in any order, and twice: the newest is the newest, and what there was is there. Only
// which of two label sets came first may be mistaken, if what came between comes late.
func (r *record) put(s state) bool {
	before := slices.Clone(r.States)
	at := s.From
	pos := len(r.States)
	for pos > 0 && r.States[pos-1].From > at {
		pos--
	}
	if s.Gone == there && s.Tags == nil {
		s.Tags = r.tagsNear(pos)
	}
	if pos == 0 {
		r.States = slices.Insert(r.States, 0, s)
	} else {
		r.putAfter(pos-1, s)
	}
	r.join()
	r.trim()
	return !slices.EqualFunc(before, r.States, func(a, b state) bool { return a.From == b.From && a.To == b.To && a.Gone == b.Gone && a.says(b) })
}

// putAfter adds a state that does not begin before another does.
func (r *record) putAfter(i int, s state) {
	p := &r.States[i]
	switch {
	case p.says(s):
		p.To = max(p.To, s.To)
		if s.Gone == deleted {
			p.Gone = deleted
		}
	case s.From >= p.To:
		r.States = slices.Insert(r.States, i+1, s)
	default: // p was so before and after; when last before, is not known any more
		tail := *p
		tail.From = p.To
		p.To = p.From
		r.States = slices.Insert(r.States, i+1, s, tail)
	}
}

func (r *record) tagsNear(pos int) map[string]string {
	for _, s := range slices.Backward(r.States[:pos]) {
		if s.Tags != nil {
			return s.Tags
		}
	}
	return nil
}

// join makes one state of neighbours that say the same.
func (r *record) join() {
	for i := 0; i+1 < len(r.States); {
		a, b := &r.States[i], r.States[i+1]
		if !a.says(b) {
			i++
			continue
		}
		a.To = max(a.To, b.To)
		if a.Tags == nil {
			a.Tags = b.Tags
		}
		if b.Gone == deleted {
			a.Gone = deleted
		}
		r.States = slices.Delete(r.States, i+1, i+2)
	}
}

// trim lets go of the oldest states. Who would hide a label by changing labels until it
// is forgotten only gets the resource called unknown, which counts as production.
func (r *record) trim() {
	for len(r.States) > maxStates {
		ended := r.States[1].From
		if ended > r.newest().From-FormerWindow.Microseconds() {
			r.Lost = max(r.Lost, ended)
		}
		r.States = slices.Delete(r.States, 0, 1)
	}
}

// view is what a record says of one time.
type view struct {
	state
	former []map[string]string
	// early says that the time is before all that is known.
	early bool
}

// asOf returns what the resource was like, of one that was gone, what it was like
// last. Of a time before all that is known, it is what was known first, unless it was
// made later.
func (r *record) asOf(at int64) (v view, ok bool) {
	window := at - FormerWindow.Microseconds()
	if r.Lost != 0 && window < r.Lost {
		return view{early: true}, false
	}
	i, _ := slices.BinarySearchFunc(r.States, at+1, func(s state, t int64) int { return cmp.Compare(s.From, t) })
	for i--; i >= 0 && r.States[i].Gone != there; i-- {
	}
	if i < 0 {
		i = slices.IndexFunc(r.States, func(s state) bool { return s.Gone == there })
		if i < 0 || r.Created > at {
			return view{early: true}, false
		}
		return view{state: r.States[i], early: true}, true
	}
	v.state = r.States[i]
	if i+1 < len(r.States) && r.States[i+1].From < at { // only if it was gone by then
		window = r.States[i+1].From - FormerWindow.Microseconds()
	}
	for j := i - 1; j >= 0 && r.States[j+1].From > window; j-- {
		s := r.States[j]
		if s.Gone == there && !maps.Equal(s.Labels, v.Labels) && !slices.ContainsFunc(v.former, func(m map[string]string) bool { return maps.Equal(m, s.Labels) }) {
			v.former = append(v.former, s.Labels)
		}
	}
	return v, true
}
