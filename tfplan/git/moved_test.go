package git

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMovedTellsTheStepsOfTheBranchAndTheirPullRequests(t *testing.T) {
	w := newWork(t)
	first := w.commit("Begin")
	merged := w.merge("Merge pull request #12 from octo/feature\n\nShrink the pool")
	squashed := w.commit("Rename the cluster (#13)")
	direct := w.commit("Fix it by hand \x1b[2J")
	got, err := w.open().Moved(t.Context(), first, direct)
	if err != nil {
		t.Fatal(err)
	}
	at := func(n int) time.Time { return time.Unix(clock+3600*int64(n), 0).UTC() }
	want := Moves{Commits: []Commit{
		{Hash: direct, Subject: `Fix it by hand \x1b[2J`, Author: "Alice", Time: at(4)},
		{Hash: squashed, Subject: "Rename the cluster", Author: "Alice", Time: at(3), PullRequest: "#13"},
		{Hash: merged, Subject: "Shrink the pool", Author: "Alice", Time: at(2), PullRequest: "#12"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("moves (-want +got):\n%s", diff)
	}
}

func TestABranchThatDidNotMoveHasNoSteps(t *testing.T) {
	w := newWork(t)
	head := w.commit("Begin")
	got, err := w.open().Moved(t.Context(), head, head)
	if diff := cmp.Diff(Moves{}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestABranchThatWasRewrittenIsSaidToBe(t *testing.T) {
	w := newWork(t)
	first := w.commit("Begin")
	gone := w.commit("Go on")
	w.git("reset", "--quiet", "--hard", first)
	other := w.commit("Go elsewhere")
	for _, tt := range []struct {
		name, to string
		want     Moves
	}{
		{"to another commit", other, Moves{Rewritten: true, Commits: []Commit{{Hash: other, Subject: "Go elsewhere", Author: "Alice", Time: time.Unix(clock+3*3600, 0).UTC()}}}},
		{"back", first, Moves{Rewritten: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := w.open().Moved(t.Context(), gone, tt.to)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("moves (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOfManyStepsTheNewestAreTold(t *testing.T) {
	w := newWork(t)
	first := w.commit("Begin")
	const steps = maxCommits + 3
	var last string
	for i := range steps {
		last = w.commit(fmt.Sprintf("Step (#%d)", i+1))
	}
	got, err := w.open().Moved(t.Context(), first, last)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Commits) != maxCommits || got.More != 3 || got.Commits[0].PullRequest != fmt.Sprintf("#%d", steps) {
		t.Errorf("%d commits from %s, %d more", len(got.Commits), got.Commits[0].PullRequest, got.More)
	}
}

func TestWhatGitHasNeverSeenCannotBeTold(t *testing.T) {
	w := newWork(t)
	head := w.commit("Begin")
	unknown := strings.Repeat("0", 39) + "1"
	_, err := w.open().Moved(t.Context(), unknown, head)
	if want := "git cannot tell what came between 0000000000 and " + head[:10]; told(err) != want {
		t.Errorf("got  %s\nwant %s", told(err), want)
	}
	_, err = w.open().Moved(t.Context(), "--output=/tmp/x", head)
	if want := `"--output=/tmp/x" is not the hash of a commit`; told(err) != want {
		t.Errorf("got  %s\nwant %s", told(err), want)
	}
}

func TestMessagesNameTheirPullRequest(t *testing.T) {
	for _, tt := range []struct{ name, message, subject, pullRequest string }{
		{"GitHub's merge", "Merge pull request #12 from octo/feature\n\nShrink the pool", "Shrink the pool", "#12"},
		{"GitHub's merge without a title", "Merge pull request #12 from octo/feature", "Merge pull request #12 from octo/feature", "#12"},
		{"GitHub's squash", "Shrink the pool (#12)\n\n* one\n* two (#3)", "Shrink the pool", "#12"},
		{"a revert", `Revert "Shrink the pool (#12)" (#13)`, `Revert "Shrink the pool (#12)"`, "#13"},
		{"GitLab's merge", "Merge branch 'feature' into 'main'\n\nShrink the pool\n\nSee merge request octo/infra!12", "Shrink the pool", "octo/infra!12"},
		{"GitLab's merge without a title", "Merge branch 'feature' into 'main'\r\n\r\nSee merge request octo/infra!12\r\n", "Merge branch 'feature' into 'main'", "octo/infra!12"},
		{"GitLab's squash", "Shrink the pool\n\nSee merge request octo/infra!12", "Shrink the pool", "octo/infra!12"},
		{"Bitbucket's merge", "Merged in feature (pull request #12)\n\nShrink the pool\n\nApproved-by: Bob", "Shrink the pool", "#12"},
		{"Azure DevOps' merge", "Merged PR 12: Shrink the pool", "Shrink the pool", "#12"},
		{"a commit", "Shrink the pool\n\nSee #12.", "Shrink the pool", ""},
		{"a number inside", "Shrink (#12) the pool", "Shrink (#12) the pool", ""},
		{"a number that is none", "Shrink the pool (#12345678901)", "Shrink the pool (#12345678901)", ""},
		{"nothing", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			subject, pullRequest := readMessage(tt.message)
			if subject != tt.subject || pullRequest != tt.pullRequest {
				t.Errorf("got  %q, %q\nwant %q, %q", subject, pullRequest, tt.subject, tt.pullRequest)
			}
		})
	}
}

func TestWhatIsNotOfTheFormIsAnError(t *testing.T) {
	for _, tt := range []struct{ name, out, want string }{
		{"too few fields", "a\x00b\x00", "git log said 2 fields, not 4 for each commit"},
		{"no time", "a\x00b\x00c\x00d\x00", `read when "a" was committed: parsing time "c" as "2006-01-02T15:04:05Z07:00": cannot parse "c" as "2006"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseCommits(tt.out)
			if told(err) != tt.want {
				t.Errorf("got  %s\nwant %s", told(err), tt.want)
			}
		})
	}
}

func FuzzMessagesAreReadWithoutHarm(f *testing.F) {
	f.Add("Merge pull request #12 from octo/feature\n\nShrink the pool")
	f.Add("Merge branch 'x'\n\ny\n\nSee merge request a/b!1")
	f.Add("\xff\n\x00(#1)")
	f.Fuzz(func(t *testing.T, message string) {
		subject, pullRequest := readMessage(message)
		if len(subject) > len(message) || len(pullRequest) > len(message)+1 || strings.Contains(pullRequest, "\n") {
			t.Errorf("%q: %q, %q", message, subject, pullRequest)
		}
	})
}
