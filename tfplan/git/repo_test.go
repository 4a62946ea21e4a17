package git

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// clock is when the first commit of a test was made; each is an hour later than the last.
const clock = 1_795_000_000

// work is a clone with a remote beside it, made by the real git.
type work struct {
	t       *testing.T
	dir     string
	commits int
}

// isolate keeps the configuration of who runs the tests out of them.
func isolate(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed: what is asked of it was not tested")
	}
	home := t.TempDir()
	for name, value := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": home, "GIT_CONFIG_GLOBAL": filepath.Join(home, "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1",
	} {
		t.Setenv(name, value)
	}
}

// newWork makes a repository with a branch main and no commit.
func newWork(t *testing.T) *work {
	t.Helper()
	isolate(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &work{t: t, dir: dir}
	w.git("init", "--quiet", "--initial-branch=main")
	return w
}

func (w *work) git(args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), "git", args...)
	cmd.Dir = w.dir
	date := fmt.Sprintf("%d +0000", clock+3600*w.commits)
	cmd.Env = append(os.Environ(),
		"GIT_AUTHOR_NAME=Alice", "GIT_AUTHOR_EMAIL=alice@example.com", "GIT_COMMITTER_NAME=Alice", "GIT_COMMITTER_EMAIL=alice@example.com",
		"GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *work) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// commit commits a change of main.tf and returns its hash.
func (w *work) commit(message string) string {
	w.t.Helper()
	w.commits++
	w.write("infra/main.tf", fmt.Sprintf("# %d\n", w.commits))
	w.git("add", "--all")
	w.git("commit", "--quiet", "--message", message)
	return w.git("rev-parse", "HEAD")
}

// merge merges a branch with one commit, as a host's merge button does.
func (w *work) merge(message string) string {
	w.t.Helper()
	w.git("switch", "--quiet", "--create", "feature")
	w.commit("Work on it")
	w.git("switch", "--quiet", "main")
	w.git("merge", "--quiet", "--no-ff", "--message", message, "feature")
	w.git("branch", "--quiet", "--delete", "feature")
	return w.git("rev-parse", "HEAD")
}

func (w *work) open() *Repository {
	w.t.Helper()
	r, err := Open(w.t.Context(), w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// told returns what an error and, if it has one, its hint say.
func told(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := err.(*Error); ok && e.Hint != "" {
		return e.What + " | " + e.Hint
	}
	return err.Error()
}
