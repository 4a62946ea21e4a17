package auditlog

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
)

func TestOfManyReportsTheNewestOfEachKindWait(t *testing.T) {
	r := newReports()
	first := alert.Trouble{Kind: alert.Forbidden, Source: "s", Text: "first"}
	r.tell(first)
	for i := range 10_000 {
		r.tell(alert.Trouble{Kind: alert.Gap, Source: "s", Text: fmt.Sprint(i)})
	}
	last := alert.Trouble{Kind: alert.Forbidden, Source: "t", Text: "last"}
	r.tell(last)
	waiting := r.take()
	if n := len(waiting); n != maxReports+1 { // there was none of the last kind and source to make room
		t.Fatalf("%d wait", n)
	}
	want := []alert.Trouble{first, {Kind: alert.Gap, Source: "s", Text: "9999"}, last}
	if diff := cmp.Diff(want, []alert.Trouble{waiting[0], waiting[maxReports-1], waiting[maxReports]}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if again := r.take(); again != nil {
		t.Errorf("%d wait still", len(again))
	}
}
