package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
)

// auditCorpus holds SERVICE/{alert,allow}/NAME.json: log entries that people must be
// told of, and such that are as near to them as can be but harmless.
const auditCorpus = "../../policies/testdata/gcp"

// allProduction is an inventory in which whatever is in a project named dev-… carries
// the label of development, and anything else that of production.
type allProduction struct{}

func (allProduction) Find(_ context.Context, _, project string, _ time.Time) (auditlog.Asset, bool, error) {
	value := "production"
	if strings.HasPrefix(project, "dev-") {
		value = "dev"
	}
	return auditlog.Asset{Labels: map[string]string{"env": value}}, true, nil
}

// seenAfterwards are the policies that no AdmissionReview can break.
var seenAfterwards = []string{"guard-weakened", "production-replace", "production-unmediated"}

// auditJudge judges one entry as the watcher does. guarded says that there is a webhook
// of ours in the cluster of the corpus.
func auditJudge(t *testing.T, guarded bool) func(t *testing.T, file string) operation.Decision {
	t.Helper()
	c := config.Default()
	c.Audit.Own = []string{"mollyguard@prod-platform.iam.gserviceaccount.com"}
	c.Audit.OwnNames = nil // all are
	c.Audit.Clusters = []config.AuditCluster{{
		Project: "prod-shop", Location: "europe-west1", Name: "prod-eu", Cluster: "prod-eu", Guarded: guarded, Namespace: "mollyguard", WebhookName: "mollyguard",
	}}
	a, err := assemble(t.Context(), c, parts{lookup: &given{}, recorder: discard{}})
	if err != nil {
		t.Fatal(err)
	}
	mapper, err := newMapper(c, a)
	if err != nil {
		t.Fatal(err)
	}
	selectors, err := parseSelectors(c.Production.Selectors)
	if err != nil {
		t.Fatal(err)
	}
	judging := auditlog.Judging{Inventory: allProduction{}, Marks: marksOf(selectors)}
	return func(t *testing.T, file string) operation.Decision {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !mapper.Cares(data) {
			return operation.Decision{Outcome: operation.OutcomeAllow}
		}
		r, err := mapper.Map(data)
		if err != nil {
			t.Fatal(err)
		}
		if r.Care != auditlog.Judge {
			return operation.Decision{Outcome: operation.OutcomeAllow}
		}
		judging.Complete(t.Context(), &r)
		return a.guard.Decide(t.Context(), r.Operation)
	}
}

func TestPeopleAreToldOfWhatTheAuditLogMustNotHaveAndOfNothingElse(t *testing.T) {
	judge, judgeGuarded := auditJudge(t, false), auditJudge(t, true)
	files, err := filepath.Glob(auditCorpus + "/*/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus in %s: %v", auditCorpus, err)
	}
	broken := map[string]bool{}
	for _, file := range files {
		name, _ := filepath.Rel(auditCorpus, file)
		t.Run(filepath.ToSlash(name), func(t *testing.T) {
			d := judge(t, file)
			for _, policy := range violated(d) {
				broken[policy] = true
			}
			for _, policy := range violated(judgeGuarded(t, file)) {
				broken[policy] = true
			}
			told := d.Outcome != operation.OutcomeAllow
			want := filepath.Base(filepath.Dir(file)) == "alert"
			// An attempt is told, mildly; and what is in no project, or Mollyguard's own, is
			// production here whatever project the entry is from.
			may := d.Phase == operation.Refused || d.Phase == operation.Failed || d.Project == "" || slices.Contains(violated(d), "guard-weakened")
			if told != want && (want || !may) {
				t.Errorf("%s of %s by %v, %s: %s; production %v; want it told: %v", d.Verb, d.Target.Ref, violated(d), d.Phase, d.Outcome, d.Production.Because, want)
			}
		})
	}
	for _, policy := range seenAfterwards {
		if !broken[policy] {
			t.Errorf("no entry of the corpus breaks %s", policy)
		}
	}
}
