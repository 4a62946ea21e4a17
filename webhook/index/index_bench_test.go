package index

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// sizes are the clusters that are measured; the largest only without -short.
var sizes = []int{10_000, 100_000, 1_000_000}

// heap is what the live objects of this process take.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools held on to
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkBuild reports what the index takes of memory, and how long it takes an object
// in.
func BenchmarkBuild(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			if n > 100_000 && testing.Short() {
				b.Skip("short")
			}
			for b.Loop() {
				before := heap()
				x := New(Options{Production: byEnvironment})
				var took time.Duration
				fill(n, func(o Object) {
					start := time.Now()
					x.Put(o)
					took += time.Since(start)
				})
				b.ReportMetric(float64(heap()-before)/float64(n), "B/object")
				b.ReportMetric(float64(took.Nanoseconds())/float64(n), "ns/put")
				if x.Len() != n {
					b.Fatalf("%d objects, want %d", x.Len(), n)
				}
			}
		})
	}
}

// crowded is an index with so many objects below one namespace, one definition and one
// owner, in a cluster with as many others.
func crowded(n int) *Index {
	x := New(Options{Production: byEnvironment})
	fill(n, x.Put)
	x.Put(Object{Resource: namespaces, Kind: "Namespace", Name: "shop", UID: "ns"})
	for i := range n {
		kind := i % 20
		x.Put(Object{
			Resource: kindNumber(kind), Kind: fmt.Sprintf("Kind%d", kind), Namespace: "shop", Name: fmt.Sprintf("thing-%d", i), UID: fmt.Sprint("thing-", i),
			Labels: map[string]string{"env": []string{"dev", "production"}[i/20%2]},
		})
		x.Put(Object{Resource: gadgets, Kind: "Gadget", Namespace: fmt.Sprintf("team-%d", i%1000), Name: fmt.Sprintf("gadget-%d", i), UID: fmt.Sprint("gadget-", i)})
		// A tree: the owner, a hundred below it, and the rest below those.
		owner := "owner"
		if i >= 100 {
			owner = fmt.Sprint("owned-", i%100)
		}
		x.Put(Object{Resource: jobs, Kind: "Job", Namespace: "farm", Name: fmt.Sprintf("owned-%d", i), UID: fmt.Sprint("owned-", i), Owners: []Owner{{UID: owner, Controller: true}}})
	}
	x.Put(Object{Resource: definitions, Kind: "CustomResourceDefinition", Name: gadgets.String(), UID: "crd"})
	x.Put(Object{Resource: cronJobs, Kind: "CronJob", Namespace: "farm", Name: "owner", UID: "owner"})
	return x
}

// BenchmarkLost reports how long it takes to learn what falls with a parent that has so
// many objects below it. Of a tree, the objects at its first level are owners themselves.
func BenchmarkLost(b *testing.B) {
	for _, n := range sizes {
		if n > 100_000 && testing.Short() {
			continue
		}
		x := crowded(n)
		for _, q := range []struct {
			name string
			of   Question
		}{
			{"namespace", Question{Resource: namespaces, Name: "shop", UID: "ns"}},
			{"definition", Question{Resource: definitions, Name: gadgets.String(), UID: "crd"}},
			{"owner", Question{Resource: cronJobs, Namespace: "farm", Name: "owner", UID: "owner"}},
		} {
			b.Run(fmt.Sprintf("%s/%d", q.name, n), func(b *testing.B) {
				total := 0
				for b.Loop() {
					total = 0
					for _, d := range x.Lost(q.of).Dependents {
						total += d.Count
					}
				}
				if total != n {
					b.Fatalf("%d objects, want %d", total, n)
				}
			})
		}
	}
}
