package git

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOutputIsKeptUpToALimit(t *testing.T) {
	c := &capped{limit: 5}
	for _, part := range []string{"abc", "de", "", "f", "gh"} {
		if n, err := c.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("write %q: %d, %v", part, n, err)
		}
		if want := strings.ContainsAny(part, "fgh"); c.over != want {
			t.Errorf("after %q over is %v", part, c.over)
		}
	}
	if c.String() != "abcde" {
		t.Errorf("kept %q", c)
	}
}

func TestMoreThanGitMaySayIsAnError(t *testing.T) {
	w := newWork(t)
	first := w.commit("Begin")
	w.write("infra/message", strings.Repeat("x", maxOutput))
	w.git("add", "--all")
	w.git("commit", "--quiet", "--file", "infra/message")
	_, err := w.open().Moved(t.Context(), first, w.git("rev-parse", "HEAD"))
	if err == nil || !strings.HasSuffix(err.Error(), "git log: said more than 1048576 bytes") {
		t.Errorf("error: %v", err)
	}
}

func TestWhoDoesNotWaitGetsAnError(t *testing.T) {
	w := newWork(t)
	w.commit("Begin")
	r := w.open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Head(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
}

func TestGitGetsAnEnvironmentOfItsOwn(t *testing.T) {
	ours := map[string]string{"PATH": "/bin", "HOME": "/home/a", "GIT_DIR": "/x", "GIT_SSH_COMMAND": "x", "GIT_TRACE": "/x", "GIT_EXEC_PATH": "/x", "LC_ALL": "de_DE", "GIT_CONFIG_GLOBAL": "/g"}
	got := environment(func(name string) (string, bool) {
		value, ok := ours[name]
		return value, ok
	})
	want := []string{
		"LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "GIT_OPTIONAL_LOCKS=0", "GIT_ALLOW_PROTOCOL=none", "GIT_NO_LAZY_FETCH=1",
		"GIT_NO_REPLACE_OBJECTS=1", "GIT_GRAFT_FILE=" + os.DevNull, "PATH=/bin", "HOME=/home/a", "GIT_CONFIG_GLOBAL=/g",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestARepositoryOfSomebodyElsesIsSaidToBe(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder to somebody else: what git says then was not tested")
	}
	w := newWork(t)
	w.commit("Begin")
	for _, name := range []string{w.dir, w.dir + "/.git"} {
		if err := os.Chown(name, 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Open(t.Context(), w.dir)
	want := "git does not look at " + w.dir + ": it belongs to another user | git config --global --add safe.directory FOLDER tells git that it is meant; FOLDER is the repository's top"
	if diff := cmp.Diff(want, told(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	w.git("config", "--global", "--add", "safe.directory", w.dir)
	if _, err := Open(t.Context(), w.dir); err != nil {
		t.Errorf("after it was allowed: %v", err)
	}
}
