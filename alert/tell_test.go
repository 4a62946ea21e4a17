package alert_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

func TestADeletionInTheConsoleIsAnAlertThatSaysAllOfIt(t *testing.T) {
	l := newLedger(t)
	b := newBook(t, alert.BookOptions{
		Cluster: "hub", Help: "call #sre", Runbooks: map[string]string{"production-delete": "https://runbooks.example.com/delete"},
	})
	id := tell(t, l, b, cluster("01A"))[0]
	want := alert.Alert{
		ID: id, Revision: 1, Kind: alert.Violation, Status: alert.Open, Severity: operation.Critical,
		Title:  "alice@example.com deleted production Cluster prod-eu (project prod-1, us-central1) with the console",
		Opened: night, Updated: night.Add(time.Second), Surface: operation.GCP, Cluster: "hub", Project: "prod-1",
		Actor: operation.Identity{Name: "alice@example.com", Kind: operation.Human, Via: "console"}, Count: 1,
		Operations: []alert.Operation{{
			Decision: "01A", Time: night, Verb: operation.Delete, Phase: operation.Finished, Outcome: operation.OutcomeAlert, Severity: operation.Critical,
			Target: cluster("").Target, Project: "prod-1", Location: "us-central1", Production: true, Because: []string{"label env=production"},
			Dependents: cluster("").Dependents, Policies: []string{"production-delete"}, Messages: []string{"a production cluster"},
			Unknown: []string{"labels unknown"}, Link: "https://console.cloud.google.com/logs/query;query=x",
		}},
		Runbook: "https://runbooks.example.com/delete", Help: "call #sre",
	}
	if diff := cmp.Diff(want, get(t, l, b, id), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("alert (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(id, "20261121T0312Z-") {
		t.Errorf("id is %s", id)
	}
	if diff := cmp.Diff([]string{"chat/" + id, "pager/" + id}, keys(t, l, ledger.TableQueue)); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
}

func TestWhatADecisionIsToPeople(t *testing.T) {
	type change = func(d *operation.Decision)
	const none = ""
	outcome := func(o operation.Outcome) change { return func(d *operation.Decision) { d.Outcome = o } }
	grant := func(d *operation.Decision) { d.Grant = "bg-k7m4-q9tx" }
	phase := func(p operation.Phase) change { return func(d *operation.Decision) { d.Phase = p } }
	for name, tt := range map[string]struct {
		changes  []change
		kind     alert.Kind
		severity operation.Severity
		title    string
	}{
		"done": {nil, alert.Violation, operation.Critical, "alice@example.com deleted production Cluster prod-eu (project prod-1, us-central1) with the console"},
		"going on": {
			[]change{phase(operation.Started)}, alert.Violation, operation.Critical,
			"alice@example.com is deleting production Cluster prod-eu (project prod-1, us-central1) with the console (started 03:12 UTC)",
		},
		"by Terraform for somebody": {
			[]change{func(d *operation.Decision) {
				d.Actor = operation.Identity{Name: "terraform@prod-1.iam", Via: "Terraform/1.7.5"}
				d.Origin.Delegation = []string{"bob@example.com"}
			}}, alert.Violation, operation.Critical,
			"terraform@prod-1.iam for bob@example.com deleted production Cluster prod-eu (project prod-1, us-central1) (Terraform/1.7.5)",
		},
		"by nobody known, of something nameless": {
			[]change{func(d *operation.Decision) {
				d.Actor, d.Project, d.Location = operation.Identity{}, "", ""
				d.Target = operation.Reference{Ref: "gcp://x/y"}
				d.Production.Is = false
			}}, alert.Violation, operation.Critical, "somebody deleted gcp://x/y",
		},
		"of something with an escape in its name": {
			[]change{func(d *operation.Decision) { d.Target.Name = "a\x1b[2J\nb" }}, alert.Violation, operation.Critical,
			`alice@example.com deleted production Cluster a\x1b[2J\nb (project prod-1, us-central1) with the console`,
		},
		"scaled to zero": {
			[]change{func(d *operation.Decision) {
				d.Verb, d.Target.Namespace, d.Location = operation.ScaleToZero, "shop", ""
			}}, alert.Violation, operation.Critical,
			"alice@example.com scaled production Cluster shop/prod-eu to zero (project prod-1) with the console",
		},
		"under a grant": {
			[]change{outcome(operation.OutcomeAllow), grant}, alert.Notice, operation.Low,
			"alice@example.com deleted production Cluster prod-eu (project prod-1, us-central1) with the console under grant bg-k7m4-q9tx",
		},
		"under a grant, without a violation left": {
			[]change{outcome(operation.OutcomeAllow), grant, func(d *operation.Decision) { d.Violations = nil }}, alert.Notice, operation.Low,
			"alice@example.com deleted production Cluster prod-eu (project prod-1, us-central1) with the console under grant bg-k7m4-q9tx",
		},
		"under a grant that does not cover all of it": {
			[]change{grant}, alert.Violation, operation.Critical,
			"alice@example.com deleted production Cluster prod-eu (project prod-1, us-central1) with the console under grant bg-k7m4-q9tx",
		},
		"denied after the fact": {[]change{outcome(operation.OutcomeDeny)}, alert.Violation, operation.Critical, "alice@example.com deleted production Cluster prod-eu (project prod-1, us-central1) with the console"},
		"not judged": {
			[]change{outcome(operation.OutcomeUndecided), func(d *operation.Decision) { d.Violations, d.Error = nil, "no rules" }}, alert.Violation, operation.High,
			"alice@example.com deleted production Cluster prod-eu (project prod-1, us-central1) with the console, and mollyguard could not judge it",
		},
		"not judged at the door": {
			[]change{outcome(operation.OutcomeUndecided), phase(operation.Requested), func(d *operation.Decision) { d.Violations = nil }}, alert.Violation, operation.High,
			"alice@example.com tried to delete production Cluster prod-eu (project prod-1, us-central1) with the console and was refused, and mollyguard could not judge it",
		},
		"let through with an alert": {
			[]change{phase(operation.Requested)}, alert.Violation, operation.Critical,
			"alice@example.com is deleting production Cluster prod-eu (project prod-1, us-central1) with the console",
		},
		"with a change": {
			[]change{func(d *operation.Decision) {
				d.Verb, d.Changes = operation.Unprotect, []string{"deletionProtection true → false"}
			}}, alert.Violation, operation.Critical,
			"alice@example.com unprotected production Cluster prod-eu (deletionProtection true → false) (project prod-1, us-central1) with the console",
		},
		"with many long changes": {
			[]change{func(d *operation.Decision) {
				d.Verb, d.Changes = operation.Unprotect, []string{"filter " + strings.Repeat("x", 200), "b", "c"}
			}}, alert.Violation, operation.Critical,
			"alice@example.com unprotected production Cluster prod-eu (filter " + strings.Repeat("x", 70) + "…, and 2 more) (project prod-1, us-central1) with the console",
		},
		"in a cluster": {
			[]change{inCluster("prod-eu")}, alert.Violation, operation.Critical,
			"alice@example.com deleted production Deployment shop/web (cluster prod-eu, project prod-1, us-central1) with the console",
		},
		"without asking the webhook": {
			[]change{inCluster("prod-eu"), func(d *operation.Decision) { d.Mediation = operation.Unmediated }}, alert.Violation, operation.Critical,
			"alice@example.com deleted production Deployment shop/web without asking the webhook (cluster prod-eu, project prod-1, us-central1) with the console",
		},
		"while the webhook did not answer": {
			[]change{inCluster("prod-eu"), func(d *operation.Decision) { d.Mediation = operation.FailedOpen }}, alert.Violation, operation.Critical,
			"alice@example.com deleted production Deployment shop/web while the webhook did not answer (cluster prod-eu, project prod-1, us-central1) with the console",
		},
		"with a warning": {[]change{outcome(operation.OutcomeWarn)}, alert.Violation, operation.Low, "alice@example.com deleted production Cluster prod-eu (project prod-1, us-central1) with the console"},
		"refused":        {[]change{phase(operation.Refused)}, alert.Attempt, operation.Low, "alice@example.com tried to delete production Cluster prod-eu (project prod-1, us-central1) with the console and was refused"},
		"failed":         {[]change{phase(operation.Failed)}, alert.Attempt, operation.Low, "alice@example.com tried to delete production Cluster prod-eu (project prod-1, us-central1) with the console and failed"},
		"denied at the door": {
			[]change{phase(operation.Requested), outcome(operation.OutcomeDeny)}, alert.Attempt, operation.Low,
			"alice@example.com tried to delete production Cluster prod-eu (project prod-1, us-central1) with the console and was refused",
		},
		"of a severity that nobody knows": {[]change{func(d *operation.Decision) { d.Violations[0].Severity = "dire" }}, alert.Violation, operation.High, "alice@example.com deleted production Cluster prod-eu (project prod-1, us-central1) with the console"},
		"of an outcome that nobody knows": {[]change{outcome("maybe")}, alert.Violation, operation.Critical, "alice@example.com deleted production Cluster prod-eu (project prod-1, us-central1) with the console"},
		"allowed":                         {[]change{outcome(operation.OutcomeAllow)}, none, "", ""},
		"a dry run":                       {[]change{func(d *operation.Decision) { d.DryRun = true }}, none, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			b := newBook(t, alert.BookOptions{})
			d := cluster("01A")
			for _, change := range tt.changes {
				change(&d)
			}
			id := tell(t, l, b, d)[0]
			if tt.kind == none {
				if id != "" || keys(t, l, ledger.TableIncidents) != nil {
					t.Errorf("told as %q", id)
				}
				return
			}
			a := get(t, l, b, id)
			if a.Kind != tt.kind || a.Severity != tt.severity || a.Title != tt.title {
				t.Errorf("got %s %s %q, want %s %s %q", a.Kind, a.Severity, a.Title, tt.kind, tt.severity, tt.title)
			}
		})
	}
}

func TestADecisionToldAgainChangesNothing(t *testing.T) {
	l := newLedger(t)
	b := newBook(t, alert.BookOptions{})
	first := tell(t, l, b, cluster("01A"), cluster("01B"))
	before := get(t, l, b, first[0])
	if again := tell(t, l, b, cluster("01B"), cluster("01A"), cluster("01A")); !slices.Equal(again[:2], first) {
		t.Errorf("got %q, then %q", first, again)
	}
	if diff := cmp.Diff(before, get(t, l, b, first[0])); diff != "" || before.Revision != 2 || before.Count != 2 {
		t.Errorf("alert (-before +after):\n%s", diff)
	}
}

func TestWhatIsOneIncident(t *testing.T) {
	base := cluster("01A")
	for name, tt := range map[string]struct {
		same   bool
		change func(d *operation.Decision)
	}{
		"later in the minute":          {true, func(d *operation.Decision) { d.Time = d.Time.Add(12 * time.Second) }},
		"in another zone":              {true, func(d *operation.Decision) { d.Time = d.Time.In(time.FixedZone("", 19800)) }},
		"of another object":            {true, func(d *operation.Decision) { d.Target.Ref += "x" }},
		"with another tool":            {true, func(d *operation.Decision) { d.Actor.Via = "gcloud" }},
		"in another project":           {true, func(d *operation.Decision) { d.Project = "prod-2" }},
		"in another minute":            {false, func(d *operation.Decision) { d.Time = d.Time.Add(13 * time.Second) }},
		"by another actor":             {false, func(d *operation.Decision) { d.Actor.Name = "bob@example.com" }},
		"by another, for whom it acts": {false, func(d *operation.Decision) { d.Origin.Delegation = []string{"bob@example.com"} }},
		"by nobody known":              {false, func(d *operation.Decision) { d.Actor.Name = "" }},
		"with a grant":                 {false, func(d *operation.Decision) { d.Outcome, d.Grant = operation.OutcomeAllow, "bg-k7m4-q9tx" }},
		"refused":                      {false, func(d *operation.Decision) { d.Phase = operation.Refused }},
	} {
		t.Run(name, func(t *testing.T) {
			l, b := newLedger(t), newBook(t, alert.BookOptions{})
			ids := tell(t, l, b, base, with(cluster("01B"), tt.change))
			if same := ids[0] == ids[1]; same != tt.same {
				t.Errorf("got %q", ids)
			}
			other := tell(t, newLedger(t), newBook(t, alert.BookOptions{Cluster: "another replica"}), with(cluster("01B"), tt.change), base)
			if other[0] != ids[1] || other[1] != ids[0] {
				t.Errorf("another replica has %q, not %q", other, ids)
			}
		})
	}
}

func TestWhoIsNotKnownIsToldByWhatTheyDid(t *testing.T) {
	nobody := with(cluster("01A"), func(d *operation.Decision) { d.Actor.Name = "" })
	other := with(nobody, func(d *operation.Decision) { d.ID, d.Target.Ref = "01B", "gcp://x/y" })
	if ids := tell(t, newLedger(t), newBook(t, alert.BookOptions{}), nobody, other); ids[0] == ids[1] {
		t.Errorf("got %q", ids)
	}
}

// burst is what Terraform deletes in one minute.
func burst(n int) []operation.Decision {
	var decisions []operation.Decision
	for i := range n {
		decisions = append(decisions, with(cluster(fmt.Sprintf("%05d", i)), func(d *operation.Decision) {
			d.Actor = operation.Identity{Name: "terraform@prod-1.iam", Via: "Terraform/1.7.5"}
			d.Time = d.Time.Add(time.Duration(i%10) * time.Second)
			d.Target = operation.Reference{Ref: fmt.Sprintf("gcp://compute/%d", i), Kind: []string{"Disk", "Instance", "Disk"}[i%3], Name: fmt.Sprintf("x-%d", i)}
			d.Violations = []operation.Violation{{Policy: "p", Severity: operation.High, Enforcement: operation.EnforceAlert}}
		}))
	}
	return decisions
}

func TestABurstIsOneIncidentThatListsTheWorst(t *testing.T) {
	l, b := newLedger(t), newBook(t, alert.BookOptions{})
	decisions := burst(1000)
	worst := []int{17, 418, 801}
	for _, i := range worst {
		decisions[i].Violations[0].Severity = operation.Critical
	}
	mild := 5
	decisions[mild].Production.Is = false
	ids := tell(t, l, b, decisions...)
	a := get(t, l, b, ids[0])
	if a.Title != "terraform@prod-1.iam deleted 1000 resources, 999 of them production, in 1 minute: 667 Disks, 333 Instances (project prod-1) (Terraform/1.7.5)" {
		t.Errorf("title %q", a.Title)
	}
	if a.Count != 1000 || len(a.Operations) != alert.MaxOperations || a.Revision != 1000 || a.Severity != operation.Critical {
		t.Errorf("count %d, %d operations, revision %d, severity %s", a.Count, len(a.Operations), a.Revision, a.Severity)
	}
	if diff := cmp.Diff([]string{"20 of the 1000 operations are listed, the worst; the decision log has all"}, a.Text); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	listed := map[string]bool{}
	for i, o := range a.Operations {
		listed[o.Decision] = true
		if i > 0 && o.Time.Before(a.Operations[i-1].Time) {
			t.Errorf("%s is before what happened before it", o.Decision)
		}
	}
	for _, i := range worst {
		if !listed[decisions[i].ID] {
			t.Errorf("%s is not listed", decisions[i].ID)
		}
	}
	if listed[decisions[mild].ID] {
		t.Error("one that is not production is listed before those that are")
	}
}

func TestABurstOfDifferentThingsSaysWhich(t *testing.T) {
	l, b := newLedger(t), newBook(t, alert.BookOptions{})
	decisions := burst(4)
	decisions[1].Verb = operation.Unprotect
	decisions[2].Actor.Via = "gcloud"
	decisions[2].Project = "prod-2"
	decisions[3].Phase = operation.Started
	a := get(t, l, b, tell(t, l, b, decisions...)[0])
	want := "terraform@prod-1.iam deleted or changed 4 production resources in 1 minute: delete of 3 Disks, unprotect of 1 Instance"
	if a.Title != want || a.Project != "" || a.Actor.Via != "" {
		t.Errorf("got %q of project %q with %q", a.Title, a.Project, a.Actor.Via)
	}
}

func TestAnOperationThatWentOnIsTheSameIncident(t *testing.T) {
	l, b := newLedger(t), newBook(t, alert.BookOptions{})
	started := with(cluster("01A"), func(d *operation.Decision) { d.Phase = operation.Started })
	id := tell(t, l, b, started)[0]
	end := func(phase operation.Phase) {
		t.Helper()
		update(t, l, func(tx *ledger.Tx) error {
			return b.UpdateOperation(tx, id, with(started, func(d *operation.Decision) { d.Phase, d.Time = phase, night.Add(5*time.Minute) }))
		})
	}
	end(operation.Finished)
	want := get(t, newLedgerWith(t, b, cluster("01A")), b, id) // as if it had been told when it was done
	want.Revision = 2
	if diff := cmp.Diff(want, get(t, l, b, id)); diff != "" {
		t.Errorf("alert (-want +got):\n%s", diff)
	}
	end(operation.Finished) // again
	tell(t, l, b, started)  // the start comes late
	if a := get(t, l, b, id); a.Revision != 2 {
		t.Errorf("revision %d", a.Revision)
	}
	end(operation.Failed)
	a := get(t, l, b, id)
	if a.Severity != want.Severity || a.Kind != alert.Violation || a.Count != 1 || a.Revision != 3 || a.Text[0] != "it began, and ended with an error: part of it may be gone" ||
		a.Title != "alice@example.com tried to delete production Cluster prod-eu (project prod-1, us-central1) with the console and failed" {
		t.Errorf("got %+v", a)
	}
}

func newLedgerWith(t *testing.T, b *alert.Book, decisions ...operation.Decision) *ledger.Ledger {
	l := newLedger(t)
	tell(t, l, b, decisions...)
	return l
}

func TestABurstThatFailedInPartSaysSo(t *testing.T) {
	l, b := newLedger(t), newBook(t, alert.BookOptions{})
	decisions := burst(100)
	for i := range decisions {
		decisions[i].Phase = operation.Started
	}
	id := tell(t, l, b, decisions...)[0]
	fail := func(some []operation.Decision) {
		t.Helper()
		update(t, l, func(tx *ledger.Tx) error {
			for _, d := range some {
				d.Phase = operation.Failed
				if err := b.UpdateOperation(tx, id, d); err != nil {
					return err
				}
			}
			return nil
		})
	}
	fail(decisions[:30])
	a := get(t, l, b, id)
	if want := "terraform@prod-1.iam is deleting 100 production resources in 1 minute: 47 Disks, 23 Instances (project prod-1) (Terraform/1.7.5), of which 30 failed or were refused"; a.Title != want || a.Severity != operation.High || a.Count != 100 {
		t.Errorf("got %q %s %d", a.Title, a.Severity, a.Count)
	}
	fail(decisions)
	a = get(t, l, b, id)
	if want := "all of the 100 operations began, and ended with an error: part of what they are about may be gone"; a.Text[0] != want || a.Severity != operation.High || a.Count != 100 || len(a.Operations) != alert.MaxOperations {
		t.Errorf("got %q %s %d %d", a.Text, a.Severity, a.Count, len(a.Operations))
	}
	if want := "terraform@prod-1.iam tried to delete 100 production resources in 1 minute: 67 Disks, 33 Instances (project prod-1) (Terraform/1.7.5), and all of it failed or was refused"; a.Title != want {
		t.Errorf("got %q", a.Title)
	}
}

func TestAnOperationWhoseIncidentIsGoneIsToldAsNew(t *testing.T) {
	for name, incident := range map[string]string{"gone": "20200101T0000Z-00", "none": ""} {
		t.Run(name, func(t *testing.T) {
			l, b := newLedger(t), newBook(t, alert.BookOptions{})
			update(t, l, func(tx *ledger.Tx) error { return b.UpdateOperation(tx, incident, cluster("01A")) })
			if len(keys(t, l, ledger.TableQueue)) != 2 {
				t.Errorf("queue %q", keys(t, l, ledger.TableQueue))
			}
		})
	}
}

func TestAViolationDoesNotHideInANotice(t *testing.T) {
	l, b := newLedger(t), newBook(t, alert.BookOptions{})
	noticed := with(cluster("01A"), func(d *operation.Decision) {
		d.Outcome, d.Grant, d.Phase = operation.OutcomeAllow, "bg-k7m4-q9tx", operation.Started
	})
	notice := tell(t, l, b, noticed)[0]
	worse := with(cluster("01A"), func(d *operation.Decision) { d.Phase, d.Time = operation.Started, night.Add(time.Hour) })
	for _, phase := range []operation.Phase{operation.Started, operation.Finished, operation.Finished} {
		worse.Phase = phase
		update(t, l, func(tx *ledger.Tx) error { return b.UpdateOperation(tx, notice, worse) })
	}
	violation := tell(t, l, b, cluster("01A"))[0] // which is known already
	a := get(t, l, b, violation)
	if violation == notice || a.Kind != alert.Violation || a.Revision != 2 || a.Operations[0].Phase != operation.Finished {
		t.Errorf("got %+v", a)
	}
	if a := get(t, l, b, notice); a.Kind != alert.Notice || a.Revision != 1 {
		t.Errorf("got %+v", a)
	}
}

func TestTextsFromOutsideAreCutOff(t *testing.T) {
	l, b := newLedger(t), newBook(t, alert.BookOptions{})
	huge := strings.Repeat("\x01é", 1<<20)
	var list []string
	for range 1000 {
		list = append(list, huge)
	}
	ids := tell(t, l, b, with(cluster("01A"), func(d *operation.Decision) {
		d.Actor = operation.Identity{Name: huge, Via: huge}
		d.Target = operation.Reference{Ref: huge, Kind: huge, Namespace: huge, Name: "\xff" + huge, UID: huge}
		d.Origin = operation.Origin{IP: huge, UserAgent: huge, Delegation: list, Reason: huge}
		d.Project, d.Location, d.Verb, d.Exempt, d.Error, d.Source.Link = huge, huge, operation.Verb(huge), huge, huge, huge
		d.Changes, d.Unknown, d.GrantRefused, d.Production.Because = list, list, list, list
		d.Dependents = nil
		for range 1000 {
			d.Violations = append(d.Violations, operation.Violation{Policy: huge, Message: huge, Enforcement: operation.EnforceAlert})
			d.Dependents = append(d.Dependents, operation.Dependents{Kind: huge, Names: list})
			d.Also = append(d.Also, operation.Verb(huge))
		}
	}))
	a := get(t, l, b, ids[0])
	o := a.Operations[0]
	if len(a.Title) > 300 || len(o.Messages) != 8 || len(o.Changes[0]) > 1<<10 || o.Changes[7] != "… and 993 more" || o.Link != "" {
		t.Errorf("title %d, %d messages, %q, link %q", len(a.Title), len(o.Messages), o.Changes[7], o.Link)
	}
}
