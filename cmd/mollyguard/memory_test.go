package main

import "testing"

func TestMemoryIsSavedUnlessReviewsComeInThousands(t *testing.T) {
	const seconds = uint64(weighInterval / 1e9)
	for _, c := range []struct {
		name      string
		perSecond uint64
		want      int
	}{
		{"nothing happens", 0, calmPercent},
		{"a cluster of 100,000 objects changes", 100 * 6 << 10, calmPercent},
		{"a hundred reviews a second", 100 * 35 << 10, calmPercent},
		{"two thousand reviews a second", 2000 * 35 << 10, busyPercent},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := percentFor(c.perSecond * seconds); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

func TestWhatIsAllocatedIsCounted(t *testing.T) {
	before := allocated()
	kept := make([]byte, 1<<20)
	if got := allocated() - before; got < uint64(len(kept)) {
		t.Errorf("%d bytes, want %d at least", got, len(kept))
	}
}
