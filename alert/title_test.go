package alert_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// inCluster makes a decision one on a Deployment.
func inCluster(cluster string) func(d *operation.Decision) {
	return func(d *operation.Decision) {
		d.Target = operation.Reference{
			Ref: operation.KubernetesRef(cluster, "apps", "deployments", "shop", "web"), Kind: "Deployment", Namespace: "shop", Name: "web",
		}
	}
}

func TestABurstSaysWhereAndWhetherItWasPastTheWebhook(t *testing.T) {
	const before, kinds = "alice@example.com deleted %d production resources%s in 1 minute: ", "%d Deployments"
	for name, tt := range map[string]struct {
		clusters   []string
		mediations []operation.Mediation
		past, at   string
	}{
		"one cluster":   {[]string{"a", "a"}, []operation.Mediation{"", ""}, "", " (cluster a, project prod-1)"},
		"two clusters":  {[]string{"a", "b"}, []operation.Mediation{"", ""}, "", " (clusters a, b, project prod-1)"},
		"many clusters": {[]string{"a", "b", "c", "d"}, make([]operation.Mediation, 4), "", " (4 clusters, project prod-1)"},
		"without asking": {
			[]string{"a", "a"}, []operation.Mediation{operation.Unmediated, operation.Unmediated}, " without asking the webhook", " (cluster a, project prod-1)",
		},
		"unanswered": {
			[]string{"a", "a"}, []operation.Mediation{operation.FailedOpen, operation.FailedOpen}, " while the webhook did not answer", " (cluster a, project prod-1)",
		},
		"both": {[]string{"a", "a"}, []operation.Mediation{operation.FailedOpen, operation.Unmediated}, " past the webhook", " (cluster a, project prod-1)"},
		"in part": {
			[]string{"a", "a"}, []operation.Mediation{operation.Mediated, operation.Unmediated}, ", in part past the webhook,", " (cluster a, project prod-1)",
		},
		"more than are listed": {
			make([]string, 60), make([]operation.Mediation, 60), "", " (the worst in cluster x, project prod-1)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, b := newLedger(t), newBook(t, alert.BookOptions{})
			var decisions []operation.Decision
			for i, cluster := range tt.clusters {
				if cluster == "" {
					cluster = "x"
				}
				d := with(numbered(i), inCluster(cluster))
				d.Mediation = tt.mediations[i]
				decisions = append(decisions, d)
			}
			n := len(decisions)
			want := fmt.Sprintf(before+kinds, n, tt.past, n) + tt.at + " with the console"
			if got := get(t, l, b, tell(t, l, b, decisions...)[0]).Title; got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

func numbered(i int) operation.Decision { return cluster(fmt.Sprintf("%05d", i)) }

func TestWhatIsCountedReadsAsPeopleSay(t *testing.T) {
	got := []string{
		alert.Counted(1, "Cluster"), alert.Counted(0, "Cluster"), alert.Counted(2, "NetworkPolicy"), alert.Counted(2, "Gateway"), alert.Counted(2, "Ingress"),
		alert.Counted(2, "Settings"), alert.Counted(2, "Box"), alert.Counted(2, "unknown"), alert.Counted(2, "other"), alert.Counted(2, ""),
	}
	want := []string{
		"1 Cluster", "0 Clusters", "2 NetworkPolicies", "2 Gateways", "2 Ingresses", "2 Settings", "2 Boxes", "2 unknown", "2 others", "2 ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestARunbookIsThatOfTheGuardFirst(t *testing.T) {
	book := alert.BookOptions{Runbooks: map[string]string{"production-delete": "https://r/delete", "production-unmediated": "https://r/past", "guard-weakened": "https://r/guard"}}
	for name, tt := range map[string]struct {
		policies []string
		want     string
	}{
		"past the webhook": {[]string{"production-delete", "production-unmediated"}, "https://r/past"},
		"the guard itself": {[]string{"production-unmediated", "guard-weakened"}, "https://r/guard"},
		"nothing of it":    {[]string{"no-runbook", "production-delete"}, "https://r/delete"},
	} {
		t.Run(name, func(t *testing.T) {
			l, b := newLedger(t), newBook(t, book)
			d := cluster("01A")
			d.Violations = nil
			for _, policy := range tt.policies {
				d.Violations = append(d.Violations, operation.Violation{Policy: policy, Severity: operation.Critical, Enforcement: operation.EnforceAlert})
			}
			if got := get(t, l, b, tell(t, l, b, d)[0]).Runbook; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestATroubleIsKnownByItsTitleAndSaysWhenItIsOver(t *testing.T) {
	for _, text := range alert.TroubleKind("").Values() {
		kind := alert.TroubleKind(text)
		t.Run(text, func(t *testing.T) {
			l, b := newLedger(t), newBook(t, alert.BookOptions{})
			report := func(over bool) (id string) {
				update(t, l, func(tx *ledger.Tx) (err error) {
					id, err = b.TellTrouble(tx, alert.Trouble{Kind: kind, Source: "file:/var/log/a b", Since: night, Text: "x", Over: over})
					return err
				})
				return id
			}
			id := report(false)
			if kind == alert.Undecodable {
				check(t, get(t, l, b, id), kind)
				report(false) // which is another title, and is never over
				check(t, get(t, l, b, id), kind)
				return
			}
			open := check(t, get(t, l, b, id), kind)
			report(true)
			if over := check(t, get(t, l, b, id), kind); over == open {
				t.Errorf("it is over, and %q", over)
			}
		})
	}
	for _, a := range []alert.Alert{
		{Kind: alert.Blind, Title: "mollyguard cannot keep what it sees"}, {Kind: alert.Violation, Title: "alerts do not reach sink x"}, {Kind: alert.Blind},
	} {
		if kind, source := a.Trouble(); kind != "" || source != "" {
			t.Errorf("%q is %s of %s", a.Title, kind, source)
		}
	}
}

// check returns the title.
func check(t *testing.T, a alert.Alert, want alert.TroubleKind) string {
	t.Helper()
	if kind, source := a.Trouble(); kind != want || source != "file:/var/log/a b" {
		t.Errorf("%q is %s of %s", a.Title, kind, source)
	}
	return a.Title
}
