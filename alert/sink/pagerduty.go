package sink

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

// pagerDutyURL is where events of the service region US go; of the EU it is
// https://events.eu.pagerduty.com/v2/enqueue.
const pagerDutyURL = "https://events.pagerduty.com/v2/enqueue"

// maxSummary is how long an event's summary may be, in characters; it is cut to as
// many bytes. An event may have 512 KB: all texts are capped, which makes it a tenth of that
// (https://developer.pagerduty.com/docs/events-api-v2/trigger-events/).
const maxSummary = 1024

// PagerDutyOptions say how to reach a PagerDuty service.
type PagerDutyOptions struct {
	// RoutingKey is the integration key of the service.
	RoutingKey Credential
	// URL is empty for PagerDuty's own in the US.
	URL        string
	Connection Connection
}

// PagerDuty triggers and resolves incidents over the Events API v2. Later revisions of an
// alert go into the log of the incident that is there: PagerDuty does not change its
// summary or severity. Send is for one goroutine at a time.
type PagerDuty struct {
	key  Credential
	url  operation.Secret
	post *poster
}

// NewPagerDuty checks the options; it does not connect.
func NewPagerDuty(o PagerDutyOptions) (*PagerDuty, error) {
	if o.RoutingKey == nil {
		return nil, errors.New("PagerDuty: no routing key")
	}
	to := cmp.Or(o.URL, pagerDutyURL)
	if _, err := parseURL(to, true); err != nil {
		return nil, fmt.Errorf("PagerDuty: %w", err)
	}
	post, err := newPoster(o.Connection)
	if err != nil {
		return nil, fmt.Errorf("PagerDuty: %w", err)
	}
	return &PagerDuty{o.RoutingKey, operation.NewSecret(to), post}, nil
}

// pagerDutyEvent is an event of PD-CEF.
type pagerDutyEvent struct {
	RoutingKey string            `json:"routing_key"`
	Action     string            `json:"event_action"`
	DedupKey   string            `json:"dedup_key"`
	Client     string            `json:"client,omitzero"`
	ClientURL  string            `json:"client_url,omitzero"`
	Payload    *pagerDutyPayload `json:"payload,omitempty"`
	Links      []pagerDutyLink   `json:"links,omitempty"`
}

type pagerDutyPayload struct {
	Summary   string              `json:"summary"`
	Source    string              `json:"source"`
	Severity  string              `json:"severity"`
	Timestamp time.Time           `json:"timestamp,omitzero"`
	Component string              `json:"component,omitzero"`
	Group     string              `json:"group,omitzero"`
	Class     string              `json:"class,omitzero"`
	Details   map[string][]string `json:"custom_details,omitempty"`
}

type pagerDutyLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// pagerDutyAnswer is what PagerDuty says of an event.
type pagerDutyAnswer struct {
	Status  string   `json:"status"`
	Message string   `json:"message"`
	Errors  []string `json:"errors"`
}

// Send implements alert.Sink.
func (s *PagerDuty) Send(ctx context.Context, a alert.Alert) error {
	key, err := s.key()
	if err != nil {
		return fmt.Errorf("PagerDuty: %w", err)
	}
	body, err := json.Marshal(pagerDutyEventOf(a, key))
	if err != nil {
		return fmt.Errorf("PagerDuty: %w", err)
	}
	got, err := s.post.post(ctx, message{to: s.url, body: body, secrets: []operation.Secret{key}})
	if err != nil {
		return fromSink("PagerDuty", err)
	}
	var said pagerDutyAnswer
	if !got.decode(&said) || said.Status != "success" {
		return fromSink("PagerDuty", got.notBelieved("PagerDuty"))
	}
	return nil
}

func pagerDutyEventOf(a alert.Alert, key operation.Secret) pagerDutyEvent {
	event := pagerDutyEvent{RoutingKey: key.Reveal(), Action: "trigger", DedupKey: a.ID}
	if a.Status == alert.Resolved {
		event.Action = "resolve"
		return event
	}
	event.Client = "Mollyguard"
	event.Payload = &pagerDutyPayload{
		Summary:   operation.Clip(headline(a), maxSummary),
		Source:    cmp.Or(shown(a.Cluster), "mollyguard"),
		Severity:  pagerDutySeverity(a.Severity),
		Timestamp: a.Opened,
		Component: component(a),
		Group:     shown(a.Project),
		Class:     string(a.Kind),
		Details:   details(a),
	}
	for _, link := range links(a, maxLinks) {
		event.Links = append(event.Links, pagerDutyLink{link, "log entry"})
		event.ClientURL = event.Links[0].Href
	}
	if runbook := webURL(a.Runbook); runbook != "" {
		event.Links = append(event.Links, pagerDutyLink{runbook, "runbook"})
	}
	return event
}

func pagerDutySeverity(s operation.Severity) string {
	switch s {
	case operation.Critical:
		return "critical"
	case operation.High:
		return "error"
	case operation.Medium:
		return "warning"
	default:
		return "info"
	}
}

// component is the first target.
func component(a alert.Alert) string {
	if len(a.Operations) == 0 {
		return ""
	}
	return shown(a.Operations[0].Target.Ref)
}

// details are the rows by label. A row without one goes on with the row before it.
func details(a alert.Alert) map[string][]string {
	all := map[string][]string{}
	label := ""
	for _, r := range append(rows(a), append(closing(a, maxText), row{"next", next(a)})...) {
		if r.label != "" {
			label = strings.ReplaceAll(r.label, " ", "_")
		}
		all[label] = append(all[label], r.lines...)
	}
	return all
}
