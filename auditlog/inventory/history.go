package inventory

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/asset/apiv1/assetpb"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mollyguard/mollyguard/alert"
)

const (
	// historyPerSecond is half the quota of 100 a minute and project
	// (https://cloud.google.com/asset-inventory/docs/quota), historyBurst a tenth of it.
	historyPerSecond = 50.0 / 60
	historyBurst     = 10
	// historyReach is how far back asset history goes: 35 days, less the time that a
	// question takes.
	historyReach = 35*24*time.Hour - time.Hour
	// askAgain is how long an answer counts, also that there is none: history itself is
	// some minutes behind.
	askAgain = 5 * time.Minute
	// maxAsked is how many answers are remembered: what the pace allows in askAgain, 260,
	// and room for what is waited for.
	maxAsked = 1000
	// How long history is not asked after it did not answer.
	pauseForbidden   = 5 * time.Minute
	pauseExhausted   = time.Minute
	pauseUnreachable = 30 * time.Second
)

// history is what is remembered of questions to asset history.
type history struct {
	pace  *rate.Limiter
	group *singleflight.Group
	mu    sync.Mutex
	// again is when what was asked for may be asked for again.
	again  map[string]time.Time
	paused time.Time
}

// ask asks asset history for a resource, keeps what it says, and reports whether it said
// something. An error is of the ledger, or of ctx.
func (i *Inventory) ask(ctx context.Context, f finding, at time.Time) (news bool, err error) {
	if i.client == nil || i.o.HistoryTimeout < 0 || strings.Count(f.path, "/") >= maxDepth || f.project() == "" {
		return false, nil
	}
	now := i.o.Now()
	if at.Before(now.Add(-historyReach)) {
		i.metrics.history.WithLabelValues(historyTooOld).Inc()
		return false, nil
	}
	key := f.service + "/" + f.path
	// The call goes on for others who wait for it, and ends by itself.
	waiting, cancel := context.WithTimeout(ctx, i.o.HistoryTimeout)
	defer cancel()
	done := i.history.group.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.o.HistoryTimeout)
		defer cancel()
		return i.askOnce(ctx, f, key, at)
	})
	select {
	case <-waiting.Done():
		return false, ctx.Err() // too late is no error
	case result := <-done:
		if result.Err != nil {
			return false, result.Err
		}
		return result.Val.(bool), nil
	}
}

// project is what history is asked under.
func (f *finding) project() string {
	if f.id != "" {
		return f.id
	}
	return f.number
}

// askOnce asks, if it was not asked lately and there is quota.
func (i *Inventory) askOnce(ctx context.Context, f finding, key string, at time.Time) (bool, error) {
	now := i.o.Now()
	if !i.history.may(key, now) {
		i.metrics.history.WithLabelValues(historyPaced).Inc()
		return false, nil
	}
	for _, name := range assetNames(f.service, f.path, f.number) {
		list, err := i.fetch(ctx, f.project(), name, at, now)
		if status.Code(err) == codes.InvalidArgument {
			continue // there is, and was, no such asset
		}
		if err != nil {
			i.unanswered(f, err, now)
			return false, nil
		}
		i.troubles.over(SourceHistory, now)
		if len(list) == 0 {
			continue
		}
		// The question may have taken all the time there was; the answer is kept.
		if _, err := i.write(context.WithoutCancel(ctx), list, nil); err != nil {
			return false, err
		}
		i.history.answered(key, now)
		i.metrics.history.WithLabelValues(historyFound).Inc()
		return true, nil
	}
	i.history.answered(key, now)
	i.metrics.history.WithLabelValues(historyUnknown).Inc()
	return false, nil
}

// may reports whether a question may be asked now, and counts it.
func (h *history) may(key string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Before(h.paused) || now.Before(h.again[key]) {
		return false
	}
	return h.pace.AllowN(now, 1)
}

// answered remembers that there is no need to ask again soon.
func (h *history) answered(key string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.again) >= maxAsked {
		maps.DeleteFunc(h.again, func(_ string, until time.Time) bool { return !now.Before(until) })
	}
	if len(h.again) < maxAsked {
		h.again[key] = now.Add(askAgain)
	}
}

// unanswered leaves history alone for some time, so that no further alert waits for it.
func (i *Inventory) unanswered(f finding, err error, now time.Time) {
	kind := kindOf(err)
	result, pause := historyUnreachable, pauseUnreachable
	switch kind {
	case alert.Forbidden:
		result, pause = historyForbidden, pauseForbidden
	case alert.Exhausted:
		result, pause = historyExhausted, pauseExhausted
	}
	i.metrics.history.WithLabelValues(result).Inc()
	i.history.mu.Lock()
	i.history.paused = now.Add(pause)
	i.history.mu.Unlock()
	i.o.Log.Warn("asset history did not answer", "error", err)
	i.troubles.tell(kind, SourceHistory, now, explain("asset history", "projects/"+f.project(), err))
}

// fetch asks for one asset in the hour before a time.
func (i *Inventory) fetch(ctx context.Context, project, name string, at, now time.Time) ([]observation, error) {
	end := at.Add(time.Second)
	if end.After(now) {
		end = now
	}
	answer, err := i.client.BatchGetAssetsHistory(ctx, &assetpb.BatchGetAssetsHistoryRequest{
		Parent: "projects/" + project, AssetNames: []string{name}, ContentType: assetpb.ContentType_RESOURCE,
		ReadTimeWindow: &assetpb.TimeWindow{StartTime: timestamppb.New(end.Add(-FormerWindow - time.Second)), EndTime: timestamppb.New(end)},
	})
	if err != nil {
		return nil, err
	}
	var list []observation
	for _, temporal := range answer.GetAssets() {
		text, err := protojson.Marshal(temporal)
		if err != nil {
			return nil, err
		}
		seen, err := decodeFeed(text)
		if err != nil {
			i.o.Log.Warn("an asset of asset history cannot be read", "error", err)
			continue
		}
		list = append(list, seen...)
		if len(list) > maxHistory {
			return nil, errors.New("asset history says too much of one asset")
		}
	}
	return list, nil
}

// maxHistory is how many changes of one asset are taken from an hour: one a second.
const maxHistory = 3600
