package sink

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

// CloudEventType is the type of the events. Fields are added to an alert.Alert, never
// renamed; if one had to be, the type would be another.
const CloudEventType = "dev.mollyguard.alert.v1"

// maxSigningSecrets is how many secrets sign at once: the old and the new one, and room
// for a mistake.
const maxSigningSecrets = 4

// CloudEventsOptions say where events go, and how they are signed.
type CloudEventsOptions struct {
	URL string
	// Secrets sign each event, every one of them: receivers that have either go on
	// while one replaces the other. See ParseSigningSecret for their form.
	Secrets    []Credential
	Connection Connection
}

// CloudEvents posts CloudEvents 1.0 in structured JSON, signed as Standard Webhooks
// say; Verify is the other side of it. The same revision of an alert has the same id,
// whenever it is sent. Any answer of 200 to 299 that is no page for people is a yes. Send
// may be called concurrently.
type CloudEvents struct {
	url     operation.Secret
	secrets []Credential
	post    *poster
}

// NewCloudEvents checks the options; it does not connect.
func NewCloudEvents(o CloudEventsOptions) (*CloudEvents, error) {
	if len(o.Secrets) == 0 || len(o.Secrets) > maxSigningSecrets {
		return nil, fmt.Errorf("HTTP sink: %d secrets to sign with, 1 to %d are allowed", len(o.Secrets), maxSigningSecrets)
	}
	if _, err := parseURL(o.URL, false); err != nil {
		return nil, fmt.Errorf("HTTP sink: %w", err)
	}
	post, err := newPoster(o.Connection)
	if err != nil {
		return nil, fmt.Errorf("HTTP sink: %w", err)
	}
	return &CloudEvents{operation.NewSecret(o.URL), o.Secrets, post}, nil
}

// cloudEvent is an event in the JSON format
// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md).
type cloudEvent struct {
	SpecVersion     string      `json:"specversion"`
	ID              string      `json:"id"`
	Source          string      `json:"source"`
	Type            string      `json:"type"`
	Subject         string      `json:"subject"`
	Time            time.Time   `json:"time,omitzero"`
	DataContentType string      `json:"datacontenttype"`
	Data            alert.Alert `json:"data"`
}

func cloudEventOf(a alert.Alert) cloudEvent {
	return cloudEvent{
		SpecVersion:     "1.0",
		ID:              revisionID(a),
		Source:          "mollyguard/" + url.PathEscape(a.Cluster),
		Type:            CloudEventType,
		Subject:         cmp.Or(shown(a.ID), "alert"),
		Time:            a.Updated,
		DataContentType: "application/json",
		Data:            a,
	}
}

// revisionID is the same for one revision of an alert, whenever it is sent.
func revisionID(a alert.Alert) string { return shown(a.ID) + "." + strconv.Itoa(a.Revision) }

// Send implements alert.Sink.
func (s *CloudEvents) Send(ctx context.Context, a alert.Alert) error {
	m, err := s.message(a)
	if err != nil {
		return fmt.Errorf("HTTP sink: %w", err)
	}
	got, err := s.post.post(ctx, m)
	if err != nil {
		return fromSink("HTTP sink", err)
	}
	if got.isPage() {
		return fromSink("HTTP sink", got.notBelieved("a receiver of events"))
	}
	return nil
}

func (s *CloudEvents) message(a alert.Alert) (message, error) {
	body, err := json.Marshal(cloudEventOf(a))
	if err != nil {
		return message{}, err
	}
	m := message{to: s.url, header: http.Header{"Content-Type": {"application/cloudevents+json; charset=utf-8"}}, body: body}
	var keys []SigningSecret
	for _, read := range s.secrets {
		secret, err := read()
		if err != nil {
			return message{}, err
		}
		key, err := ParseSigningSecret(secret)
		if err != nil {
			return message{}, err
		}
		keys, m.kept = append(keys, key), append(m.kept, secret)
	}
	sign(m.header, revisionID(a), s.post.now(), body, keys)
	return m, nil
}
