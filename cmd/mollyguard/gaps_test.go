package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
)

// TestWhateverTouchesProductionBreaksAPolicy tries every destructive verb on targets of
// all kinds that policies tell apart, with production in every way to depend. What only
// warns by default may warn; whatever else touches production is denied, by one policy
// for the target and at most one for the dependents.
func TestWhateverTouchesProductionBreaksAPolicy(t *testing.T) {
	c := config.Default()
	a, err := assemble(t.Context(), c, parts{lookup: &given{}, recorder: discard{}})
	if err != nil {
		t.Fatal(err)
	}
	resources := []string{
		"/namespaces", "/pods", "/nodes", "/secrets", "/configmaps", "/services", "/serviceaccounts", "/persistentvolumeclaims", "/persistentvolumes",
		"apps/deployments", "policy/poddisruptionbudgets", "networking.k8s.io/ingresses", "networking.k8s.io/networkpolicies",
		"rbac.authorization.k8s.io/roles", "rbac.authorization.k8s.io/clusterroles", "rbac.authorization.k8s.io/rolebindings", "rbac.authorization.k8s.io/clusterrolebindings",
		"storage.k8s.io/storageclasses", "scheduling.k8s.io/priorityclasses", "autoscaling/horizontalpodautoscalers", "keda.sh/scaledobjects",
		"apiextensions.k8s.io/customresourcedefinitions", "apiregistration.k8s.io/apiservices", "sql.cnrm.cloud.google.com/sqlinstances",
		"serving.knative.dev/services", "example.com/things", "/",
	}
	ways := append([]string{"the target", "something unknown", ownWay, dataWay}, operation.Via("").Values()...)
	for _, verb := range operation.Verb("").Values() {
		if verb == string(operation.Update) {
			continue
		}
		for _, resource := range resources {
			for _, way := range ways {
				for _, change := range []string{"", "no traffic comes in to any pod of the namespace", "label env=production removed"} {
					op := touching(operation.Verb(verb), resource, way, change)
					d := a.guard.Decide(t.Context(), op)
					name := fmt.Sprintf("%s of %s, production by %s, changing %q", verb, resource, way, change)
					switch by := violated(d); {
					case d.Error != "":
						t.Errorf("%s: %s", name, d.Error)
					case d.Outcome == operation.OutcomeDeny:
					case d.Outcome == operation.OutcomeWarn && len(by) == 1 && outcomeOf(c, by[0]) == operation.OutcomeWarn:
					default:
						t.Errorf("%s: %s by %v, want it denied", name, d.Outcome, by)
					}
					if way == ownWay {
						alone := slices.Contains([]operation.Verb{operation.Delete, operation.Unprotect, operation.ScaleToZero, operation.Empty}, op.Verb)
						if by := slices.DeleteFunc(violated(d), func(p string) bool { return p == "production-isolated" }); by[0] != "guard-weakened" || alone && len(by) > 1 {
							t.Errorf("%s: %v, want guard-weakened to speak for it", name, by)
						}
						continue
					}
					if by := violated(d); len(by) > 2 || len(by) == 2 && slices.ContainsFunc(by, of(way)) {
						t.Errorf("%s: %v all say the same", name, by)
					}
				}
			}
		}
	}
}

// ownWay is to be part of Mollyguard: one rule of enforcement for guard-weakened is
// enough to upgrade it.
const ownWay = "being mollyguard's own"

// dataWay is to take a volume of production along, and nothing else of production.
const dataWay = "its data"

// of reports whether a policy speaks for a target, where it is only by others that
// production is touched.
func of(way string) func(policy string) bool {
	return func(policy string) bool {
		return way != "the target" && way != "something unknown" && way != string(operation.Backs) && strings.HasPrefix(policy, "production-")
	}
}

// touching is an operation that touches production in one way.
func touching(verb operation.Verb, resource, way, change string) operation.Operation {
	group, plural, _ := strings.Cut(resource, "/")
	op := operation.Operation{
		Surface: operation.Kubernetes, Verb: verb, Phase: operation.Requested,
		Actor:  operation.Actor{Identity: operation.Identity{Name: "alice@example.com", Kind: operation.Human}},
		Target: operation.Target{Reference: operation.Reference{Name: "x"}, Group: group, Resource: plural},
	}
	if change != "" {
		op.Changes = []string{change}
	}
	switch way {
	case "the target":
		op.Target.Labels = map[string]string{"env": "production"}
	case ownWay:
		op.Target.Own = true
	case "something unknown":
		op.Unknown = []string{"its labels"}
	case dataWay:
		op.Volumes = []operation.Volume{{Claim: "shop/data", Name: "pv-1", Production: true}}
	default:
		op.Dependents = []operation.Dependents{{Kind: "Pod", Via: operation.Via(way), Count: 2, Production: 1, Names: []string{"a"}}}
	}
	return op
}

// TestWhateverAPlanDoesToProductionBreaksAPolicy tries what a Terraform plan can do to
// production with all that policies tell apart there. Only what is made without its
// protection may go with a warning.
func TestWhateverAPlanDoesToProductionBreaksAPolicy(t *testing.T) {
	a, err := assemble(t.Context(), config.Default(), parts{lookup: &given{}, recorder: discard{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range operation.Verb("").Values() {
		if verb == string(operation.Update) {
			continue
		}
		for _, tt := range []struct {
			name   string
			change func(*operation.Operation)
			warns  operation.Verb
		}{
			{"what holds nothing", func(*operation.Operation) {}, ""},
			{"a container", func(op *operation.Operation) { op.Target.Container = true }, ""},
			{"what is only made", func(op *operation.Operation) { op.Target.Created = true }, operation.Unprotect},
			{"rights of who applies", func(op *operation.Operation) { op.Target.Widens = "ci" }, ""},
			{"new rights of who applies", func(op *operation.Operation) { op.Target.Created, op.Target.Widens = true, "ci" }, ""},
			{"what is called a plan elsewhere", func(op *operation.Operation) {
				op.Surface, op.Target.Kind = operation.Kubernetes, operation.PlanKind
			}, ""},
		} {
			op := touching(operation.Verb(verb), "/", "the target", "")
			op.Surface = operation.Terraform
			tt.change(&op)
			d := a.guard.Decide(t.Context(), op)
			want := operation.OutcomeDeny
			if op.Verb == tt.warns {
				want = operation.OutcomeWarn
			}
			if d.Outcome != want || d.Error != "" {
				t.Errorf("%s of %s: %s by %v %s, want %s", verb, tt.name, d.Outcome, violated(d), d.Error, want)
			}
		}
	}
}
