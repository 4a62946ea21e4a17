package watch_test

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

// number is a setting of make kill, or what is enough for every day.
func number(t *testing.T, name string, everyDay int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return everyDay
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// atWorkLeast is the part of the lives, one in so many, in which a watcher has to have
// decided something before it was killed: else only its start is tested. Fewer than
// fewKills are too few to count on.
const (
	atWorkLeast = 3
	fewKills    = 20
)

func TestNoAlertIsLostAndNoneIsMadeUpWhenTheWatcherIsKilledOverAndOver(t *testing.T) {
	kills, entries := number(t, "MOLLYGUARD_KILLS", 8), number(t, "MOLLYGUARD_ENTRIES", 1600)
	w := newWorld(t)
	w.configure(w.subscribe(), "", noGrants)
	w.receiver.fail(15)
	random := rand.New(rand.NewPCG(uint64(kills), uint64(entries)))
	flow := newFlow(random, entries)

	atWork := 0
	for round := range kills {
		if w.life(random, round, flow.take(len(flow.entries)/kills)) {
			atWork++
		}
		if round%5 == 4 {
			w.expire()
		}
		if round%3 == 2 { // what Pub/Sub hands out twice
			for _, entry := range flow.again(random, 20) {
				w.publish(entry)
			}
		}
	}
	least := 1
	if kills >= fewKills {
		least = kills / atWorkLeast
	}
	if atWork < least {
		t.Errorf("%d of %d watchers were killed after they had decided something, %d are wanted", atWork, kills, least)
	}
	w.spread(flow.take(len(flow.entries)), 0)
	w.receiver.fail(0)
	p := w.ready(w.start())
	if w.settle(flow) {
		// What comes once more must change nothing, as is known by what comes after it.
		for _, entry := range flow.again(random, 20) {
			w.publish(entry)
		}
		w.publish(flow.disk(len(flow.entries), time.Now().UTC()))
		w.settle(flow)
	}
	w.stop(p)
	newest, sends := w.receiver.alerts()
	if diff := cmp.Diff(flow.expected, w.told()); diff != "" {
		t.Errorf("what people were told (-want +got):\n%s", diff)
	}
	w.sameIDs()
	t.Logf("%d entries, %d kills, %d of them at work: %d operations that people were told of, in %d incidents, by %d messages, %d more while nobody took any",
		entries, kills, atWork, len(flow.expected), len(newest), sends, w.receiver.refusals())
}

// life starts a watcher, lets entries flow, and kills it. It reports whether the watcher
// decided anything. Every second one works when its time begins to run, the others are
// killed anywhere from exec on. One in ten of those that work cannot tell anybody.
func (w *world) life(random *rand.Rand, round int, entries []map[string]any) (worked bool) {
	w.Helper()
	const fromExec, fromReady, outage, outages = 2000, 1500, 4, 10
	log := filepath.Join(w.folder, "decisions.jsonl")
	before := size(w.T, log)
	if round%outages == outage {
		w.receiver.refuse(http.StatusServiceUnavailable)
		defer w.receiver.refuse(0)
	}
	refused := w.receiver.refusals()
	p := w.start()
	if round%2 == 0 {
		w.ready(p)
		w.spread(entries, time.Duration(random.IntN(fromReady))*time.Millisecond)
	} else {
		w.spread(entries, time.Duration(random.IntN(fromExec))*time.Millisecond)
	}
	if round%outages == outage {
		w.until("refused", func() bool { return w.receiver.refusals() > refused })
	}
	p.kill()
	return size(w.T, log) > before
}

// size is how long a file is; one that is not there yet has none.
func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// settle waits until people know what they are to know, as long as they learn more of
// it, and reports whether they do. What was handed to watchers that were killed comes
// again, and what the last one has as well. More than once, as the fake may hand it to a
// stream whose end it has not seen.
func (w *world) settle(flow *flow) bool {
	learnt := func() (n int) {
		for ref, phase := range w.told() {
			if flow.expected[ref] == phase {
				n++
			}
		}
		return n
	}
	compared := -1
	complete := func() bool {
		n := w.receiver.count()
		if n == compared { // nothing new
			return false
		}
		compared = n
		return maps.Equal(flow.expected, w.told())
	}
	const idleMost = 6
	for idle := 0; idle < idleMost; idle++ {
		before := learnt()
		w.expire()
		compared = -1
		if w.within(5*time.Second, complete) {
			return true
		}
		if learnt() > before {
			idle = -1
		}
	}
	return false
}

// spread publishes entries over some time, and returns when it is over.
func (w *world) spread(entries []map[string]any, over time.Duration) {
	const together = 50
	ends := time.After(over)
	flows := time.NewTicker(over/time.Duration(len(entries)/together+1) + 1)
	defer flows.Stop()
	for i, entry := range entries {
		w.publish(entry)
		if i%together == together-1 && over > 0 {
			<-flows.C
		}
	}
	<-ends
}

// told is what people know: of each target how far it has come.
func (w *world) told() map[string]operation.Phase {
	told := map[string]operation.Phase{}
	newest, _ := w.receiver.alerts()
	for _, a := range newest {
		if a.Kind != alert.Violation && a.Kind != alert.Attempt {
			continue
		}
		for _, o := range a.Operations {
			told[o.Target.Ref] = o.Phase
		}
	}
	return told
}

// sameIDs checks that whatever is told of a target is told under one id. Only an end
// that came long before its start is told by itself, as nobody's.
func (w *world) sameIDs() {
	w.Helper()
	ids := map[string]map[string]bool{}
	for _, a := range w.receiver.all() {
		if a.Actor.Name == "" {
			continue
		}
		for _, o := range a.Operations {
			if ids[o.Target.Ref] == nil {
				ids[o.Target.Ref] = map[string]bool{}
			}
			ids[o.Target.Ref][a.ID] = true
		}
	}
	for ref, of := range ids {
		if len(of) != 1 {
			w.Errorf("%s was told under %v", ref, slices.Sorted(maps.Keys(of)))
		}
	}
}
