package pace_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/pace"
)

// export is what a book exports a minute after the start.
func export(t testing.TB, book *pace.Book) []byte {
	t.Helper()
	return book.Export(start.Add(time.Minute))
}

func TestWhatAnotherReplicaCountedIsCounted(t *testing.T) {
	here, there := newBook(t, 3), newBook(t, 3)
	here.Count(deletes("shop", "web", 0))
	there.Count(deletes("shop", "web", time.Second)) // the second call of the same delete
	there.Count(deletes("till", "db", time.Second))
	there.Count(deletes("till", "db", time.Second, by("bob@example.com")))
	for range 2 { // a watch may tell the same twice
		if err := here.Merge(export(t, there), start.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(recent(3, 3), here.Look(deletes("bank", "ledger", time.Minute))); diff != "" {
		t.Errorf("here (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(recent(2, 1), here.Look(deletes("till", "web", time.Minute, by("bob@example.com")))); diff != "" {
		t.Errorf("here, of bob (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(recent(1, 1), here.Look(deletes("shop", "web", window+2*time.Second))); diff != "" {
		t.Errorf("when the window is over (-want +got):\n%s", diff)
	}
}

func TestOnlyWhatWasCountedHereIsExported(t *testing.T) {
	here, there := newBook(t, 3), newBook(t, 3)
	there.Count(deletes("till", "db", 0))
	if err := here.Merge(export(t, there), start); err != nil {
		t.Fatal(err)
	}
	if got := export(t, here); got != nil {
		t.Errorf("exported %x", got)
	}
	select {
	case <-here.Changed():
		t.Error("there is said to be something to export")
	default:
	}
	here.Count(deletes("shop", "web", 0))
	select {
	case <-here.Changed():
	default:
		t.Error("nobody is told that there is something to export")
	}
	alone := newBook(t, 3)
	alone.Count(deletes("shop", "web", 0))
	if !bytes.Equal(export(t, here), export(t, alone)) {
		t.Error("what is exported is not what was counted here")
	}
	if got := here.Export(start.Add(window)); got != nil {
		t.Errorf("exported %x when the window is over", got)
	}
}

func TestAReplicaThatIsStartedAgainExportsWhatItDidBefore(t *testing.T) {
	before, after := newBook(t, 3), newBook(t, 3)
	before.Count(deletes("shop", "web", 0))
	before.Count(deletes("shop", "db", time.Second))
	if err := after.Restore(export(t, before), start.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(export(t, after), export(t, before)) {
		t.Error("it exports something else")
	}
}

func TestAReplicaWhoseClockIsAheadIsBelievedAsOfNow(t *testing.T) {
	here, there := newBook(t, 3), newBook(t, 3)
	there.Count(deletes("shop", "web", 24*time.Hour))
	if err := here.Merge(there.Export(start.Add(24*time.Hour)), start); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(recent(2, 1), here.Look(deletes("shop", "db", time.Second))); diff != "" {
		t.Errorf("at first (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(recent(1, 1), here.Look(deletes("shop", "db", window))); diff != "" {
		t.Errorf("when the window is over (-want +got):\n%s", diff)
	}
}

func TestWhatIsSharedNamesNobodyAndFitsItsPlace(t *testing.T) {
	book := newBook(t, pace.MaxLimit)
	fill(book)
	for i := range 2 * pace.MaxLimit { // there is no room for these but among the crowd
		book.Count(deletes("shop", fmt.Sprintf("crowd-%d", i), 0))
	}
	data := export(t, book)
	// All but the header of the crowd, whose entries have one in common, and the second
	// byte of how many entries each actor has.
	if want := 1 + 8 + 2 + 18*(pace.MaxLimit+1) + maxOwn*(8+1+18); len(data) != want || len(data) > pace.MaxShared {
		t.Errorf("%d bytes, want %d, at most %d", len(data), want, pace.MaxShared)
	}
	if n := base64.RawStdEncoding.EncodedLen(pace.MaxShared); n > 100<<10 {
		t.Errorf("%d bytes in base64, more than 100 KiB", n)
	}
	for _, name := range []string{"user", "alice", "shop", "web"} {
		if bytes.Contains(data, []byte(name)) {
			t.Errorf("it has %q in it", name)
		}
	}
	other := newBook(t, pace.MaxLimit)
	if err := other.Merge(data, start.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got := other.Look(deletes("bank", "ledger", time.Minute, by("somebody else"))); got.Count <= pace.MaxLimit {
		t.Errorf("what had no room there is held against %+v here", got)
	}
}

func TestMoreReplicasThanThereIsRoomForAreHeldAgainstEverybody(t *testing.T) {
	here := newBook(t, 3)
	for replica := range 14 { // 13 of 2,500 would fit
		there := newBook(t, 3)
		for i := range maxOwn {
			there.Count(deletes("shop", fmt.Sprintf("web-%d-%d", replica, i), 0, by(fmt.Sprintf("user-%d-%d", replica, i))))
		}
		if err := here.Merge(export(t, there), start.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if got := here.Look(deletes("bank", "ledger", time.Minute)); got.Count <= 3 {
		t.Errorf("got %+v, want more than the limit", got)
	}
}

func TestWhatNoBookExportedIsNotCounted(t *testing.T) {
	other := newBook(t, 3)
	other.Count(deletes("shop", "web", 0))
	good := export(t, other)
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"of another version", append([]byte{2}, good[1:]...), "read the counts of a replica: it is written in way 2, this is way 1"},
		{"cut within an actor", good[:5], "read the counts of a replica: it ends too early"},
		{"cut before the number of entries", good[:9], "read the counts of a replica: it ends too early"},
		{"cut within an entry", good[:len(good)-1], "read the counts of a replica: it ends too early"},
		{"with more after what is right", append(bytes.Clone(good), 1, 2, 3), "read the counts of a replica: it ends too early"},
		{"too large", make([]byte, pace.MaxShared+1), "read the counts of a replica: 75630 bytes, more than the 75629 that there can be"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			book := newBook(t, 3)
			if err := book.Merge(tt.data, start); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if diff := cmp.Diff(recent(1, 1), book.Look(deletes("shop", "db", 0))); diff != "" {
				t.Errorf("recent (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzMerge(f *testing.F) {
	book := newBook(f, 3)
	for i := range 5 {
		book.Count(deletes("shop", fmt.Sprint(i), time.Duration(i)*time.Second))
		book.Count(deletes("shop", fmt.Sprint(i), time.Duration(i)*time.Second, by("bob")))
	}
	f.Add(export(f, book))
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		merged, restored, again := newBook(t, 3), newBook(t, 3), newBook(t, 3)
		now := start.Add(time.Minute)
		if err := merged.Merge(data, now); err != nil {
			if got := merged.Look(deletes("shop", "x", time.Minute, by("nobody"))); got != (operation.Recent{Count: 1, Namespaces: 1, Limit: 3, Seconds: 600}) {
				t.Fatalf("refused, and counted: %+v", got)
			}
			return
		}
		if got := merged.Export(now); got != nil {
			t.Fatalf("what others counted is exported: %x", got)
		}
		if err := restored.Restore(data, now); err != nil {
			t.Fatal(err)
		}
		exported := restored.Export(now)
		if len(exported) > pace.MaxShared {
			t.Fatalf("%d bytes are exported", len(exported))
		}
		if err := again.Restore(exported, now); err != nil {
			t.Fatalf("what is exported is not taken: %v", err)
		}
		if got := again.Export(now); !bytes.Equal(got, exported) {
			t.Fatalf("exported %x, then %x", exported, got)
		}
	})
}
