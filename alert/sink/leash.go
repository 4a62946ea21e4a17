package sink

import (
	"context"
	"errors"
	"fmt"
)

// leash bounds calls that do not honour a context. Whoever calls goes on when ctx
// ends; the call itself may hang on, and of those only so many are begun.
type leash struct{ running chan struct{} }

func newLeash(most int) leash { return leash{make(chan struct{}, most)} }

var errLeash = errors.New("earlier attempts hang still: none is begun until one of them returns")

// run returns what do returns, or ctx's error. A panic of do is an error.
func (l leash) run(ctx context.Context, do func() error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case l.running <- struct{}{}:
	default:
		return errLeash
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-l.running }()
		defer func() {
			if problem := recover(); problem != nil {
				done <- fmt.Errorf("panic: %v", problem)
			}
		}()
		done <- do()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
