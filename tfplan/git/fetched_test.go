package git

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWhenSomethingWasLastFetchedIsKnown(t *testing.T) {
	w := newWork(t)
	w.git("commit", "--quiet", "--allow-empty", "--message", "first")
	repo, err := Open(t.Context(), w.dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := repo.Fetched(t.Context()); err != nil || !got.IsZero() {
		t.Errorf("before anything was fetched: %v, %v", got, err)
	}
	w.git("fetch", "--quiet", w.dir, "main")
	want := time.Unix(clock, 0)
	if err := os.Chtimes(filepath.Join(w.dir, ".git", "FETCH_HEAD"), want, want); err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(w.dir, "below")
	if err := os.Mkdir(below, 0o700); err != nil {
		t.Fatal(err)
	}
	if repo, err = Open(t.Context(), below); err != nil {
		t.Fatal(err)
	}
	if got, err := repo.Fetched(t.Context()); err != nil || !got.Equal(want) {
		t.Errorf("fetched %v, %v; want %v", got, err, want)
	}
}
