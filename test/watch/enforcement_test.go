package watch_test

import (
	"fmt"
	"testing"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

func TestAnEnforcementRuleForProjectsIsForThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(w.subscribe(), "", noGrants+`
enforcement:
- {surfaces: [gcp], projects: [prod-lab], action: "off"}
- {surfaces: [gcp], projects: [prod-trial], policies: [production-delete], action: warn}
- {surfaces: [kubernetes], action: "off"}
`)
	w.ready(w.start())
	ref := func(project string) string {
		return gcpRef + gce + "/projects/" + project + "/zones/europe-west1-b/disks/shop"
	}
	for i, project := range []string{"prod-lab", "prod-trial", "prod-1"} {
		w.publish(entry(i, now(), fmt.Sprintf("user-%d@example.com", i), gce, deleteDisk, ref(project)[len(gcpRef+gce+"/"):], nil))
	}
	if a, o := w.alertOn(ref("prod-1")); a.Severity != operation.High || o.Outcome != operation.OutcomeAlert {
		t.Errorf("without a rule: %s, %s: %s", a.Severity, o.Outcome, a.Title)
	}
	if a, o := w.alertOn(ref("prod-trial")); a.Severity != operation.Low || o.Outcome != operation.OutcomeWarn || a.Kind != alert.Violation {
		t.Errorf("with warn: %s, %s, %s: %s", a.Kind, a.Severity, o.Outcome, a.Title)
	}
	if d := w.decisionOn(ref("prod-lab")); d.Outcome != operation.OutcomeAllow || !d.Production.Is || len(d.Violations) != 1 {
		t.Errorf("with off: %s, production %v, violations %+v", d.Outcome, d.Production.Is, d.Violations)
	}
	if a, _, told := w.on(ref("prod-lab")); told {
		t.Errorf("with off people are told: %s", a.Title)
	}
}
