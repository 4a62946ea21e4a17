package breakglass

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func testFileKeyStore(t *testing.T) (*FileKeyStore, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys", "break-glass.json")
	store, err := NewFileKeyStore(path)
	if err != nil {
		t.Fatal(err)
	}
	return store, path
}

func TestAFileKeyStoreNeedsAPath(t *testing.T) {
	if _, err := NewFileKeyStore(""); err == nil {
		t.Error("no error")
	}
}

func TestAKeyFileIsForItsOwnerAlone(t *testing.T) {
	store, path := testFileKeyStore(t)
	if _, _, err := store.Load(t.Context()); !errors.Is(err, ErrNotFound) {
		t.Errorf("before the first save: %v", err)
	}
	if err := store.Save(t.Context(), []byte("one"), ""); err != nil {
		t.Fatal(err)
	}
	modes := map[string]os.FileMode{}
	for _, name := range []string{filepath.Dir(path), path, path + ".lock"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		modes[filepath.Base(name)] = info.Mode().Perm()
	}
	want := map[string]os.FileMode{"keys": 0o700, "break-glass.json": 0o600, "break-glass.json.lock": 0o600}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o601} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, _, err := store.Load(t.Context())
		if err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func TestAKeyFileIsReplacedOnlyIfNobodyElseDid(t *testing.T) {
	store, _ := testFileKeyStore(t)
	if err := store.Save(t.Context(), []byte("one"), ""); err != nil {
		t.Fatal(err)
	}
	data, version, err := store.Load(t.Context())
	if err != nil || string(data) != "one" {
		t.Fatalf("%q, %v", data, err)
	}
	for _, old := range []string{"", "another"} {
		if err := store.Save(t.Context(), []byte("two"), old); !errors.Is(err, ErrConflict) {
			t.Errorf("save over %q: %v", old, err)
		}
	}
	if err := store.Save(t.Context(), []byte("two"), version); err != nil {
		t.Error(err)
	}
	if data, _, err := store.Load(t.Context()); err != nil || string(data) != "two" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestOfManyWhoMakeTheKeyFileOneDoes(t *testing.T) {
	_, path := testFileKeyStore(t)
	var group sync.WaitGroup
	var won, lost atomic.Int32
	for range 16 {
		group.Go(func() {
			store, err := NewFileKeyStore(path) // as another process would
			if err != nil {
				t.Error(err)
				return
			}
			switch err := store.Save(t.Context(), []byte("mine"), ""); {
			case err == nil:
				won.Add(1)
			case errors.Is(err, ErrConflict):
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if won.Load() != 1 || lost.Load() != 15 {
		t.Errorf("%d won, %d lost", won.Load(), lost.Load())
	}
}

func TestWhatIsNoKeyFileIsNotRead(t *testing.T) {
	store, path := testFileKeyStore(t)
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Load(t.Context()); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("a folder: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Load(t.Context()); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("a pipe: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, maxKeySetBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Load(t.Context()); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("a file that is too long: %v", err)
	}
}

func TestAKeyringLivesInAFile(t *testing.T) {
	store, _ := testFileKeyStore(t)
	a, _ := newTestRing(t, "hub", 1, func(o *KeyringOptions) { o.Store = store })
	if _, err := a.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, _ := newTestRing(t, "hub", 2, func(o *KeyringOptions) { o.Store = store })
	if diff := cmp.Diff(a.List(), b.List()); diff != "" {
		t.Errorf("keys (-before +after):\n%s", diff)
	}
}
