package pace_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/pace"
)

// BenchmarkLookAndCount is what one destructive operation costs: an actor within the
// limit who does something new, or the same again, and one who is far beyond the largest
// limit, in a namespace of its own each time.
func BenchmarkLookAndCount(b *testing.B) {
	for _, tt := range []struct {
		name              string
		limit, objects    int
		everyOneNamespace bool
	}{
		{"within the limit", 20, 20, false},
		{"beyond the limit", 20, 1000, false},
		{"beyond the largest limit, across namespaces", pace.MaxLimit, 1000, true},
	} {
		b.Run(tt.name, func(b *testing.B) {
			book, err := pace.New(pace.Options{Limit: tt.limit, Window: 10 * time.Minute})
			if err != nil {
				b.Fatal(err)
			}
			ops := make([]operation.Operation, tt.objects)
			for i := range ops {
				namespace := "shop"
				if tt.everyOneNamespace {
					namespace = fmt.Sprintf("shop-%d", i)
				}
				ops[i] = operation.Operation{
					Verb: operation.Delete, Time: start,
					Actor: operation.Actor{Identity: operation.Identity{Name: "alice.lastname@example.com"}},
					Target: operation.Target{Reference: operation.Reference{
						Ref:       fmt.Sprintf("k8s://prod-europe-west1/apps/deployments/%s/web-frontend-%04d", namespace, i),
						Namespace: namespace, UID: fmt.Sprintf("8c2f2d0e-6f1b-4c57-9d0a-3c1f2b7a%04d", i),
					}},
				}
			}
			b.ReportAllocs()
			var i int
			for b.Loop() {
				op := &ops[i%len(ops)]
				i++
				book.Look(op)
				book.Count(op)
			}
		})
	}
}
