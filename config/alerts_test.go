package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
)

func TestAWholeAlertsSectionIsReadAndCompleted(t *testing.T) {
	const text = header + `
ledger: {path: /var/lib/mollyguard/ledger.db}
alerts:
  sinks:
  - {name: oncall, pagerDuty: {routingKeyFile: /k/pd, url: "https://events.eu.pagerduty.com/v2/enqueue"}}
  - {name: bot, slack: {tokenFile: /k/token, channel: C012, url: "https://slack.example.com"}}
  - {name: hook, slack: {webhookURLFile: /k/hook}}
  - {name: am, alertmanager: {urls: ["http://am-0:9093", "http://am-1:9093/am"], username: m, passwordFile: /k/am, ca: /k/ca}}
  - {name: am2, alertmanager: {urls: ["https://am"], bearerTokenFile: /k/bearer}}
  - {name: events, http: {url: "https://x.example.com/in?a=b", secretFiles: [/k/new, /k/old], ca: /k/ca}}
  - {name: any, shoutrrr: {urlFile: /k/shoutrrr}}
  - {name: out, stdout: {format: json}}
  - {name: gcl, cloudLogging: {parent: folders/12, log: alerts, endpoint: "127.0.0.1:1"}}
  routes:
  - {kinds: [violation, blind], severities: [high, critical], surfaces: [gcp, kubernetes], projects: [prod-.*], sinks: [oncall, bot]}
  - {sinks: [out]}
  updateInterval: 1m
  decisions: {parent: projects/prod-1}
`
	want := config.Default()
	want.Ledger.Path = "/var/lib/mollyguard/ledger.db"
	want.Alerts = config.Alerts{
		Sinks: []config.AlertSink{
			{Name: "oncall", PagerDuty: &config.PagerDuty{RoutingKeyFile: "/k/pd", URL: "https://events.eu.pagerduty.com/v2/enqueue"}},
			{Name: "bot", Slack: &config.Slack{TokenFile: "/k/token", Channel: "C012", URL: "https://slack.example.com"}},
			{Name: "hook", Slack: &config.Slack{WebhookURLFile: "/k/hook"}},
			{Name: "am", Alertmanager: &config.Alertmanager{URLs: []string{"http://am-0:9093", "http://am-1:9093/am"}, Username: "m", PasswordFile: "/k/am", CA: "/k/ca"}},
			{Name: "am2", Alertmanager: &config.Alertmanager{URLs: []string{"https://am"}, BearerTokenFile: "/k/bearer"}},
			{Name: "events", HTTP: &config.HTTPSink{URL: "https://x.example.com/in?a=b", SecretFiles: []string{"/k/new", "/k/old"}, CA: "/k/ca"}},
			{Name: "any", Shoutrrr: &config.Shoutrrr{URLFile: "/k/shoutrrr"}},
			{Name: "out", Stdout: &config.Stdout{Format: "json"}},
			{Name: "gcl", CloudLogging: &config.CloudLogging{Parent: "folders/12", Log: "alerts", Endpoint: "127.0.0.1:1"}},
		},
		Routes: []config.AlertRoute{
			{
				Kinds: []string{"violation", "blind"}, Severities: []operation.Severity{operation.High, operation.Critical},
				Surfaces: []operation.Surface{operation.GCP, operation.Kubernetes}, Projects: []string{"prod-.*"}, Sinks: []string{"oncall", "bot"},
			},
			{Sinks: []string{"out"}},
		},
		UpdateInterval: time.Minute,
		Decisions:      &config.CloudLogging{Parent: "projects/prod-1"},
	}
	got, err := config.Parse("c.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

// The configuration does not import package alert: what it takes for kinds has to be
// what there is.
func TestRoutesTakeEveryKindOfAlert(t *testing.T) {
	text := header + "ledger: {path: /l}\nalerts: {sinks: [{name: out, stdout: {}}], routes: [{sinks: [out], kinds: [" + strings.Join(alert.Kind("").Values(), ", ") + "]}]}\n"
	if _, err := config.Parse("c.yaml", []byte(text)); err != nil {
		t.Error(err)
	}
}

func TestWhatIsWrongWithAlertsIsToldWithFileAndLine(t *testing.T) {
	const (
		kept   = header + "ledger: {path: /l}\n"
		aSink  = kept + "alerts:\n  sinks:\n  - name: a\n    "
		routed = kept + "alerts:\n  sinks: [{name: a, stdout: {}}, {name: b, stdout: {}}]\n  routes:\n  - "
	)
	const one = "c.yaml:6: alerts.sinks[0]: one of pagerDuty, slack, alertmanager, http, shoutrrr, stdout and cloudLogging says what it is"
	cases := []wrong{
		// Names.
		{
			"a sink without a ledger", header + "alerts:\n  sinks:\n  - {name: a, stdout: {}}\n",
			[]string{"c.yaml:5: alerts.sinks: ledger.path is missing: alerts wait there until they are delivered"},
		},
		{
			"a ledger beside which no socket fits", header + "ledger: {path: /" + strings.Repeat("x", 98) + "}\nalerts:\n  sinks:\n  - {name: a, stdout: {}}\n",
			[]string{"c.yaml:3: ledger.path: 99 bytes, at most 98 are possible: a socket beside it, for mollyguard alert dead, is named after it"},
		},
		{
			"names that are none, and one that is there twice", kept + "alerts:\n  sinks:\n  - {name: On Call, stdout: {}}\n  - {stdout: {}}\n  - {name: a, stdout: {}}\n  - {name: a, stdout: {}}\n",
			[]string{
				`c.yaml:6: alerts.sinks[0].name: "On Call" is not a name of 1 to 63 small letters, digits and dashes`,
				`c.yaml:7: alerts.sinks[1].name: "" is not a name of 1 to 63 small letters, digits and dashes`,
				`c.yaml:9: alerts.sinks[3].name: "a" is there twice`,
			},
		},
		{"a sink that is nothing", aSink + "stdout:\n", []string{one}},
		{"a sink that is two things", aSink + "stdout: {}\n    shoutrrr: {urlFile: /f}\n", []string{one}},

		// Each kind.
		{
			"PagerDuty without a key, and with one in its URL", aSink + "pagerDuty: {url: 'https://key@x/'}\n",
			[]string{
				"c.yaml:7: alerts.sinks[0].pagerDuty.routingKeyFile: missing",
				`c.yaml:7: alerts.sinks[0].pagerDuty.url: "https://key@x/" is not of the form https://HOST/… (credentials go into files)`,
			},
		},
		{"Slack without a way", aSink + "slack: {}\n", []string{"c.yaml:7: alerts.sinks[0].slack: either webhookURLFile, or tokenFile and channel"}},
		{
			"Slack with two ways", aSink + "slack: {webhookURLFile: /a, tokenFile: /b, channel: c}\n",
			[]string{"c.yaml:7: alerts.sinks[0].slack: either webhookURLFile, or tokenFile and channel"},
		},
		{"a bot without a channel", aSink + "slack: {tokenFile: /b}\n", []string{"c.yaml:7: alerts.sinks[0].slack.channel: missing"}},
		{
			"a channel that a webhook does not go by", aSink + "slack: {webhookURLFile: /b, channel: c}\n",
			[]string{"c.yaml:7: alerts.sinks[0].slack: either webhookURLFile, or tokenFile and channel"},
		},
		{"Slack elsewhere", aSink + "slack: {webhookURLFile: /b, url: slack.com}\n", []string{`c.yaml:7: alerts.sinks[0].slack.url: "slack.com" is not of the form https://HOST/… (credentials go into files)`}},
		{"Alertmanager nowhere", aSink + "alertmanager: {}\n", []string{"c.yaml:7: alerts.sinks[0].alertmanager.urls: missing: those of all members of the cluster"}},
		{
			"Alertmanagers that are no URLs", aSink + "alertmanager:\n      urls:\n      - https://am\n      - am:9093\n      - ''\n",
			[]string{
				`c.yaml:10: alerts.sinks[0].alertmanager.urls[1]: "am:9093" is not of the form https://HOST/… (credentials go into files)`,
				`c.yaml:11: alerts.sinks[0].alertmanager.urls[2]: "" is not of the form https://HOST/… (credentials go into files)`,
			},
		},
		{"CloudEvents without URL and signature", aSink + "http: {}\n", []string{
			`c.yaml:7: alerts.sinks[0].http.url: "" is not of the form https://HOST/… (credentials go into files)`,
			"c.yaml:7: alerts.sinks[0].http.secretFiles: missing: whoever knows the URL could send alerts",
		}},
		{"shoutrrr without a URL", aSink + "shoutrrr: {}\n", []string{"c.yaml:7: alerts.sinks[0].shoutrrr.urlFile: missing"}},
		{"a secret that is not in a file", aSink + "shoutrrr: {url: 'telegram://token@telegram'}\n", []string{`c.yaml:7: unknown key "url": known here are urlFile`}},
		{"a format that there is not", aSink + "stdout: {format: xml}\n", []string{`c.yaml:7: alerts.sinks[0].stdout.format: "xml" is not one of [line text json]`}},
		{
			"Cloud Logging nowhere", aSink + "cloudLogging: {parent: prod-1, log: a/b, endpoint: x}\n",
			[]string{
				`c.yaml:7: alerts.sinks[0].cloudLogging.parent: "prod-1" is not projects/ID, folders/NUMBER or organizations/NUMBER`,
				`c.yaml:7: alerts.sinks[0].cloudLogging.log: "a/b" is not the id of a log: letters, digits, dots, dashes and underscores`,
				"c.yaml:7: alerts.sinks[0].cloudLogging.endpoint: address x: missing port in address: expected HOST:PORT",
			},
		},
		{
			"decisions that go nowhere", header + "alerts:\n  decisions: {log: x}\n",
			[]string{`c.yaml:4: alerts.decisions.parent: "" is not projects/ID, folders/NUMBER or organizations/NUMBER`},
		},

		// Routes, and how often.
		{"a route to nowhere", routed + "kinds: [blind]\n", []string{"c.yaml:7: alerts.routes[0].sinks: missing: where to tell"}},
		{"a route to a sink that there is not", routed + "sinks: [a, oncall]\n", []string{`c.yaml:7: alerts.routes[0].sinks[1]: no sink "oncall", there are [a b]`}},
		{
			"a route without any sink", header + "alerts: {routes: [{sinks: [a]}]}\n",
			[]string{`c.yaml:3: alerts.routes[0].sinks[0]: no sink "a", there are []`},
		},
		{
			"a route for what never comes", routed + "sinks: [a]\n    severities: [high, worst]\n    surfaces: [aws]\n    kinds: [violations]\n    projects: [ok, '(', '']\n",
			[]string{
				`c.yaml:8: alerts.routes[0].severities[1]: "worst" is not one of [low medium high critical]`,
				`c.yaml:9: alerts.routes[0].surfaces[0]: "aws" is not one of [kubernetes gcp terraform]`,
				`c.yaml:10: alerts.routes[0].kinds[0]: "violations" is not one of [violation notice attempt blind break-glass test]`,
				"c.yaml:11: alerts.routes[0].projects[1]: pattern: error parsing regexp: missing closing ): `(`",
				"c.yaml:11: alerts.routes[0].projects[2]: empty pattern: it would only match the empty name",
			},
		},
		{"updates all the time", header + "alerts: {updateInterval: 1ms}\n", []string{"c.yaml:3: alerts.updateInterval: 1ms is below 1s"}},
		{"updates never", header + "alerts: {updateInterval: 0s}\n", []string{"c.yaml:3: alerts.updateInterval: 0 is not possible: leave it out for the default"}},
	}
	for _, name := range []string{"outbox", "entry", "other"} {
		cases = append(cases, wrong{
			"a sink of the name " + name, kept + "alerts:\n  sinks:\n  - {name: " + name + ", stdout: {}}\n",
			[]string{fmt.Sprintf("c.yaml:6: alerts.sinks[0].name: %q has a meaning of its own in mollyguard alert dead: choose another name", name)},
		})
	}
	for name, credentials := range map[string]string{
		"a password of nobody": "passwordFile: /p", "a user without a password": "username: a",
		"two credentials": "username: a, passwordFile: /p, bearerTokenFile: /b", "a user and a bearer token": "username: a, bearerTokenFile: /b",
	} {
		cases = append(cases, wrong{
			name, aSink + "alertmanager: {urls: ['https://am'], " + credentials + "}\n",
			[]string{"c.yaml:7: alerts.sinks[0].alertmanager: either username and passwordFile, or bearerTokenFile, or none"},
		})
	}
	checkWrong(t, cases)
}

func TestAURLThatIsRefusedDoesNotShowThePasswordInIt(t *testing.T) {
	for _, text := range []string{"https://user:hunter2@x/", "https://user:hunter2@x y/", "https://user:hunter2@[::1/", "ftp://user:hunter2@x"} {
		_, err := config.Parse("c.yaml", []byte(header+"ledger: {path: /l}\nalerts: {sinks: [{name: a, http: {url: '"+text+"', secretFiles: [/s]}}]}\n"))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
