package receipt

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/tfplan/git"
)

// world is a remote and a clone of it, made by the real git.
type world struct {
	t             *testing.T
	remote, clone string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed: what is pinned of a repository was not tested")
	}
	home := t.TempDir()
	for name, value := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": home, "GIT_CONFIG_GLOBAL": filepath.Join(home, "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME": "Bob", "GIT_AUTHOR_EMAIL": "bob@example.com", "GIT_COMMITTER_NAME": "Bob", "GIT_COMMITTER_EMAIL": "bob@example.com",
	} {
		t.Setenv(name, value)
	}
	w := &world{t: t, remote: t.TempDir(), clone: t.TempDir()}
	w.git(w.remote, "init", "--quiet", "--initial-branch=main")
	w.commit(w.remote, "Begin")
	w.git(w.clone, "clone", "--quiet", w.remote, ".")
	return w
}

func (w *world) git(dir string, args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), "git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit adds a file of the commit's own and returns the commit.
func (w *world) commit(dir, message string) string {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(message, " ", "-")+".tf"), []byte("# "+message+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.git(dir, "add", "--all")
	w.git(dir, "commit", "--quiet", "--message", message)
	return w.git(dir, "rev-parse", "HEAD")
}

func (w *world) look(branch string) (Git, []string) {
	w.t.Helper()
	repo, err := git.Open(w.t.Context(), w.clone)
	if err != nil {
		w.t.Fatal(err)
	}
	pinned, notes, err := LookGit(w.t.Context(), repo, branch)
	if err != nil {
		w.t.Fatal(err)
	}
	return pinned, notes
}

// verify returns the mismatches of git alone.
func (w *world) verify(pinned Git) []Mismatch {
	w.t.Helper()
	repo, err := git.Open(w.t.Context(), w.clone)
	if err != nil {
		w.t.Fatal(err)
	}
	r, now := example(w.t), same(w.t)
	r.Git = &pinned
	if now.Git, err = LookNow(w.t.Context(), repo, pinned); err != nil {
		w.t.Fatal(err)
	}
	return Check(r, now)
}

func TestPullRequestsThatAreMergedOutOfOrderAreRefused(t *testing.T) {
	w := newWorld(t)
	begin := w.git(w.clone, "rev-parse", "HEAD")
	w.git(w.clone, "switch", "--quiet", "--create", "first")
	planned := w.commit(w.clone, "Grow the pool")
	pinned, notes := w.look("")
	if diff := cmp.Diff(Git{Commit: planned, Base: begin, Branch: "main"}, pinned); diff != "" || notes != nil {
		t.Fatalf("notes %q, pinned (-want +got):\n%s", notes, diff)
	}
	if found := w.verify(pinned); found != nil {
		t.Fatalf("before anything is merged: %+v", found)
	}
	second := w.commit(w.remote, "Shrink the pool (#13)")
	if found := w.verify(pinned); found != nil {
		t.Fatalf("before it is fetched nobody knows: %+v", found)
	}
	w.git(w.clone, "fetch", "--quiet")
	want := []Mismatch{{
		Field: FieldGit, Want: begin, Got: second, Hint: "merge or rebase onto main, plan again and check that",
		Sentence: "origin/main has moved on since the plan was made, from " + begin[:10] + " to " + second[:10] + `: by pull request #13 "Shrink the pool" of Bob`,
	}}
	if diff := cmp.Diff(want, w.verify(pinned)); diff != "" {
		t.Errorf("mismatches (-want +got):\n%s", diff)
	}
	_, notes = w.look("main")
	if diff := cmp.Diff([]string{"origin/main has moved on already, to " + second[:10] + ": the plan will not verify"}, notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

func TestAPlanOfACommitThatIsMergedAsItWasVerifies(t *testing.T) {
	w := newWorld(t)
	w.git(w.clone, "switch", "--quiet", "--create", "first")
	w.commit(w.clone, "Grow the pool")
	pinned, _ := w.look("main")
	w.git(w.clone, "push", "--quiet", "origin", "first")
	w.git(w.remote, "merge", "--quiet", "--ff-only", "first")
	w.git(w.clone, "fetch", "--quiet")
	if found := w.verify(pinned); found != nil {
		t.Errorf("mismatches: %+v", found)
	}
}

func TestABranchThatWasPushedWithForceIsRefused(t *testing.T) {
	w := newWorld(t)
	w.commit(w.remote, "Go on")
	w.git(w.clone, "pull", "--quiet", "--ff-only")
	pinned, _ := w.look("main")
	w.git(w.remote, "reset", "--quiet", "--hard", "HEAD^")
	other := w.commit(w.remote, "Go elsewhere")
	w.git(w.clone, "fetch", "--quiet")
	want := []Mismatch{{
		Field: FieldGit, Want: pinned.Base, Got: other, Hint: "find out who pushed with force, then plan and check again",
		Sentence: "origin/main was rewritten since the plan was made: it is at " + other[:10] + " and no longer contains " + pinned.Base[:10],
	}}
	if diff := cmp.Diff(want, w.verify(pinned)); diff != "" {
		t.Errorf("mismatches (-want +got):\n%s", diff)
	}
}

func TestWhatCannotBePinnedIsNoted(t *testing.T) {
	w := newWorld(t)
	head := w.git(w.clone, "rev-parse", "HEAD")
	if err := os.WriteFile(filepath.Join(w.clone, "new.tf"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.git(w.clone, "remote", "remove", "origin")
	for _, tt := range []struct {
		name, branch string
		want         Git
		notes        []string
	}{
		{
			"no base branch", "", Git{Commit: head, Dirty: true},
			[]string{"the tree has changes that are not committed (1 file, the first is new.tf)", "no base branch is pinned: git does not know the main branch of origin"},
		},
		{
			"a local one", "main", Git{Commit: head, Base: head, Branch: "main", Dirty: true},
			[]string{"the tree has changes that are not committed (1 file, the first is new.tf)", "the head of main is the local branch's: the remote's is not known here"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, notes := w.look(tt.branch)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("pinned (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.notes, notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}
