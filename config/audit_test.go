package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/config"
)

// told is what an audit section needs beside itself; its lines are 3 and 4.
const told = "ledger: {path: /var/lib/mollyguard/ledger.db}\nalerts: {sinks: [{name: out, stdout: {}}]}\n"

func TestAWholeAuditSectionIsReadAndCompleted(t *testing.T) {
	const text = header + told + `
audit:
  sources:
  - pubSub: {project: prod-platform, subscription: mollyguard-audit, endpoint: "pubsub.p.googleapis.com:443"}
  - logging:
      resources: [projects/prod-1, folders/12, organizations/34, projects/p-1/locations/global/buckets/_Default/views/_AllLogs]
      filter: severity>=NOTICE
      endpoint: "[::1]:8085"
  - file: {path: /var/log/audit.json}
  silence: 5m
  heartbeat: {parent: projects/prod-platform, log: heart, interval: 30s, endpoint: "127.0.0.1:1"}
  assets:
    scopes: [organizations/34, projects/example.com:old]
    refreshInterval: 10m
    endpoint: "cloudasset.googleapis.com:443"
    feed: {project: prod-platform, subscription: mollyguard-assets}
  clusters:
  - {project: prod-1, location: europe-west1, name: shop}
  - {project: prod-1, location: europe-west1, name: pay, cluster: prod-pay, guarded: true, namespace: guards, webhookName: guard}
  mappings: [/etc/mollyguard/more.yaml]
  own: [mollyguard@prod-platform.iam.gserviceaccount.com]
  ownNames: [guard-.*]
`
	want := config.Default()
	want.Ledger.Path = "/var/lib/mollyguard/ledger.db"
	want.Alerts.Sinks = []config.AlertSink{{Name: "out", Stdout: &config.Stdout{}}}
	want.Audit = config.Audit{
		Sources: []config.AuditSource{
			{PubSub: &config.PubSubSource{Project: "prod-platform", Subscription: "mollyguard-audit", Endpoint: "pubsub.p.googleapis.com:443"}},
			{Logging: &config.LoggingSource{
				Resources: []string{"projects/prod-1", "folders/12", "organizations/34", "projects/p-1/locations/global/buckets/_Default/views/_AllLogs"},
				Filter:    "severity>=NOTICE", Endpoint: "[::1]:8085",
			}},
			{File: &config.FileSource{Path: "/var/log/audit.json"}},
		},
		Silence:   5 * time.Minute,
		Heartbeat: config.Heartbeat{Parent: "projects/prod-platform", Log: "heart", Interval: 30 * time.Second, Endpoint: "127.0.0.1:1"},
		Assets: config.Assets{
			Scopes: []string{"organizations/34", "projects/example.com:old"}, RefreshInterval: 10 * time.Minute, Endpoint: "cloudasset.googleapis.com:443",
			Feed: config.PubSubSource{Project: "prod-platform", Subscription: "mollyguard-assets"},
		},
		Clusters: []config.AuditCluster{
			{Project: "prod-1", Location: "europe-west1", Name: "shop", Cluster: "shop", Namespace: "mollyguard", WebhookName: "mollyguard"},
			{Project: "prod-1", Location: "europe-west1", Name: "pay", Cluster: "prod-pay", Guarded: true, Namespace: "guards", WebhookName: "guard"},
		},
		Mappings: []string{"/etc/mollyguard/more.yaml"},
		Own:      []string{"mollyguard@prod-platform.iam.gserviceaccount.com"},
		OwnNames: []string{"guard-.*"},
	}
	got, err := config.Parse("c.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestNamesOfOwnMayBeNone(t *testing.T) {
	c, err := config.Parse("c.yaml", []byte(header+"audit: {ownNames: []}\n"))
	if err != nil || c.Audit.OwnNames == nil || len(c.Audit.OwnNames) > 0 {
		t.Errorf("got %q, %v", c.Audit.OwnNames, err)
	}
}

// wrong is a text and all that is said of it.
type wrong struct {
	name, text string
	want       []string
}

func checkWrong(t *testing.T, cases []wrong) {
	t.Helper()
	for _, tt := range cases {
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

func TestWhatIsWrongWithTheAuditLogIsToldWithFileAndLine(t *testing.T) {
	const aSource = header + told + "audit:\n  sources:\n  - "
	checkWrong(t, []wrong{
		// Sources.
		{
			"a source without a ledger", header + "alerts: {sinks: [{name: out, stdout: {}}]}\naudit:\n  sources:\n  - file: {path: /a}\n",
			[]string{
				"c.yaml:6: audit.sources: ledger.path is missing: what is read is forgotten by the source only once it is kept there",
				"c.yaml:3: alerts.sinks: ledger.path is missing: alerts wait there until they are delivered",
			},
		},
		{
			"a source and nobody to tell", header + "ledger: {path: /l}\naudit:\n  sources:\n  - file: {path: /a}\n",
			[]string{"c.yaml:6: audit.sources: alerts.sinks is missing: nobody would be told"},
		},
		{"a source that is nothing", aSource + "{}\n", []string{"c.yaml:7: audit.sources[0]: one of pubSub, logging and file says what it is"}},
		{"a source that is null", aSource + "file:\n", []string{"c.yaml:7: audit.sources[0]: one of pubSub, logging and file says what it is"}},
		{
			"a source that is two things", aSource + "file: {path: /a}\n    pubSub: {project: prod-1, subscription: sub}\n",
			[]string{"c.yaml:7: audit.sources[0]: one of pubSub, logging and file says what it is"},
		},
		{
			"a subscription by its full name", aSource + "pubSub:\n      project: projects/prod-1\n      subscription: projects/prod-1/subscriptions/sub\n",
			[]string{
				`c.yaml:8: audit.sources[0].pubSub.project: "projects/prod-1" is not the id of a project`,
				`c.yaml:9: audit.sources[0].pubSub.subscription: "projects/prod-1/subscriptions/sub" is not the id of a subscription, without projects/…/subscriptions/`,
			},
		},
		{
			"a subscription that is not named", aSource + "pubSub: {project: prod-1}\n",
			[]string{`c.yaml:7: audit.sources[0].pubSub.subscription: "" is not the id of a subscription, without projects/…/subscriptions/`},
		},
		{
			"a project by its number", aSource + "pubSub: {project: '123456', subscription: sub}\n",
			[]string{`c.yaml:7: audit.sources[0].pubSub.project: "123456" is not the id of a project`},
		},
		{
			"an endpoint with a scheme", aSource + "pubSub: {project: prod-1, subscription: sub, endpoint: 'https://x:443'}\n",
			[]string{"c.yaml:7: audit.sources[0].pubSub.endpoint: address https://x:443: too many colons in address: expected HOST:PORT"},
		},
		{
			"an endpoint without a port", aSource + "logging: {resources: [projects/prod-1], endpoint: logging.googleapis.com}\n",
			[]string{"c.yaml:7: audit.sources[0].logging.endpoint: address logging.googleapis.com: missing port in address: expected HOST:PORT"},
		},
		{
			"an endpoint without a host", aSource + "logging: {resources: [projects/prod-1], endpoint: ':443'}\n",
			[]string{`c.yaml:7: audit.sources[0].logging.endpoint: ":443" is not of the form HOST:PORT`},
		},
		{
			"an endpoint with a path", aSource + "logging: {resources: [projects/prod-1], endpoint: 'x:443/v2'}\n",
			[]string{`c.yaml:7: audit.sources[0].logging.endpoint: "x:443/v2" is not of the form HOST:PORT`},
		},
		{
			"nothing to read of Cloud Logging", aSource + "logging: {}\n",
			[]string{"c.yaml:7: audit.sources[0].logging.resources: missing: what is to be read, such as projects/ID"},
		},
		{
			"what is no resource", aSource + "logging:\n      resources:\n      - projects/prod-1\n      - prod-2\n      - ''\n      - projects/p/logs/x\n",
			[]string{
				`c.yaml:10: audit.sources[0].logging.resources[1]: "prod-2" is not projects/ID, folders/NUMBER, organizations/NUMBER, or a view of a log bucket`,
				`c.yaml:11: audit.sources[0].logging.resources[2]: "" is not projects/ID, folders/NUMBER, organizations/NUMBER, or a view of a log bucket`,
				`c.yaml:12: audit.sources[0].logging.resources[3]: "projects/p/logs/x" is not projects/ID, folders/NUMBER, organizations/NUMBER, or a view of a log bucket`,
			},
		},
		{
			"a filter that is too long", aSource + "logging: {resources: [projects/prod-1], filter: " + strings.Repeat("x", 20_001) + "}\n",
			[]string{"c.yaml:7: audit.sources[0].logging.filter: 20001 characters, Cloud Logging takes 20000"},
		},
		{
			"a file that depends on where the server is started", aSource + "file: {path: audit.json}\n",
			[]string{`c.yaml:7: audit.sources[0].file.path: "audit.json" does not begin with a slash`},
		},
		{"a file that is not named", aSource + "file: {}\n", []string{`c.yaml:7: audit.sources[0].file.path: "" does not begin with a slash`}},
		{
			"the same sources twice", aSource + `file: {path: /a}
  - file: {path: /a}
  - pubSub: {project: prod-1, subscription: sub}
  - logging: {resources: [projects/prod-1]}
  - pubSub: {project: prod-1, subscription: sub, endpoint: "x:1"}
  - logging: {resources: [projects/prod-1], filter: x}
`,
			[]string{
				"c.yaml:8: audit.sources[1]: the same as audit.sources[0]",
				"c.yaml:11: audit.sources[4]: the same as audit.sources[2]",
				"c.yaml:12: audit.sources[5]: the same as audit.sources[3]",
			},
		},
		{
			"an unknown kind of source", aSource + "pubsub: {project: prod-1}\n",
			[]string{`c.yaml:7: unknown key "pubsub": did you mean pubSub?`},
		},

		// What sees that nothing is seen.
		{"a short silence", header + "audit: {silence: 30s}\n", []string{"c.yaml:3: audit.silence: 30s is below 1m0s"}},
		{"a negative silence", header + "audit: {silence: -1h}\n", []string{"c.yaml:3: audit.silence: -1h0m0s is below 1m0s"}},
		{
			"zeros that would be the default", header + "audit:\n  silence: 0s\n  heartbeat: {interval: 0s}\n  assets: {refreshInterval: 0s}\n",
			[]string{
				"c.yaml:4: audit.silence: 0 is not possible: leave it out for the default",
				"c.yaml:6: audit.assets.refreshInterval: 0 is not possible: leave it out for the default",
				"c.yaml:5: audit.heartbeat.interval: 0 is not possible: leave it out for the default",
			},
		},
		{
			"a heartbeat that beats too often, to nowhere", header + "audit:\n  heartbeat:\n    parent: prod-1\n    log: a/b\n    interval: 1s\n    endpoint: x\n",
			[]string{
				`c.yaml:5: audit.heartbeat.parent: "prod-1" is not projects/ID, folders/NUMBER or organizations/NUMBER`,
				`c.yaml:6: audit.heartbeat.log: "a/b" is not the id of a log: letters, digits, dots, dashes and underscores`,
				"c.yaml:7: audit.heartbeat.interval: 1s is not between 10s and half of audit.silence (15m0s)",
				"c.yaml:8: audit.heartbeat.endpoint: address x: missing port in address: expected HOST:PORT",
			},
		},
		{
			"a heartbeat so seldom that its absence is silence", header + "audit: {silence: 2m, heartbeat: {parent: projects/p-1, interval: 61s}}\n",
			[]string{"c.yaml:3: audit.heartbeat.interval: 1m1s is not between 10s and half of audit.silence (2m0s)"},
		},

		// Labels.
		{
			"assets of nowhere", header + "audit:\n  assets:\n    scopes:\n    - projects/p\n    - prod-2\n    refreshInterval: 1s\n    endpoint: ':1'\n    feed: {project: prod-1}\n",
			[]string{
				`c.yaml:7: audit.assets.scopes[1]: "prod-2" is not projects/ID, folders/NUMBER or organizations/NUMBER`,
				"c.yaml:8: audit.assets.refreshInterval: 1s is below 1m0s",
				`c.yaml:10: audit.assets.feed.subscription: "" is not the id of a subscription, without projects/…/subscriptions/`,
				`c.yaml:9: audit.assets.endpoint: ":1" is not of the form HOST:PORT`,
			},
		},

		// Clusters, mappings, and what is Mollyguard's own.
		{
			"clusters that are not told apart",
			header + `audit:
  clusters:
  - {project: prod-1, location: eu, name: shop}
  - {project: prod-1, name: shop}
  - {project: prod-1, location: eu, name: pay, cluster: a/b}
  - {project: prod-1, location: eu, name: shop, guarded: true}
`,
			[]string{
				"c.yaml:6: audit.clusters[1]: project, location and name say which cluster it is",
				`c.yaml:7: audit.clusters[2].cluster: "a/b" is not a name of 1 to 100 letters, digits, dots, dashes and underscores`,
				"c.yaml:8: audit.clusters[3]: the same cluster as audit.clusters[0]",
			},
		},
		{
			"a cluster without anything", header + "audit: {clusters: [{}]}\n",
			[]string{
				"c.yaml:3: audit.clusters[0]: project, location and name say which cluster it is",
				`c.yaml:3: audit.clusters[0].cluster: "" is not a name of 1 to 100 letters, digits, dots, dashes and underscores`,
			},
		},
		{
			"names that are empty, who is nobody, and a pattern that does not parse",
			header + "audit:\n  mappings: ['']\n  own: [a@b, not an account, 'principal://iam.googleapis.com/x', '']\n  ownNames: ['', '(']\n",
			[]string{
				"c.yaml:4: audit.mappings[0]: empty: expected the path of a file",
				`c.yaml:5: audit.own[1]: "not an account" is not the e-mail address of a service account, or a principal://… as bindings of roles name it`,
				`c.yaml:5: audit.own[3]: "" is not the e-mail address of a service account, or a principal://… as bindings of roles name it`,
				"c.yaml:6: audit.ownNames[0]: empty pattern: it would only match the empty name",
				"c.yaml:6: audit.ownNames[1]: pattern: error parsing regexp: missing closing ): `(`",
			},
		},
	})
}
