package auditlog_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/engine"
	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/policies"
)

// closed is an inventory that cannot find anything out.
type closed struct{}

// Find implements auditlog.Inventory.
func (closed) Find(context.Context, string, string, time.Time) (auditlog.Asset, bool, error) {
	return auditlog.Asset{}, false, errors.New("quota exceeded")
}

var (
	production = map[string]string{"env": "production", "team": "shop"}
	test       = map[string]string{"env": "test", "team": "shop"}
	bare       = map[string]string{"team": "shop"}
)

func TestWhatIsKnownOfAResourceGoesIntoItsOperation(t *testing.T) {
	ref := clusterRef("main")
	for _, tt := range []struct {
		name      string
		inventory auditlog.Inventory
		reading   auditlog.Reading
		want      operation.Operation
	}{
		{"all of it", shelf{ref: {Labels: production, Tags: test, ProjectLabels: bare, Ancestors: []string{"folders/1"}}}, auditlog.Reading{},
			operation.Operation{Verb: operation.Delete, Target: operation.Target{Labels: production, Tags: test, ProjectLabels: bare, Ancestors: []string{"folders/1"}}}},
		{"that there are no labels", shelf{ref: {}}, auditlog.Reading{}, operation.Operation{Verb: operation.Delete}},
		{"nothing", shelf{}, auditlog.Reading{}, operation.Operation{Verb: operation.Delete, Unknown: []string{"its labels are not known"}}},
		{"nothing, as nobody keeps an inventory", nil, auditlog.Reading{}, operation.Operation{Verb: operation.Delete, Unknown: []string{"its labels are not known"}}},
		{"nothing that could be found out", closed{}, auditlog.Reading{},
			operation.Operation{Verb: operation.Delete, Unknown: []string{"its labels could not be found out: quota exceeded"}}},
		{"a label that was taken off shortly before", shelf{ref: {Labels: bare, Former: []map[string]string{test, production}}}, auditlog.Reading{},
			operation.Operation{Verb: operation.Delete, Changes: []string{"until shortly before it had label env=production"}, Target: operation.Target{Labels: production}}},
		{"a label that was put on shortly before", shelf{ref: {Labels: production, Former: []map[string]string{test}}}, auditlog.Reading{},
			operation.Operation{Verb: operation.Delete, Target: operation.Target{Labels: production}}},
		{"labels that were never those of production", shelf{ref: {Labels: bare, Former: []map[string]string{test}}}, auditlog.Reading{},
			operation.Operation{Verb: operation.Delete, Target: operation.Target{Labels: bare}}},
		{"the label that the call takes off", shelf{ref: {Labels: production}},
			auditlog.Reading{NewLabels: bare, Operation: operation.Operation{Verb: operation.Update}},
			operation.Operation{Verb: operation.Unprotect, Changes: []string{"label env=production removed"}, Target: operation.Target{Labels: production}}},
		{"that the call changes the label", shelf{ref: {Labels: production}},
			auditlog.Reading{NewLabels: test, Operation: operation.Operation{Verb: operation.Update}},
			operation.Operation{Verb: operation.Unprotect, Changes: []string{"label env=production removed"}, Target: operation.Target{Labels: production}}},
		{"that the call takes all labels off", shelf{ref: {Labels: production}},
			auditlog.Reading{NewLabels: map[string]string{}, Operation: operation.Operation{Verb: operation.Update}},
			operation.Operation{Verb: operation.Unprotect, Changes: []string{"label env=production,team=shop removed"}, Target: operation.Target{Labels: production}}},
		{"that the inventory knows already what the call did", shelf{ref: {Labels: bare, Former: []map[string]string{production}}},
			auditlog.Reading{NewLabels: bare, Operation: operation.Operation{Verb: operation.Update}},
			operation.Operation{
				Verb: operation.Unprotect, Target: operation.Target{Labels: production},
				Changes: []string{"until shortly before it had label env=production", "label env=production removed"},
			}},
		{"that the label stays", shelf{ref: {Labels: production}},
			auditlog.Reading{NewLabels: production, Operation: operation.Operation{Verb: operation.Update}},
			operation.Operation{Verb: operation.Update, Target: operation.Target{Labels: production}}},
		{"that there was none to take off", shelf{ref: {Labels: test}},
			auditlog.Reading{NewLabels: bare, Operation: operation.Operation{Verb: operation.Update}},
			operation.Operation{Verb: operation.Update, Target: operation.Target{Labels: test}}},
		{"the labels of its cluster", shelf{clusterRef("parent"): {Labels: production}}, auditlog.Reading{Parent: clusterRef("parent")},
			operation.Operation{Verb: operation.Delete, Target: operation.Target{Labels: production}}},
		{"that its cluster is not production", shelf{clusterRef("parent"): {Labels: test}}, auditlog.Reading{Parent: clusterRef("parent")},
			operation.Operation{Verb: operation.Delete, Target: operation.Target{Labels: test}}},
		{"that the project of its cluster is not", shelf{clusterRef("parent"): {ProjectLabels: test}}, auditlog.Reading{Parent: clusterRef("parent")},
			operation.Operation{Verb: operation.Delete, Target: operation.Target{ProjectLabels: test}}},
		{"that its cluster does not tell", shelf{clusterRef("parent"): {Labels: bare}}, auditlog.Reading{Parent: clusterRef("parent")},
			operation.Operation{Verb: operation.Delete, Target: operation.Target{Labels: bare}, Unknown: []string{"its own labels are not known, and the cluster's say nothing"}}},
		{"nothing of its cluster", shelf{ref: {Labels: test}}, auditlog.Reading{Parent: clusterRef("parent")},
			operation.Operation{Verb: operation.Delete, Unknown: []string{"its labels are not known"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.reading
			if r.Operation.Verb == "" {
				r.Operation.Verb = operation.Delete
			}
			r.Operation.Target.Ref, tt.want.Target.Ref = ref, ref
			auditlog.Judging{Inventory: tt.inventory, Marks: marks}.Complete(t.Context(), &r)
			if diff := cmp.Diff(tt.want, r.Operation); diff != "" {
				t.Errorf("the operation (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhoseLabelsAreNotKnownIsProductionAndTheAlertSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.inventory[clusterRef("test")] = auditlog.Asset{Labels: test}
		w.inventory[clusterRef("prod")] = auditlog.Asset{Labels: production}
		w.inventory[clusterRef("was-prod")] = auditlog.Asset{Former: []map[string]string{production}}
		w.watch(&tape{entries: [][]byte{deletion("new"), deletion("prod"), deletion("test"), deletion("was-prod")}})
		because := map[string][]string{}
		for _, o := range w.alerts()[0].Operations {
			because[o.Target.Name] = o.Because
		}
		want := map[string][]string{
			"new":      {"its labels are not known, and unknown counts as production"},
			"prod":     {"label env=production"},
			"was-prod": {"label env=production"},
		}
		if diff := cmp.Diff(want, because); diff != "" {
			t.Errorf("production because of (-want +got):\n%s", diff)
		}
		if n := len(w.recorder.ids()); n != 4 {
			t.Errorf("%d decisions", n)
		}
	})
}

func TestTheEmbeddedPoliciesJudgeWhatTheAuditLogTells(t *testing.T) {
	e, err := engine.New(t.Context(), engine.Config{
		Sources: []engine.Source{{Name: "embedded", FS: policies.Embedded()}}, Options: engine.Options{Schema: policies.Schema()},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.inventory[clusterRef("prod")] = auditlog.Asset{Labels: production}
	w.inventory[clusterRef("test")] = auditlog.Asset{Labels: test}
	o := w.options(&queue{entries: [][]byte{
		deletion("prod", starts("1")), deletion("test"), deletion("new"), deletion("prod", ends("1")),
		made(cluster("SetLabels", "prod"), func(e tree) {
			e["protoPayload"].(tree)["request"] = tree{"resourceLabels": tree{"team": "shop"}}
		}),
	}})
	o.Decider, err = guard.New(guard.Options{
		Evaluator: e, Recorder: w.recorder, Entropy: rand.Reader, Production: guard.ProductionRules{Selectors: []string{"env=production"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.watchWith(o)
	want := []string{
		"violation alice@example.com delete new finished",
		"violation alice@example.com delete prod finished",
		"violation alice@example.com unprotect prod finished",
	}
	if diff := cmp.Diff(want, w.told()); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
