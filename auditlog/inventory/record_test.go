package inventory

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestStatesComeToTheSameInAnyOrder draws what happened to a resource, one thing at a
// time, and tells it in two orders.
func TestStatesComeToTheSameInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, maxStates).Draw(t, "count")
		var list []state
		for n := range count {
			at := int64(n+1) * 1000
			s := state{From: at, To: at, Tags: map[string]string{}}
			if env := rapid.IntRange(0, 3).Draw(t, "env"); env == 0 {
				s.Gone, s.Tags = deleted, nil
			} else {
				s.Labels = map[string]string{"env": fmt.Sprint(env)}
			}
			list = append(list, s)
		}
		put := func(list []state) record {
			var r record
			for _, s := range list {
				r.put(s)
			}
			return r
		}
		want := put(list)
		got := put(rapid.Permutation(slices.Concat(list, list)).Draw(t, "order"))
		for at := int64(0); at < int64(count+2)*1000; at += 500 {
			a, okA := want.asOf(at)
			b, okB := got.asOf(at)
			if okA != okB || !cmp.Equal(all(a), all(b)) || at > int64(count)*1000 && !cmp.Equal(a.Labels, b.Labels) {
				t.Fatalf("at %d: %+v %v, then %+v %v\n%+v\n%+v", at, a, okA, b, okB, want.States, got.States)
			}
		}
	})
}

// all are the label sets that count, in some order.
func all(v view) []string {
	list := []string{fmt.Sprint(v.Labels)}
	for _, former := range v.former {
		list = append(list, fmt.Sprint(former))
	}
	slices.Sort(list)
	return list
}

func TestARecordKeepsNoMoreThanSomeStates(t *testing.T) {
	var r record
	for n := range 100 {
		at := micros(noon.Add(time.Duration(n) * 2 * time.Hour))
		r.put(state{From: at, To: at, Labels: map[string]string{"n": fmt.Sprint(n)}})
	}
	if len(r.States) != maxStates || r.Lost != 0 {
		t.Errorf("%d states, lost %d", len(r.States), r.Lost)
	}
}

func TestTagsOutlastWhatTheFeedSays(t *testing.T) {
	var r record
	r.put(state{From: 1000, To: 1000, Labels: prod, Tags: team})
	r.put(state{From: 2000, To: 2000, Labels: dev})
	if v, ok := r.asOf(3000); !ok || !cmp.Equal(v.Tags, team) || !cmp.Equal(v.Labels, dev) {
		t.Errorf("got %+v", v)
	}
}

func TestARecordOfAnotherVersionIsNoneAndIsWrittenAnew(t *testing.T) {
	if _, err := decodeRecord([]byte(`{"v":2,"s":[]}`)); err != errVersion {
		t.Errorf("got %v", err)
	}
	if _, err := decodeRecord([]byte(`{`)); err == nil || err == errVersion {
		t.Errorf("got %v", err)
	}
}
