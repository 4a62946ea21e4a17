package inventory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/pause"
)

const (
	// firstPause and lastPause are how long is waited after a search that failed; it
	// doubles in between.
	firstPause = 5 * time.Second
	lastPause  = 10 * time.Minute
	// exhaustedPause is how long a quota of a minute takes to come back.
	exhaustedPause = time.Minute
)

// refreshLoop searches when it is time, until ctx ends.
func (i *Inventory) refreshLoop(ctx context.Context) {
	rest, failures := time.Duration(0), 0
	for {
		due := time.Unix(i.seeded.Load(), 0).Add(i.o.RefreshInterval).Sub(i.o.Now())
		if pause.For(ctx, max(due, rest)) != nil {
			return
		}
		err := i.Refresh(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			rest, failures = 0, 0
			i.searched()
			continue
		}
		failures++
		rest = max(firstPause, min(2*rest, lastPause))
		if kindOf(err) == alert.Exhausted {
			rest = max(rest, exhaustedPause)
		}
		i.failed(err, failures)
	}
}

// searched says that all is well again, but for what the search itself found.
func (i *Inventory) searched() {
	kinds := []alert.TroubleKind{alert.Missing, alert.Forbidden, alert.Exhausted, alert.Unreachable}
	if i.known.Load() < i.most {
		kinds = append(kinds, alert.Unlabelled)
	}
	i.troubles.over(SourceSearch, i.o.Now(), kinds...)
	i.troubles.over(SourceFeed, i.o.Now(), alert.Undecodable) // the search has what the message had
}

// failed reports a search that failed. What a reconnect mends is nobody's trouble.
func (i *Inventory) failed(err error, failures int) {
	i.o.Log.Warn("search of cloud resources failed", "error", err, "failures", failures)
	switch kind := kindOf(err); {
	case status.Code(err) == codes.Unknown && !errors.Is(err, context.DeadlineExceeded):
		i.troubles.tell(alert.Unlabelled, SourceSearch, i.o.Now(), "labels of cloud resources cannot be kept: "+clip(err.Error()))
	case kind != alert.Unreachable || failures > 1:
		i.troubles.tell(kind, SourceSearch, i.o.Now(), explain("search", i.scopeOf(err), err))
	}
	since := i.created
	if at := i.seeded.Load(); at != 0 {
		since = time.Unix(at, 0)
	}
	if age := i.o.Now().Sub(since); age > staleIntervals*i.o.RefreshInterval {
		i.troubles.tell(alert.Unlabelled, SourceSearch, since,
			fmt.Sprintf("labels of cloud resources are %s old, and cannot be refreshed: %s", age.Round(time.Minute), clip(err.Error())))
	}
}

func (i *Inventory) scopeOf(err error) string {
	for _, scope := range i.o.Scopes {
		if strings.HasPrefix(err.Error(), "search "+scope+":") {
			return scope
		}
	}
	return i.o.Scopes[0]
}
