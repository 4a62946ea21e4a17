package certs

import (
	"context"
	"time"
)

// retryInterval is between attempts while there is nothing to serve: 5 s, quick enough for a program that starts together with
// what it depends on, and 12 requests a minute for an API server that has troubles of its own.
const retryInterval = 5 * time.Second

// loop calls sync until ctx ends, once per interval, sooner while the source is not ready.
func loop(ctx context.Context, interval time.Duration, ready func() error, sync func(context.Context)) {
	for ctx.Err() == nil {
		sync(ctx)
		wait := interval
		if ready() != nil {
			wait = min(interval, retryInterval)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}
