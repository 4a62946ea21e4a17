package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/webhook/index"
)

// storeRow is what was measured of the index alone, and of the reference.
type storeRow struct {
	Objects int `json:"objects"`
	// Bytes are those of live objects on the heap, Put the CPU time, for each object.
	Bytes map[string]float64       `json:"bytes_per_object"`
	Put   map[string]time.Duration `json:"put_cpu_ns"`
	// Lookups are medians, by question: what falls with a parent that has so many objects
	// below it.
	Lookups map[string]map[string]time.Duration `json:"lookup_ns"`
}

// The stores, in the order of the columns.
const (
	compact = "index"
	naive   = "metadata map"
)

var storeNames = []string{compact, naive}

// The questions: an object of each kind that has all others below it.
const (
	ofNamespace  = "namespace"
	ofDefinition = "definition"
	ofOwner      = "owner"
)

var questions = []string{ofNamespace, ofDefinition, ofOwner}

// store is what can be asked for what falls.
type store interface {
	put(o index.Object)
	// below counts what falls with a parent.
	below(q index.Question) int
}

const (
	// batch is how many objects are made before they are put in, so that making them is
	// not measured.
	batch = 1000
	// A question is asked at most lookups times, and no longer than lookupTime.
	lookups    = 101
	lookupTime = time.Second
)

func benchStore(ctx context.Context, objects int) (*storeRow, error) {
	row := &storeRow{Objects: objects, Bytes: map[string]float64{}, Put: map[string]time.Duration{}, Lookups: map[string]map[string]time.Duration{}}
	for _, name := range storeNames {
		s, err := newStore(name)
		if err != nil {
			return nil, err
		}
		before := heapBytes()
		cpu, err := fill(s, func(put func(index.Object)) { populate(objects, put) })
		if err != nil {
			return nil, err
		}
		row.Bytes[name] = float64(heapBytes()-before) / float64(objects)
		row.Put[name] = cpu / time.Duration(objects)
		runtime.KeepAlive(s)
	}
	for _, question := range questions {
		row.Lookups[question] = map[string]time.Duration{}
		for _, name := range storeNames {
			if err := context.Cause(ctx); err != nil {
				return nil, err
			}
			took, err := lookUp(name, question, objects)
			if err != nil {
				return nil, fmt.Errorf("%s, %s with %d objects: %w", name, question, objects, err)
			}
			row.Lookups[question][name] = took
		}
	}
	return row, nil
}

func newStore(name string) (store, error) {
	if name == naive {
		return newMetadataMap(), nil
	}
	marks, err := guard.NewMarks(guard.ProductionRules{Selectors: []string{"env in (production, prod, live)"}, NamespaceSelectors: []string{"env in (production, prod, live)"}})
	if err != nil {
		return nil, err
	}
	return compactStore{index.New(index.Options{Production: index.Production{Object: marks.Object, Namespace: marks.Namespace}})}, nil
}

// fill puts objects in and returns the CPU time that this process took for it, with what
// the garbage collector took meanwhile.
func fill(s store, each func(put func(index.Object))) (cpu time.Duration, err error) {
	var waiting []index.Object
	flush := func() {
		before, beforeErr := cpuTime(os.Getpid())
		for _, o := range waiting {
			s.put(o)
		}
		after, afterErr := cpuTime(os.Getpid())
		if err == nil && beforeErr != nil {
			err = beforeErr
		}
		if err == nil && afterErr != nil {
			err = afterErr
		}
		cpu += after - before
		waiting = waiting[:0]
	}
	each(func(o index.Object) {
		if waiting = append(waiting, o); len(waiting) == batch {
			flush()
		}
	})
	flush()
	return cpu, err
}

// lookUp returns the median time of a question about a parent that has so many objects
// below it.
func lookUp(name, question string, objects int) (time.Duration, error) {
	s, err := newStore(name)
	if err != nil {
		return 0, err
	}
	var q index.Question
	if _, err := fill(s, func(put func(index.Object)) { q = crowd(question, objects, put) }); err != nil {
		return 0, err
	}
	runtime.GC()
	var times []float64
	for start := time.Now(); len(times) < lookups && (len(times) == 0 || time.Since(start) < lookupTime); {
		begin := time.Now()
		n := s.below(q)
		times = append(times, float64(time.Since(begin)))
		if n != objects {
			return 0, fmt.Errorf("%d objects fall", n)
		}
	}
	return time.Duration(median(times)), nil
}

// crowd puts so many objects below one, and returns the question for them: in a namespace
// those of 20 kinds, of a definition its instances in 1,000 namespaces, and of an owner a
// hundred that own all the others.
func crowd(question string, objects int, put func(index.Object)) index.Question {
	uid := func(i int) string { return fmt.Sprintf("5e1c3a52-6a31-4b57-9f3e-%012x", i) }
	labelled := func(i int) map[string]string { return map[string]string{"env": []string{"dev", "production"}[i/20%2]} }
	parent := index.Object{Name: "crowd", UID: uid(objects)}
	switch question {
	case ofNamespace:
		parent.Resource, parent.Kind = namespaces.resource, namespaces.kind
	case ofDefinition:
		parent.Resource, parent.Kind = definitions.resource, definitions.kind
		parent.Name = customKind(0).resource.String()
	case ofOwner:
		parent.Resource, parent.Kind, parent.Namespace = cronJobs.resource, cronJobs.kind, "crowd"
	}
	put(parent)
	for i := range objects {
		k, o := customKind(i%20), index.Object{Namespace: "crowd", Name: fmt.Sprintf("thing-%d", i), UID: uid(i), Labels: labelled(i)}
		switch question {
		case ofDefinition:
			k, o.Namespace = customKind(0), fmt.Sprintf("team-%d", i%1000)
		case ofOwner:
			k = jobs
			o.Owners = []index.Owner{{UID: uid(i % 100), Controller: true}}
			if i < 100 {
				o.Owners[0].UID = parent.UID
			}
		}
		o.Resource, o.Kind = k.resource, k.kind
		put(o)
	}
	return index.Question{Resource: parent.Resource, Namespace: parent.Namespace, Name: parent.Name, UID: parent.UID}
}

// compactStore is the index.
type compactStore struct{ *index.Index }

func (s compactStore) put(o index.Object) { s.Put(o) }

func (s compactStore) below(q index.Question) (n int) {
	for _, d := range s.Lost(q).Dependents {
		n += d.Count
	}
	return n
}

// heapBytes is what the live objects of this process take.
func heapBytes() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools held on to
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
