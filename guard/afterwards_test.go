package guard_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/operation"
)

// deletedCluster is alice deleting a cluster in the cloud, as a log entry tells of it
// an hour later.
func deletedCluster(edits ...func(*operation.Operation)) operation.Operation {
	op := operation.Operation{
		Surface: operation.GCP, Verb: operation.Delete, Phase: operation.Started, Time: now.Add(-time.Hour), DecisionID: "01M7XXXXXXXXXXXXXXXXXXXXXX",
		Actor:  operation.Actor{Identity: operation.Identity{Name: "alice@example.com", Kind: operation.Human}},
		Origin: operation.Origin{IP: "192.0.2.1"},
		Target: operation.Target{
			Reference: operation.Reference{Ref: "gcp://container.googleapis.com/projects/prod-1/locations/l/clusters/main", Kind: "Cluster", Name: "main"},
			Project:   "prod-1", Location: "l",
		},
	}
	for _, edit := range edits {
		edit(&op)
	}
	return op
}

func TestWhatHappenedAlreadyIsNotDeniedButTold(t *testing.T) {
	for _, tt := range []struct {
		name        string
		enforcement operation.Enforcement
		phase       operation.Phase
		want        operation.Outcome
		// does is what the violation did.
		does operation.Enforcement
	}{
		{"a denial of what has started", operation.EnforceDeny, operation.Started, operation.OutcomeAlert, operation.EnforceAlert},
		{"a denial of what is done", operation.EnforceDeny, operation.Finished, operation.OutcomeAlert, operation.EnforceAlert},
		{"a denial of what was refused by others", operation.EnforceDeny, operation.Refused, operation.OutcomeAlert, operation.EnforceAlert},
		{"a denial of what failed", operation.EnforceDeny, operation.Failed, operation.OutcomeAlert, operation.EnforceAlert},
		{"a denial of what can be stopped", operation.EnforceDeny, operation.Requested, operation.OutcomeDeny, operation.EnforceDeny},
		{"a warning", operation.EnforceWarn, operation.Started, operation.OutcomeWarn, operation.EnforceWarn},
		{"an alert", operation.EnforceAlert, operation.Started, operation.OutcomeAlert, operation.EnforceAlert},
		{"nothing", operation.EnforceOff, operation.Started, operation.OutcomeAllow, operation.EnforceOff},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, guard.Options{
				Evaluator: says("p"), Production: guard.ProductionRules{Projects: []string{"prod-.*"}},
				Enforcement: []guard.EnforcementRule{{Action: tt.enforcement}},
			})
			d := g.Decide(t.Context(), deletedCluster(func(op *operation.Operation) { op.Phase = tt.phase }))
			if d.Outcome != tt.want || d.Violations[0].Enforcement != tt.does {
				t.Errorf("%s, the violation: %s; want %s and %s", d.Outcome, d.Violations[0].Enforcement, tt.want, tt.does)
			}
		})
	}
}

func TestWhatHappenedAlreadyIsJudgedAsOfThenUnderItsOwnID(t *testing.T) {
	for _, tt := range []struct {
		name   string
		edit   func(*operation.Operation)
		want   time.Time
		wantID string
	}{
		{"an hour ago", func(*operation.Operation) {}, now.Add(-time.Hour), "01M7XXXXXXXXXXXXXXXXXXXXXX"},
		{"in the future", func(op *operation.Operation) { op.Time = now.Add(time.Hour) }, now, "01M7XXXXXXXXXXXXXXXXXXXXXX"},
		{"at no time", func(op *operation.Operation) { op.Time = time.Time{} }, now, "01M7XXXXXXXXXXXXXXXXXXXXXX"},
		{"what can still be stopped", func(op *operation.Operation) { op.Phase, op.DecisionID = operation.Requested, "" }, now, id},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var judged time.Time
			g := newGuard(t, guard.Options{Evaluator: evaluator(func(op *operation.Operation) ([]operation.Violation, error) {
				judged = op.Time
				return nil, nil
			})})
			d := g.Decide(t.Context(), deletedCluster(tt.edit))
			want := tt.want.Truncate(time.Millisecond)
			if !d.Time.Equal(want) || !judged.Equal(want) || d.ID != tt.wantID {
				t.Errorf("decided %s under %s, judged as of %s; want %s under %s", d.Time, d.ID, judged, want, tt.wantID)
			}
		})
	}
}

func TestCloudResourcesAreProductionByWhatTheyAreIn(t *testing.T) {
	rules := guard.ProductionRules{
		Selectors: productionLabels, Projects: []string{"prod-.*"}, Ancestors: []string{"folders/1"}, WholeCluster: true,
		Never: guard.NeverProduction{Projects: []string{"dev-.*"}, Ancestors: []string{"folders/9"}},
	}
	for _, tt := range []struct {
		name   string
		target operation.Target
		// unknown says that the labels are not known.
		unknown bool
		want    []string
	}{
		{"by the project's name", operation.Target{Project: "prod-1"}, false, []string{"project prod-1 is production by name"}},
		{"by a folder", operation.Target{Project: "p", Ancestors: []string{"folders/2", "folders/1"}}, false, []string{"folders/1 is production by name"}},
		{"by its labels", operation.Target{Project: "p", Labels: map[string]string{"env": "prod"}}, false, []string{"label env=prod"}},
		{"by a tag", operation.Target{Project: "p", Tags: map[string]string{"env": "prod"}}, false, []string{"tag env=prod"}},
		{"by the project's labels", operation.Target{Project: "p", ProjectLabels: map[string]string{"env": "prod"}}, false, []string{"project p has label env=prod"}},
		{"by what mollyguard needs it for", operation.Target{Project: "p", Own: true}, false, []string{"mollyguard itself guards or sees with it"}},
		{"since nothing is known", operation.Target{Project: "p"}, true, []string{"its labels are not known, and unknown counts as production"}},
		{"not in a project that never is", operation.Target{Project: "dev-1"}, true, nil},
		{"not in a folder that never is", operation.Target{Project: "p", Ancestors: []string{"folders/9"}}, true, nil},
		{"by its labels in a project that never is", operation.Target{Project: "dev-1", Labels: map[string]string{"env": "prod"}}, true, []string{"label env=prod"}},
		{"not by a project of another name", operation.Target{Project: "preprod-1"}, false, nil},
		{"not by anything", operation.Target{Project: "p", Labels: map[string]string{"env": "dev"}}, false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, guard.Options{Production: rules})
			d := g.Decide(t.Context(), deletedCluster(func(op *operation.Operation) {
				op.Target = tt.target
				if tt.unknown {
					op.Unknown = []string{"its labels are not known"}
				}
			}))
			if diff := cmp.Diff(operation.Production{Is: len(tt.want) > 0, Target: len(tt.want) > 0, Because: tt.want}, d.Production); diff != "" {
				t.Errorf("production (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEnforcementCanDifferBySurfaceAndProject(t *testing.T) {
	rules := []guard.EnforcementRule{
		{Surfaces: []operation.Surface{operation.GCP}, Projects: []string{"sandbox-.*"}, Action: operation.EnforceOff},
		{Surfaces: []operation.Surface{operation.Kubernetes}, Action: operation.EnforceWarn},
	}
	for _, tt := range []struct {
		name    string
		surface operation.Surface
		project string
		want    operation.Outcome
	}{
		{"another project", operation.GCP, "prod-1", operation.OutcomeAlert},
		{"the project", operation.GCP, "sandbox-1", operation.OutcomeAllow},
		{"another surface", operation.Kubernetes, "sandbox-1", operation.OutcomeWarn},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, guard.Options{Evaluator: says("p"), Enforcement: rules})
			d := g.Decide(t.Context(), deletedCluster(func(op *operation.Operation) { op.Surface, op.Target.Project = tt.surface, tt.project }))
			if d.Outcome != tt.want {
				t.Errorf("%s, want %s", d.Outcome, tt.want)
			}
		})
	}
}

// anyGrant has a grant for everything, and counts how often it is used.
type anyGrant struct{ used int }

func (g *anyGrant) Find(context.Context, *operation.Operation, operation.Severity) (breakglass.Finding, error) {
	return breakglass.Finding{Passes: []breakglass.Pass{{
		Grant: operation.Grant{ID: "bg-test-0001", Approvals: 1},
		Take:  func(context.Context, string) error { g.used++; return nil },
	}}}, nil
}

func TestWhatCameToNothingUsesNoGrantUp(t *testing.T) {
	for phase, used := range map[operation.Phase]int{operation.Started: 1, operation.Finished: 1, operation.Refused: 0, operation.Failed: 0} {
		t.Run(string(phase), func(t *testing.T) {
			grants := &anyGrant{}
			g := newGuard(t, guard.Options{Evaluator: says("p"), BreakGlass: grants})
			d := g.Decide(t.Context(), deletedCluster(func(op *operation.Operation) { op.Phase = phase }))
			if d.Outcome != operation.OutcomeAllow || d.Grant != "bg-test-0001" || grants.used != used {
				t.Errorf("%s by grant %q, used %d times; want it allowed by it, used %d times", d.Outcome, d.Grant, grants.used, used)
			}
		})
	}
}

func TestAnExemptionCanBeNarrowedToWhatTheMachineryDoesByItself(t *testing.T) {
	const agent = "service-1@container-engine-robot.iam.gserviceaccount.com"
	exempt := guard.Exemption{
		Name: "agents", Actors: []string{`service-[0-9]+@container-engine-robot\.iam\.gserviceaccount\.com`}, Alone: true,
		Surfaces: []operation.Surface{operation.GCP}, Groups: []string{"compute.googleapis.com"}, Kinds: []string{"Instance"},
	}
	for _, tt := range []struct {
		name string
		edit func(*operation.Operation)
		want string
	}{
		{"what it does all day", func(*operation.Operation) {}, "agents"},
		{"somebody through it", func(op *operation.Operation) { op.Origin.Delegation = []string{"alice@example.com"} }, ""},
		{"another kind", func(op *operation.Operation) { op.Target.Kind = "Network" }, ""},
		{"another service", func(op *operation.Operation) { op.Target.Group = "container.googleapis.com" }, ""},
		{"another surface", func(op *operation.Operation) { op.Surface = operation.Kubernetes }, ""},
		{"somebody whose name ends like it", func(op *operation.Operation) { op.Actor.Name = "x-" + agent }, ""},
		{"a name with more at its end", func(op *operation.Operation) { op.Actor.Name = agent + ".example.com" }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, guard.Options{Evaluator: says("p"), Exempt: []guard.Exemption{exempt}})
			d := g.Decide(t.Context(), deletedCluster(func(op *operation.Operation) {
				op.Actor.Name, op.Target.Kind, op.Target.Group = agent, "Instance", "compute.googleapis.com"
				tt.edit(op)
			}))
			if d.Exempt != tt.want {
				t.Errorf("exempt as %q (%s), want %q", d.Exempt, d.Outcome, tt.want)
			}
		})
	}
}
