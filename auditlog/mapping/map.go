package mapping

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

// Mapper reads entries. It may be used concurrently.
type Mapper struct {
	options   Options
	table     *Table
	ownNames  *regexp.Regexp // nil matches all
	heartbeat string
	scanners  *sync.Pool
	// guards are the guarded clusters.
	guards []Cluster
}

// New reads the tables. An error lists all that is wrong with them and with
// Options.OwnNames.
func New(opts Options) (*Mapper, error) {
	table, err := Load(opts.Files)
	if err != nil {
		return nil, err
	}
	return newMapper(opts, table)
}

func newMapper(opts Options, table *Table) (*Mapper, error) {
	m := &Mapper{options: opts, table: table, heartbeat: opts.HeartbeatLog, scanners: newScanners()}
	for _, c := range opts.Clusters {
		if c.Guarded {
			m.guards = append(m.guards, c.completed())
		}
	}
	if len(opts.OwnNames) > 0 {
		for _, pattern := range opts.OwnNames {
			if _, err := regexp.Compile(pattern); err != nil {
				return nil, fmt.Errorf("name of what mollyguard sees with %q: %w", pattern, err)
			}
		}
		var err error
		if m.ownNames, err = regexp.Compile(`^(?:(?:` + strings.Join(opts.OwnNames, `)|(?:`) + `))$`); err != nil {
			return nil, fmt.Errorf("names of what mollyguard sees with: %w", err)
		}
	}
	return m, nil
}

// Rows lists what the mapper knows of methods.
func (m *Mapper) Rows() []Row { return m.table.Rows() }

// Map implements auditlog.Mapper.
func (m *Mapper) Map(data []byte) (auditlog.Reading, error) {
	if !m.Cares(data) {
		return auditlog.Reading{}, nil
	}
	return m.read(data)
}

// read is Map without the scan before it.
func (m *Mapper) read(data []byte) (auditlog.Reading, error) {
	tree, err := decode(data)
	if err != nil {
		return auditlog.Reading{}, err
	}
	var native *nativeEntry
	if isNative(tree) {
		if native, err = fromNative(tree); err != nil || native == nil {
			return auditlog.Reading{}, err
		}
		tree = native.tree
	}
	if m.uninteresting(tree) {
		return auditlog.Reading{}, nil
	}
	e, err := newEntry(tree, func() string { return contentID(data) })
	if err != nil {
		return auditlog.Reading{}, err
	}
	if native != nil {
		e.native, e.uid, e.wasDryRun = true, native.uid, native.dryRun
	}
	r := m.reading(e)
	if r.Care == auditlog.Judge {
		r.Raw = withoutTokens(data)
	}
	return r, nil
}

// uninteresting reports whether an entry is neither an audit log's nor a heartbeat.
// Logs of other kinds come along in files and wide sinks, and may lack what we need.
func (m *Mapper) uninteresting(tree object) bool {
	logName, _ := tree["logName"].(string)
	if m.isHeartbeat(logName) {
		return false
	}
	return tree["protoPayload"] == nil || logName != "" && !isAuditLog(logName)
}

// isAuditLog reports whether a log is one that only Google writes
// (https://cloud.google.com/logging/docs/audit#log_name_format). Into any other, whoever
// has roles/logging.logWriter can write that somebody else did something.
func isAuditLog(logName string) bool {
	_, id, _ := strings.Cut(logName, "/logs/")
	return strings.HasPrefix(id, "cloudaudit.googleapis.com%2F") || strings.HasPrefix(id, "cloudaudit.googleapis.com/")
}

func (m *Mapper) isHeartbeat(logName string) bool {
	return m.heartbeat != "" && logID(logName) == m.heartbeat
}

func (m *Mapper) reading(e *entry) auditlog.Reading {
	reading := auditlog.Reading{Key: e.key(), Timestamp: e.timestamp, Received: e.received}
	if m.isHeartbeat(e.logName) {
		reading.Care = auditlog.Heartbeat
		return reading
	}
	if !e.audited {
		return auditlog.Reading{}
	}
	var judged bool
	if e.serviceName == kubernetesService {
		judged = m.kubernetes(e, &reading)
	} else {
		judged = m.cloud(e, &reading)
	}
	if !judged {
		return auditlog.Reading{}
	}
	reading.LongRunning = e.long
	op := &reading.Operation
	if op.Surface == operation.GCP {
		m.known(op)
	}
	op.Phase, op.Time = e.phase(), e.timestamp
	op.Actor, op.Origin = m.actor(e.caller), e.caller.origin()
	op.Presented = presented(e.caller.reason)
	op.Source, op.DecisionID = e.source(), decisionID(reading.Key, e.timestamp)
	return reading
}

// known says what is known of any target: that it is an account by which Mollyguard
// reads, and that its project is not known.
func (m *Mapper) known(op *operation.Operation) {
	if op.Verb != operation.Update && slices.ContainsFunc(strings.Split(op.Target.Ref, "/"), m.isOwn) {
		op.Target.Own = true
	}
	if digits(op.Target.Project) {
		op.Unknown = append(op.Unknown, "which project "+op.Target.Project+" is")
	}
}

// cloud reads a call of a Google API, and reports whether it is to be judged.
func (m *Mapper) cloud(e *entry, reading *auditlog.Reading) bool {
	op := &reading.Operation
	op.Surface = operation.GCP
	reading.Care = auditlog.Judge
	known, r, sure := m.row(e)
	switch {
	case r != nil && r.ignore:
		return false
	case r != nil:
		m.apply(r, e, reading)
		if !sure {
			// How it ended, of something of which only the beginning says what it was.
			op.Verb, op.Changes, op.Target.Own, reading.NewLabels = operation.Update, nil, false, nil
		}
	case !known && looksDestructive(e.method):
		op.Verb = operation.Unknown
		op.Target, op.Unknown = unknownTarget(e)
		op.Changes = []string{"call of " + short(e.method) + ", which no table of methods knows"}
	case !setsPolicy(e.method):
		return false
	}
	if setsPolicy(e.method) {
		return m.policyChange(r, e, op)
	}
	return true
}

// row finds the row that decides. known says that some row has the method; sure is
// false if it depends on a request that is in another entry.
func (m *Mapper) row(e *entry) (known bool, found *row, sure bool) {
	rows := m.table.rows(e.serviceName, e.method)
	for _, r := range rows {
		switch r.fits(e) {
		case yes:
			return true, r, true
		case perhaps:
			return true, r, false
		}
	}
	return len(rows) > 0, nil, true
}

type answer int

const (
	no answer = iota
	yes
	perhaps
)

// fits reports whether all conditions hold. The last entry of a long-running operation
// has no request, of which nothing can be said then.
func (r *row) fits(e *entry) answer {
	result := yes
	for _, c := range r.when {
		if c.path.in("protoPayload.request") && !e.hasRequest && e.long.Last {
			result = perhaps
			continue
		}
		if !c.holds(e.tree) {
			return no
		}
	}
	return result
}

// apply says what a row's method does.
func (m *Mapper) apply(r *row, e *entry, reading *auditlog.Reading) {
	op := &reading.Operation
	op.Verb = r.verb
	op.Target, op.Unknown = r.kind.target(e)
	if len(r.change.texts) > 0 {
		op.Changes = []string{r.change.write(e.tree)}
	}
	if r.labels != nil && (e.hasRequest || !r.labels.in("protoPayload.request")) {
		reading.NewLabels = newLabels(r.labels.first(e.tree))
	}
	op.Target.Own = r.own && (m.ownNames == nil || m.ownNames.MatchString(op.Target.Name))
}

// newLabels reads labels as a map or, as Compute Engine logs them, a list of keys and
// values. Labels that are left out of a call which sets them are none.
func newLabels(value any) map[string]string {
	labels := map[string]string{}
	switch value := value.(type) {
	case object:
		for key, text := range value {
			labels[key] = plain(text)
		}
	case []any:
		for _, item := range value {
			pair, _ := item.(object)
			if key := plain(pair["key"]); key != "" {
				labels[key] = plain(pair["value"])
			}
		}
	}
	return labels
}
