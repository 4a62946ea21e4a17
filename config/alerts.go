package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// Alerts is about who is told. It is on if there are sinks.
type Alerts struct {
	Sinks []AlertSink `yaml:"sinks"`
	// Routes say which sinks an alert goes to: to those of every route that fits, and
	// if none does to all.
	Routes []AlertRoute `yaml:"routes"`
	// UpdateInterval is how soon a sink is told again of the same incident.
	UpdateInterval time.Duration `yaml:"updateInterval"`
	// Decisions are also written to Cloud Logging, beside the audit log.
	Decisions *CloudLogging `yaml:"decisions"`
}

// AlertSink is somewhere to tell people; one of its fields beside Name is set.
// Secrets are in files, which are read whenever they are used.
type AlertSink struct {
	// Name is how routes, metrics and dead letters call it.
	Name string `yaml:"name"`

	PagerDuty    *PagerDuty    `yaml:"pagerDuty"`
	Slack        *Slack        `yaml:"slack"`
	Alertmanager *Alertmanager `yaml:"alertmanager"`
	HTTP         *HTTPSink     `yaml:"http"`
	Shoutrrr     *Shoutrrr     `yaml:"shoutrrr"`
	Stdout       *Stdout       `yaml:"stdout"`
	CloudLogging *CloudLogging `yaml:"cloudLogging"`
}

// PagerDuty is the Events API v2.
type PagerDuty struct {
	RoutingKeyFile string `yaml:"routingKeyFile"`
	// URL replaces that of PagerDuty's US region.
	URL string `yaml:"url"`
}

// Slack is an incoming webhook, or a bot that posts to a channel and updates what it
// posted.
type Slack struct {
	WebhookURLFile string `yaml:"webhookURLFile"`
	TokenFile      string `yaml:"tokenFile"`
	Channel        string `yaml:"channel"`
	URL            string `yaml:"url"`
}

// Alertmanager is the API v2 of all members of a cluster of them.
type Alertmanager struct {
	URLs            []string `yaml:"urls"`
	Username        string   `yaml:"username"`
	PasswordFile    string   `yaml:"passwordFile"`
	BearerTokenFile string   `yaml:"bearerTokenFile"`
	CA              string   `yaml:"ca"`
}

// HTTPSink takes CloudEvents, signed with the newest of the secrets, and with the
// others while receivers change over.
type HTTPSink struct {
	URL         string   `yaml:"url"`
	SecretFiles []string `yaml:"secretFiles"`
	CA          string   `yaml:"ca"`
}

// Shoutrrr is any service of that library, by its URL.
type Shoutrrr struct {
	URLFile string `yaml:"urlFile"`
}

// Stdout writes to standard output.
type Stdout struct {
	// Format is line, text or json; line if it is left out.
	Format string `yaml:"format"`
}

// CloudLogging writes log entries.
type CloudLogging struct {
	// Parent is projects/ID, folders/NUMBER or organizations/NUMBER.
	Parent   string `yaml:"parent"`
	Log      string `yaml:"log"`
	Endpoint string `yaml:"endpoint"`
}

// AlertRoute sends alerts to sinks. An empty list is no restriction.
type AlertRoute struct {
	Kinds      []string             `yaml:"kinds"`
	Severities []operation.Severity `yaml:"severities"`
	Surfaces   []operation.Surface  `yaml:"surfaces"`
	// Projects are patterns for ids of cloud projects.
	Projects []string `yaml:"projects"`
	Sinks    []string `yaml:"sinks"`
}

// sinkName keeps names fit for metrics.
var sinkName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// reservedSinks begin the ids of dead letters that are no sink's: of entries of the
// outbox, and of log entries. Metrics call what is not configured other.
func reservedSinks() []string { return []string{"outbox", "entry", "other"} }

const (
	minUpdateInterval = time.Second
	// maxLedgerPath leaves room for the name of the socket beside the ledger, which is
	// 5 bytes longer: a socket's has 103 bytes on macOS and 107 on Linux
	// (https://man7.org/linux/man-pages/man7/unix.7.html).
	maxLedgerPath = 103 - len(".sock")
)

func (c *Configuration) validateAlerts(p *problems) {
	a := c.Alerts
	var names []string
	for i, sink := range a.Sinks {
		field := fmt.Sprintf("alerts.sinks[%d]", i)
		if !sinkName.MatchString(sink.Name) {
			p.add(field+".name", "%q is not a name of 1 to 63 small letters, digits and dashes", sink.Name)
		}
		if slices.Contains(names, sink.Name) {
			p.add(field+".name", "%q is there twice", sink.Name)
		}
		if slices.Contains(reservedSinks(), sink.Name) {
			p.add(field+".name", "%q has a meaning of its own in mollyguard alert dead: choose another name", sink.Name)
		}
		names = append(names, sink.Name)
		sink.validate(p, field)
	}
	for i, route := range a.Routes {
		field := fmt.Sprintf("alerts.routes[%d]", i)
		if len(route.Sinks) == 0 {
			p.add(field+".sinks", "missing: where to tell")
		}
		for j, name := range route.Sinks {
			if !slices.Contains(names, name) {
				p.add(fmt.Sprintf("%s.sinks[%d]", field, j), "no sink %q, there are %v", name, names)
			}
		}
		for j, severity := range route.Severities {
			oneOf(p, fmt.Sprintf("%s.severities[%d]", field, j), string(severity), severity.Values())
		}
		for j, surface := range route.Surfaces {
			oneOf(p, fmt.Sprintf("%s.surfaces[%d]", field, j), string(surface), surface.Values())
		}
		for j, kind := range route.Kinds {
			oneOf(p, fmt.Sprintf("%s.kinds[%d]", field, j), kind, alertKinds())
		}
		validatePatterns(p, field+".projects", route.Projects)
	}
	if a.UpdateInterval < minUpdateInterval {
		p.add("alerts.updateInterval", "%v is below %v", a.UpdateInterval, minUpdateInterval)
	}
	if len(a.Sinks) > 0 && c.Ledger.Path == "" {
		p.add("alerts.sinks", "ledger.path is missing: alerts wait there until they are delivered")
	}
	if len(a.Sinks) > 0 && len(c.Ledger.Path) > maxLedgerPath {
		p.add("ledger.path", "%d bytes, at most %d are possible: a socket beside it, for mollyguard alert dead, is named after it", len(c.Ledger.Path), maxLedgerPath)
	}
	if len(c.Audit.Sources) > 0 && len(a.Sinks) == 0 {
		p.add("audit.sources", "alerts.sinks is missing: nobody would be told")
	}
	if a.Decisions != nil {
		a.Decisions.validate(p, "alerts.decisions")
	}
}

// alertKinds are the kinds of package alert, which this one does not import.
func alertKinds() []string {
	return []string{"violation", "notice", "attempt", "blind", "break-glass", "test"}
}

func oneOf(p *problems, field, text string, values []string) {
	if !slices.Contains(values, text) {
		p.add(field, "%q is not one of %v", text, values)
	}
}

func (s AlertSink) validate(p *problems, field string) {
	set := 0
	for _, given := range []bool{s.PagerDuty != nil, s.Slack != nil, s.Alertmanager != nil, s.HTTP != nil, s.Shoutrrr != nil, s.Stdout != nil, s.CloudLogging != nil} {
		if given {
			set++
		}
	}
	if set != 1 {
		p.add(field, "one of pagerDuty, slack, alertmanager, http, shoutrrr, stdout and cloudLogging says what it is")
		return
	}
	switch {
	case s.PagerDuty != nil:
		required(p, field+".pagerDuty.routingKeyFile", s.PagerDuty.RoutingKeyFile)
		validateURL(p, field+".pagerDuty.url", s.PagerDuty.URL, true)
	case s.Slack != nil:
		if (s.Slack.WebhookURLFile == "") == (s.Slack.TokenFile == "") || s.Slack.WebhookURLFile != "" && s.Slack.Channel != "" {
			p.add(field+".slack", "either webhookURLFile, or tokenFile and channel")
		}
		if s.Slack.TokenFile != "" {
			required(p, field+".slack.channel", s.Slack.Channel)
		}
		validateURL(p, field+".slack.url", s.Slack.URL, true)
	case s.Alertmanager != nil:
		if len(s.Alertmanager.URLs) == 0 {
			p.add(field+".alertmanager.urls", "missing: those of all members of the cluster")
		}
		for i, text := range s.Alertmanager.URLs {
			validateURL(p, fmt.Sprintf("%s.alertmanager.urls[%d]", field, i), text, false)
		}
		if (s.Alertmanager.Username == "") != (s.Alertmanager.PasswordFile == "") || s.Alertmanager.PasswordFile != "" && s.Alertmanager.BearerTokenFile != "" {
			p.add(field+".alertmanager", "either username and passwordFile, or bearerTokenFile, or none")
		}
	case s.HTTP != nil:
		validateURL(p, field+".http.url", s.HTTP.URL, false)
		if len(s.HTTP.SecretFiles) == 0 {
			p.add(field+".http.secretFiles", "missing: whoever knows the URL could send alerts")
		}
	case s.Shoutrrr != nil:
		required(p, field+".shoutrrr.urlFile", s.Shoutrrr.URLFile)
	case s.Stdout != nil:
		if s.Stdout.Format != "" {
			oneOf(p, field+".stdout.format", s.Stdout.Format, []string{"line", "text", "json"})
		}
	case s.CloudLogging != nil:
		s.CloudLogging.validate(p, field+".cloudLogging")
	}
}

func (s CloudLogging) validate(p *problems, field string) {
	matches(p, field+".parent", s.Parent, scope, "projects/ID, folders/NUMBER or organizations/NUMBER")
	if s.Log != "" {
		matches(p, field+".log", s.Log, logID, "the id of a log: letters, digits, dots, dashes and underscores")
	}
	validateEndpoint(p, field+".endpoint", s.Endpoint)
}

func required(p *problems, field, value string) {
	if value == "" {
		p.add(field, "missing")
	}
}

func validateURL(p *problems, field, text string, optional bool) {
	if text == "" && optional {
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil: // which shows all of it
		p.add(field, "it is not a URL, such as https://HOST/… (credentials go into files)")
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "":
		p.add(field, "%q is not of the form https://HOST/… (credentials go into files)", u.Redacted())
	}
}
