package auditlog_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

func TestReadingGoesOnWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		source := &tape{entries: [][]byte{deletion("a"), boring(1), unreadable(1), boring(2)}}
		w.watch(source)
		w.watch(source)
		source.entries = append(source.entries, deletion("b"))
		w.watch(source)
		if diff := cmp.Diff([]string{"", "4", "4"}, source.began); diff != "" {
			t.Errorf("began at (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]int{0, 1, 2, 3, 4}, source.acked); diff != "" {
			t.Errorf("acknowledged (-want +got):\n%s", diff)
		}
		if len(w.told()) != 3 {
			t.Errorf("told %q", w.told())
		}
	})
}

func TestPositionsAreKeptWithWhatIsWrittenOrAfterASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var positions []int
		note := func(int) {
			synctest.Wait()
			positions = append(positions, w.positioned())
		}
		source := &tape{entries: [][]byte{boring(1), boring(2), deletion("a"), boring(3), boring(4)}, stays: true}
		source.before = func(i int) {
			if note(i); i == 4 {
				sleep(2 * time.Second)
				note(i)
			}
		}
		_, end := w.begin(w.options(source))
		sleep(3 * time.Second)
		end()
		if diff := cmp.Diff([]int{0, 0, 0, 3, 3, 4}, positions); diff != "" {
			t.Errorf("kept before each entry (-want +got):\n%s", diff)
		}
		if got := w.positioned(); got != 5 {
			t.Errorf("in the end the position is %d", got)
		}
	})
}

func TestNoPositionIsKeptBeforeWhatIsBeforeItIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		source := &tape{entries: [][]byte{boring(1), deletion("a"), boring(2), deletion("b"), boring(3)}, stays: true}
		var disk fault
		o := w.options(source)
		o.Book = book{w.book, func(d operation.Decision) error {
			if d.Target.Name == "b" {
				return disk.err()
			}
			return nil
		}}
		source.before = func(int) { sleep(time.Second) }
		_, end := w.begin(o)
		defer end()
		sleep(time.Hour)
		if got := w.positioned(); got != 3 || slices.Contains(source.acked, 3) {
			t.Errorf("the position is %d, acknowledged %v", got, source.acked)
		}
		disk.mended.Store(true)
		sleep(time.Minute)
		if got := w.positioned(); got != 5 {
			t.Errorf("the position is %d", got)
		}
	})
}
