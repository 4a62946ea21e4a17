// Package auditlog watches Google Cloud's audit log. A Source hands out log entries,
// a Mapper (package mapping) reads them as operations, an Inventory says what was
// production, and the Watcher has them judged, keeps what people are to be told in
// the ledger, and only then lets the source forget them.
//
//	Source ─► scan ─► map ─► inventory ─┐ (some goroutines, in order)
//	                                    ▼
//	   join to the operation it ends, judge, alert.Book   (one goroutine)
//	                                    ▼
//	   one ledger transaction: seen + operation + incident + queue + position
//	                                    ▼
//	                                   Ack
//
// An entry that comes twice is judged once. What cannot be read is kept, and told.
package auditlog

import (
	"context"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

// Message is one log entry as a source hands it out.
type Message struct {
	// Data is a LogEntry in JSON, as Cloud Logging's REST API, its log sinks and
	// gcloud write it. It is the Watcher's to keep.
	Data []byte
	// Received is when the source got it.
	Received time.Time
	// Position is where the source goes on after this message when it is started
	// again, in a form that only the source knows; empty if the source itself does not
	// go on anywhere (Pub/Sub keeps count on its side). Positions of one source are
	// handed out in the order in which they are to be kept.
	Position string
	// Ack says that the outcome is durable. Nack says that it is not, and that the
	// message should come again. One of them is called, once; they may be called from
	// any goroutine and return at once. Nil where nobody is to be told.
	Ack, Nack func()
	// Redelivers reports whether a message that was nacked comes again.
	Redelivers bool
}

// Source hands out log entries.
type Source interface {
	// Name is the source's name in positions, metrics, troubles and the log: of a
	// closed set, such as pubsub:projects/p/subscriptions/s.
	Name() string
	// Run hands out entries until ctx ends, beginning after position (empty for a
	// source that never ran), and returns nil then, or when a source that ends has
	// ended. hand blocks while the Watcher is busy, and returns an error if ctx
	// ended. Run retries what may get better by itself, for ever, with pauses that
	// grow, and reports it; it returns an error only for what can never get better
	// (a malformed name). report may be called at any time, from any goroutine, and
	// with the same trouble again and again.
	Run(ctx context.Context, position string, hand Hand, report Report) error
}

// Hand takes a message.
type Hand func(ctx context.Context, m Message) error

// Report takes a trouble, or word that one is over.
type Report func(t alert.Trouble)

// Inventory knows cloud resources. It is called concurrently.
type Inventory interface {
	// Find returns what is known of a resource, by its canonical name
	// (operation.GCPRef), as of a time: of one that is gone, what was known last. ok is
	// false if nothing is known. An error means that it could not be found out.
	Find(ctx context.Context, ref, project string, at time.Time) (a Asset, ok bool, err error)
}

// Asset is what is known of a resource.
type Asset struct {
	// Labels are its own, Tags its resource manager tags by short key, its own and
	// inherited ones, ProjectLabels those of its project.
	Labels        map[string]string `json:"labels,omitempty"`
	Tags          map[string]string `json:"tags,omitempty"`
	ProjectLabels map[string]string `json:"project_labels,omitempty"`
	// Ancestors are what the project is in, nearest first: folders/NUMBER,
	// organizations/NUMBER.
	Ancestors []string `json:"ancestors,omitempty"`
	// Former are label sets that the resource had within the hour before, newest
	// first: a label that is taken off just before a delete must not hide it.
	Former []map[string]string `json:"former,omitempty"`
}

// Family is an Inventory that knows what is in a resource.
type Family interface {
	// Below calls do with each of what was in a resource at a time, up to a limit, and
	// returns whether there was more.
	Below(ctx context.Context, ref string, at time.Time, do func(Child)) (more bool, err error)
}

// Child is something in another resource.
type Child struct {
	Kind, Name string
	Labels     map[string]string
}

// Care says what is to be done with an entry.
type Care int

// The cares.
const (
	// Ignore: no policy can care about it.
	Ignore Care = iota
	// Judge: it is an operation.
	Judge
	// Heartbeat: Mollyguard wrote it, to see that it comes back.
	Heartbeat
	// Mediated: the webhook decided on it already.
	Mediated
)

// Reading is what an entry says. All but Care is empty if that is Ignore.
type Reading struct {
	Care Care
	// Key tells the entry from all others, and is the same whenever it comes: Cloud
	// Logging takes entries of equal logName, timestamp and insertId for one
	// (https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry).
	Key string
	// Timestamp is when it happened, Received when Cloud Logging got the entry.
	Timestamp, Received time.Time
	// Operation has what the entry tells: no labels, and no production.
	Operation operation.Operation
	// Raw is the entry as it came, less any token in it. It is to be read only.
	Raw []byte `json:"-"`
	// LongRunning is the operation that goes on after the entry, if there is one.
	LongRunning LongRunning
	// Parent is the canonical name of what stands for the target where labels are asked
	// for, if not the target itself: the GKE cluster of a Kubernetes object.
	Parent string
	// NewLabels are the labels that the target will have, if the call sets them; nil
	// if it does not.
	NewLabels map[string]string
}

// LongRunning names an operation of which there are several entries: the first says
// who and what, the last how it ended.
type LongRunning struct {
	// ID is producer and id (LogEntryOperation), empty if there is one entry only.
	ID          string
	First, Last bool
}

// Mapper reads entries. Its methods are pure, and may be called concurrently.
type Mapper interface {
	// Cares reports, after a scan that decodes nothing, whether Map could make
	// anything of an entry. It never says no to what it cannot read.
	Cares(data []byte) bool
	// Map reads an entry. An error says what cannot be read, and where.
	Map(data []byte) (Reading, error)
}
