package auditlog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// mortal dies, and fails to write.
type mortal struct {
	auditlog.Book
	auditlog.Decider
	life
	die   context.CancelFunc
	calls map[death]int
	wrote int
}

func (m *mortal) at(how death) bool {
	m.calls[how]++
	if m.how != how || m.calls[how] != m.dies {
		return false
	}
	m.die()
	return true
}

// Decide implements auditlog.Decider.
func (m *mortal) Decide(ctx context.Context, op operation.Operation) operation.Decision {
	d := m.Decider.Decide(ctx, op)
	m.at(deciding)
	return d
}

// TellDecision implements auditlog.Book.
func (m *mortal) TellDecision(tx *ledger.Tx, d operation.Decision) (string, error) {
	id, err := m.Book.TellDecision(tx, d)
	return id, m.wroteOr(err)
}

// UpdateOperation implements auditlog.Book.
func (m *mortal) UpdateOperation(tx *ledger.Tx, incident string, d operation.Decision) error {
	return m.wroteOr(m.Book.UpdateOperation(tx, incident, d))
}

func (m *mortal) wroteOr(err error) error {
	m.wrote++
	switch {
	case err != nil:
		return err
	case m.at(committing):
		return errBroken
	case m.wrote <= len(m.failures) && m.failures[m.wrote-1]:
		return errBroken
	}
	m.at(committed)
	return nil
}

func TestNothingIsLostAndNothingMadeUpWheneverTheWatcherDies(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawPlan(rt)
		var wrong string
		synctest.Test(t, func(t *testing.T) { wrong = p.live(t) })
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

// live runs the plan, and says what is wrong.
func (p plan) live(t *testing.T) (wrong string) {
	w := newWorld(t)
	entries := p.made()
	queued := &queue{entries: entries}
	queued.acks = func(i int) {
		if missing := p.missing(w, entries, i); missing != "" {
			wrong = fmt.Sprintf("entry %d is acknowledged, and the ledger has nothing of it: %s", i, missing)
		}
	}
	taped := &tape{entries: entries}
	for _, l := range append(p.lives, life{}) {
		var source auditlog.Source = taped
		if p.queued {
			source = queued
		}
		o := w.options(source)
		ctx, die := context.WithCancel(t.Context())
		m := &mortal{Book: o.Book, Decider: o.Decider, life: l, die: die, calls: map[death]int{}}
		o.Book, o.Decider = m, m
		if err := w.watcher(o).Run(ctx); err != nil {
			return err.Error()
		}
		die()
		if !p.queued && w.positioned() > 0 {
			for i := range w.positioned() {
				if missing := p.missing(w, entries, i); missing != "" {
					return fmt.Sprintf("the position is %d, and the ledger has nothing of entry %d: %s", w.positioned(), i, missing)
				}
			}
		}
		time.Sleep(time.Second)
	}
	want, illegibles := p.told(len(p.entries))
	told := w.told()
	blind := slices.IndexFunc(told, func(line string) bool { return !strings.HasPrefix(line, "blind") })
	if blind < 0 {
		blind = len(told)
	}
	if diff := cmp.Diff(want, told[blind:], cmpopts.EquateEmpty()); diff != "" {
		return "told (-want +got):\n" + diff
	}
	counted := 0
	for _, line := range told[:blind] {
		n, _, _ := strings.Cut(strings.TrimPrefix(line, "blind "), "×")
		times, _ := strconv.Atoi(n)
		counted += times
	}
	if keys, _ := w.undecoded(); len(keys) != illegibles || counted != illegibles {
		return fmt.Sprintf("%d entries cannot be read, %d are kept, %d are told of", illegibles, len(keys), counted)
	}
	return wrong
}

// positioned is how far the ledger says that the tape was read.
func (w *world) positioned() (n int) {
	_ = w.ledger.View(context.Background(), func(tx *ledger.Tx) error {
		n, _ = strconv.Atoi(string(tx.Get(ledger.TablePositions, "tape")))
		return nil
	})
	return n
}

// illegible returns the entries that are kept as they could not be read.
func (w *world) illegible() (entries [][]byte) {
	_ = w.ledger.View(context.Background(), func(tx *ledger.Tx) error {
		tx.Scan(ledger.TableUndecoded, "", "", func(_ string, text []byte) bool {
			var u auditlog.Undecoded
			if err := json.Unmarshal(text, &u); err != nil {
				w.Error(err)
			}
			entries = append(entries, u.Data)
			return true
		})
		return nil
	})
	return entries
}

// missing says what the ledger does not have of an entry.
func (p plan) missing(w *world, entries [][]byte, i int) string {
	e := p.entries[i]
	for e.kind == duplicate {
		i, e = e.of, p.entries[e.of]
	}
	of := i
	switch e.kind {
	case ignored:
		return ""
	case illegible:
		if !slices.ContainsFunc(w.illegible(), func(kept []byte) bool { return bytes.Equal(kept, entries[i]) }) {
			return "it is not among those that cannot be read"
		}
		return ""
	case finished, failed:
		of = e.of
	}
	told := w.told()
	begins := fmt.Sprintf("violation %d@example.com delete %d ", of, of)
	if e.kind == finished || e.kind == failed {
		begins += string(e.kind)
	}
	if slices.ContainsFunc(told, func(line string) bool { return strings.HasPrefix(line, begins) }) {
		return ""
	}
	return fmt.Sprintf("%q is not in %q", begins, told)
}
