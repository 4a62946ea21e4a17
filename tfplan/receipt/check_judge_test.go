package receipt

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestValuesThatWereTakenOnTrustAreComparedBeforeApply(t *testing.T) {
	const other = "the JSON that was judged is not what terraform show -json says of the plan file: its digest is cccccccccc, not bbbbbbbbbb"
	for _, tt := range []struct {
		name         string
		change       func(r *Receipt, now *Now)
		found, loose []string
	}{
		{"Terraform shows the same", func(*Receipt, *Now) {}, nil, nil},
		{"Terraform shows something else", func(_ *Receipt, now *Now) { now.Plan.JSONDigest = digests[2] }, []string{other}, nil},
		{
			"Terraform shows something else, and it was to be skipped",
			func(_ *Receipt, now *Now) { now.Plan.JSONDigest, now.Skip = digests[2], []Field{FieldValues} }, []string{other}, nil,
		},
		{
			"Terraform is not there", func(_ *Receipt, now *Now) { now.Plan.JSONDigest = "" },
			[]string{"what terraform show -json says of the plan is not known now, and the receipt pins it"}, nil,
		},
		{
			"Terraform is not there, and that was to be skipped", func(_ *Receipt, now *Now) { now.Plan.JSONDigest, now.Skip = "", []Field{FieldValues} }, nil,
			[]string{"what terraform show -json says of the plan was not compared: it is not known, and was to be skipped"},
		},
		{"Terraform showed it when it was checked", func(r *Receipt, now *Now) { r.Plan.Values, now.Plan.JSONDigest = Shown, "" }, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := example(t)
			r.Plan.Values = Given
			now := same(t)
			tt.change(&r, &now)
			compared(t, r, now, FieldValues, tt.found, tt.loose)
		})
	}
}

func TestAReceiptOfAnotherJudgeIsNotBelieved(t *testing.T) {
	for _, tt := range []struct {
		name         string
		change       func(r *Receipt, now *Now)
		found, loose []string
	}{
		{"the same", func(*Receipt, *Now) {}, nil, nil},
		{"another version of the same", func(r *Receipt, _ *Now) { r.Judge.Version = "v9" }, nil, nil},
		{
			"another", func(_ *Receipt, now *Now) { now.Judge = digests[0] },
			[]string{"the plan was judged by other policies or another configuration (cccccccccc, by mollyguard v1.2.3; here it is aaaaaaaaaa)"}, nil,
		},
		{
			"another, and it was to be skipped", func(_ *Receipt, now *Now) { now.Judge, now.Skip = digests[0], []Field{FieldJudge} }, nil,
			[]string{"the plan was judged by other policies or another configuration than those here, and that was to be let pass"},
		},
		{
			"nobody knows here", func(_ *Receipt, now *Now) { now.Judge = "" },
			[]string{"what judges plans here is not known now, and the receipt pins it"}, nil,
		},
		{
			"none is pinned", func(r *Receipt, _ *Now) { r.Judge.Digest = "" }, nil,
			[]string{"by which policies and which configuration the plan was judged is not pinned"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := example(t)
			now := same(t)
			tt.change(&r, &now)
			compared(t, r, now, FieldJudge, tt.found, tt.loose)
		})
	}
}

func TestTheStateOfAnotherWorkspaceIsNotCompared(t *testing.T) {
	r := example(t)
	now := same(t)
	now.Terraform.Workspace, now.State = "test", State{Known: true, Lineage: "another", Serial: 3}
	compared(t, r, now, FieldWorkspace, []string{"the plan is for workspace prod, and test is selected"},
		[]string{"the state was not compared: it is another workspace's"})
}

func TestABaseThatWasFetchedLongAgoIsToldOf(t *testing.T) {
	for _, tt := range []struct {
		name  string
		age   time.Duration
		loose []string
	}{
		{"an hour", time.Hour, nil},
		{"three hours", 3 * time.Hour, []string{"the head of main is as it was fetched 3 hours ago: what was merged since is not seen; git fetch origin tells"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := example(t)
			now := same(t)
			now.Git.Fetched = now.Time.Add(-tt.age)
			compared(t, r, now, FieldGit, nil, tt.loose)
		})
	}
}

// compared checks what is found, all of it of one field, and what is let pass.
func compared(t *testing.T, r Receipt, now Now, field Field, found, loose []string) {
	t.Helper()
	var got []string
	for _, m := range Check(r, now) {
		if m.Field != field {
			t.Errorf("%s: %s", m.Field, m.Sentence)
		}
		if m.Hint == "" {
			t.Errorf("no hint: %s", m.Sentence)
		}
		got = append(got, m.Sentence)
	}
	if diff := cmp.Diff(found, got); diff != "" {
		t.Errorf("mismatches (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(loose, Loose(r, now)); diff != "" {
		t.Errorf("let pass (-want +got):\n%s", diff)
	}
}
