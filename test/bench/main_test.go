package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mollyguard/mollyguard/auditlog/mapping"
	"github.com/mollyguard/mollyguard/webhook/index"
)

// TestMain lets the test's program be the reference servers, as bench's is.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args[1:], "-serve") || slices.Contains(os.Args[1:], "-decode") {
		main()
	}
	os.Exit(m.Run())
}

func TestAShortRunPrintsEveryRow(t *testing.T) {
	if testing.Short() {
		t.Skip("builds mollyguard and takes seconds")
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-duration", "50ms", "-rounds", "1", "-objects", "2000", "-resources", "2000"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	for _, review := range []string{smallDenied, largeDenied, smallAllowed} {
		for _, concurrency := range concurrencies {
			row := fmt.Sprintf("%-22s %7d ", review, concurrency)
			if n := strings.Count(stdout.String(), row); n != 2 { // CPU and latency
				t.Errorf("%d rows begin with %q, want 2", n, row)
			}
		}
	}
	for _, kind := range entryKinds {
		for _, way := range waysOf(kind) {
			if row := fmt.Sprintf("\n%-20s ", kind); !strings.Contains(stdout.String(), row) || !strings.Contains(stdout.String(), " "+string(way)+" ") {
				t.Errorf("no row for %s, %s", kind, way)
			}
		}
	}
	for _, text := range []string{
		"CPU ≤ no-op", "CPU ≤ 0.6 × bare", "p99 ≤ 1.5 × no-op", "mollyguard's resident memory",
		"ignored; watcher, file: ≥ 50000 a CPU second", "ignored; watcher, Pub/Sub: ≥ 50000 a CPU second", "judged, production; watcher, Pub/Sub: ≥ 5000 a CPU second",
		"alert at the sink: p99 < 1 s", "fsync of 4 KiB", "the watcher's resident memory",
		"a cluster of 2000 objects", "2000 objects: ≤ 300 bytes each", "a namespace of 2000 objects: < 1ms", "2000 objects: ≤ 128 MiB resident",
		"100 1 % destroyed ", "200 1 % destroyed ", "2000 1 % destroyed ", "2000 all destroyed ", "2000 resources, 1 % destroyed: ≤ 2 × the time of encoding/json",
		"2000 resources, 1 % destroyed: ≤ 16 MiB above that of 100",
	} {
		if !strings.Contains(stdout.String(), text) {
			t.Errorf("%q is missing", text)
		}
	}
	if t.Failed() {
		t.Log(stdout.String())
	}
}

func TestFourInTenObjectsOfAClusterArePods(t *testing.T) {
	const objects = 20_000
	count, uids := map[string]int{}, map[string]bool{}
	populate(objects, func(o index.Object) {
		count[o.Kind]++
		if uids[o.UID] {
			t.Errorf("the uid of %s %s comes twice", o.Kind, o.Name)
		}
		uids[o.UID] = true
	})
	if n := count["Pod"]; n < objects*38/100 || n > objects*42/100 {
		t.Errorf("%d of %d objects are pods", n, objects)
	}
	if len(uids) != objects {
		t.Errorf("%d objects, want %d", len(uids), objects)
	}
}

func TestBothStoresFindAllThatIsBelowAParent(t *testing.T) {
	for _, name := range storeNames {
		for _, question := range questions {
			if _, err := lookUp(name, question, 500); err != nil { // it counts
				t.Errorf("%s, %s: %v", name, question, err)
			}
		}
	}
}

func TestReviewsAreOfTheSizeThatTheirNameSays(t *testing.T) {
	all, err := reviews(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		size := smallReview
		if r.name == largeDenied {
			size = largeReview
		}
		if n := len(r.body); n < size*9/10 || n > size*11/10 {
			t.Errorf("%s: %d bytes, want about %d", r.name, n, size)
		}
	}
}

func TestNoTwoEntriesAreEqualAndEachIsWhatItIsCalled(t *testing.T) {
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLog(root)
	if err != nil {
		t.Fatal(err)
	}
	mapper, err := mapping.New(mapping.Options{})
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, kind := range entryKinds {
		for _, entry := range l.take(kind, 8) {
			if n := len(entry); n < 1200 || n > 4<<10 {
				t.Errorf("%s: %d bytes: %s", kind, n, entry)
			}
			if cares := mapper.Cares(entry); cares != (kind != ignored) {
				t.Errorf("%s: cares: %v: %s", kind, cares, entry)
			}
			if kind == ignored {
				continue
			}
			r, err := mapper.Map(entry)
			if err != nil {
				t.Fatal(err)
			}
			if keys[r.Key] || keys[r.Operation.Target.Ref] {
				t.Errorf("%s comes twice", entry)
			}
			keys[r.Key], keys[r.Operation.Target.Ref] = true, true
			if in := strings.HasPrefix(r.Operation.Target.Project, "prod-"); in != (kind == judged) {
				t.Errorf("%s is in project %s", kind, r.Operation.Target.Project)
			}
		}
	}
	entry, target := l.deletion(time.Now())
	r, err := mapper.Map(entry)
	if err != nil || r.Operation.Target.Name != target {
		t.Errorf("the deletion of %s is that of %s: %v", target, r.Operation.Target.Name, err)
	}
}
