package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

// entry is a LogEntry
// (https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry), and the
// AuditLog in it
// (https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog),
// as far as it is needed.
type entry struct {
	tree                object
	insertID, logName   string
	timestamp, received time.Time
	resourceType        string
	resourceLabels      map[string]string
	labels              map[string]string
	long                auditlog.LongRunning

	// audited is false for an entry of another kind of payload; what follows is empty
	// then.
	audited             bool
	serviceName, method string
	resourceName        string
	status              int64
	authorizations      []bool
	hasRequest          bool
	caller              caller

	// native is true for an audit event of Kubernetes itself, which says two things more:
	// the object's uid, and that nothing was persisted.
	native, wasDryRun bool
	uid               string
}

// caller is who and from where.
type caller struct {
	email, subject, ip, userAgent, reason string
	// delegation is nearest first.
	delegation []string
}

// maxID is how long what tells an entry from others may be, in bytes: names of logs have
// 512 at most (https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry).
const maxID = 1 << 10

// maxAuthorizations is how many checks of rights are looked at: a call makes a handful.
const maxAuthorizations = 100

// newEntry takes an entry apart. An error says which field cannot be read.
func newEntry(tree object, fallbackID func() string) (*entry, error) {
	var r reader
	e := &entry{tree: tree}
	e.insertID, e.logName = r.text(tree, "", "insertId"), r.text(tree, "", "logName")
	if r.err == nil && max(len(e.insertID), len(e.logName)) > maxID {
		r.err = fmt.Errorf("insertId and logName have %d and %d bytes, %d are the limit", len(e.insertID), len(e.logName), maxID)
	}
	e.timestamp, e.received = r.time(tree, "timestamp"), r.time(tree, "receiveTimestamp")
	e.labels = r.labels(tree, "", "labels")
	resource := r.object(tree, "", "resource")
	e.resourceType = r.text(resource, "resource", "type")
	e.resourceLabels = r.labels(resource, "resource", "labels")
	running := r.object(tree, "", "operation")
	e.long.First, e.long.Last = r.flag(running, "operation", "first"), r.flag(running, "operation", "last")
	producer, id := r.text(running, "operation", "producer"), r.text(running, "operation", "id")
	if id != "" && !(e.long.First && e.long.Last) {
		e.long.ID = producer + " " + id
	}
	if e.long.ID == "" {
		e.long = auditlog.LongRunning{}
	}
	if payload := r.object(tree, "", "protoPayload"); payload != nil {
		e.audit(&r, payload)
	}
	if r.err != nil {
		return nil, r.err
	}
	if e.timestamp.IsZero() {
		e.timestamp = e.received
	}
	if e.timestamp.IsZero() {
		return nil, errors.New("timestamp and receiveTimestamp are both missing")
	}
	if ms := e.timestamp.UnixMilli(); ms < 0 || uint64(ms) > ulid.MaxTime() {
		return nil, errors.New("timestamp is before 1970")
	}
	if e.insertID == "" {
		e.insertID = fallbackID()
	}
	return e, nil
}

// auditType is the type of protoPayload in an audit log.
const auditType = "type.googleapis.com/google.cloud.audit.AuditLog"

func (e *entry) audit(r *reader, payload object) {
	const at = "protoPayload"
	e.method, e.serviceName = r.text(payload, at, "methodName"), r.text(payload, at, "serviceName")
	e.resourceName = r.text(payload, at, "resourceName")
	e.audited = e.method != ""
	if !e.audited {
		if payload["@type"] == auditType && r.err == nil {
			r.err = errors.New("protoPayload.methodName is missing")
		}
		return
	}
	status := r.object(payload, at, "status")
	e.status = r.integer(status, "protoPayload.status", "code")
	for i, item := range r.list(payload, at, "authorizationInfo") {
		if i == maxAuthorizations {
			break
		}
		where := fmt.Sprintf("protoPayload.authorizationInfo[%d]", i)
		info, ok := item.(object)
		if !ok {
			r.wrong(where, "an object", item)
		}
		e.authorizations = append(e.authorizations, r.flag(info, where, "granted"))
	}
	e.hasRequest = payload["request"] != nil && !(e.long.Last && !e.long.First && onlyTyped(payload["request"]))
	e.caller = r.caller(payload)
	if e.long.ID != "" { // of another method is another operation, whatever it is called
		e.long.ID += " " + lastSegment(e.method)
	}
}

// onlyTyped reports whether a message says nothing but its type, as the request does in
// the last entries of Compute Engine. In a first entry that is a request whose fields
// are all zero, which JSON leaves out.
func onlyTyped(message any) bool {
	o, ok := message.(object)
	return ok && len(o) == 1 && o["@type"] != nil
}

func (r *reader) time(o object, name string) time.Time {
	text := r.text(o, "", name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s is no time in RFC 3339: %q", name, short(text))
	}
	return t.UTC()
}

// maxLabels is how many labels are read: Cloud Logging takes 64 of an entry, an API
// server may write more annotations.
const maxLabels = 256

func (r *reader) labels(o object, path, name string) map[string]string {
	from := r.object(o, path, name)
	if len(from) == 0 {
		return nil
	}
	path = join(path, name)
	if len(from) > maxLabels {
		if r.err == nil {
			r.err = fmt.Errorf("%s has more than %d entries", path, maxLabels)
		}
		return nil
	}
	labels := map[string]string{}
	for key := range from {
		labels[key] = r.text(from, path, key)
	}
	return labels
}

// key tells an entry from all others (Reading.Key). None of its parts has a space
// before the last one: log names are URL-encoded.
func (e *entry) key() string {
	return e.logName + " " + e.timestamp.Format(time.RFC3339Nano) + " " + e.insertID
}

// decisionID is the same whenever the entry is read.
func decisionID(key string, at time.Time) string {
	var id ulid.ULID
	sum := sha256.Sum256([]byte(key))
	copy(id[6:], sum[:])
	if err := id.SetTime(ulid.Timestamp(at)); err != nil {
		return "" // newEntry has refused such times
	}
	return id.String()
}

// contentID stands in for an insertId that is missing, in files that people wrote.
func contentID(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256-" + hex.EncodeToString(sum[:16])
}

// project is what the log's name says, or empty.
func (e *entry) project() string { return e.parent("projects/") }

func (e *entry) parent(prefix string) string {
	rest, ok := strings.CutPrefix(e.logName, prefix)
	name, _, _ := strings.Cut(rest, "/")
	if !ok {
		return ""
	}
	return name
}

// logID is the last part of the log's name, decoded.
func logID(logName string) string {
	_, id, _ := strings.Cut(logName, "/logs/")
	if decoded, err := url.PathUnescape(id); err == nil {
		return decoded
	}
	return id
}

// source is where the entry is found again
// (https://cloud.google.com/logging/docs/view/logging-query-language).
func (e *entry) source() operation.Source {
	s := operation.Source{UID: e.insertID, Log: e.logName}
	var scope string
	for prefix, parameter := range map[string]string{"projects/": "project", "folders/": "folder", "organizations/": "organizationId"} {
		if name := e.parent(prefix); name != "" {
			scope = parameter + "=" + url.QueryEscape(name)
		}
	}
	if scope == "" {
		return s
	}
	query := fmt.Sprintf("insertId=%q timestamp=%q", e.insertID, e.timestamp.Format(time.RFC3339Nano))
	query = consoleEscapes.Replace(url.PathEscape(query))
	s.Link = "https://console.cloud.google.com/logs/query;query=" + query + "?" + scope
	return s
}

// consoleEscapes escapes what PathEscape leaves as it is, and the console reads as its
// own.
var consoleEscapes = strings.NewReplacer("=", "%3D", "&", "%26", ":", "%3A")
