package alert

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

// recordVersion is the version of record's JSON form.
const recordVersion = 1

// record is a value of the alert tables: JSON, with one of the fields after Version.
//
// An incident's key is its id, and its parts are below that: ID/op/RANK… are the
// operations that may be listed, worst first, ID/told/HASH say what was told. An
// incident of 10,000 deletions so costs a few small records for each, and none of
// them grows.
type record struct {
	Version   int        `json:"version"`
	Incident  *incident  `json:"incident,omitzero"`
	Operation *Operation `json:"operation,omitzero"`
	Told      *told      `json:"told,omitzero"`
	// Current names the incident of a trouble that is not over.
	Current *current `json:"current,omitzero"`
	Queued  *queued  `json:"queued,omitzero"`
	Dead    *dead    `json:"dead,omitzero"`
}

// incident is what all operations of an incident have in common.
type incident struct {
	ID       string              `json:"id"`
	Revision int                 `json:"revision"`
	Kind     Kind                `json:"kind"`
	Status   Status              `json:"status"`
	Severity operation.Severity  `json:"severity"`
	Opened   time.Time           `json:"opened"`
	Updated  time.Time           `json:"updated"`
	Surface  operation.Surface   `json:"surface,omitzero"`
	Project  string              `json:"project,omitzero"`
	Actor    operation.Identity  `json:"actor,omitzero"`
	Origin   operation.Origin    `json:"origin,omitzero"`
	Mixed    mixed               `json:"mixed,omitzero"`
	Tally    []tally             `json:"tally,omitempty"`
	Listed   int                 `json:"listed,omitzero"`
	Title    string              `json:"title,omitzero"`
	Text     []string            `json:"text,omitempty"`
	Times    int                 `json:"times,omitzero"`
	Sinks    map[string]delivery `json:"sinks,omitempty"`
}

// mixed says what the operations of an incident do not have in common.
type mixed struct {
	Surface bool `json:"surface,omitzero"`
	Project bool `json:"project,omitzero"`
	Via     bool `json:"via,omitzero"`
	Origin  bool `json:"origin,omitzero"`
}

// delivery is what a sink has of an incident: the zero one if nothing yet.
type delivery struct {
	Revision int       `json:"revision,omitzero"`
	At       time.Time `json:"at,omitzero"`
}

// state says what became of an operation.
type state string

const (
	stateGoing   state = "going"
	stateDone    state = "done"
	stateFailed  state = "failed"
	stateRefused state = "refused"
)

// feature is what is counted of an operation.
type feature struct {
	Verb       operation.Verb     `json:"verb"`
	Kind       string             `json:"kind"`
	State      state              `json:"state"`
	Severity   operation.Severity `json:"severity"`
	Production bool               `json:"production,omitzero"`
}

type tally struct {
	feature
	Count int `json:"count"`
}

// told says that something is in an incident already.
type told struct {
	// Feature is what it counts as, Key where its operation is below ID/op/, empty if
	// it is not kept.
	Feature feature   `json:"feature,omitzero"`
	Time    time.Time `json:"time"`
	Key     string    `json:"key,omitzero"`
}

type current struct {
	Incident string `json:"incident"`
}

// options read and write records: what is not known may matter, so it is an error;
// what is no UTF-8 comes from outside and is replaced.
var (
	readOptions  = json.RejectUnknownMembers(true)
	writeOptions = json.JoinOptions(jsontext.AllowInvalidUTF8(true), json.Deterministic(true))
)

func (r record) encode() ([]byte, error) {
	r.Version = recordVersion
	text, err := json.Marshal(r, writeOptions)
	if err != nil {
		return nil, fmt.Errorf("write a record: %w", err)
	}
	return text, nil
}

func decodeRecord(text []byte) (record, error) {
	var r record
	err := json.Unmarshal(text, &r, readOptions)
	var head struct {
		Version int `json:"version"`
	}
	if err != nil && json.Unmarshal(text, &head) == nil {
		r.Version = head.Version // which says more than the first field that is not known
	}
	switch {
	case err != nil && (r.Version == recordVersion || r.Version == 0):
		return record{}, fmt.Errorf("read a record: %w", err)
	case r.Version != recordVersion:
		return record{}, fmt.Errorf("read a record: it is of version %d, not %d", r.Version, recordVersion)
	}
	count := 0
	for _, is := range []bool{r.Incident != nil, r.Operation != nil, r.Told != nil, r.Current != nil, r.Queued != nil, r.Dead != nil} {
		if is {
			count++
		}
	}
	if count != 1 {
		return record{}, fmt.Errorf("read a record: it holds %d things, not one", count)
	}
	return r, nil
}

// errMisplaced is a record under a key where another belongs.
var errMisplaced = errors.New("read a record: it is not what belongs there")

// How long texts may be, in bytes. An operation has at most maxList × 6 texts of
// maxText, maxList dependents with maxList names, and a dozen texts of maxName: about
// 150 KiB, or 900 KiB if JSON had to escape every byte; the ledger's limit is 1 MiB.
const (
	maxName  = 1 << 10
	maxText  = 1 << 10
	maxTitle = 300
	maxList  = 8
)

// maxFeature is how long a verb or kind may be that is counted: see maxTallies.
const maxFeature = 256

// clipped is clip for what should be one of a few words, and comes from outside.
func clipped[T ~string](word T, limit int) T { return T(clip(string(word), limit)) }

// clip shortens a text to a number of bytes, in valid UTF-8. Of what is not, each run
// becomes one byte: a mark for it would be three.
func clip(text string, limit int) string {
	return strings.ToValidUTF8(operation.Clip(text, limit), "?")
}

func clipList(list []string, limit int) []string {
	if len(list) == 0 {
		return nil
	}
	short := make([]string, 0, min(len(list), maxList))
	for i, text := range list {
		if i == maxList-1 && len(list) > maxList {
			return append(short, fmt.Sprintf("… and %d more", len(list)-i))
		}
		short = append(short, clip(text, limit))
	}
	return short
}
