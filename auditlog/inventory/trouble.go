package inventory

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
)

// Sources of troubles (alert.Trouble).
const (
	// SourceSearch is the search that fills the inventory, SourceHistory the history of
	// what is gone, SourceFeed the feed that keeps it current.
	SourceSearch  = "inventory"
	SourceHistory = "inventory history"
	SourceFeed    = "inventory feed"
)

type troubleKey struct {
	kind   alert.TroubleKind
	source string
}

// troubles remembers what was reported, to say when it is over.
type troubles struct {
	report auditlog.Report
	mu     sync.Mutex
	open   map[troubleKey]bool
}

func (t *troubles) tell(kind alert.TroubleKind, source string, since time.Time, text string) {
	t.mu.Lock()
	t.open[troubleKey{kind, source}] = true
	t.mu.Unlock()
	t.report(alert.Trouble{Kind: kind, Source: source, Since: since, Text: text})
}

// over says of a source's troubles, of these kinds or all, that they are mended.
func (t *troubles) over(source string, at time.Time, kinds ...alert.TroubleKind) {
	if len(kinds) == 0 {
		kinds = []alert.TroubleKind{alert.Missing, alert.Forbidden, alert.Exhausted, alert.Unreachable, alert.Undecodable, alert.Unlabelled}
	}
	for _, kind := range kinds {
		t.mu.Lock()
		was := t.open[troubleKey{kind, source}]
		delete(t.open, troubleKey{kind, source})
		t.mu.Unlock()
		if was {
			t.report(alert.Trouble{Kind: kind, Source: source, Since: at, Text: "mended", Over: true})
		}
	}
}

// kindOf says what trouble an answer of Google's is.
func kindOf(err error) alert.TroubleKind {
	switch status.Code(err) {
	case codes.PermissionDenied, codes.Unauthenticated:
		return alert.Forbidden
	case codes.ResourceExhausted:
		return alert.Exhausted
	case codes.NotFound, codes.InvalidArgument:
		return alert.Missing
	}
	return alert.Unreachable
}

// explain says what is wrong with a scope, and what to do.
func explain(what, scope string, err error) string {
	cause := clip(strings.TrimSpace(status.Convert(err).Message()))
	switch kindOf(err) {
	case alert.Forbidden:
		return fmt.Sprintf("%s of %s: not allowed: grant roles/cloudasset.viewer to Mollyguard's service account there: %s (and in its own project: gcloud services enable cloudasset.googleapis.com); Cloud Asset Inventory says: %s",
			what, scope, grantCommand(scope), cause)
	case alert.Exhausted:
		return fmt.Sprintf("%s of %s: the quota of Cloud Asset Inventory is used up (https://cloud.google.com/asset-inventory/docs/quota); it is tried again: %s", what, scope, cause)
	case alert.Missing:
		return fmt.Sprintf("%s of %s: Cloud Asset Inventory does not know it: check the scope in the configuration: %s", what, scope, cause)
	}
	return fmt.Sprintf("%s of %s: Cloud Asset Inventory does not answer; it is tried again: %s", what, scope, cause)
}

// grantCommand is for whoever may grant, to be pasted with the account filled in.
func grantCommand(scope string) string {
	kind, id, _ := strings.Cut(scope, "/")
	group := map[string]string{"projects": "projects", "folders": "resource-manager folders", "organizations": "organizations"}[kind]
	return fmt.Sprintf("gcloud %s add-iam-policy-binding %s --member=serviceAccount:ACCOUNT --role=roles/cloudasset.viewer", group, id)
}

// tellFull says that there are more assets than are kept.
func (i *Inventory) tellFull() {
	i.troubles.tell(alert.Unlabelled, SourceSearch, i.o.Now(),
		fmt.Sprintf("the inventory has %d assets, and takes no more: what it does not know counts as production; name fewer scopes or asset types", MaxAssets))
}
