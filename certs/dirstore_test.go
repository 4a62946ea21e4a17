package certs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newTestDir(t *testing.T) *DirStore {
	t.Helper()
	s, err := NewDirStore(filepath.Join(t.TempDir(), "certs"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustSave(t *testing.T, s Store, b Bundle, version string) {
	t.Helper()
	if err := s.Save(t.Context(), b, version); err != nil {
		t.Fatalf("save: %v", err)
	}
}

func TestADirectoryKeepsABundle(t *testing.T) {
	t.Parallel()
	s := newTestDir(t)
	if b, version, err := s.Load(t.Context()); err != nil || version != "" || !b.IsZero() {
		t.Fatalf("before: %v, %q, %v", b, version, err)
	}
	want := mustNext(t, Bundle{}, epoch, testPolicy(t))
	mustSave(t, s, want, "")
	got, version, err := s.Load(t.Context())
	if err != nil || version == "" {
		t.Fatalf("version %q, error %v", version, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	modes := map[string]os.FileMode{".": 0o700, dirState: 0o600, dirLock: 0o600, dirCA: 0o644}
	for name, mode := range modes {
		info, err := os.Stat(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != mode {
			t.Errorf("%s has mode %o, want %o", name, got, mode)
		}
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(modes)-1 {
		t.Errorf("there are %v", entries)
	}
	if ca, err := os.ReadFile(filepath.Join(s.dir, dirCA)); err != nil || string(ca) != string(want.caBundle()) {
		t.Errorf("the copy of the CA bundle is %q, %v", ca, err)
	}
}

func TestADirectoryRefusesAnOldVersion(t *testing.T) {
	t.Parallel()
	s, p := newTestDir(t), testPolicy(t)
	first := mustNext(t, Bundle{}, epoch, p)
	mustSave(t, s, first, "")
	_, version, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second := mustNext(t, Bundle{}, epoch, p)
	mustSave(t, s, second, version)
	for _, old := range []string{"", version} {
		if err := s.Save(t.Context(), first, old); !errors.Is(err, ErrConflict) {
			t.Errorf("with version %q: %v", old, err)
		}
	}
	if got, _, err := s.Load(t.Context()); err != nil || !cmp.Equal(second, got) {
		t.Errorf("what is stored has changed, or %v", err)
	}
}

func TestKeepersRaceForADirectory(t *testing.T) {
	t.Parallel()
	c, dir := newClock(), filepath.Join(t.TempDir(), "certs")
	keepers := make([]*Keeper, 3)
	var wg sync.WaitGroup
	for i := range keepers {
		s, err := NewDirStore(dir)
		if err != nil {
			t.Fatal(err)
		}
		keepers[i] = newTestKeeper(t, s, c)
		wg.Go(func() {
			if err := keepers[i].Sync(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range keepers[1:] {
		if diff := cmp.Diff(keepers[0].held, k.held); diff != "" {
			t.Error(diff)
		}
	}
}

// TestADirectorySurvivesACrash leaves behind what a machine that stops does.
func TestADirectorySurvivesACrash(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		crash   func(t *testing.T, dir string, state []byte)
		corrupt string
	}{
		"while it writes a temporary file": {func(t *testing.T, dir string, state []byte) {
			write(t, filepath.Join(dir, "."+dirState+".tmp"), state[:len(state)/2])
			write(t, filepath.Join(dir, "."+dirCA+".tmp"), nil)
		}, ""},
		"between the copy of the bundle and the state": {func(t *testing.T, dir string, _ []byte) {
			write(t, filepath.Join(dir, dirCA), []byte("of another time"))
		}, ""},
		"on a file system that forgets what was synced": {func(t *testing.T, dir string, state []byte) {
			write(t, filepath.Join(dir, dirState), state[:len(state)/2])
		}, dirState},
		"on a file system that leaves files empty": {func(t *testing.T, dir string, _ []byte) {
			write(t, filepath.Join(dir, dirState), nil)
		}, dirState},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, s := newClock(), newTestDir(t)
			k := newTestKeeper(t, s, c)
			mustSync(t, k)
			state, err := os.ReadFile(filepath.Join(s.dir, dirState))
			if err != nil {
				t.Fatal(err)
			}
			tt.crash(t, s.dir, state)

			_, _, err = s.Load(t.Context())
			if corrupt, ok := errors.AsType[*CorruptError](err); tt.corrupt == "" && err != nil || tt.corrupt != "" && (!ok || corrupt.Field != tt.corrupt) {
				t.Errorf("load: %v", err)
			}
			c.Add(70 * 24 * time.Hour) // so that there is something to write
			restarted := newTestKeeper(t, s, c)
			mustSync(t, restarted)
			if same := string(restarted.CABundle()) == string(k.CABundle()); same != (tt.corrupt == "") {
				t.Errorf("the authority is kept: %t", same)
			}
			if ca, err := os.ReadFile(filepath.Join(s.dir, dirCA)); err != nil || string(ca) != string(restarted.CABundle()) {
				t.Errorf("the copy of the CA bundle is not mended: %q, %v", ca, err)
			}
			if left, err := filepath.Glob(filepath.Join(s.dir, ".*.tmp")); err != nil || len(left) > 0 {
				t.Errorf("left over: %v, %v", left, err)
			}
		})
	}
}

func TestATemporaryFileThatIsALinkIsNotFollowed(t *testing.T) {
	t.Parallel()
	s := newTestDir(t)
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "target")
	write(t, target, []byte("precious"))
	if err := os.Symlink(target, filepath.Join(s.dir, "."+dirState+".tmp")); err != nil {
		t.Fatal(err)
	}
	mustSave(t, s, mustNext(t, Bundle{}, epoch, testPolicy(t)), "")
	if got, err := os.ReadFile(target); err != nil || string(got) != "precious" {
		t.Errorf("target has %q, %v", got, err)
	}
}

func TestADirectoryThatCannotBeUsedIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := NewDirStore(""); err == nil {
		t.Error("no error for no path")
	}
	s := newTestDir(t)
	write(t, s.dir, nil) // a file where the directory should be
	if _, _, err := s.Load(t.Context()); err == nil || !strings.Contains(err.Error(), s.dir) {
		t.Errorf("load: %v", err)
	}
	if err := s.Save(t.Context(), mustNext(t, Bundle{}, epoch, testPolicy(t)), ""); err == nil || !strings.Contains(err.Error(), s.dir) {
		t.Errorf("save: %v", err)
	}
	if err := s.Save(t.Context(), Bundle{}, ""); err == nil {
		t.Error("an empty bundle is saved")
	}
}

func TestAnOversizedStateFileIsNotReplaced(t *testing.T) {
	t.Parallel()
	c, s := newClock(), newTestDir(t)
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(s.dir, dirState), make([]byte, maxFileBytes+1))
	err := newTestKeeper(t, s, c).Sync(t.Context())
	if err == nil || !strings.Contains(err.Error(), "has more than 1048576 bytes") {
		t.Errorf("error is %v", err)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
