package logging

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

// call is what may fail by itself.
type call string

const (
	connecting call = "connect"
	tailing    call = "tail"
	listing    call = "list"
)

// credentialsError says that there is no client, which without a network connection
// is for want of credentials.
type credentialsError struct{ cause error }

func (e *credentialsError) Error() string {
	return fmt.Sprintf("connect to Cloud Logging: %v", e.cause)
}

func (e *credentialsError) Unwrap() error { return e.cause }

// troubles knows what was reported and is not over. The tail and the list may have the
// same trouble: it is over when neither has it.
type troubles struct {
	source *Source
	report auditlog.Report

	lock sync.Mutex
	// since is when the first of the failures of a call came that nothing good followed.
	since map[call]time.Time
	told  map[alert.TroubleKind]map[call]bool
	// open is whether entries are missing that a list would find, forGood whether some
	// are that none will.
	open, forGood bool
}

// failed says that a call did.
func (t *troubles) failed(c call, err error) {
	now := t.source.Now()
	trouble := t.source.trouble(c, err)
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.since == nil {
		t.since, t.told = map[call]time.Time{}, map[alert.TroubleKind]map[call]bool{}
	}
	if t.since[c].IsZero() {
		t.since[c] = now
	}
	if trouble.Kind == alert.Unreachable && now.Sub(t.since[c]) < t.source.Patience {
		return
	}
	t.settle(c, trouble.Kind) // one call has one trouble at a time
	if t.told[trouble.Kind] == nil {
		t.told[trouble.Kind] = map[call]bool{}
	}
	t.told[trouble.Kind][c] = true
	trouble.Since = t.since[c]
	t.report(trouble)
}

// works says that a call does.
func (t *troubles) works(c call) {
	t.lock.Lock()
	defer t.lock.Unlock()
	delete(t.since, c)
	t.settle(c, "")
	if c == listing && t.open {
		t.open = false
		if !t.forGood {
			t.report(alert.Trouble{Kind: alert.Gap, Source: t.source.name, Over: true, Text: "all entries could be listed again: nothing is missing"})
		}
	}
}

// settle ends what a call had, but for one kind.
func (t *troubles) settle(c call, but alert.TroubleKind) {
	for _, kind := range []alert.TroubleKind{alert.Missing, alert.Forbidden, alert.Exhausted, alert.Unreachable} {
		calls := t.told[kind]
		if kind == but || !calls[c] {
			continue
		}
		if delete(calls, c); len(calls) == 0 {
			t.report(alert.Trouble{Kind: kind, Source: t.source.name, Over: true, Text: "the " + string(c) + " works again"})
		}
	}
}

// gap says that what came since a time cannot be listed, if Cloud Logging said no.
// What it only could not answer now is not a gap yet: the next list has it.
func (t *troubles) gap(from time.Time, err error) {
	switch status.Code(err) {
	case codes.PermissionDenied, codes.NotFound, codes.Unauthenticated, codes.InvalidArgument:
	default:
		return
	}
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.open {
		return
	}
	t.open = true
	t.report(alert.Trouble{
		Kind: alert.Gap, Source: t.source.name, Since: from,
		Text: fmt.Sprintf("entries from %s to %s may be missing, as they cannot be listed: %s: they are read when they can be",
			from.UTC().Format(time.RFC3339), t.source.Now().UTC().Format(time.RFC3339), operation.Printable(status.Convert(err).Message())),
	})
}

// lost says that entries will never be read.
func (t *troubles) lost(since time.Time, text string) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.forGood = true
	t.report(alert.Trouble{Kind: alert.Gap, Source: t.source.name, Since: since, Text: text})
}

// trouble says what an error means, and what to do.
func (s *Source) trouble(c call, err error) alert.Trouble {
	t := alert.Trouble{Source: s.name}
	what := strings.Join(s.Resources, ", ")
	said := operation.Printable(status.Convert(err).Message())
	if credentials, ok := errors.AsType[*credentialsError](err); ok {
		t.Kind = alert.Forbidden
		t.Text = fmt.Sprintf("the logs of %s cannot be read: there are no credentials: %s: set up Workload Identity, or run gcloud auth application-default login", what, operation.Printable(credentials.cause.Error()))
		return t
	}
	switch status.Code(err) {
	case codes.NotFound:
		t.Kind = alert.Missing
		t.Text = fmt.Sprintf("what is to be read is not there (%s): %s: see that the names are right, and the project or log bucket was not deleted", what, said)
	case codes.InvalidArgument:
		t.Kind = alert.Missing
		t.Text = fmt.Sprintf("Cloud Logging refuses to %s the logs of %s: %s: see that the names and the filter of the source are right", c, what, said)
	case codes.PermissionDenied:
		t.Kind = alert.Forbidden
		t.Text = fmt.Sprintf("the logs of %s may not be read: %s: grant roles/logging.viewer, and roles/logging.privateLogViewer for data access logs: %s", what, said, grantCommand(s.Resources[0]))
	case codes.Unauthenticated:
		t.Kind = alert.Forbidden
		t.Text = fmt.Sprintf("the logs of %s cannot be read: the credentials are not accepted, they may have expired or been deleted: %s: see that the service account is enabled and its credentials are current", what, said)
	case codes.ResourceExhausted:
		t.Kind = alert.Exhausted
		t.Text = fmt.Sprintf("a quota of Cloud Logging is used up by the %s of %s: %s", c, what, said)
		if c == tailing {
			t.Text += fmt.Sprintf(": there may be 10 tails a project; entries are listed each %v instead", s.PollInterval)
		} else {
			t.Text += ": there may be 60 lists a minute and project; ask for more, or use a log sink and Pub/Sub"
		}
	default:
		t.Kind = alert.Unreachable
		t.Text = fmt.Sprintf("Cloud Logging cannot be reached for the %s of %s: %s (%s): see that the network lets connections to it through, and https://status.cloud.google.com", c, what, said, status.Code(err))
	}
	return t
}

// grantCommand is the command that lets somebody read all logs of a resource.
func grantCommand(resource string) string {
	kind, rest, _ := strings.Cut(resource, "/")
	id, view, isView := strings.Cut(rest, "/")
	const member = " --member=serviceAccount:ACCOUNT --role=roles/"
	command := map[string]string{
		"projects":      "gcloud projects add-iam-policy-binding " + id,
		"folders":       "gcloud resource-manager folders add-iam-policy-binding " + id,
		"organizations": "gcloud organizations add-iam-policy-binding " + id,
	}[kind]
	if isView {
		return command + member + "logging.viewAccessor (the view is " + view + ")"
	}
	return command + member + "logging.privateLogViewer"
}
