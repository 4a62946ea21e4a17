package webhook

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

func TestMessagesReadWellInATerminal(t *testing.T) {
	violation := operation.Violation{Policy: "production-delete", Severity: operation.High, Enforcement: operation.EnforceDeny, Message: "production must not be deleted"}
	warned := violation
	warned.Policy, warned.Enforcement = "other", operation.EnforceWarn
	target := operation.Reference{Ref: "k8s://prod-eu/core/namespaces/shop", Kind: "Namespace", Name: "shop"}
	for _, tt := range []struct {
		name     string
		decision operation.Decision
		advice   Advice
		want     string
	}{
		{
			"a namespace with what is in it",
			operation.Decision{
				ID: "01D", Verb: operation.Delete, Outcome: operation.OutcomeDeny, Target: target, Actor: operation.Identity{Name: "alice"},
				Production: operation.Production{Is: true, Target: true, Because: []string{"label env=prod", "3 production Pods would go with it"}},
				Dependents: []operation.Dependents{
					{Kind: "Secret", Via: operation.Contained, Count: 1, Names: []string{"c"}},
					{Kind: "Pod", Via: operation.Contained, Count: 5, Production: 3, Names: []string{"a", "b"}},
				},
				Violations: []operation.Violation{violation, warned},
			},
			Advice{Help: "ask #platform\n\nor page the on-call"},
			`Namespace shop is production (label env=prod; 3 production Pods would go with it): delete refused

  policy    production-delete (high): production must not be deleted
  with it   KIND    VIA        COUNT  PRODUCTION  NAMES
            Pod     contained      5           3  a, b, …
            Secret  contained      1           0  c
  actor     alice
  decision  01D
  next      check that this is the cluster and the object you mean (k8s://prod-eu/core/namespaces/shop)
            if it is, ask the owners of mollyguard on this cluster to let this one through, and give them the decision's id
            ask #platform
            or page the on-call
`,
		},
		{
			"what could not be decided",
			operation.Decision{ID: "01D", Verb: operation.Delete, Outcome: operation.OutcomeUndecided, Error: "evaluate policies: boom", Target: target},
			Advice{},
			`delete of Namespace shop refused, because mollyguard could not decide: evaluate policies: boom

  decision  01D
  next      try again; if it stays so, tell the owners of mollyguard on this cluster: its log has more
`,
		},
		{
			"what nobody gets through",
			operation.Decision{
				ID: "01D", Verb: operation.Delete, Outcome: operation.OutcomeDeny, Target: target,
				Violations: []operation.Violation{{Policy: "p", Severity: operation.Low, Enforcement: operation.EnforceDeny, Message: "m", BreakGlass: operation.BreakGlass{Never: true}}},
			},
			Advice{},
			`Namespace shop: delete refused

  policy    p (low): m
  decision  01D
  next      check that this is the cluster and the object you mean (k8s://prod-eu/core/namespaces/shop)
            nobody gets through this policy: if it is wrong, talk to its owners
`,
		},
		{
			"the way through, ready to be pasted",
			operation.Decision{
				ID: "01D", Verb: operation.Delete, Outcome: operation.OutcomeDeny, Target: target,
				Violations: []operation.Violation{violation},
			},
			Advice{Help: "ask #platform", BreakGlass: true},
			`Namespace shop: delete refused

  policy    production-delete (high): production must not be deleted
  decision  01D
  next      check that this is the cluster and the object you mean (k8s://prod-eu/core/namespaces/shop)
            if it is, ask for a grant, which somebody else has to approve, and run this again then:
              kubectl mollyguard request delete k8s://prod-eu/core/namespaces/shop --reason 'why'
            ask #platform
`,
		},
		{
			"grants that do not lift it, and a name that a shell would run",
			operation.Decision{
				ID: "01D", Verb: operation.Delete, Outcome: operation.OutcomeDeny,
				Target:       operation.Reference{Ref: "k8s://c/x/y/$(reboot)'", Kind: "ClusterRole", Name: "$(reboot)'"},
				Violations:   []operation.Violation{violation},
				GrantRefused: []string{"bg-k7m4-q9tx: pending: 0 of 1 approvals", "bg-0000-0000: expired\x1b[2J"},
			},
			Advice{BreakGlass: true},
			`ClusterRole $(reboot)': delete refused

  policy    production-delete (high): production must not be deleted
  grant     bg-k7m4-q9tx: pending: 0 of 1 approvals
            bg-0000-0000: expired\x1b[2J
  decision  01D
  next      check that this is the cluster and the object you mean (k8s://c/x/y/$(reboot)')
            if it is, ask for a grant, which somebody else has to approve, and run this again then:
              kubectl mollyguard request delete 'k8s://c/x/y/$(reboot)'\''' --reason 'why'
`,
		},
		{
			"a request that waits already, at a server's API",
			operation.Decision{
				ID: "01D", Verb: operation.Empty, Also: []operation.Verb{operation.Unprotect}, Outcome: operation.OutcomeDeny, Target: target,
				Violations: []operation.Violation{violation}, GrantPending: "bg-k7m4-q9tx", GrantRefused: []string{"bg-k7m4-q9tx: pending: 0 of 1 approvals"},
			},
			Advice{BreakGlass: true, Server: "https://guard.example.com:9443"},
			`Namespace shop: empty refused

  policy    production-delete (high): production must not be deleted
  grant     bg-k7m4-q9tx: pending: 0 of 1 approvals
  decision  01D
  next      check that this is the cluster and the object you mean (k8s://prod-eu/core/namespaces/shop)
            if it is, bg-k7m4-q9tx waits for somebody else, who runs this; run yours again then:
              kubectl mollyguard approve bg-k7m4-q9tx --server https://guard.example.com:9443
`,
		},
		{
			"several things at once, to be asked for together",
			operation.Decision{
				ID: "01D", Verb: operation.Empty, Also: []operation.Verb{operation.Unprotect}, Outcome: operation.OutcomeDeny, Target: target,
				Violations: []operation.Violation{violation},
			},
			Advice{BreakGlass: true, Server: "https://guard.example.com:9443"},
			`Namespace shop: empty refused

  policy    production-delete (high): production must not be deleted
  decision  01D
  next      check that this is the cluster and the object you mean (k8s://prod-eu/core/namespaces/shop)
            if it is, ask for a grant, which somebody else has to approve, and run this again then:
              kubectl mollyguard request empty,unprotect k8s://prod-eu/core/namespaces/shop --server https://guard.example.com:9443 --reason 'why'
`,
		},
		{
			"a name that cannot be pasted",
			operation.Decision{
				ID: "01D", Verb: operation.Delete, Outcome: operation.OutcomeDeny,
				Target:     operation.Reference{Ref: "k8s://c/x/y/a\nb", Kind: "ClusterRole", Name: "a\nb"},
				Violations: []operation.Violation{violation},
			},
			Advice{BreakGlass: true},
			`ClusterRole a\nb: delete refused

  policy    production-delete (high): production must not be deleted
  decision  01D
  next      check that this is the cluster and the object you mean (k8s://c/x/y/a\nb)
            if it is, ask for a grant, which somebody else has to approve, and run this again then:
              kubectl mollyguard request --for 01D --reason 'why'
`,
		},
		{
			"what could not be read",
			operation.Decision{ID: "01D", Outcome: operation.OutcomeUndecided, Error: "no JSON"},
			Advice{},
			`request refused, because mollyguard could not decide: no JSON

  decision  01D
  next      try again; if it stays so, tell the owners of mollyguard on this cluster: its log has more
`,
		},
		{
			"names that would play tricks on a terminal",
			operation.Decision{
				ID: "01D", Verb: operation.Delete, Outcome: operation.OutcomeDeny,
				Target:     operation.Reference{Ref: "k8s://c/x/y\x1b[2J", Kind: "ClusterRole", Name: "y\x1b[2J"},
				Actor:      operation.Identity{Name: "alice\nallowed: true"},
				Production: operation.Production{Is: true, Because: []string{"name y\x1b[2J is production by name"}},
				Changes:    []string{"label a=\u202eb removed"},
				Violations: []operation.Violation{{Policy: "p", Severity: operation.Low, Enforcement: operation.EnforceDeny, Message: "m\rx"}},
			},
			Advice{},
			`ClusterRole y\x1b[2J is production (name y\x1b[2J is production by name): delete refused

  change    label a=\u202eb removed
  policy    p (low): m\rx
  actor     alice\nallowed: true
  decision  01D
  next      check that this is the cluster and the object you mean (k8s://c/x/y\x1b[2J)
            if it is, ask the owners of mollyguard on this cluster to let this one through, and give them the decision's id
`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Message(tt.decision, tt.advice)); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatToDoNextIsNeverCutOff(t *testing.T) {
	long := func(n int) string { return strings.Repeat("m", n) }
	refused := func(change func(*operation.Decision)) operation.Decision {
		d := operation.Decision{
			ID: "01D", Verb: operation.Delete, Outcome: operation.OutcomeDeny, Target: operation.Reference{Ref: "k8s://c/core/namespaces/shop", Kind: "Namespace", Name: "shop"},
			Actor: operation.Identity{Name: "alice"},
		}
		change(&d)
		return d
	}
	const command = "\n              kubectl mollyguard request delete k8s://c/core/namespaces/shop --server https://guard.example.com --reason 'why'\n"
	for _, tt := range []struct {
		name     string
		decision operation.Decision
		command  string
	}{
		{"by what a policy says", refused(func(d *operation.Decision) {
			d.Violations = []operation.Violation{{Policy: "p", Severity: operation.High, Enforcement: operation.EnforceDeny, Message: long(10_000)}}
		}), command},
		{"by reasons", refused(func(d *operation.Decision) {
			d.Production = operation.Production{Is: true, Target: true, Because: []string{long(5_000), long(5_000), long(5_000), "x"}}
		}), command},
		{"by a table and volumes", refused(func(d *operation.Decision) {
			for range 100 {
				d.Dependents = append(d.Dependents, operation.Dependents{Kind: long(63), Via: operation.Contained, Count: 1 << 62, Production: 1 << 62, Names: []string{long(253), long(253)}})
				d.Volumes = append(d.Volumes, operation.Volume{Claim: long(317), Name: long(253), ReclaimPolicy: long(99), Snapshot: long(253), SnapshotTime: time.Unix(0, 0)})
			}
		}), command},
		{"by grants and a user's name", refused(func(d *operation.Decision) {
			d.Actor.Name = long(10_000)
			d.GrantRefused = []string{long(10_000)}
		}), command},
		{"by a name full of quotes", refused(func(d *operation.Decision) {
			d.Target.Ref = "k8s://c/rbac.authorization.k8s.io/clusterroles/" + strings.Repeat("'", 253)
		}), "\n              kubectl mollyguard request --for 01D --server https://guard.example.com --reason 'why'\n"},
		{"by the longest name that there is", refused(func(d *operation.Decision) {
			d.Target.Ref = operation.KubernetesRef(long(253), long(253), long(63), long(63), long(253))
		}), "\n              kubectl mollyguard request delete " + operation.KubernetesRef(long(253), long(253), long(63), long(63), long(253)) + " --server https://guard.example.com --reason 'why'\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Message(tt.decision, Advice{BreakGlass: true, Help: "ask #platform", Server: "https://guard.example.com"})
			if len(got) > maxMessage || !utf8.ValidString(got) || !strings.Contains(got, "\n  decision  01D\n") ||
				!strings.Contains(got, tt.command) || !strings.HasSuffix(got, "\n            ask #platform\n") {
				t.Errorf("%d bytes:\n%s", len(got), got)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	warn := operation.Violation{Policy: "p", Severity: operation.High, Enforcement: operation.EnforceWarn, Message: "m"}
	deny := warn
	deny.Enforcement = operation.EnforceDeny
	decision := operation.Decision{
		ID: "01D", Verb: operation.Delete, Outcome: operation.OutcomeWarn, Target: operation.Reference{Kind: "Pod", Namespace: "shop", Name: "web"},
		Production: operation.Production{Is: true, Because: []string{"label env=prod"}},
	}
	with := func(change func(*operation.Decision)) operation.Decision {
		d := decision
		change(&d)
		return d
	}
	for _, tt := range []struct {
		name     string
		decision operation.Decision
		want     []string
	}{
		{"a violation that warns", with(func(d *operation.Decision) { d.Violations = []operation.Violation{warn} }), []string{"mollyguard p: Pod shop/web is production (label env=prod): delete would be refused: m (decision 01D)"}},
		{"one that denies is in the message", with(func(d *operation.Decision) { d.Violations = []operation.Violation{deny} }), nil},
		{"a grant that lifts it is named", with(func(d *operation.Decision) { d.Violations, d.Grant = []operation.Violation{deny}, "bg-k7m4-q9tx" }), []string{"mollyguard: allowed by grant bg-k7m4-q9tx (decision 01D)"}},
		{"in a dry run nothing of it is used up", with(func(d *operation.Decision) {
			d.Violations, d.Grant, d.DryRun = []operation.Violation{deny}, "bg-k7m4-q9tx", true
		}), []string{"mollyguard: grant bg-k7m4-q9tx would allow this (dry run: nothing of it was used up)"}},
		{"an exempt actor is not bothered", with(func(d *operation.Decision) { d.Violations, d.Exempt = []operation.Violation{warn}, "x" }), nil},
		{"no decision, and only a warning because of a dry run of the enforcement", with(func(d *operation.Decision) { d.Error = "boom" }), []string{"delete of Pod shop/web would be refused, because mollyguard could not decide: boom (decision 01D)"}},
		{"a long one is cut at a character", with(func(d *operation.Decision) {
			d.Violations, d.Target.Name = []operation.Violation{warn}, strings.Repeat("é", 200)
		}), []string{"mollyguard p: Pod shop/" + strings.Repeat("é", 115) + "…"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Warnings(tt.decision)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			for _, w := range got {
				if len(w) > maxWarning || !utf8.ValidString(w) {
					t.Errorf("%d bytes: %q", len(w), w)
				}
			}
		})
	}
}
