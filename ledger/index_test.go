package ledger

import (
	"testing"
	"time"
)

func TestAgesSortByTime(t *testing.T) {
	times := []time.Time{
		{}, time.Unix(-1, 5), time.Unix(0, 0), time.Unix(0, 999), time.Unix(1, 0),
		time.Date(2026, 11, 21, 3, 12, 47, 1, time.FixedZone("", 3600)), time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	}
	for i, later := range times[1:] {
		if before := times[i]; string(age(before)) >= string(age(later)) {
			t.Errorf("%v does not come before %v", before, later)
		}
	}
}
