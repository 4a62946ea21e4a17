package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
)

// header is how a file has to begin; what follows it is on line 3.
const header = "apiVersion: config.mollyguard.dev/v1alpha1\nkind: Configuration\n"

func TestTheDefaults(t *testing.T) {
	production := []string{"env in (production, prod, live)", "environment in (production, prod, live)"}
	want := config.Configuration{
		APIVersion: "config.mollyguard.dev/v1alpha1",
		Kind:       "Configuration",
		Cluster:    "kubernetes",
		Production: config.Production{
			Selectors: production, NamespaceSelectors: production,
			Workspaces: []string{`(?i)(?:.*[-_./])?(?:production|prod|live)(?:[-_./].*)?`},
		},
		Policies: config.Policies{Embedded: new(true), ReloadInterval: 10 * time.Second},
		Enforcement: []config.Enforcement{
			{Policies: []string{"class-of-production"}, Action: operation.EnforceWarn},
			{Policies: []string{"production-isolated"}, Action: operation.EnforceWarn},
			{Policies: []string{"plan-partial"}, Action: operation.EnforceWarn},
			{Policies: []string{"created-unprotected"}, Action: operation.EnforceWarn},
		},
		Exempt: builtInExemptions(),
		Kubernetes: config.Kubernetes{
			Housekeeping: new(true),
			ControlPlane: []string{
				"system:serviceaccount:kube-system:.*", "system:node:.*",
				"system:kube-controller-manager", "system:kube-scheduler", "system:apiserver",
			},
			Webhook: config.Webhook{
				Manage:         new(true),
				Name:           "mollyguard",
				Service:        config.Service{Namespace: "mollyguard", Name: "mollyguard", Port: 443},
				TimeoutSeconds: 5,
				FailurePolicy:  config.FailurePolicy{Protected: "Fail", Other: "Ignore"},
			},
			Index:      config.Index{Enabled: new(true)},
			Floor:      config.Floor{Manage: new(true)},
			MassChange: config.MassChange{Limit: new(20), Window: 10 * time.Minute},
			Events:     new(true),
		},
		Server: config.Server{Address: ":8443", StatusAddress: ":8080", ShutdownDelay: new(5 * time.Second)},
		Certificates: config.Certificates{
			Secret: config.Secret{Namespace: "mollyguard", Name: "mollyguard-certificates"},
		},
		DecisionLog: config.DecisionLog{Path: "-"},
		BreakGlass: config.BreakGlass{
			Store: "auto", Issuer: "mollyguard/kubernetes",
			Keys:           config.BreakGlassKeys{Secret: config.Secret{Namespace: "mollyguard", Name: "mollyguard-break-glass"}},
			ApprovalWindow: time.Hour, DefaultDuration: 30 * time.Minute, MaxDuration: 4 * time.Hour,
			BindCertificates: new(true), Policies: config.BreakGlassPolicies{Embedded: new(true)},
		},
		API: config.API{
			Address: ":9443", Kubernetes: config.APIKubernetes{Enabled: new(true), Audience: "mollyguard"},
			OIDC: config.OIDC{UsernameClaim: "sub"},
		},
		Audit: config.Audit{
			Silence:   15 * time.Minute,
			Heartbeat: config.Heartbeat{Log: "mollyguard-heartbeat", Interval: time.Minute},
			Assets:    config.Assets{RefreshInterval: time.Hour},
			OwnNames:  []string{"(.*[-_.])?mollyguard([-_.].*)?"},
		},
		Alerts: config.Alerts{UpdateInterval: 10 * time.Second},
		Terraform: config.Terraform{
			Audience: "kubernetes", MaxDestroys: new(20), MaxShare: new(25),
			Receipts: config.TerraformReceipt{Lifetime: 24 * time.Hour},
		},
	}
	if diff := cmp.Diff(want, config.Default()); diff != "" {
		t.Errorf("Default (-want +got):\n%s", diff)
	}
	got, err := config.Parse("c.yaml", []byte(header))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a file that says nothing (-want +got):\n%s", diff)
	}
}

func TestWhatTheFileSaysReplacesTheDefault(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		change     func(c *config.Configuration)
	}{
		{
			"an empty list of selectors is kept, and is that of namespaces too", "production: {selectors: [], names: [db]}",
			func(c *config.Configuration) {
				c.Production.Selectors, c.Production.NamespaceSelectors, c.Production.Names = []string{}, []string{}, []string{"db"}
			},
		},
		{
			"namespaces go by the selectors if they have none of their own", "production: {selectors: [tier=1]}",
			func(c *config.Configuration) {
				c.Production.Selectors, c.Production.NamespaceSelectors = []string{"tier=1"}, []string{"tier=1"}
			},
		},
		{
			"namespaces go by their own selectors", "production: {selectors: [tier=1], namespaceSelectors: []}",
			func(c *config.Configuration) {
				c.Production.Selectors, c.Production.NamespaceSelectors = []string{"tier=1"}, []string{}
			},
		},
		{
			"the control plane is added to, never replaced", "kubernetes: {controlPlane: ['eks:.*', 'system:apiserver']}",
			func(c *config.Configuration) {
				c.Kubernetes.ControlPlane = []string{
					"eks:.*", "system:apiserver", "system:serviceaccount:kube-system:.*", "system:node:.*", "system:kube-controller-manager", "system:kube-scheduler",
				}
			},
		},
		{
			"a shutdown delay of nothing is kept", "server: {shutdownDelay: 0s}",
			func(c *config.Configuration) { c.Server.ShutdownDelay = new(time.Duration(0)) },
		},
		{
			"what is on by default can be switched off", "kubernetes: {events: false, webhook: {manage: false}}",
			func(c *config.Configuration) {
				c.Kubernetes.Events, c.Kubernetes.Webhook.Manage = new(false), new(false)
			},
		},
		{
			"what the file says of a policy comes before what is built in",
			"enforcement: [{policies: [class-of-production], action: deny}, {policies: [production-isolated], actors: [ci], action: off}]",
			func(c *config.Configuration) {
				c.Enforcement = slices.Insert(c.Enforcement, 0,
					config.Enforcement{Policies: []string{"class-of-production"}, Action: operation.EnforceDeny},
					config.Enforcement{Policies: []string{"production-isolated"}, Actors: []string{"ci"}, Action: operation.EnforceOff},
				)
			},
		},
		{
			"what is built in is there once",
			"enforcement: [{policies: [production-isolated], namespaces: [], action: warn}, {policies: [class-of-production], action: warn}]",
			func(c *config.Configuration) {
				c.Enforcement = []config.Enforcement{
					{Policies: []string{"production-isolated"}, Namespaces: []string{}, Action: operation.EnforceWarn},
					{Policies: []string{"class-of-production"}, Action: operation.EnforceWarn},
					{Policies: []string{"plan-partial"}, Action: operation.EnforceWarn},
					{Policies: []string{"created-unprotected"}, Action: operation.EnforceWarn},
				}
			},
		},
		{
			"without the embedded policies there is nothing to enforce", "policies: {embedded: false, directories: [.]}",
			func(c *config.Configuration) {
				c.Policies.Embedded, c.Policies.Directories, c.Enforcement = new(false), []string{"."}, nil
			},
		},
		{
			"the Secret is in the Service's namespace", "kubernetes: {webhook: {service: {namespace: guards}}}",
			func(c *config.Configuration) {
				c.Kubernetes.Webhook.Service.Namespace, c.Certificates.Secret.Namespace = "guards", "guards"
				c.BreakGlass.Keys.Secret.Namespace = "guards"
			},
		},
		{
			"all the rest",
			`
cluster: prod-eu
production: {wholeCluster: true, namespaces: [prod-.*], names: ["[a-z]+"]}
policies: {directories: [.], reloadInterval: 1m, config: {freeze: [a, 1, true], "1": {x: null}}}
enforcement:
- {policies: [production-delete], namespaces: [staging], actors: [ci], action: warn}
dryRunEnforcement: true
exempt:
- {name: velero, actors: ["system:serviceaccount:velero:.*"], reason: restores}
agents: [claude-.*]
help: "ask in #platform"
kubernetes:
  nodes: true
  webhook: {name: guard.example.com, url: "https://10.0.0.1:8443", timeoutSeconds: 30, failurePolicy: {protected: Ignore, other: Fail}}
server: {address: "127.0.0.1:1", statusAddress: "[::1]:2", shutdownDelay: 15s}
certificates: {directory: /var/lib/mollyguard, dnsNames: [guard.example.com], ips: [10.0.0.1, "::1"]}
decisionLog: {path: /var/log/decisions.jsonl}
ledger: {path: /var/lib/mollyguard/ledger.db}
breakGlass:
  store: ledger
  issuer: guards
  keys: {file: /etc/keys.json}
  trust: [{issuer: other, url: "https://other.example.com/.well-known/jwks.json"}]
  approvalWindow: 2h
  defaultDuration: 5m
  maxDuration: 1h
  people: [{name: alice, identities: [alice, alice-admin]}]
  bindCertificates: false
  impersonationCounts: true
  rights: {requesters: {users: [.*]}, approvers: {groups: [sre]}, revokers: {groups: [sre]}}
  policies: {directories: [.], config: {ticket_pattern: "INC-[0-9]+"}}
api:
  address: ":1"
  url: "https://guard.example.com:9443"
  kubernetes: {enabled: false, audience: guards}
  oidc: {issuerURL: "https://idp.example.com", clientID: c, usernameClaim: email, usernamePrefix: "-", groupsClaim: groups, groupsPrefix: "oidc:", ca: ca.pem}
  users: users.yaml
`,
			func(c *config.Configuration) {
				c.Cluster, c.Terraform.Audience = "prod-eu", "prod-eu"
				c.Production.WholeCluster, c.Production.Namespaces, c.Production.Names = true, []string{"prod-.*"}, []string{"[a-z]+"}
				c.Policies.Directories, c.Policies.ReloadInterval = []string{"."}, time.Minute
				c.Policies.Config = map[string]any{"freeze": []any{"a", 1, true}, "1": map[string]any{"x": nil}}
				c.Enforcement = slices.Insert(c.Enforcement, 0, config.Enforcement{
					Policies: []string{"production-delete"}, Namespaces: []string{"staging"}, Actors: []string{"ci"}, Action: operation.EnforceWarn,
				})
				c.DryRunEnforcement = true
				c.Exempt = slices.Insert(c.Exempt, 0, config.Exemption{Name: "velero", Actors: []string{"system:serviceaccount:velero:.*"}, Reason: "restores"})
				c.Agents = []string{"claude-.*"}
				c.Help = "ask in #platform"
				c.Kubernetes.Nodes = true
				c.Kubernetes.Webhook.Name, c.Kubernetes.Webhook.URL = "guard.example.com", "https://10.0.0.1:8443"
				c.Kubernetes.Webhook.TimeoutSeconds = 30
				c.Kubernetes.Webhook.FailurePolicy = config.FailurePolicy{Protected: "Ignore", Other: "Fail"}
				c.Server = config.Server{Address: "127.0.0.1:1", StatusAddress: "[::1]:2", ShutdownDelay: new(15 * time.Second)}
				c.Certificates.Directory = "/var/lib/mollyguard"
				c.Certificates.DNSNames, c.Certificates.IPs = []string{"guard.example.com"}, []string{"10.0.0.1", "::1"}
				c.DecisionLog.Path = "/var/log/decisions.jsonl"
				c.Ledger.Path = "/var/lib/mollyguard/ledger.db"
				b := &c.BreakGlass
				b.Store, b.Issuer, b.Keys.File = "ledger", "guards", "/etc/keys.json"
				b.Trust = []config.TrustedIssuer{{Issuer: "other", URL: "https://other.example.com/.well-known/jwks.json"}}
				b.ApprovalWindow, b.DefaultDuration, b.MaxDuration = 2*time.Hour, 5*time.Minute, time.Hour
				b.People = []config.Person{{Name: "alice", Identities: []string{"alice", "alice-admin"}}}
				b.BindCertificates, b.ImpersonationCounts = new(false), true
				b.Rights = config.BreakGlassRights{
					Requesters: config.Members{Users: []string{".*"}}, Approvers: config.Members{Groups: []string{"sre"}}, Revokers: config.Members{Groups: []string{"sre"}},
				}
				b.Policies.Directories, b.Policies.Config = []string{"."}, map[string]any{"ticket_pattern": "INC-[0-9]+"}
				c.API = config.API{
					Address: ":1", URL: "https://guard.example.com:9443", Kubernetes: config.APIKubernetes{Enabled: new(false), Audience: "guards"}, Users: "users.yaml",
					OIDC: config.OIDC{
						IssuerURL: "https://idp.example.com", ClientID: "c", UsernameClaim: "email", UsernamePrefix: "-",
						GroupsClaim: "groups", GroupsPrefix: "oidc:", CA: "ca.pem",
					},
				}
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := config.Default()
			tt.change(&want)
			got, err := config.Parse("c.yaml", []byte(header+tt.text+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsWrongIsToldWithFileAndLine(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		// The text.
		{"an empty file", "", []string{"c.yaml: empty: expected apiVersion: config.mollyguard.dev/v1alpha1, kind: Configuration"}},
		{"only a comment", "# nothing yet\n", []string{"c.yaml: empty: expected apiVersion: config.mollyguard.dev/v1alpha1, kind: Configuration"}},
		{"a list that does not end", header + "cluster: a\nagents: [prod\n", []string{"c.yaml:4: did not find expected ',' or ']'"}},
		{"a key that is not where the others are", header + "cluster: a\n agents: []\n", []string{"c.yaml:4: mapping values are not allowed in this context"}},
		{"a key that is too far left", header + "production:\n    names: []\n  wholeCluster: true\n", []string{"c.yaml:5: did not find expected key"}},
		{"a tab where YAML has none", header + "production:\n\twholeCluster: true\n", []string{"c.yaml:4: found character that cannot start any token"}},
		{"no UTF-8", header + "help: \xff\n", []string{"c.yaml:1: invalid leading UTF-8 octet"}},
		{"a text and no mapping", "production\n", []string{"c.yaml:1: cannot unmarshal !!str `production` into config.Configuration"}},
		{
			"a second document", header + "---\n" + header,
			[]string{"c.yaml:3: a second YAML document: the file holds one"},
		},
		{"a second document that is broken", header + "---\n- [\n", []string{"c.yaml:5: did not find expected node content"}},
		{"a file of more than 1 MiB", header + "# " + strings.Repeat("x", 1<<20) + "\n", []string{"c.yaml: larger than 1024 KiB"}},
		{"aliases of aliases of aliases", aliasBomb(), []string{"c.yaml:1: document contains excessive aliasing"}},
		{
			"an alias that holds itself", header + "policies: {config: &a {b: *a}}\n",
			[]string{"c.yaml:1: anchor 'a' value contains itself"},
		},

		// The kind.
		{
			"another kind", "apiVersion: config.mollyguard.dev/v1alpha1\nkind: Config\n",
			[]string{`c.yaml:2: kind: expected apiVersion config.mollyguard.dev/v1alpha1 and kind Configuration, found "config.mollyguard.dev/v1alpha1" and "Config"`},
		},
		{
			"another version", "apiVersion: config.mollyguard.dev/v2\nkind: Configuration\n",
			[]string{`c.yaml:1: apiVersion: expected apiVersion config.mollyguard.dev/v1alpha1 and kind Configuration, found "config.mollyguard.dev/v2" and "Configuration"`},
		},
		{
			"no kind", "cluster: prod\n",
			[]string{`c.yaml:1: apiVersion: expected apiVersion config.mollyguard.dev/v1alpha1 and kind Configuration, found "" and ""`},
		},

		// The keys.
		{
			"an unknown key", header + "production:\n  selector: [env=prod]\n",
			[]string{`c.yaml:4: unknown key "selector": known here are addresses, ancestors, names, namespaceSelectors, namespaces, never, projects, selectors, wholeCluster, workspaces`},
		},
		{
			"a key in the wrong case", header + "production:\n  wholecluster: true\n",
			[]string{`c.yaml:4: unknown key "wholecluster": did you mean wholeCluster?`},
		},
		{
			"a key of the wrong case at the top", header + "Cluster: prod\n",
			[]string{`c.yaml:3: unknown key "Cluster": did you mean cluster?`},
		},
		{
			"an unknown key in a list", header + "exempt:\n- name: a\n  actors: [b]\n  why: c\n",
			[]string{`c.yaml:6: unknown key "why": known here are actorKinds, actors, controlled, groups, kinds, name, names, reason, selectors, surfaces, verbs`},
		},
		{
			"a key with a line break in it", header + "\"a\\nb\": 1\n",
			[]string{`c.yaml:1: line 3: field a\nb not found in type config.Configuration`},
		},
		{"a key given twice", header + "cluster: a\ncluster: b\n", []string{`c.yaml:4: mapping key "cluster" already defined at line 3`}},

		// The types.
		{"a text for a number", header + "kubernetes:\n  webhook: {timeoutSeconds: many}\n", []string{"c.yaml:4: cannot unmarshal !!str `many` into int32"}},
		{"a text for a list", header + "agents: claude\n", []string{"c.yaml:3: cannot unmarshal !!str `claude` into []string"}},
		{"a number for a duration", header + "policies:\n  reloadInterval: 10\n", []string{"c.yaml:4: cannot unmarshal !!int `10` into time.Duration"}},
		{"a text for true", header + "production:\n  wholeCluster: perhaps\n", []string{"c.yaml:4: cannot unmarshal !!str `perhaps` into bool"}},

		// The values.
		{
			"a cluster with a slash in its name", header + "cluster: prod/eu\n",
			[]string{`c.yaml:3: cluster: "prod/eu" is not a name of 1 to 100 letters, digits, dots, dashes and underscores`},
		},
		{
			"a selector that does not parse", header + "production:\n  selectors:\n  - env=prod\n  - env in prod\n",
			[]string{
				`c.yaml:6: production.selectors[1]: label selector "env in prod": unable to parse requirement: found 'prod' expected: '('`,
				`c.yaml:4: production.namespaceSelectors[1]: label selector "env in prod": unable to parse requirement: found 'prod' expected: '('`,
			},
		},
		{
			"a selector with <, which the API server does not know", header + "production:\n  namespaceSelectors: [tier<2]\n",
			[]string{`c.yaml:4: production.namespaceSelectors[0]: label selector "tier<2": < and > cannot be used, because the API server's selectors do not know them`},
		},
		{
			"an empty selector", header + "production:\n  namespaceSelectors: ['']\n",
			[]string{`c.yaml:4: production.namespaceSelectors[0]: empty label selector: to make everything production, set production.wholeCluster`},
		},
		{
			"a pattern that does not parse", header + "production:\n  names:\n  - ok\n  - '*'\n",
			[]string{"c.yaml:6: production.names[1]: pattern: error parsing regexp: missing argument to repetition operator: `*`"},
		},
		{
			"a pattern that only the anchors would mend", header + "production: {namespaces: ['a)|(b']}\n",
			[]string{"c.yaml:3: production.namespaces[0]: pattern: error parsing regexp: unexpected ): `a)|(b`"},
		},
		{
			"a pattern with a line break in it", header + "agents: [\"(\\n\"]\n",
			[]string{"c.yaml:3: agents[0]: pattern: error parsing regexp: missing closing ): `(\\n`"},
		},
		{
			"an empty pattern", header + "kubernetes: {controlPlane: ['']}\n",
			[]string{"c.yaml:3: kubernetes.controlPlane[0]: empty pattern: it would only match the empty name"},
		},
		{
			"break glass: each value that cannot be", header + `breakGlass:
  store: etcd
  approvalWindow: 48h
  defaultDuration: 5h
  maxDuration: 10s
  trust:
  - {issuer: mollyguard/kubernetes, url: "http://keys.example.com"}
  - {file: a, url: "https://keys.example.com/jwks"}
  people: [{name: alice, identities: [alice]}]
  rights: {approvers: {users: ['(']}}
  keys: {secret: {name: A_B}}
  policies: {embedded: false}
`,
			[]string{
				`c.yaml:4: breakGlass.store: "etcd" is not one of [auto kubernetes ledger none]`,
				`c.yaml:13: breakGlass.keys.secret.name: "A_B": ` + subdomain,
				"c.yaml:5: breakGlass.approvalWindow: 48h0m0s is not between 1m0s and 24h0m0s",
				"c.yaml:7: breakGlass.maxDuration: 10s is not between 1m0s and 24h0m0s",
				"c.yaml:6: breakGlass.defaultDuration: 5h0m0s is not between 1m0s and 10s",
				`c.yaml:9: breakGlass.trust[0].issuer: "mollyguard/kubernetes" is this server's own name`,
				`c.yaml:9: breakGlass.trust[0].url: "http://keys.example.com" is not of the form https://HOST/…`,
				"c.yaml:10: breakGlass.trust[1].issuer: missing: the name that its tokens are signed with",
				"c.yaml:10: breakGlass.trust[1]: either file or url says where its keys are",
				"c.yaml:11: breakGlass.people[0].identities: lists the names of one person who has several: two or more",
				"c.yaml:12: breakGlass.rights.approvers.users[0]: pattern: error parsing regexp: missing closing ): `(`",
				"c.yaml:14: breakGlass.policies: no policies: embedded is false and there are no directories",
			},
		},
		{
			"a ledger without a file", header + "breakGlass: {store: ledger}\n",
			[]string{"c.yaml:1: ledger.path: missing: breakGlass.store is ledger"},
		},
		{
			"an API that cannot be", header + "api:\n  address: '9443'\n  oidc: {issuerURL: 'http://idp'}\n",
			[]string{
				"c.yaml:4: api.address: address 9443: missing port in address: expected HOST:PORT or :PORT",
				`c.yaml:5: api.oidc.issuerURL: "http://idp" is not of the form https://HOST/…`,
				"c.yaml:5: api.oidc.clientID: missing: tokens for other clients must not be taken",
			},
		},
		{
			"an OIDC client of nobody", header + "api: {oidc: {clientID: x}}\n",
			[]string{"c.yaml:3: api.oidc.issuerURL: missing, though api.oidc.clientID is set"},
		},
		{"grants of no length", header + "breakGlass: {maxDuration: 0s}\n", []string{"c.yaml:3: breakGlass.maxDuration: 0 is not possible: leave it out for the default"}},
		{
			"no policies", header + "policies:\n  embedded: false\n",
			[]string{"c.yaml:4: policies: no policies: embedded is false and there are no directories"},
		},
		{
			"a folder that is not there", header + "policies:\n  directories:\n  - nowhere\n",
			[]string{"c.yaml:5: policies.directories[0]: stat nowhere: no such file or directory (it must be there where this file is read)"},
		},
		{
			"a folder that is a file", header + "policies:\n  directories: [config.go]\n",
			[]string{"c.yaml:4: policies.directories[0]: config.go is not a directory"},
		},
		{"a reload every moment", header + "policies: {reloadInterval: 1ms}\n", []string{"c.yaml:3: policies.reloadInterval: 1ms is below 100ms"}},
		{
			"a key for policies that is no text", header + "policies:\n  config:\n    approvers: [{1: alice}]\n",
			[]string{"c.yaml:5: policies.config.approvers[0]: a key is not a text: policies see JSON, put it in quotes"},
		},
		{
			"a number for policies that JSON does not have", header + "policies: {config: {max: .inf, min: {of: .nan}}}\n",
			[]string{
				"c.yaml:3: policies.config.max: +Inf is not a number in JSON, which is what policies see",
				"c.yaml:3: policies.config.min.of: NaN is not a number in JSON, which is what policies see",
			},
		},
		{
			"an enforcement that is none", header + "enforcement:\n- action: deny\n- action: block\n",
			[]string{`c.yaml:5: enforcement[1].action: "block" is not one of [deny warn alert off]`},
		},
		{"no enforcement", header + "enforcement:\n- policies: [a]\n", []string{`c.yaml:4: enforcement[0].action: "" is not one of [deny warn alert off]`}},
		{
			"bad patterns in an enforcement", header + "enforcement:\n- action: warn\n  namespaces: ['[']\n  actors: ['(']\n",
			[]string{
				"c.yaml:5: enforcement[0].namespaces[0]: pattern: error parsing regexp: missing closing ]: `[`",
				"c.yaml:6: enforcement[0].actors[0]: pattern: error parsing regexp: missing closing ): `(`",
			},
		},
		{
			"an exemption for everybody, of no name", header + "exempt:\n- reason: why not\n",
			[]string{
				"c.yaml:4: exempt[0].name: missing: a decision shows it",
				"c.yaml:4: exempt[0].actors: missing: an exemption for everybody is no guard",
			},
		},
		{
			"an exemption for what there is not", header + `exempt:
- name: a
  actors: [b]
  actorKinds: [service, robot]
  verbs: [DELETE]
  surfaces: [aws]
  names: ["(", ""]
  selectors: ["a=b", "a in b", "", "n > 1"]
`,
			[]string{
				"c.yaml:9: exempt[0].names[0]: pattern: error parsing regexp: missing closing ): `(`",
				"c.yaml:9: exempt[0].names[1]: empty pattern: it would only match the empty name",
				"c.yaml:10: exempt[0].selectors[1]: label selector \"a in b\": unable to parse requirement: found 'b' expected: '('",
				"c.yaml:10: exempt[0].selectors[2]: empty label selector: it would be no restriction, leave it out for that",
				"c.yaml:10: exempt[0].selectors[3]: label selector \"n > 1\": < and > cannot be used, because the API server's selectors do not know them",
				`c.yaml:6: exempt[0].actorKinds[1]: "robot" is not one of [human service controller agent]`,
				`c.yaml:7: exempt[0].verbs[0]: "DELETE" is not one of [delete evict scale-to-zero unprotect replace forget empty update unknown]`,
				`c.yaml:8: exempt[0].surfaces[0]: "aws" is not one of [kubernetes gcp terraform]`,
			},
		},
		{
			"a floor where there can be none", header + "kubernetes:\n  webhook: {manage: false}\n  floor: {manage: true}\npolicies: {embedded: false, directories: [.]}\n",
			[]string{
				"c.yaml:5: kubernetes.floor.manage: true, and kubernetes.webhook.manage is false: with a floor the webhook has to be asked before it, and that configuration is left to you",
				"c.yaml:5: kubernetes.floor.manage: true, and policies.embedded is false: the floor refuses what those policies refuse",
			},
		},
		{
			"names that Kubernetes does not have", header + "kubernetes: {webhook: {name: Guard_1}}\n",
			[]string{`c.yaml:3: kubernetes.webhook.name: "Guard_1": ` + subdomain},
		},
		{
			"a Service of no name that Kubernetes has", header + "kubernetes: {webhook: {service: {name: -}}}\n",
			[]string{`c.yaml:3: kubernetes.webhook.service.name: "-": ` + subdomain},
		},
		{"a URL in plain text", header + "kubernetes: {webhook: {url: 'http://guard:1'}}\n", []string{`c.yaml:3: kubernetes.webhook.url: "http://guard:1" is not of the form https://HOST:PORT`}},
		{"a URL without a host", header + "kubernetes: {webhook: {url: 'https://:8443'}}\n", []string{`c.yaml:3: kubernetes.webhook.url: "https://:8443" is not of the form https://HOST:PORT`}},
		{"a URL with a user", header + "kubernetes: {webhook: {url: 'https://me@guard'}}\n", []string{`c.yaml:3: kubernetes.webhook.url: "https://me@guard" is not of the form https://HOST:PORT`}},
		{"a URL with a question", header + "kubernetes: {webhook: {url: 'https://guard?a=b'}}\n", []string{`c.yaml:3: kubernetes.webhook.url: "https://guard?a=b" is not of the form https://HOST:PORT`}},
		{"a URL that is none", header + "kubernetes: {webhook: {url: 'https://guard:x'}}\n", []string{`c.yaml:3: kubernetes.webhook.url: parse "https://guard:x": invalid port ":x" after host`}},
		{"a port above all ports", header + "kubernetes: {webhook: {service: {port: 65536}}}\n", []string{"c.yaml:3: kubernetes.webhook.service.port: 65536 is not a port"}},
		{"a port below all ports", header + "kubernetes: {webhook: {service: {port: -1}}}\n", []string{"c.yaml:3: kubernetes.webhook.service.port: -1 is not a port"}},
		{"a timeout that the API server does not have", header + "kubernetes: {webhook: {timeoutSeconds: 31}}\n", []string{"c.yaml:3: kubernetes.webhook.timeoutSeconds: 31 is not between 1 and 30"}},
		{
			"failure policies that the API server does not have", header + "kubernetes: {webhook: {failurePolicy: {protected: fail, other: Warn}}}\n",
			[]string{
				`c.yaml:3: kubernetes.webhook.failurePolicy.protected: "fail" is not Fail or Ignore`,
				`c.yaml:3: kubernetes.webhook.failurePolicy.other: "Warn" is not Fail or Ignore`,
			},
		},
		{
			"addresses without a port", header + "server: {address: localhost, statusAddress: '8080'}\n",
			[]string{
				"c.yaml:3: server.address: address localhost: missing port in address: expected HOST:PORT or :PORT",
				"c.yaml:3: server.statusAddress: address 8080: missing port in address: expected HOST:PORT or :PORT",
			},
		},
		{"a long goodbye", header + "server: {shutdownDelay: 21s}\n", []string{"c.yaml:3: server.shutdownDelay: 21s is not between 0 and 15s"}},
		{"a goodbye before the end", header + "server: {shutdownDelay: -1s}\n", []string{"c.yaml:3: server.shutdownDelay: -1s is not between 0 and 15s"}},
		{"a certificate without its key", header + "certificates: {files: {certificate: tls.crt}}\n", []string{"c.yaml:3: certificates.files: certificate and key go together"}},
		{"a certificate authority alone", header + "certificates: {files: {ca: ca.crt}}\n", []string{"c.yaml:3: certificates.files: certificate and key go together"}},
		{
			"two places for a certificate", header + "certificates: {files: {certificate: a, key: b, ca: d}, directory: c}\n",
			[]string{"c.yaml:3: certificates.directory: set together with certificates.files: choose one"},
		},
		{
			"a guard that guards nothing", header + "production: {selectors: []}\n",
			[]string{"c.yaml:3: production: nothing is production, and there are no own policies: this would guard nothing"},
		},
		{
			"a URL with a path", header + "kubernetes: {webhook: {url: 'https://guard.example.com/v1/admit'}}\n",
			[]string{`c.yaml:3: kubernetes.webhook.url: "https://guard.example.com/v1/admit" is not of the form https://HOST:PORT`},
		},
		{
			"a Secret of no name that Kubernetes has", header + "certificates: {secret: {namespace: A, name: B}}\n",
			[]string{
				`c.yaml:3: certificates.secret.namespace: "A": ` + subdomain,
				`c.yaml:3: certificates.secret.name: "B": ` + subdomain,
			},
		},
		{
			"names for the certificate that are none", header + "certificates: {dnsNames: ['*.x'], ips: [localhost]}\n",
			[]string{
				`c.yaml:3: certificates.ips[0]: ParseAddr("localhost"): unable to parse IP`,
				`c.yaml:3: certificates.dnsNames[0]: "*.x": ` + subdomain,
			},
		},
		{
			"several problems at once", header + "cluster: ' '\nenforcement:\n- {}\nserver:\n  address: here\n",
			[]string{
				`c.yaml:3: cluster: " " is not a name of 1 to 100 letters, digits, dots, dashes and underscores`,
				`c.yaml:5: enforcement[0].action: "" is not one of [deny warn alert off]`,
				"c.yaml:7: server.address: address here: missing port in address: expected HOST:PORT or :PORT",
			},
		},
		{
			"several keys at once", header + "clutser: a\nproduction: {selector: []}\nagents: 1\n",
			[]string{
				`c.yaml:3: unknown key "clutser": known here are agents, alerts, api, apiVersion, audit, breakGlass, certificates, cluster, decisionLog, dryRunEnforcement, enforcement, exempt, help, kind, kubernetes, ledger, policies, production, server, terraform`,
				`c.yaml:4: unknown key "selector": known here are addresses, ancestors, names, namespaceSelectors, namespaces, never, projects, selectors, wholeCluster, workspaces`,
				"c.yaml:5: cannot unmarshal !!int `1` into []string",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := config.Parse("c.yaml", []byte(tt.text))
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(config.Configuration{}, c); diff != "" {
				t.Errorf("a configuration came with the error:\n%s", diff)
			}
		})
	}
}

// subdomain is what Kubernetes says of a name.
const subdomain = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character " +
	`(e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`

// aliasBomb is a short text that stands for 10^9 values.
func aliasBomb() string {
	var b strings.Builder
	b.WriteString(header + "policies:\n  config:\n    a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 9; i++ {
		previous := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ",")
		fmt.Fprintf(&b, "    a%[1]d: &a%[1]d [%[2]s]\n", i, previous)
	}
	return b.String()
}

func TestLoadReadsAFileAndCallsItByItsPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mollyguard.yaml")
	if err := os.WriteFile(path, []byte(header+"cluster: prod-eu\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Cluster, want.BreakGlass.Issuer, want.Terraform.Audience = "prod-eu", "mollyguard/prod-eu", "prod-eu"
	got, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}

	if err := os.WriteFile(path, []byte(header+"clusters: prod-eu\nkinds: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(path); err == nil || strings.Count("\n"+err.Error(), "\n"+path+":") != 2 {
		t.Errorf("want two lines that begin with %s, got: %v", path, err)
	}
	if err := os.WriteFile(path, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(path); err == nil || err.Error() != path+": larger than 1024 KiB" {
		t.Errorf("a file of 2 MiB: %v", err)
	}
}

func TestAFileThatCannotBeReadIsAnError(t *testing.T) {
	if _, err := config.Load(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := config.Load(t.TempDir()); err == nil || !strings.HasPrefix(err.Error(), "read configuration: ") {
		t.Errorf("a folder: %v", err)
	}
}

// FuzzParse holds Parse to what its users rely on: it does not panic, an error
// says something on every line, and says where; and what it accepts can be
// printed and read again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", header, header + "cluster: prod\n", header + "production:\n  wholecluster: true\n",
		header + "---\nx", header + "a: &a [*a]\n", "{", "- 1", "\xff", "? {a: b}\n: c\n", "<<: {kind: x}\n",
		header + "policies: {config: {a: 2026-11-21, b: !!binary aGk=, c: {1: 2}, d: .nan, e: 0x10, f: 1e400, g: {true: x}}}\n",
		header + "\"a\\nb\": 1\n", header + "agents: [\"(\\n\"]\n", header + "enforcement:\n- {action: off, policies: [a]}\n",
		header + "kubernetes: {webhook: {url: 'https://x', timeoutSeconds: 30}}\nserver: {shutdownDelay: 0s}\n",
		header + "exempt: [{name: made-anew, actors: [a], verbs: [evict], names: [b], selectors: [c], groups: ['']}]\n", header + "kubernetes: {housekeeping: false}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("c.yaml", data)
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if what, ok := strings.CutPrefix(line, "c.yaml:"); !ok || strings.TrimSpace(what) == "" {
					t.Errorf("line %q of %q", line, err)
				}
			}
			return
		}
		printed, err := yaml.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := config.Parse("c.yaml", printed)
		if err != nil {
			t.Fatalf("%v in\n%s", err, printed)
		}
		if diff := cmp.Diff(c, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("printed and read again (-first +again):\n%s", diff)
		}
	})
}

func TestAZeroThatWouldSilentlyBecomeTheDefaultIsRefused(t *testing.T) {
	_, err := config.Parse("c.yaml", []byte(`apiVersion: config.mollyguard.dev/v1alpha1
kind: Configuration
policies: {reloadInterval: 0s}
kubernetes:
  webhook:
    timeoutSeconds: 0
    service: {port: 0}
`))
	const want = `c.yaml:3: policies.reloadInterval: 0 is not possible: leave it out for the default
c.yaml:7: kubernetes.webhook.service.port: 0 is not possible: leave it out for the default
c.yaml:6: kubernetes.webhook.timeoutSeconds: 0 is not possible: leave it out for the default`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}
