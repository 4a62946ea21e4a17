package alert

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// DefaultUpdateInterval is how often a sink is told of one incident at most: a burst
// of deletions is not a burst of messages.
const DefaultUpdateInterval = 10 * time.Second

// BookOptions says whom to tell of what. Sinks is required.
type BookOptions struct {
	// Sinks are the names of the sinks there are: of letters, digits, dots, dashes and
	// underscores, at most 63.
	Sinks []string
	// Routes choose among the sinks. Every route that fits adds its own.
	Routes []Route
	// Cluster is the cluster or place of this Mollyguard, Help whom to ask; both are
	// in every alert.
	Cluster string
	Help    string
	// Approve is the command that approves a request, by its handle; nil means kubectl
	// mollyguard approve.
	Approve func(handle string) string
	// Runbooks are URLs by policy.
	Runbooks map[string]string
	// UpdateInterval is how often a sink is told of one incident at most; zero means
	// DefaultUpdateInterval.
	UpdateInterval time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Book keeps incidents and what waits for the sinks in the ledger. Its methods work in
// a transaction of the caller's, so that what people are to be told is kept with what
// it follows from, or neither is. It may be used concurrently, with a transaction
// each.
type Book struct {
	sinks    []string // sorted
	routes   []route
	cluster  string
	help     string
	runbooks map[string]string
	approve  func(handle string) string
	interval time.Duration
	now      func() time.Time
}

// sinkName is what a sink may be called: its name is the beginning of keys, and a
// value of metrics' label.
var sinkName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// NewBook returns a Book, or an error that lists all that is wrong with the options.
func NewBook(o BookOptions) (*Book, error) {
	b := &Book{
		sinks: slices.Sorted(slices.Values(o.Sinks)), cluster: o.Cluster, help: o.Help, runbooks: maps.Clone(o.Runbooks),
		interval: o.UpdateInterval, now: o.Now, approve: o.Approve,
	}
	var errs []error
	if len(b.sinks) == 0 {
		errs = append(errs, errors.New("sinks: there is none, so nobody would be told"))
	}
	for i, name := range b.sinks {
		switch {
		case !sinkName.MatchString(name):
			errs = append(errs, fmt.Errorf("sinks: %q is not a name: use letters, digits, dots, dashes and underscores, 63 at most", name))
		case slices.Contains(reservedSinks(), name):
			errs = append(errs, fmt.Errorf("sinks: %q has a meaning of its own: choose another name", name))
		case i > 0 && b.sinks[i-1] == name:
			errs = append(errs, fmt.Errorf("sinks: there are two of the name %q", name))
		}
	}
	for i, r := range o.Routes {
		compiled, err := newRoute(fmt.Sprintf("routes[%d]", i), r, b.sinks)
		b.routes, errs = append(b.routes, compiled), append(errs, err)
	}
	if b.interval < 0 {
		errs = append(errs, fmt.Errorf("update interval: %v is negative", b.interval))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if b.interval == 0 {
		b.interval = DefaultUpdateInterval
	}
	if b.now == nil {
		b.now = time.Now
	}
	if b.approve == nil {
		b.approve = func(handle string) string { return "kubectl mollyguard approve " + handle }
	}
	return b, nil
}

// Sinks returns the names of the sinks, sorted.
func (b *Book) Sinks() []string { return slices.Clone(b.sinks) }

// time is now as it is kept: a record must read back as it was written.
func (b *Book) time() time.Time { return kept(b.now()) }

// kept is a time in UTC as JSON can have it: an entry of the last hour of the year 9999
// in New York is one of the year 10000 here, which RFC 3339 does not know.
func kept(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Millisecond)
	switch year := t.Year(); {
	case year < 0:
		return time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	case year > 9999:
		return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	return t
}

// worse returns the worse of two severities.
func worse(a, b operation.Severity) operation.Severity {
	if b.Rank() > a.Rank() {
		return b
	}
	return a
}
