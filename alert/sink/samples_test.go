package sink

import (
	"fmt"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

// opened is when the samples happened, and sent when they are told.
var (
	opened = time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC)
	sent   = time.Date(2026, 11, 21, 3, 12, 49, 0, time.UTC)
)

func now() time.Time { return sent }

// sample is an alert with a name for its golden files.
type sample struct {
	name  string
	alert alert.Alert
}

func samples() []sample {
	return []sample{
		{"violation", violation()},
		{"update", finished()},
		{"notice", notice()},
		{"burst", burst(14)},
		{"burst-more", burst(60)},
		{"unmediated", unmediated()},
		{"undelivered", trouble("alerts do not reach sink pager")},
		{"undecodable", trouble("mollyguard could not read 7 entries of pubsub:audit in 1 minute")},
		{"silent-file", trouble("mollyguard is blind: nothing comes from file:/var/log/gcp.jsonl, not even a heartbeat")},
		{"blind", blind()},
		{"blind-resolved", resolved()},
		{"break-glass", breakGlass()},
		{"hostile", hostile()},
	}
}

func violation() alert.Alert {
	return alert.Alert{
		ID: "01JD6Z3W9C4T7Q2XKV5N8M0B1E", Revision: 1, Kind: alert.Violation, Status: alert.Open, Severity: operation.Critical,
		Title:  "bob@example.com is deleting GKE cluster prod-eu, which is production (label env=production)",
		Opened: opened, Updated: opened, Surface: operation.GCP, Cluster: "watch-eu", Project: "shop-prod",
		Actor: operation.Identity{Name: "deployer@shop-prod.iam.gserviceaccount.com", Kind: operation.Service, Via: "Google Cloud console"},
		Origin: operation.Origin{
			IP: "203.0.113.7", UserAgent: "Mozilla/5.0", Delegation: []string{"bob@example.com"}, Reason: "cleaning up the test cluster",
		},
		Count: 1, Operations: []alert.Operation{clusterDelete()},
		Runbook: "https://runbooks.example.com/gke?id=cluster&at=delete", Help: "Ask in #production.\nPhone: 555-0100",
	}
}

func clusterDelete() alert.Operation {
	return alert.Operation{
		Decision: "01JD6Z3W9C0000000000000001", Time: opened, Verb: operation.Delete, Phase: operation.Started,
		Outcome: operation.OutcomeAlert, Severity: operation.Critical,
		Target: operation.Reference{
			Ref:  operation.GCPRef("container.googleapis.com", "projects/shop-prod/locations/europe-west1/clusters/prod-eu"),
			Kind: "Cluster", Name: "prod-eu",
		},
		Location: "europe-west1", Because: []string{"label env=production", "project shop-prod"},
		Dependents:   []operation.Dependents{{Kind: "Node", Via: operation.Contained, Count: 50, Production: 50, Names: []string{"pool-1-a", "pool-1-b"}}},
		Policies:     []string{"production-delete"},
		Messages:     []string{"Cluster prod-eu is production: deleting it needs a grant"},
		GrantRefused: []string{"MG-7Q2X is for cluster test-eu"},
		Link:         "https://console.cloud.google.com/logs/query;query=insertId%3D%22abc%22?project=shop-prod&x=1",
	}
}

func finished() alert.Alert {
	a := violation()
	a.Revision, a.Updated = 2, opened.Add(4*time.Minute)
	a.Operations[0].Phase = operation.Finished
	return a
}

func notice() alert.Alert {
	a := violation()
	a.ID, a.Kind, a.Severity = "01JD6Z3W9C4T7Q2XKV5N8M0B1F", alert.Notice, operation.Low
	a.Title = "bob@example.com is deleting GKE cluster prod-eu with grant MG-4T7Q"
	a.Operations[0].Grant, a.Operations[0].GrantRefused = "MG-4T7Q", nil
	return a
}

func burst(count int) alert.Alert {
	a := violation()
	a.ID, a.Count, a.Severity = "01JD6Z3W9C4T7Q2XKV5N8M0B1G", count, operation.High
	a.Title = fmt.Sprintf("bob@example.com is deleting %d disks, which are production", count)
	a.Operations = nil
	for i := range min(count, alert.MaxOperations) {
		o := clusterDelete()
		o.Time = opened.Add(time.Duration(i) * time.Second)
		o.Target = operation.Reference{Kind: "Disk", Name: fmt.Sprintf("data-%02d", i), Ref: fmt.Sprintf("gcp://compute.googleapis.com/projects/shop-prod/zones/europe-west1-b/disks/data-%02d", i)}
		o.Dependents, o.Messages = nil, []string{fmt.Sprintf("Disk data-%02d is production: deleting it needs a grant", i)}
		if i == 0 {
			o.Grant = "MG-4T7Q"
		}
		a.Operations = append(a.Operations, o)
	}
	return a
}

// unmediated are two operations in a cluster, one past each half of the guard.
func unmediated() alert.Alert {
	a := violation()
	a.ID, a.Surface, a.Count = "01JD6Z3W9C4T7Q2XKV5N8M0B1L", operation.Kubernetes, 2
	a.Title = "bob@example.com deleted 2 production resources past the webhook in 1 minute: 2 Deployments (cluster prod-eu)"
	a.Operations = nil
	for i, mediation := range []operation.Mediation{operation.Unmediated, operation.FailedOpen} {
		o := clusterDelete()
		name := fmt.Sprintf("web-%d", i)
		o.Target = operation.Reference{Ref: operation.KubernetesRef("prod-eu", "apps", "deployments", "shop", name), Kind: "Deployment", Namespace: "shop", Name: name}
		o.Mediation, o.Phase, o.Project, o.Dependents = mediation, operation.Finished, "shop-prod", nil
		o.Unknown = []string{"its labels are not known", "its owner is not known"}
		o.Because = []string{"its labels are not known, and unknown counts as production"}
		o.Policies, o.Messages = []string{"production-delete", alert.PolicyUnmediated}, []string{"production must not be deleted"}
		a.Operations = append(a.Operations, o)
	}
	a.Operations[1].Policies = append(a.Operations[1].Policies, alert.PolicyGuardWeakened)
	return a
}

// trouble is a blind alert with a title as the Book writes it.
func trouble(title string) alert.Alert {
	a := blind()
	a.ID, a.Title, a.Text = "01JD6Z3W9C4T7Q2XKV5N8M0B1M", title, []string{"an entry cannot be read: it is kept: mollyguard alert dead list has it as entry/1/ab"}
	return a
}

func blind() alert.Alert {
	return alert.Alert{
		ID: "01JD6Z3W9C4T7Q2XKV5N8M0B1H", Revision: 1, Kind: alert.Blind, Status: alert.Open, Severity: operation.High,
		Title: "mollyguard does not see the audit log of shop-prod: permission lost", Opened: opened, Updated: opened,
		Cluster: "watch-eu", Text: []string{"PermissionDenied on subscription audit", "grant roles/pubsub.subscriber to the watcher"},
	}
}

func resolved() alert.Alert {
	a := blind()
	a.Revision, a.Status, a.Updated = 2, alert.Resolved, opened.Add(time.Hour)
	a.Text = []string{"entries come in again"}
	return a
}

func breakGlass() alert.Alert {
	return alert.Alert{
		ID: "01JD6Z3W9C4T7Q2XKV5N8M0B1J", Revision: 1, Kind: alert.BreakGlass, Status: alert.Open, Severity: operation.Medium,
		Title: "alice@example.com asks for a grant to delete Deployment shop/web", Opened: opened, Updated: opened,
		Surface: operation.Kubernetes, Cluster: "prod-eu", Actor: operation.Identity{Name: "alice@example.com", Kind: operation.Human, Via: "kubectl/v1.37"},
		Text: []string{"why: the new release does not start", "approve it with: kubectl mollyguard approve MG-4T7Q"},
	}
}

// hostile is what somebody would name things who wants to be overlooked.
func hostile() alert.Alert {
	a := violation()
	a.ID = "01JD6Z3W9C4T7Q2XKV5N8M0B1K"
	a.Title = "x is deleting y\n\nRESOLVED: nothing to see <!channel> <https://evil.example|log entry> *bold* `code` :tada: 🎉 \u202Egnitset"
	a.Project = "shop\r\nprod"
	a.Actor.Name = "eve\x1b[2J@example.com\n  grant     MG-FAKE"
	a.Actor.Via = "cur\x00l & <b>"
	a.Origin = operation.Origin{IP: "203.0.113.7\n", Delegation: []string{"<@U012345>\u2028"}, Reason: "`_~*&lt;"}
	o := &a.Operations[0]
	o.Target.Name, o.Location = "prod\n  next      nothing to do", "\u202Eeurope"
	o.Because, o.Changes = []string{"label a=`b`\n*c*"}, []string{"deletion protection\toff"}
	o.Messages, o.Policies = []string{"<!here> & \"quoted\" \\ \xff"}, []string{"p\v"}
	o.Dependents = []operation.Dependents{{Kind: "Node\n", Via: operation.Mounted, Count: 1, Names: []string{"a\nb", "|", "<x>"}}}
	o.GrantRefused = []string{"MG-1\nis fine"}
	o.Link, a.Runbook = "https://logs.example.com/q?<a>|b\"&c=d", "javascript:alert(1)"
	a.Help = "ask\u202E us"
	return a
}
