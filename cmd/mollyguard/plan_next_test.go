package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlanTokensForElsewhereAreNotAskedForAgain(t *testing.T) {
	s := approvedPlan(t)
	s.config = fileWith(t, "mollyguard.yaml", strings.Replace(readIfThere(t, s.config), "audience: prod-eu", "audience: test-eu", 1))
	c, out, _ := s.console()
	o := checkOptions{planFlags: planFlags{config: s.config, folder: filepath.Dir(s.plan), tokenFile: s.token}, receipt: s.receipt, outputs: []string{"table"}}
	if err := o.check(t.Context(), c, s.plan); exitOf(err) != exitDenied {
		t.Fatalf("error: %v", err)
	}
	_, next, _ := strings.Cut(out.String(), "\nNext:\n")
	want := `  # first make sure that this is the workspace, state and branch that you mean
  # the token at hand is not for here, so look for the right one, or the right --config, before you ask for another: it is for prod-eu, and terraform.audience is test-eu
`
	if diff := cmp.Diff(want, next); diff != "" {
		t.Errorf("next (-want +got):\n%s", diff)
	}
}

func TestPlanTokensThatWereUsedAreNotAskedForAgain(t *testing.T) {
	const hint = "a token is for one apply, and that was begun: if it got anywhere the state has moved on, and this plan is of no use any more; " +
		"make a new plan, check it and ask for a token for that"
	for _, tt := range []struct{ said, want string }{
		{"bg-k7m4-q9tx: used already at 2026-11-21T03:00:00Z for 01J", hint},
		{"bg-k7m4-q9tx: used up", hint},
		{"bg-k7m4-q9tx: revoked by alice@example.com at 2026-11-21T03:00:00Z", ""},
	} {
		got := spent(&exitError{code: exitDenied, err: errors.New(tt.said)})
		exit, ok := errors.AsType[*exitError](got)
		if !ok || exit.Error() != tt.said || exit.hint != tt.want {
			t.Errorf("%s: %v", tt.said, got)
		}
	}
	if got := spent(nil); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}

func TestPlanCheckSaysThatFoldersOfProjectsAreNotInPlans(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	c, _, talk := testConsole()
	plan := tokenPlan(t)
	config := fileWith(t, "mollyguard.yaml", "apiVersion: config.mollyguard.dev/v1alpha1\nkind: Configuration\nproduction: {ancestors: ['folders/1']}\n")
	o := checkOptions{planFlags: planFlags{config: config, folder: filepath.Dir(plan), workspace: "default"}, outputs: []string{"table"}}
	if err := o.check(t.Context(), c, plan); exitOf(err) != exitDenied {
		t.Fatalf("error: %v", err)
	}
	const want = "mollyguard: note: plans do not say in which folder or organization a project is, so production.ancestors makes nothing in them production: name the projects, too (production.projects)\n"
	if diff := cmp.Diff(want, talk.String()); diff != "" {
		t.Errorf("talk (-want +got):\n%s", diff)
	}
}
