package bypass

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// doors is the table. Each file has those of its groups.
func doors() []door {
	return slices.Concat(objectDoors(), parentDoors(), weakeningDoors(), guardDoors(), identityDoors(), attackDoors())
}

// TestNothingGetsRoundIt tries every door in every mode. What must be refused has to be
// refused by us, and what it protects must be as it was; what is known to be open has
// to be open, so that the document tells the truth.
func TestNothingGetsRoundIt(t *testing.T) {
	w := newWorld(t)
	w.start(t, "")
	t.Cleanup(func() { w.server.Kill() })
	rooms := map[mode]map[string]*room{}
	for _, m := range modes {
		rooms[m] = w.furnishAll(t, m)
	}
	w.whole(t)
	for _, m := range modes {
		w.enter(t, m)
		for _, alone := range []bool{false, true} {
			t.Run(string(m), func(t *testing.T) {
				for _, d := range doors() {
					r := rooms[m][d.name]
					if r == nil || d.alone != alone {
						continue
					}
					t.Run(d.name, func(t *testing.T) {
						switch {
						case !alone:
							t.Parallel()
						case m != dead:
							w.whole(t)
						}
						tryDoor(t, d, m, r)
					})
				}
			})
		}
	}
}

// furnishAll makes a room for every door, while a server runs that may see it.
func (w *world) furnishAll(t *testing.T, m mode) map[string]*room {
	t.Helper()
	rooms := map[string]*room{}
	for i, d := range doors() {
		if len(d.only) > 0 && !slices.Contains(d.only, m) {
			continue
		}
		r := &room{world: w, t: t, name: fmt.Sprintf("%s-%d", m, i)}
		if err := r.furnish(d.given); err != nil {
			t.Fatalf("%s: %v", d.name, err)
		}
		if d.settled != nil {
			w.eventually(t, d.name, func() error { return d.settled(r) })
		}
		rooms[d.name] = r
	}
	return rooms
}

// enter brings Mollyguard into a mode.
func (w *world) enter(t *testing.T, m mode) {
	t.Helper()
	switch m {
	case unread:
		w.server.Kill()
		w.start(t, w.withoutList(t, "/api/v1/configmaps"))
	case dead:
		w.server.Kill()
	}
}

func tryDoor(t *testing.T, d door, m mode, r *room) {
	before := make([]map[string]any, len(d.protects))
	for i, o := range d.protects {
		if before[i] = r.look(t, o); before[i] == nil {
			t.Fatalf("%s is not there", r.in(o.name))
		}
	}
	said, refused := d.try(t, r)
	t.Log(said)
	why, open := d.open[m]
	switch {
	case open && refused:
		t.Errorf("closed, though the table says that it is open (%s): %s", why, said)
	case !open && !refused:
		t.Errorf("open: %s", said)
	case !open && !strings.Contains(said, "mollyguard"):
		t.Errorf("refused, but not by us: %s", said)
	}
	if open {
		return
	}
	for i, o := range d.protects {
		if diff := cmp.Diff(before[i], r.look(t, o)); diff != "" {
			t.Errorf("%s is not as it was (-before +after):\n%s", r.in(o.name), diff)
		}
	}
}

var update = flag.Bool("update", false, "write docs/doors.md")

const document = "../../docs/doors.md"

// TestTheDocumentSaysWhatTheTableSays keeps docs/doors.md and the table together.
func TestTheDocumentSaysWhatTheTableSays(t *testing.T) {
	want := describe(doors())
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/doors.md (-table +file): go test ./test/bypass -run Document -update\n%s", diff)
	}
}
