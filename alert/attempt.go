package alert

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// grace is how long after its end a sink may take to notice that its time is over.
const grace = 2 * time.Second

var errStuck = errors.New("the sink did not return when its time was over")

// attempt calls the sink. One that panics has failed. One that does not return holds
// up its own queue alone: it must not be called twice at a time, and is waited for.
func (w *worker) attempt(ctx context.Context, a Alert) error {
	limited, cancel := context.WithTimeout(ctx, SendTimeout)
	defer cancel()
	returned := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				returned <- fmt.Errorf("the sink panicked: %v", r)
			}
		}()
		returned <- w.sink.Send(limited, a)
	}()
	select {
	case err := <-returned:
		return err
	case <-limited.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case err := <-returned:
		return err
	case <-timer.C:
	}
	if ctx.Err() == nil {
		w.log.Error("sink is stuck", "sink", w.name, "incident", a.ID)
		w.metrics.healthy.Set(0)
		select {
		case err := <-returned:
			return err
		case <-ctx.Done():
		}
	}
	return errStuck
}
