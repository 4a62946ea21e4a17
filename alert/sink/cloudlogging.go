package sink

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/logging"
	vkit "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/api/option"
	"google.golang.org/genproto/googleapis/api/monitoredres"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

const (
	// DefaultAlertLog and DefaultDecisionLog are the ids of the logs.
	DefaultAlertLog    = "mollyguard-alerts"
	DefaultDecisionLog = "mollyguard-decisions"
	// maxEntry is how large an entry's JSON may be, in bytes: Cloud Logging's limit is
	// about 256 KB, by a size of its own that counts what is around a payload
	// (https://cloud.google.com/logging/quotas).
	maxEntry = 200 << 10
	// An entry older than 30 days is not stored, and one a day in the future refused.
	maxEntryAge, maxEntryFuture = 29 * 24 * time.Hour, 12 * time.Hour
	// maxLabelValue keeps labels short enough to read, in bytes; 64 KB are the limit.
	maxLabelValue = 200
)

// CloudLoggingOptions say which logs to write.
type CloudLoggingOptions struct {
	// Parent is a project's id, or projects/ID, folders/ID, organizations/ID or
	// billingAccounts/ID.
	Parent string
	// AlertLog and DecisionLog are ids of logs, if empty the defaults.
	AlertLog, DecisionLog string
	// Endpoint is host:port, for Private Service Connect; empty for Google's.
	Endpoint string
	// Client are further options of the client: credentials, above all.
	Client []option.ClientOption
	// Now is the time; nil is time.Now.
	Now func() time.Time
}

// CloudLogging writes alerts and decisions as structured entries, beside the audit log
// that they came from. The same revision of an alert, and the same decision, is one
// entry however often it is written: Cloud Logging drops what has the same log,
// timestamp and insertId. It may be used concurrently, until Close.
//
// It uses the API's own client, and the entries of package logging without its Logger:
// that one asks the metadata server where it runs, and adds an entry about itself.
type CloudLogging struct {
	client                *vkit.Client
	parent                string
	alertLog, decisionLog string
	now                   func() time.Time
}

// NewCloudLogging makes a client, which connects when it is used. ctx is for that.
func NewCloudLogging(ctx context.Context, o CloudLoggingOptions) (*CloudLogging, error) {
	parent := o.Parent
	if parent != "" && !strings.Contains(parent, "/") {
		parent = "projects/" + parent
	}
	if kind, id, _ := strings.Cut(parent, "/"); id == "" || !isParent(kind) || strings.Contains(id, "/") {
		return nil, fmt.Errorf("cloud logging: %q is not a project, folder, organization or billing account", operation.Printable(o.Parent))
	}
	options := o.Client
	if o.Endpoint != "" {
		options = append([]option.ClientOption{option.WithEndpoint(o.Endpoint)}, options...)
	}
	client, err := vkit.NewClient(ctx, append([]option.ClientOption{option.WithScopes(logging.WriteScope)}, options...)...)
	if err != nil {
		return nil, fmt.Errorf("cloud logging: make a client: %w", err)
	}
	// Who calls tries again, and wants to see the error rather than wait for it.
	client.CallOptions.WriteLogEntries = nil
	s := &CloudLogging{
		client:      client,
		parent:      parent,
		alertLog:    cmp.Or(o.AlertLog, DefaultAlertLog),
		decisionLog: cmp.Or(o.DecisionLog, DefaultDecisionLog),
		now:         o.Now,
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

func isParent(kind string) bool {
	return kind == "projects" || kind == "folders" || kind == "organizations" || kind == "billingAccounts"
}

// Close ends the connection.
func (s *CloudLogging) Close() error {
	if err := s.client.Close(); err != nil {
		return fmt.Errorf("cloud logging: close: %w", err)
	}
	return nil
}

// Send implements alert.Sink.
func (s *CloudLogging) Send(ctx context.Context, a alert.Alert) error {
	short := map[string]any{"id": a.ID, "revision": a.Revision, "kind": a.Kind, "title": operation.Clip(a.Title, maxText), "truncated": true}
	payload, err := payloadOf(a, short)
	if err != nil {
		return fmt.Errorf("cloud logging: %w", err)
	}
	return s.write(ctx, s.alertLog, logging.Entry{
		Timestamp: s.storable(a.Updated),
		Severity:  alertSeverity(a),
		InsertID:  revisionID(a),
		Payload:   payload,
		Labels: labelled(map[string]string{
			"kind": string(a.Kind), "status": string(a.Status), "severity": string(a.Severity), "surface": string(a.Surface),
			"cluster": a.Cluster, "project": a.Project, "incident": a.ID,
		}),
	})
}

// WriteDecision writes a decision. Its errors are as Send's.
func (s *CloudLogging) WriteDecision(ctx context.Context, d operation.Decision) error {
	short := map[string]any{"id": d.ID, "outcome": d.Outcome, "verb": d.Verb, "target": operation.Clip(d.Target.Ref, maxText), "truncated": true}
	payload, err := payloadOf(d, short)
	if err != nil {
		return fmt.Errorf("cloud logging: %w", err)
	}
	return s.write(ctx, s.decisionLog, logging.Entry{
		Timestamp: s.storable(d.Time),
		Severity:  decisionSeverity(d),
		InsertID:  d.ID,
		Payload:   payload,
		Labels: labelled(map[string]string{
			"outcome": string(d.Outcome), "surface": string(d.Surface), "verb": string(d.Verb), "phase": string(d.Phase),
			"project": d.Project, "decision": d.ID,
		}),
	})
}

func (s *CloudLogging) write(ctx context.Context, log string, e logging.Entry) error {
	entry, err := logging.ToLogEntry(e, s.parent)
	if err != nil {
		return fmt.Errorf("cloud logging: %w", err)
	}
	_, err = s.client.WriteLogEntries(ctx, &loggingpb.WriteLogEntriesRequest{
		LogName:  s.parent + "/logs/" + url.PathEscape(log),
		Resource: &monitoredres.MonitoredResource{Type: "global"},
		Entries:  []*loggingpb.LogEntry{entry},
	})
	if err != nil {
		return fromSink("cloud logging", googleError(ctx, err))
	}
	return nil
}

// payloadOf is the value in JSON, or what is said instead of one that is too large.
func payloadOf(value any, short map[string]any) (json.RawMessage, error) {
	data, err := json.Marshal(value)
	if err != nil || len(data) <= maxEntry {
		return data, err
	}
	return json.Marshal(short)
}

// storable is a time at which Cloud Logging keeps an entry; the payload says which it
// really was.
func (s *CloudLogging) storable(at time.Time) time.Time {
	if now := s.now(); at.Before(now.Add(-maxEntryAge)) || at.After(now.Add(maxEntryFuture)) {
		return now
	}
	return at
}

// labelled leaves out empty labels and shortens long ones.
func labelled(labels map[string]string) map[string]string {
	all := map[string]string{}
	for name, value := range labels {
		if value = operation.Clip(operation.Printable(value), maxLabelValue); value != "" {
			all[name] = value
		}
	}
	return all
}

func alertSeverity(a alert.Alert) logging.Severity {
	if a.Status == alert.Resolved || a.Kind == alert.Notice || a.Kind == alert.Test {
		return logging.Notice
	}
	switch a.Severity {
	case operation.Critical:
		return logging.Critical
	case operation.High:
		return logging.Error
	case operation.Medium:
		return logging.Warning
	default:
		return logging.Notice
	}
}

func decisionSeverity(d operation.Decision) logging.Severity {
	switch d.Outcome {
	case operation.OutcomeUndecided:
		return logging.Error
	case operation.OutcomeDeny, operation.OutcomeWarn, operation.OutcomeAlert:
		return logging.Warning
	default:
		return logging.Info
	}
}
