package index

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"github.com/mollyguard/mollyguard/operation"
)

func uidNumber(i int) string { return fmt.Sprintf("%08x-0000-4000-8000-000000000000", i) }

func widget(name string, more ...func(*Object)) Object {
	o := Object{Resource: widgets, Kind: "Widget", Namespace: "shop", Name: name, UID: "uid-of-" + name}
	for _, f := range more {
		f(&o)
	}
	return o
}

func inShop() Question { return Question{Resource: namespaces, Name: "shop"} }

// names are those of an Answer's first entry.
func names(a Answer) string {
	if len(a.Dependents) == 0 {
		return ""
	}
	return strings.Join(a.Dependents[0].Names, " ")
}

func TestASweepDropsWhatItDidNotMeet(t *testing.T) {
	x := New(Options{})
	for _, name := range []string{"a", "b", "c"} {
		x.Put(widget(name))
	}
	broken := x.Begin(widgets)
	x.Put(widget("a"))
	again := x.Begin(widgets)
	x.Put(widget("b"))
	x.Put(widget("d"))
	x.Remove(widgets, "shop", "nothing")
	x.End(broken)
	if got := names(x.Lost(inShop())); got != "a b c d" {
		t.Errorf("a sweep that another followed left %q", got)
	}
	x.End(again)
	if got := names(x.Lost(inShop())); got != "b d" {
		t.Errorf("a sweep left %q, want b d", got)
	}
	x.End(again)
	x.End(Sweep{})
	if got := names(x.Lost(inShop())); got != "b d" {
		t.Errorf("a sweep that ended twice left %q, want b d", got)
	}
}

func TestASweepOfManyObjectsDropsThemInSteps(t *testing.T) {
	x := New(Options{})
	for i := range 3 * swept {
		x.Put(widget(fmt.Sprint(i)))
		x.Put(Object{Resource: gadgets, Kind: "Gadget", Name: fmt.Sprint(i)})
	}
	sweep := x.Begin(widgets)
	x.Put(widget("kept"))
	x.End(sweep)
	if got := x.Len(); got != 3*swept+1 {
		t.Errorf("%d objects are left, want %d", got, 3*swept+1)
	}
	x.Forget(gadgets)
	if got := x.Len(); got != 1 {
		t.Errorf("%d objects are left, want 1", got)
	}
}

func TestAnObjectThatWasMadeAnewReplacesTheOldOne(t *testing.T) {
	x := New(Options{})
	readAll(x)
	x.Put(widget("a"))
	x.Put(widget("child", func(o *Object) { o.Owners = []Owner{{UID: "uid-of-a"}} }))
	x.Put(widget("a", func(o *Object) { o.UID = "another" }))
	if x.Len() != 2 {
		t.Fatalf("%d objects, want 2", x.Len())
	}
	if got := x.Lost(Question{Resource: widgets, Namespace: "shop", Name: "a"}); got.Dependents != nil {
		t.Errorf("the new object owns %+v", got.Dependents)
	}
	if got := names(x.Lost(Question{Resource: widgets, Namespace: "shop", Name: "a", UID: "uid-of-a"})); got != "child" {
		t.Errorf("the old object owns %q, want child", got)
	}
}

func TestObjectsWithTheSameUIDAreAllKept(t *testing.T) {
	x := New(Options{})
	readAll(x)
	// OpenShift shows each Namespace as a Project, too.
	x.Put(Object{Resource: namespaces, Kind: "Namespace", Name: "shop", UID: uidNumber(1)})
	x.Put(Object{Resource: gadgets, Kind: "Gadget", Name: "shop", UID: uidNumber(1)})
	x.Put(Object{Resource: gadgets, Kind: "Gadget", Name: "child", UID: uidNumber(2), Owners: []Owner{{UID: uidNumber(1)}}})
	x.Remove(namespaces, "", "shop")
	if got := names(x.Lost(Question{Resource: gadgets, Name: "shop", UID: uidNumber(1)})); got != "child" || x.Len() != 2 {
		t.Errorf("the other object owns %q of %d objects, want child of 2", got, x.Len())
	}
}

func TestUIDsAreToldApart(t *testing.T) {
	const uuid = "9f86d081-884c-4d65-9a2f-eaa0c55ad015"
	seen := map[identity]string{}
	for _, uid := range []string{
		uuid, strings.ToUpper(uuid), strings.ReplaceAll(uuid, "-", ""), "{" + uuid + "}", uuid + "0", uuid[:35] + "g", "9f86d081-884c-4d65-9a2f-eaa0c55ad016", "",
	} {
		id := uidOf(uid)
		if other, ok := seen[id]; ok {
			t.Errorf("%q and %q are the same", uid, other)
		}
		seen[id] = uid
	}
	if uidOf(uuid) != uidOf(strings.Clone(uuid)) {
		t.Error("a uid is not itself")
	}
}

func TestHoldersChangeOnlyWithASignal(t *testing.T) {
	x := New(Options{Production: byEnvironment})
	live := func(o *Object) { o.Labels = map[string]string{"env": "production"} }
	definition := Object{Resource: definitions, Kind: "CustomResourceDefinition", Name: widgets.String(), UID: "crd"}
	for _, step := range []struct {
		name   string
		do     func()
		signal bool
		want   Holders
	}{
		{"a widget of no importance", func() { x.Put(widget("a")) }, false, Holders{}},
		{"it becomes production", func() { x.Put(widget("a", live)) }, true, Holders{Namespaces: []string{"shop"}}},
		{"it changes otherwise", func() { x.Put(widget("a", live, func(o *Object) { o.Owners = []Owner{{UID: "x"}} })) }, false, Holders{Namespaces: []string{"shop"}}},
		{"another one", func() { x.Put(widget("b", live)) }, false, Holders{Namespaces: []string{"shop"}}},
		{"its definition becomes known", func() { x.Put(definition) }, true, Holders{Namespaces: []string{"shop"}, Definitions: []string{"widgets.example.com"}}},
		{"that changes", func() { x.Put(definition) }, false, Holders{Namespaces: []string{"shop"}, Definitions: []string{"widgets.example.com"}}},
		{"one of them goes", func() { x.Remove(widgets, "shop", "a") }, false, Holders{Namespaces: []string{"shop"}, Definitions: []string{"widgets.example.com"}}},
		{"the other goes", func() { x.Remove(widgets, "shop", "b") }, true, Holders{}},
		{"an empty namespace", func() { x.Put(Object{Resource: namespaces, Kind: "Namespace", Name: "shop", UID: "ns"}) }, false, Holders{}},
		{"with a widget", func() { x.Put(widget("c")) }, false, Holders{}},
		{"is called production", func() {
			x.Put(Object{Resource: namespaces, Kind: "Namespace", Name: "shop", UID: "ns", Labels: map[string]string{"env": "production"}})
		}, true, Holders{Namespaces: []string{"shop"}, Definitions: []string{"widgets.example.com"}}},
		{"its widget goes", func() { x.Remove(widgets, "shop", "c") }, true, Holders{Namespaces: []string{"shop"}}},
		{"it goes itself", func() { x.Remove(namespaces, "", "shop") }, true, Holders{}},
		{"a namespace that is production by its name", func() { x.Put(Object{Resource: pods, Kind: "Pod", Namespace: "eu-prod", Name: "web"}) }, true, Holders{Namespaces: []string{"eu-prod"}}},
	} {
		step.do()
		signal := false
		select {
		case <-x.Changed():
			signal = true
		default:
		}
		if diff := cmp.Diff(step.want, x.Holders(), equateEmpty); diff != "" || signal != step.signal {
			t.Errorf("%s: signal %t, want %t; Holders (-want +got):\n%s", step.name, signal, step.signal, diff)
		}
	}
}

func TestANamespaceThatBecomesProductionMakesAllInItProduction(t *testing.T) {
	x := New(Options{Production: byEnvironment})
	readAll(x)
	x.Put(widget("a"))
	production := func() int {
		return x.Lost(Question{Resource: definitions, Name: widgets.String()}).Dependents[0].Production
	}
	before := production()
	x.Put(Object{Resource: namespaces, Kind: "Namespace", Name: "shop", UID: "ns", Labels: map[string]string{"env": "production"}})
	during := production()
	x.Put(Object{Resource: namespaces, Kind: "Namespace", Name: "shop", UID: "ns"})
	if got, want := [3]int{before, during, production()}, [3]int{0, 1, 0}; got != want {
		t.Errorf("production before, while and after: %v, want %v", got, want)
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	x := New(Options{Registerer: registry})
	x.Put(widget("a"))
	x.SetState(gadgets, State{Phase: Forbidden})
	check := func(want string) {
		t.Helper()
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "mollyguard_index_objects", "mollyguard_index_synced", "mollyguard_index_kinds"); err != nil {
			t.Error(err)
		}
	}
	const text = `# HELP mollyguard_index_kinds Kinds of objects by how far their reading has come (pending, synced, forbidden, unserved).
# TYPE mollyguard_index_kinds gauge
mollyguard_index_kinds{phase="forbidden"} 1
mollyguard_index_kinds{phase="pending"} %d
mollyguard_index_kinds{phase="synced"} %d
mollyguard_index_kinds{phase="unserved"} 0
# HELP mollyguard_index_objects Objects in the index of what lives in the cluster.
# TYPE mollyguard_index_objects gauge
mollyguard_index_objects 1
# HELP mollyguard_index_synced 1 if every kind that can be had has been read, else 0.
# TYPE mollyguard_index_synced gauge
mollyguard_index_synced %d
`
	check(fmt.Sprintf(text, 1, 0, 0))
	x.SetState(widgets, State{Phase: Synced})
	x.SetDiscovered(Discovery{Known: true})
	check(fmt.Sprintf(text, 0, 1, 1))
}

// maxBytes is the budget of an object, with all that the index needs to find it.
const maxBytes = 300

func TestAnObjectTakesNoMoreThanItsBudget(t *testing.T) {
	const n = 100_000
	before := heap()
	x := New(Options{Production: byEnvironment})
	fill(n, x.Put)
	if each := (heap() - before) / n; each > maxBytes {
		t.Errorf("%d bytes an object, want at most %d", each, maxBytes)
	}
	if x.Len() != n {
		t.Errorf("%d objects, want %d", x.Len(), n)
	}
}

func TestReadersAndWritersDoNotDisturbEachOther(t *testing.T) {
	x := New(Options{Production: byEnvironment})
	readAll(x)
	var writers, readers sync.WaitGroup
	stop := make(chan struct{})
	for w := range 4 {
		writers.Go(func() {
			resource := kindNumber(w)
			put := func(i int) {
				x.Put(Object{
					Resource: resource, Kind: "Kind", Namespace: "shop", Name: fmt.Sprint(i), UID: fmt.Sprint(w, i), Owners: []Owner{{UID: fmt.Sprint((w+1)%4, i/2)}},
					Labels: map[string]string{"env": []string{"dev", "production"}[i%2]},
				})
			}
			for round := range 5 {
				sweep := x.Begin(resource)
				for i := range 200 {
					put(i)
				}
				x.Remove(resource, "shop", "7")
				x.End(sweep)
				x.SetState(resource, State{Phase: phases[round%len(phases)], Namespaced: true})
				if round == 2 {
					x.Forget(resource)
				}
			}
			x.SetState(resource, State{Phase: Synced, Namespaced: true})
		})
	}
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				x.Lost(inShop())
				x.Lost(Question{Resource: kindNumber(0), Namespace: "shop", Name: "0", UID: "00"})
				_, _, _ = x.Holders(), x.Synced(), x.Kinds()
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	want := []operation.Dependents{{Kind: "Kind", Via: contained, Count: 199, Production: 99}}
	got := x.Lost(inShop()).Dependents
	if len(got) != 4 {
		t.Fatalf("%d kinds, want 4: %+v", len(got), got)
	}
	for _, d := range got {
		d.Names = nil
		if diff := cmp.Diff(want[0], d); diff != "" {
			t.Errorf("Dependents (-want +got):\n%s", diff)
		}
	}
}

var phases = []Phase{Pending, Synced, Forbidden, Unserved}

func TestATableTellsEntriesOfTheSameHashApart(t *testing.T) {
	type entry struct {
		value int
		next  int32
	}
	rapid.Check(t, func(t *rapid.T) {
		var entries slab[entry]
		tab := newTable(&entries, func(e *entry) *int32 { return &e.next })
		hash := func(value int) uint32 { return uint32(value % 2) }
		find := func(value int) int32 {
			return tab.find(hash(value), func(e *entry) bool { return e.value == value })
		}
		want, got := map[int]bool{}, map[int]bool{}
		for _, value := range rapid.SliceOfN(rapid.IntRange(1, 9), 0, 40).Draw(t, "values") {
			if id := find(value); id != 0 {
				tab.remove(hash(value), id)
				entries.remove(id)
				delete(want, value)
			} else {
				tab.add(hash(value), entries.add(entry{value: value}))
				want[value] = true
			}
		}
		for value := range 10 {
			if value > 0 && find(value) != 0 {
				got[value] = true
			}
		}
		if !maps.Equal(want, got) || entries.len() != len(want) {
			t.Fatalf("the table has %v and %d entries, want %v", got, entries.len(), want)
		}
	})
}
