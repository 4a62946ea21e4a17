package git

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestARepositoryIsFoundFromAFolderBelow(t *testing.T) {
	w := newWork(t)
	want := w.commit("Begin")
	r, err := Open(t.Context(), filepath.Join(w.dir, "infra"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Repository{Root: w.dir, Folder: "infra"}, r, cmpopts.IgnoreUnexported(Repository{})); diff != "" {
		t.Errorf("repository (-want +got):\n%s", diff)
	}
	head, err := r.Head(t.Context())
	if head != want || err != nil {
		t.Errorf("head: %q, %v, want %q", head, err, want)
	}
}

func TestWhereThereIsNothingToPinToItIsSaid(t *testing.T) {
	isolate(t)
	none := t.TempDir()
	if _, err := Open(t.Context(), none); !errors.Is(err, ErrNone) || err.Error() != "no git repository: "+none+" is in none" {
		t.Errorf("a folder without repository: %v", err)
	}
	w := newWork(t)
	if _, err := Open(t.Context(), filepath.Join(w.dir, ".git")); !errors.Is(err, ErrNone) {
		t.Errorf("a repository's own folder: %v", err)
	}
	if _, err := Open(t.Context(), filepath.Join(w.dir, "absent")); err == nil || errors.Is(err, ErrNone) {
		t.Errorf("a folder that is not there: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Open(t.Context(), w.dir); !errors.Is(err, ErrNone) || !strings.HasPrefix(err.Error(), "no git repository: git is not installed") {
		t.Errorf("no git: %v", err)
	}
}

func TestARepositoryWithoutCommitHasNoHead(t *testing.T) {
	w := newWork(t)
	_, err := w.open().Head(t.Context())
	if got, want := told(err), "the git repository has no commit yet | commit the configuration before it is planned"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestVariablesOfGitDoNotPointElsewhere(t *testing.T) {
	other := newWork(t)
	other.commit("Elsewhere")
	w := newWork(t)
	want := w.commit("Begin")
	t.Setenv("GIT_DIR", filepath.Join(other.dir, ".git"))
	t.Setenv("GIT_WORK_TREE", other.dir)
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "core.bare")
	t.Setenv("GIT_CONFIG_VALUE_0", "true")
	head, err := w.open().Head(t.Context())
	if head != want || err != nil {
		t.Errorf("head: %q, %v, want %q", head, err, want)
	}
}

func TestNothingThatTheRepositoryConfiguresIsRun(t *testing.T) {
	w := newWork(t)
	first := w.commit("Begin")
	// One that git would have gpg.program look at.
	signature := "gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----\n\n"
	w.write("raw", strings.Replace(w.git("cat-file", "commit", w.commit("Go on")), "\n\n", "\n"+signature, 1)+"\n")
	second := w.git("hash-object", "-t", "commit", "-w", "raw")
	trap := filepath.Join(t.TempDir(), "sprung")
	script := filepath.Join(t.TempDir(), "trap.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ntouch '"+trap+"'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, hook := range []string{"post-index-change", "reference-transaction"} {
		if err := os.Symlink(script, filepath.Join(w.dir, ".git", "hooks", hook)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"core.fsmonitor", "core.pager", "core.sshCommand", "core.askPass", "gpg.program", "diff.external", "pager.log", "pager.status"} {
		w.git("config", name, script)
	}
	w.git("config", "log.showSignature", "true")
	w.write("infra/main.tf", "# another\n")
	r := w.open()
	if _, err := r.Dirty(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := r.Moved(t.Context(), first, second); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(trap); !os.IsNotExist(err) {
		t.Errorf("something of the repository's was run: %v", err)
	}
}

func TestReplacedObjectsAreNotBelieved(t *testing.T) {
	w := newWork(t)
	first := w.commit("Begin")
	second := w.commit("Go on (#2)")
	third := w.commit("Forge (#3)")
	w.git("replace", second, third)
	moves, err := w.open().Moved(t.Context(), first, second)
	if err != nil {
		t.Fatal(err)
	}
	if len(moves.Commits) != 1 || moves.Commits[0].PullRequest != "#2" {
		t.Errorf("moves: %+v", moves)
	}
}

func TestBaseIsTheRemotesBranchOrElseTheLocalOne(t *testing.T) {
	w := newWork(t)
	first := w.commit("Begin")
	w.git("update-ref", "refs/remotes/origin/main", first)
	w.git("update-ref", "refs/remotes/origin/release/1.x", first)
	second := w.commit("Go on")
	w.git("tag", "v1")
	w.git("branch", "local")
	// Names that a reference could be mistaken for.
	w.git("tag", "origin/main", second)
	r := w.open()
	for _, tt := range []struct {
		name, branch string
		want         Base
		wantErr      string
	}{
		{"the remote's", "main", Base{Branch: "main", Ref: "origin/main", Hash: first}, ""},
		{"one with a slash", "release/1.x", Base{Branch: "release/1.x", Ref: "origin/release/1.x", Hash: first}, ""},
		{"one that is here only", "local", Base{Branch: "local", Ref: "local", Hash: second, Local: true}, ""},
		{"one that is nowhere", "prod", Base{}, "git knows neither origin/prod nor a local branch prod | git fetch origin +refs/heads/prod:refs/remotes/origin/prod"},
		{"a tag", "v1", Base{}, "git knows neither origin/v1 nor a local branch v1 | git fetch origin +refs/heads/v1:refs/remotes/origin/v1"},
		{"none, and the remote's main one is not known", "", Base{}, "git does not know the main branch of origin | say which branch changes are merged into"},
		{"an option", "--output=/tmp/x", Base{}, `"--output=/tmp/x" is not the name of a branch`},
		{"an expression", "main@{1}", Base{}, `"main@{1}" is not the name of a branch`},
		{"a range", "main..local", Base{}, `"main..local" is not the name of a branch`},
		{"a way out", "../../heads/local", Base{}, `"../../heads/local" is not the name of a branch`},
		{"two lines", "main\nlocal", Base{}, `"main\nlocal" is not the name of a branch`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := r.Base(t.Context(), tt.branch)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("base (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.wantErr, told(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
	w.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
	got, err := r.Base(t.Context(), "")
	if diff := cmp.Diff(Base{Branch: "main", Ref: "origin/main", Hash: first}, got); diff != "" || err != nil {
		t.Errorf("the remote's main branch: %v (-want +got):\n%s", err, diff)
	}
}

func TestMergeBaseIsWhatBothContain(t *testing.T) {
	w := newWork(t)
	first := w.commit("Begin")
	main := w.commit("Go on")
	w.git("switch", "--quiet", "--create", "feature", first)
	feature := w.commit("Work on it")
	w.git("switch", "--quiet", "--orphan", "other")
	other := w.commit("Begin anew")
	r := w.open()
	for _, tt := range []struct{ name, a, b, want, wantErr string }{
		{"of a branch and main", main, feature, first, ""},
		{"of one commit", main, main, main, ""},
		{"of a commit and what it contains", first, main, first, ""},
		{"of histories that have nothing in common", main, other, "", "git finds no commit that both " + main[:10] + " and " + other[:10] + " contain"},
		{"of a name", "main", other, "", `"main" is not the hash of a commit`},
		{"of an option", "--all", other, "", `"--all" is not the hash of a commit`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := r.MergeBase(t.Context(), tt.a, tt.b)
			if got != tt.want || told(err) != tt.wantErr {
				t.Errorf("got  %q, %s\nwant %q, %s", got, told(err), tt.want, tt.wantErr)
			}
		})
	}
}

func TestAShallowCloneIsNamedAsTheReason(t *testing.T) {
	w := newWork(t)
	first := w.commit("Begin")
	last := w.commit("Go on")
	clone := &work{t: t, dir: filepath.Join(t.TempDir(), "clone")}
	if err := os.Mkdir(clone.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	clone.git("clone", "--quiet", "--depth=1", "file://"+w.dir, ".")
	r := clone.open()
	shallow, err := r.shallow(t.Context())
	if !shallow || err != nil {
		t.Fatalf("shallow: %v, %v", shallow, err)
	}
	_, err = r.Moved(t.Context(), first, last)
	want := "git cannot tell what came between " + first[:10] + " and " + last[:10] + ": the clone is shallow | " + shallowHint
	if diff := cmp.Diff(want, told(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestDirtyIsWhatWouldPlanOtherwiseThanTheCommit(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(w *work)
		want []string
	}{
		{"nothing", func(*work) {}, nil},
		{"a change", func(w *work) { w.write("infra/main.tf", "# changed\n") }, []string{"infra/main.tf"}},
		{"a change that is staged", func(w *work) { w.write("infra/main.tf", "# changed\n"); w.git("add", "infra/main.tf") }, []string{"infra/main.tf"}},
		{"a file that is gone", func(w *work) { w.git("rm", "--quiet", "infra/main.tf") }, []string{"infra/main.tf"}},
		{"a file that has moved", func(w *work) { w.git("mv", "infra/main.tf", "infra/a b.tf") }, []string{"infra/a b.tf", "infra/main.tf"}},
		{"new configuration", func(w *work) { w.write("modules/new/main.tf", ""); w.write("infra/x.auto.tfvars", "") }, []string{"infra/x.auto.tfvars", "modules/new/main.tf"}},
		{"values that are read by themselves", func(w *work) { w.write("infra/terraform.tfvars", "") }, []string{"infra/terraform.tfvars"}},
		{"what is ignored", func(w *work) { w.write(".git/info/exclude", "*.tfvars\n"); w.write("infra/terraform.tfvars", "") }, nil},
		{"plans and receipts", func(w *work) {
			w.write("infra/tfplan", "")
			w.write("infra/plan.json", "")
			w.write("infra/receipt.json", "")
		}, nil},
		{"copies of modules", func(w *work) { w.write("infra/.terraform/modules/x/main.tf", "") }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWork(t)
			w.commit("Begin")
			tt.make(w)
			got, err := w.open().Dirty(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("dirty (-want +got):\n%s", diff)
			}
		})
	}
}
