package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

// tally counts what a replay sees. It is a Recorder of decisions.
type tally struct {
	json *json.Encoder // nil for text

	lock sync.Mutex
	// alerts are operations, entries and judged what there is in the files.
	entries, judged, alerts, undecided int
	policies, actors                   map[string]int
	// blank says that there was nothing in any file, not even an empty list.
	blank  bool
	unread int
	// firstUnread is the first entry that could not be read, and why.
	firstUnread entryPlace
	unreadCause error
	// unwritten is why decisions could not be printed.
	unwritten error

	// last is the entry that was read last. reading are those that somebody reads, by
	// their first byte: it is all that a mapper is told of them.
	last    entryPlace
	reading map[*byte]entryPlace
}

// entryPlace is where an entry was.
type entryPlace struct {
	file string
	// all counts the entries of all files from 1, inFile those of this one.
	all, inFile int
}

func newTally(w io.Writer, format string) *tally {
	t := &tally{blank: true, policies: map[string]int{}, actors: map[string]int{}, reading: map[*byte]entryPlace{}}
	if format == "json" {
		t.json = json.NewEncoder(w)
	}
	return t
}

// tallyEnds is the Recorder of ends of operations, which were counted when they
// started.
type tallyEnds struct{ *tally }

// Record prints a decision if that is wanted.
func (t tallyEnds) Record(_ context.Context, d operation.Decision) error {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.print(d)
}

func (t *tally) print(d operation.Decision) error {
	t.judged++
	if t.json == nil {
		return nil
	}
	err := t.json.Encode(d)
	if err != nil && t.unwritten == nil {
		t.unwritten = err
	}
	return err
}

// broken is why it makes no sense to go on.
func (t *tally) broken() error {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.unwritten
}

// opens and reads follow what is read, in its order.
func (t *tally) opens(file string) { t.last.file, t.last.inFile = file, 0 }

func (t *tally) reads() { t.last.inFile++; t.last.all++ }

// Record counts a decision, and prints it if that is wanted.
func (t *tally) Record(_ context.Context, d operation.Decision) error {
	t.lock.Lock()
	defer t.lock.Unlock()
	switch d.Outcome {
	case operation.OutcomeAlert:
		t.alerts++
		t.actors[cmp.Or(d.Actor.Name, "(not in the entry)")]++
		for _, v := range d.Violations {
			if v.Enforcement == operation.EnforceAlert {
				t.policies[v.Policy]++
			}
		}
	case operation.OutcomeUndecided:
		t.undecided++
	}
	return t.print(d)
}

// counting is a mapper that counts what it is given.
func (t *tally) counting(m auditlog.Mapper) auditlog.Mapper { return countingMapper{m, t} }

type countingMapper struct {
	auditlog.Mapper
	tally *tally
}

// Cares implements auditlog.Mapper. It is called where the entry is read.
func (m countingMapper) Cares(data []byte) bool {
	cares := m.Mapper.Cares(data)
	m.tally.lock.Lock()
	defer m.tally.lock.Unlock()
	m.tally.entries++
	if cares && len(data) > 0 {
		m.tally.reading[&data[0]] = m.tally.last
	}
	return cares
}

// Map implements auditlog.Mapper.
func (m countingMapper) Map(data []byte) (auditlog.Reading, error) {
	r, err := m.Mapper.Map(data)
	m.tally.lock.Lock()
	defer m.tally.lock.Unlock()
	var at entryPlace
	if len(data) > 0 {
		at = m.tally.reading[&data[0]]
		delete(m.tally.reading, &data[0])
	}
	if err != nil {
		m.tally.unread++
		if m.tally.unreadCause == nil || at.all < m.tally.firstUnread.all {
			m.tally.firstUnread, m.tally.unreadCause = at, err
		}
	}
	return r, err
}

// err is what is wrong, or that there is something to tell; nil if there is nothing.
func (t *tally) err() error {
	at := t.firstUnread
	where := fmt.Sprintf("entry %d of %s", at.inFile, at.file)
	switch {
	case t.unread == 1:
		return &exitError{code: exitUndecided, err: fmt.Errorf("%s could not be read: %w", where, t.unreadCause)}
	case t.unread > 1:
		return &exitError{code: exitUndecided, err: fmt.Errorf("%d entries could not be read, the first is %s: %w", t.unread, where, t.unreadCause)}
	case t.undecided > 0:
		return &exitError{code: exitUndecided, err: fmt.Errorf("%s could not be judged", several(t.undecided, "operation"))}
	case t.alerts > 0:
		return &exitError{code: exitDenied}
	}
	return nil
}

// several is a number of things.
func several(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if stem, ok := strings.CutSuffix(what, "y"); ok {
		what = stem + "ie"
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// printCounts prints the most frequent first.
func printCounts(w io.Writer, title string, counts map[string]int) {
	if len(counts) == 0 {
		return
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	fmt.Fprintf(w, "\n%s\n", title)
	for _, name := range names {
		fmt.Fprintf(w, "  %6d  %s\n", counts[name], operation.Printable(name))
	}
}
