package main

import (
	"context"

	"github.com/mollyguard/mollyguard/config"
)

// until does what nobody can stop, such as opening or reading a pipe that no one writes to,
// for as long as somebody waits for it. What it makes later is given to drop, if that is not
// nil.
func until[T any](ctx context.Context, do func() (T, error), drop func(T)) (T, error) {
	type answer struct {
		made T
		err  error
	}
	answers := make(chan answer)
	go func() {
		made, err := do()
		select {
		case answers <- answer{made, err}:
		case <-ctx.Done():
			if err == nil && drop != nil {
				drop(made)
			}
		}
	}()
	select {
	case a := <-answers:
		return a.made, a.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// loadConfigUntil is loadConfig for as long as somebody waits: what --config names may be a
// pipe.
func loadConfigUntil(ctx context.Context, path string) (config.Configuration, error) {
	return until(ctx, func() (config.Configuration, error) { return loadConfig(path) }, nil)
}
