package pace_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/pace"
)

var start = time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC)

const window = 10 * time.Minute

func newBook(t testing.TB, limit int) *pace.Book {
	t.Helper()
	book, err := pace.New(pace.Options{Limit: limit, Window: window})
	if err != nil {
		t.Fatal(err)
	}
	return book
}

// deletes is alice deleting a Deployment some time after the start, as changed by edits.
func deletes(namespace, name string, after time.Duration, edits ...func(*operation.Operation)) *operation.Operation {
	op := &operation.Operation{
		Surface: operation.Kubernetes, Verb: operation.Delete, Phase: operation.Requested, Time: start.Add(after),
		Actor: operation.Actor{Identity: operation.Identity{Name: "alice@example.com"}},
		Target: operation.Target{
			Reference: operation.Reference{
				Ref: operation.KubernetesRef("prod-eu", "apps", "deployments", namespace, name), Namespace: namespace, Name: name, UID: "uid-" + name,
			},
			Group: "apps", Resource: "deployments", Cluster: "prod-eu",
		},
	}
	for _, edit := range edits {
		edit(op)
	}
	return op
}

func by(name string) func(*operation.Operation) {
	return func(op *operation.Operation) { op.Actor.Name = name }
}

// within has a target be of mollyguard itself.
func within(op *operation.Operation) { op.Target.Within = "k8s://prod-eu/core/namespaces/mollyguard" }

func recent(count, namespaces int) operation.Recent {
	return operation.Recent{Count: count, Namespaces: namespaces, Limit: 3, Seconds: 600}
}

func TestWhatAnActorHasDoneIsCountedWithTheOperationAtHand(t *testing.T) {
	for _, tt := range []struct {
		name    string
		counted []*operation.Operation
		op      *operation.Operation
		want    operation.Recent
	}{
		{"the first", nil, deletes("shop", "web", 0), recent(1, 1)},
		{"the second", []*operation.Operation{deletes("shop", "web", 0)}, deletes("shop", "db", time.Minute), recent(2, 1)},
		{"in another namespace", []*operation.Operation{deletes("shop", "web", 0)}, deletes("till", "web", time.Minute, func(op *operation.Operation) { op.Target.UID = "another" }), recent(2, 2)},
		{"the same again", []*operation.Operation{deletes("shop", "web", 0)}, deletes("shop", "web", time.Second), recent(1, 1)},
		{
			"the same again, counted each time", []*operation.Operation{deletes("shop", "web", 0), deletes("shop", "web", time.Second)},
			deletes("shop", "db", time.Minute), recent(2, 1),
		},
		{
			"an object that was made anew under the old name", []*operation.Operation{deletes("shop", "web", 0)},
			deletes("shop", "web", time.Second, func(op *operation.Operation) { op.Target.UID = "another" }), recent(2, 1),
		},
		{
			"another verb on the same object", []*operation.Operation{deletes("shop", "web", 0, func(op *operation.Operation) { op.Verb = operation.ScaleToZero })},
			deletes("shop", "web", time.Second), recent(2, 1),
		},
		{
			"an upgrade of mollyguard itself is one thing", []*operation.Operation{deletes("mollyguard", "a", 0, within), deletes("mollyguard", "b", 0, within)},
			deletes("mollyguard", "c", time.Second, within), recent(1, 1),
		},
		{"by somebody else", []*operation.Operation{deletes("shop", "web", 0)}, deletes("shop", "db", time.Second, by("bob@example.com")), recent(1, 1)},
		{"just within the window", []*operation.Operation{deletes("shop", "web", 0)}, deletes("shop", "db", window-time.Millisecond), recent(2, 1)},
		{"when the window is over", []*operation.Operation{deletes("shop", "web", 0)}, deletes("shop", "db", window), recent(1, 1)},
		{
			"the same again is as of then", []*operation.Operation{deletes("shop", "web", 0), deletes("shop", "web", window/2)},
			deletes("shop", "db", window), recent(2, 1),
		},
		{
			"the same again after the window", []*operation.Operation{deletes("shop", "web", 0), deletes("shop", "web", window)},
			deletes("shop", "db", window+time.Second), recent(2, 1),
		},
		{
			"a namespace counts as in itself", []*operation.Operation{deletes("shop", "web", 0)},
			deletes("", "shop", time.Second, func(op *operation.Operation) { op.Target.Group, op.Target.Resource = "", "namespaces" }), recent(2, 1),
		},
		{
			"what is in no namespace", []*operation.Operation{deletes("", "a", 0)}, deletes("", "b", time.Second), recent(2, 0),
		},
		{
			"beyond the limit",
			[]*operation.Operation{deletes("a", "a", 0), deletes("b", "b", 1), deletes("c", "c", 2), deletes("d", "d", 3)},
			deletes("e", "e", time.Minute), recent(5, 5),
		},
		{
			"far beyond the limit only the last are known",
			[]*operation.Operation{deletes("a", "a", 0), deletes("b", "b", time.Second), deletes("c", "c", 2*time.Second), deletes("d", "d", 3*time.Second), deletes("e", "e", 4*time.Second), deletes("f", "f", 5*time.Second)},
			deletes("g", "g", time.Minute), recent(5, 5),
		},
		{
			"older ones of those that are known go first",
			[]*operation.Operation{deletes("a", "a", 5*time.Second), deletes("b", "b", 0), deletes("c", "c", 6*time.Second), deletes("d", "d", 7*time.Second), deletes("e", "e", 8*time.Second)},
			deletes("g", "g", window+time.Second), recent(5, 5),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			book := newBook(t, 3)
			for _, op := range tt.counted {
				book.Count(op)
			}
			if diff := cmp.Diff(tt.want, book.Look(tt.op)); diff != "" {
				t.Errorf("recent (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, book.Look(tt.op)); diff != "" {
				t.Errorf("looking again (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsTooMuchHasBounds(t *testing.T) {
	for _, tt := range []struct {
		opts pace.Options
		want string
	}{
		{pace.Options{Limit: 0, Window: window}, "pace: a limit of 0 is not between 1 and 200"},
		{pace.Options{Limit: 201, Window: window}, "pace: a limit of 201 is not between 1 and 200"},
		{pace.Options{Limit: 20, Window: time.Millisecond}, "pace: a window of 1ms is not between 1s and 24h0m0s"},
		{pace.Options{Limit: 20, Window: 25 * time.Hour}, "pace: a window of 25h0m0s is not between 1s and 24h0m0s"},
	} {
		if book, err := pace.New(tt.opts); book != nil || err == nil || err.Error() != tt.want {
			t.Errorf("%+v: got %v, want %s", tt.opts, err, tt.want)
		}
	}
}

// maxOwn is how many entries one process keeps of its own.
const maxOwn = 2_500

// fill has as many actors do one thing each as there is room for.
func fill(book *pace.Book) {
	for i := range maxOwn {
		book.Count(deletes("shop", "web", 0, by(fmt.Sprintf("user-%d", i))))
	}
}

func TestWhatThereIsNoRoomForIsHeldAgainstEverybody(t *testing.T) {
	book := newBook(t, 3)
	fill(book)
	carol := deletes("shop", "web", time.Second, by("carol"))
	if diff := cmp.Diff(recent(1, 1), book.Look(carol)); diff != "" {
		t.Fatalf("before (-want +got):\n%s", diff)
	}
	for i := range 4 {
		book.Count(deletes("till", fmt.Sprintf("db-%d", i), time.Second, by("dave")))
	}
	for _, who := range []string{"carol", "dave", "user-7"} {
		op := deletes("bank", "ledger", time.Minute, by(who))
		if got := book.Look(op); got.Count <= 3 {
			t.Errorf("%s has %+v, want more than the limit", who, got)
		}
	}
	if got := book.AtLimit(start.Add(time.Minute)); got != maxOwn {
		t.Errorf("%d actors are at the limit, want all %d", got, maxOwn)
	}

	if diff := cmp.Diff(recent(1, 1), book.Look(deletes("shop", "web", time.Second+window, by("carol")))); diff != "" {
		t.Errorf("when the window is over (-want +got):\n%s", diff)
	}
	if got := book.AtLimit(start.Add(time.Second + window)); got != 0 {
		t.Errorf("%d actors are at the limit then", got)
	}
	book.Count(deletes("shop", "a", time.Second+window, by("carol")))
	if diff := cmp.Diff(recent(1, 1), book.Look(deletes("shop", "web", 2*time.Second+window, by("dave")))); diff != "" {
		t.Errorf("there is room again, so nothing is held against others (-want +got):\n%s", diff)
	}
}

func TestActorsAtTheLimitAreCounted(t *testing.T) {
	book := newBook(t, 3)
	for i := range 3 {
		book.Count(deletes("shop", fmt.Sprint(i), 0))
	}
	book.Count(deletes("shop", "x", 0, by("bob@example.com")))
	if got := book.AtLimit(start.Add(time.Minute)); got != 1 {
		t.Errorf("%d, want alice", got)
	}
}

// plain is a Book that keeps everything.
type plain map[string][]*operation.Operation

func (p plain) look(op *operation.Operation) (count, namespaces int) {
	seen := map[string]bool{}
	in := map[string]bool{}
	for _, one := range slices.Concat(p[op.Actor.Name], []*operation.Operation{op}) {
		if one.Time.After(op.Time.Add(-window)) {
			seen[string(one.Verb)+one.Target.Ref] = true
			in[one.Target.Namespace] = true
		}
	}
	return len(seen), len(in)
}

func (p plain) count(op *operation.Operation) { p[op.Actor.Name] = append(p[op.Actor.Name], op) }

// TestTwoBooksThatShareCountAsOneThatKeepsEverything has operations come to either of two
// books, which tell each other now and then, and one of which is started again.
func TestTwoBooksThatShareCountAsOneThatKeepsEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 4
		newOne := func() *pace.Book {
			book, err := pace.New(pace.Options{Limit: limit, Window: window})
			if err != nil {
				t.Fatal(err)
			}
			return book
		}
		books := []*pace.Book{newOne(), newOne()}
		all := plain{}
		var after time.Duration
		merge := func(from, to int) {
			if err := books[to].Merge(books[from].Export(start.Add(after)), start.Add(after)); err != nil {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			after += time.Duration(rapid.IntRange(1, 120).Draw(t, "seconds")) * time.Second
			op := deletes(
				rapid.SampledFrom([]string{"shop", "till", "bank"}).Draw(t, "namespace"),
				rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name"),
				after, by(rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "actor")),
			)
			op.Verb = rapid.SampledFrom([]operation.Verb{operation.Delete, operation.Evict}).Draw(t, "verb")
			at := rapid.IntRange(0, 1).Draw(t, "book")
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				exported := books[at].Export(start.Add(after))
				books[at] = newOne()
				if err := books[at].Restore(exported, start.Add(after)); err != nil {
					t.Fatal(err)
				}
			}
			merge(1-at, at)
			count, namespaces := all.look(op)
			got := books[at].Look(op)
			exact := got.Count == count && got.Namespaces == namespaces
			if count <= limit && !exact || count > limit && got.Count <= limit {
				t.Fatalf("%s %s by %s: %+v, want %d in %d", op.Verb, op.Target.Ref, op.Actor.Name, got, count, namespaces)
			}
			books[at].Count(op)
			all.count(op)
		}
	})
}
