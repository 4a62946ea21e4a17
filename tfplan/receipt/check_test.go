package receipt

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/git"
)

// same is the world that example was made of, an hour later.
func same(t *testing.T) Now {
	t.Helper()
	r := example(t)
	applier := r.Applier
	return Now{
		Time: made.Add(time.Hour), Plan: r.Plan, Judge: r.Judge.Digest, State: r.State, Terraform: r.Terraform, Applier: &applier,
		Git: &GitNow{Head: commits[1], Base: git.Base{Branch: "main", Ref: "origin/main", Hash: commits[0]}},
	}
}

func TestAWorldThatIsTheSameHasNoMismatch(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(r *Receipt, now *Now)
		loose  []string
	}{
		{"as it was", func(*Receipt, *Now) {}, nil},
		{"the plan's commit is merged as it was", func(_ *Receipt, now *Now) { now.Git.Base.Hash = commits[1] }, nil},
		{"what the plan file holds is not told again", func(_ *Receipt, now *Now) { now.Terraform = Terraform{Workspace: "prod"} }, nil},
		{"a warning was given", func(r *Receipt, _ *Now) { r.Decision.Outcome = operation.OutcomeWarn }, nil},
		{"clocks are a little apart", func(_ *Receipt, now *Now) { now.Time = made.Add(-2 * time.Minute) }, nil},
		{"the last second", func(r *Receipt, now *Now) { now.Time = r.Expires.Add(-time.Second) }, nil},
		{"a new workspace", func(r *Receipt, now *Now) { r.State = State{Known: true}; now.State = State{Known: true} }, nil},
		{"the base branch is known here only", func(_ *Receipt, now *Now) { now.Git.Base.Local, now.Git.Base.Ref = true, "main" }, []string{"the head of main is the local branch's: the remote's is not known here"}},
		{
			"little is pinned", func(r *Receipt, now *Now) {
				r.State, r.Git, r.Terraform = State{}, nil, Terraform{}
				r.Plan = Plan{Digest: digests[1], Form: JSON}
				now.Plan = r.Plan
			}, []string{
				"only the plan's JSON is pinned, not the file that apply takes",
				"the workspace is not pinned",
				"the state is not pinned: whether somebody applied since the plan was made cannot be told",
				"no commit is pinned: whether something was merged since the plan was made cannot be told",
			},
		},
		{"the JSON alone is at hand", func(_ *Receipt, now *Now) { now.Plan = Plan{Digest: digests[1], Form: JSON} }, []string{"only the plan's JSON was compared, not the file that apply takes"}},
		{"no base branch is pinned", func(r *Receipt, _ *Now) { r.Git.Base, r.Git.Branch = "", "" }, []string{"no base branch is pinned: whether something was merged since the plan was made cannot be told"}},
		{
			"what is not known is to be skipped", func(r *Receipt, now *Now) {
				r.Git.Dirty = true
				now.State, now.Git, now.Applier, now.Terraform, now.Skip = State{}, nil, nil, Terraform{}, Skippable()
			}, []string{
				"the workspace was not compared: it is not known, and was to be skipped",
				"the state was not compared: it is not known, and was to be skipped",
				"the plan was made of a tree with changes that were not committed, and that was to be let pass",
				"the commit was not compared: it is not known, and was to be skipped",
				"who would apply was not compared: it is not known, and was to be skipped",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, now := example(t), same(t)
			tt.change(&r, &now)
			if diff := cmp.Diff([]Mismatch(nil), Check(r, now)); diff != "" {
				t.Errorf("mismatches (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.loose, Loose(r, now)); diff != "" {
				t.Errorf("loose (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOfAWorldThatIsNotKnownNothingVerifies(t *testing.T) {
	var got []Field
	for _, m := range Check(example(t), Now{}) {
		got = append(got, m.Field)
	}
	// The zero time is before any receipt was made.
	want := []Field{FieldTime, FieldPlan, FieldJudge, FieldWorkspace, FieldState, FieldGit, FieldApplier}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestOnlySomeFieldsCanBeSkipped(t *testing.T) {
	for _, tt := range []struct {
		name    string
		skip    []string
		want    []Field
		wantErr string
	}{
		{"none", nil, nil, ""},
		{"some", []string{"state", "git"}, []Field{FieldState, FieldGit}, ""},
		{"the decision", []string{"decision"}, nil, `"decision" cannot be skipped: only [state git dirty applier workspace values judge] can`},
		{"the plan among others", []string{"state", "plan"}, nil, `"plan" cannot be skipped: only [state git dirty applier workspace values judge] can`},
		{"a word", []string{"al\x1bl"}, nil, `"al\\x1bl" cannot be skipped: only [state git dirty applier workspace values judge] can`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseSkip(tt.skip)
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			if text := fmt.Sprint(err); text != tt.wantErr && (err != nil || tt.wantErr != "") {
				t.Errorf("got  %s\nwant %s", text, tt.wantErr)
			}
		})
	}
}
