package receipt

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/git"
)

func TestEveryMismatchIsToldInASentence(t *testing.T) {
	const (
		lineage = "lineage 5f0c, serial "
		rebase  = "merge or rebase onto main, plan again and check that"
		very    = "apply the very plan that was checked; if it was made again, check the new one"
		token   = "ask for a token with mollyguard break-glass request --plan RECEIPT, and check the plan again with it"
		who     = "apply with the identity that planned, or plan and check again with the one that will apply"
	)
	move := func(now *Now, moves git.Moves) { now.Git.Base.Hash, now.Git.Moves = commits[2], moves }
	for _, tt := range []struct {
		name   string
		change func(r *Receipt, now *Now)
		want   Mismatch
	}{
		{
			"denied", func(r *Receipt, _ *Now) { r.Decision.Outcome, r.Decision.Denied = operation.OutcomeDeny, 3 },
			Mismatch{FieldDecision, "allow", "deny", "the plan was refused when it was checked: 3 operations denied", token},
		},
		{
			"denied for good", func(r *Receipt, _ *Now) {
				r.Decision.Outcome, r.Decision.Denied, r.Decision.Never = operation.OutcomeDeny, 1, true
			},
			Mismatch{FieldDecision, "allow", "deny", "the plan was refused when it was checked: 1 operation denied", "no token lifts all of it: change the configuration, plan and check again"},
		},
		{
			"undecided", func(r *Receipt, _ *Now) { r.Decision.Outcome = operation.OutcomeUndecided },
			Mismatch{FieldDecision, "allow", "undecided", "the plan could not be judged when it was checked, so it was never allowed", "see the output of plan check for the reason, then check the plan again"},
		},
		{
			"an outcome that nobody knows", func(r *Receipt, _ *Now) { r.Decision.Outcome = "" },
			Mismatch{FieldDecision, "allow", "", "the plan could not be judged when it was checked, so it was never allowed", "see the output of plan check for the reason, then check the plan again"},
		},
		{
			"allowed by a receipt that says otherwise", func(r *Receipt, _ *Now) { r.Decision.Denied = 2 },
			Mismatch{FieldDecision, "allow", "allow", "the plan was refused when it was checked: 2 operations denied", token},
		},
		{
			"expired this second", func(r *Receipt, now *Now) { now.Time = r.Expires },
			Mismatch{FieldTime, "before 2026-11-21T07:00:00Z", "2026-11-21T07:00:00Z", "the receipt has expired: it was good until 2026-11-21T07:00:00Z, 0 seconds ago", Again},
		},
		{
			"expired long ago", func(r *Receipt, now *Now) { now.Time = r.Expires.Add(75 * time.Hour) },
			Mismatch{FieldTime, "before 2026-11-21T07:00:00Z", "2026-11-24T10:00:00Z", "the receipt has expired: it was good until 2026-11-21T07:00:00Z, 3 days ago", Again},
		},
		{
			"made in the future", func(_ *Receipt, now *Now) { now.Time = made.Add(-maxSkew - time.Second) },
			Mismatch{FieldTime, "after 2026-11-21T03:00:00Z", "2026-11-21T02:57:59Z", "the receipt was made in the future: at 2026-11-21T03:00:00Z, in 2 minutes", "set the clocks of the machines that check and apply; else somebody wrote the receipt by hand"},
		},
		{
			"another plan file", func(_ *Receipt, now *Now) { now.Plan.Digest = digests[2] },
			Mismatch{FieldPlan, digests[0], digests[2], "it is another plan file than the one that was checked: cccccccccc, not aaaaaaaaaa", very},
		},
		{
			"another plan by its JSON", func(_ *Receipt, now *Now) { now.Plan = Plan{Digest: digests[2], Form: JSON} },
			Mismatch{FieldPlan, digests[1], digests[2], "it is another plan than the one that was checked, by its JSON: cccccccccc, not bbbbbbbbbb", very},
		},
		{
			"a file and JSON that cannot be compared", func(r *Receipt, now *Now) {
				r.Plan = Plan{Digest: digests[1], Form: JSON}
				now.Plan = Plan{Digest: digests[0], Form: File}
			},
			Mismatch{FieldPlan, digests[1], digests[0], "the receipt pins the plan's json, and what was given now is its file: that they belong together cannot be told", "give plan verify what plan check was given"},
		},
		{
			"no plan", func(_ *Receipt, now *Now) { now.Plan = Plan{} },
			Mismatch{FieldPlan, digests[0], "", "the plan that would be applied is not known", "say which plan would be applied"},
		},
		{
			"a state that has moved on", func(_ *Receipt, now *Now) { now.State.Serial = 9 },
			Mismatch{FieldState, lineage + "8", lineage + "9", "the state has moved on, from serial 8 to 9: somebody applied, or changed it, since the plan was made", Again},
		},
		{
			"a state that was rolled back", func(_ *Receipt, now *Now) { now.State.Serial = 7 },
			Mismatch{FieldState, lineage + "8", lineage + "7", "the state was rolled back, from serial 8 to 7: somebody pushed an older one", "find out who restored it and why before anybody applies; then plan and check again"},
		},
		{
			"another state with the same serial", func(_ *Receipt, now *Now) { now.State.Lineage = "77aa" },
			Mismatch{FieldState, lineage + "8", "lineage 77aa, serial 8", "it is another state altogether: its lineage is 77aa, not 5f0c", "check backend, workspace and folder: this plan belongs to another state"},
		},
		{
			"a state that is gone", func(_ *Receipt, now *Now) { now.State = State{Known: true} },
			Mismatch{FieldState, lineage + "8", "empty", "the state is empty, and was not when the plan was checked: it is another state, or somebody removed it", "check backend and workspace before anything else; every resource would be planned as new"},
		},
		{
			"a state that came to be", func(r *Receipt, _ *Now) { r.State = State{Known: true} },
			Mismatch{FieldState, "empty", lineage + "8", "the state was empty when the plan was checked, and is not any more (serial 8): somebody applied in between", Again},
		},
		{
			"a state that is not known", func(_ *Receipt, now *Now) { now.State = State{} },
			Mismatch{FieldState, lineage + "8", "", "the state is not known now, and the receipt pins it", "give plan verify the output of terraform state pull"},
		},
		{
			"what is skipped but known", func(_ *Receipt, now *Now) { now.State.Serial, now.Skip = 9, Skippable() },
			Mismatch{FieldState, lineage + "8", lineage + "9", "the state has moved on, from serial 8 to 9: somebody applied, or changed it, since the plan was made", Again},
		},
		{
			"a pull request that was merged", func(_ *Receipt, now *Now) {
				move(now, git.Moves{Commits: []git.Commit{{Hash: commits[2], Subject: "Shrink the pool", Author: "Bob", PullRequest: "#13"}}})
			},
			Mismatch{FieldGit, commits[0], commits[2], `origin/main has moved on since the plan was made, from 1111111111 to 3333333333: by pull request #13 "Shrink the pool" of Bob`, rebase},
		},
		{
			"many steps", func(r *Receipt, now *Now) {
				r.Git.Commit, now.Git.Head = commits[0], commits[0]
				step := git.Commit{Hash: commits[2], Subject: "Fix", Author: "Bob"}
				move(now, git.Moves{Commits: []git.Commit{step, step, step, step}, More: 6})
			},
			Mismatch{
				FieldGit, commits[0], commits[2], `origin/main has moved on since the plan was made, from 1111111111 to 3333333333: ` +
					`by commit 3333333333 "Fix" of Bob, commit 3333333333 "Fix" of Bob, commit 3333333333 "Fix" of Bob, and 7 commits before`, Again,
			},
		},
		{
			"steps that git cannot tell", func(_ *Receipt, now *Now) {
				move(now, git.Moves{})
				now.Git.MovesUnknown = "the clone is shallow"
			},
			Mismatch{FieldGit, commits[0], commits[2], "origin/main has moved on since the plan was made, from 1111111111 to 3333333333: by what cannot be told (the clone is shallow)", rebase},
		},
		{
			"a branch that was rewritten", func(_ *Receipt, now *Now) { move(now, git.Moves{Rewritten: true}) },
			Mismatch{FieldGit, commits[0], commits[2], "origin/main was rewritten since the plan was made: it is at 3333333333 and no longer contains 1111111111", "find out who pushed with force, then plan and check again"},
		},
		{
			"another commit", func(_ *Receipt, now *Now) { now.Git.Head = commits[2] },
			Mismatch{FieldGit, commits[1], commits[2], "another commit is checked out than the one that was planned: 3333333333, not 2222222222", "check out the commit that was planned, or plan and check this one"},
		},
		{
			"another base branch", func(_ *Receipt, now *Now) { now.Git.Base.Branch = "release" },
			Mismatch{FieldGit, "main", "release", "the plan was checked against branch main, and is compared with release", "give plan verify the base branch that plan check was given"},
		},
		{
			"a base branch that is not known", func(_ *Receipt, now *Now) { now.Git.Base = git.Base{} },
			Mismatch{FieldGit, commits[0], "", "the head of main is not known now, and the receipt pins it", "git fetch origin main before plan verify"},
		},
		{
			"no repository", func(_ *Receipt, now *Now) { now.Git = nil },
			Mismatch{FieldGit, commits[1], "", "the commit is not known now, and the receipt pins it", "run plan verify in the repository, with git installed"},
		},
		{
			"a dirty tree", func(r *Receipt, _ *Now) { r.Git.Dirty = true },
			Mismatch{
				FieldDirty, "a clean tree", "changes that were not committed", "the plan was made of a tree with changes that were not committed: nobody can tell what commit 2222222222 has to do with it",
				"commit or undo the changes, then plan and check again",
			},
		},
		{
			"another identity", func(_ *Receipt, now *Now) {
				now.Applier = &Applier{Name: "alice@laptop", Facts: map[string]string{"ci actor": "carol", "google impersonation": "admin@prod"}}
			},
			Mismatch{
				FieldApplier, "octo/infra", "alice@laptop", "another identity would apply: the plan was checked as octo/infra, and would be applied as alice@laptop: " +
					`ci was "GitHub Actions", is not set; ci actor was "bob", is "carol"; google impersonation was not set, is "admin@prod"`, who,
			},
		},
		{
			"another identity of the same name", func(_ *Receipt, now *Now) {
				now.Applier.Facts = map[string]string{"ci": "GitHub Actions", "ci actor": "eve"}
			},
			Mismatch{FieldApplier, "octo/infra", "octo/infra", `another identity would apply, although it is octo/infra again: ci actor was "bob", is "eve"`, who},
		},
		{
			"another name with the same facts", func(_ *Receipt, now *Now) { now.Applier.Name = "octo/other" },
			Mismatch{FieldApplier, "octo/infra", "octo/other", "another identity would apply: the plan was checked as octo/infra, and would be applied as octo/other", who},
		},
		{
			"many facts", func(_ *Receipt, now *Now) {
				for i := range 8 {
					now.Applier.Facts = with(now.Applier.Facts, fmt.Sprintf("x%d", i), "y")
				}
			},
			Mismatch{
				FieldApplier, "octo/infra", "octo/infra", `another identity would apply, although it is octo/infra again: x0 was not set, is "y"; x1 was not set, is "y"; ` +
					`x2 was not set, is "y"; x3 was not set, is "y"; x4 was not set, is "y"; x5 was not set, is "y"; and 2 more`, who,
			},
		},
		{
			"nobody", func(_ *Receipt, now *Now) { now.Applier = nil },
			Mismatch{FieldApplier, "octo/infra", "", "who would apply is not known now, and the receipt pins it", "run plan verify where terraform apply runs"},
		},
		{
			"another workspace", func(_ *Receipt, now *Now) { now.Terraform.Workspace = "test" },
			Mismatch{FieldWorkspace, "prod", "test", "the plan is for workspace prod, and test is selected", "terraform workspace select prod, or unset TF_WORKSPACE"},
		},
		{
			"no workspace", func(_ *Receipt, now *Now) { now.Terraform.Workspace = "" },
			Mismatch{FieldWorkspace, "prod", "", "the workspace is not known now, and the receipt pins it", "terraform workspace show tells it"},
		},
		{
			"another version", func(_ *Receipt, now *Now) { now.Terraform.Version = "1.13.2" },
			Mismatch{FieldTerraform, "1.14.0", "1.13.2", "the plan was made by version 1.14.0, and version 1.13.2 would apply it", "apply with the version that planned"},
		},
		{
			"other variables", func(_ *Receipt, now *Now) { now.Terraform.Variables = digests[2] },
			Mismatch{FieldVariables, "aaaaaaaaaa", "cccccccccc", "the values of the variables are others than those planned with (digest aaaaaaaaaa, now cccccccccc)", Again},
		},
		{
			"another configuration", func(_ *Receipt, now *Now) { now.Terraform.Configuration = digests[2] },
			Mismatch{FieldConfiguration, "bbbbbbbbbb", "cccccccccc", "the configuration is another than the one that was planned (digest bbbbbbbbbb, now cccccccccc)", Again},
		},
		{
			"other providers", func(_ *Receipt, now *Now) { now.Terraform.Lock = digests[0] },
			Mismatch{FieldLock, "cccccccccc", "aaaaaaaaaa", "the providers are locked to others than those planned with (digest cccccccccc, now aaaaaaaaaa)", Again},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, now := example(t), same(t)
			tt.change(&r, &now)
			if diff := cmp.Diff([]Mismatch{tt.want}, Check(r, now)); diff != "" {
				t.Errorf("mismatches (-want +got):\n%s", diff)
			}
		})
	}
}

// with returns a copy of facts with one more.
func with(facts map[string]string, name, value string) map[string]string {
	more := map[string]string{name: value}
	for n, v := range facts {
		more[n] = v
	}
	return more
}
