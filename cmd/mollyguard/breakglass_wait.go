package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

const (
	// firstPoll is how long after a request it is looked at again. Each time is half
	// as much later than the one before, up to lastPoll: whoever sits beside the
	// approver sees it at once, and an hour costs 360 questions.
	firstPoll = 2 * time.Second
	lastPoll  = 10 * time.Second
	// maxPollErrors is how often in a row a question may fail: a rollout of the server
	// takes half a minute.
	maxPollErrors = 6
)

// wait looks at a case until it is approved or ended, and returns it as it is then.
// again says how to go on waiting.
func (c console) wait(ctx context.Context, desk remoteDesk, id, again string) (breakglass.View, error) {
	p := progress{console: c}
	errs := 0
	for interval := firstPoll; ; interval = min(interval*3/2, lastPoll) {
		v, err := desk.View(ctx, id)
		switch {
		case ctx.Err() != nil:
			p.end()
			return v, stopped(id, again)
		case errors.Is(err, breakglass.ErrNotFound):
			p.end()
			return v, deskError(err, id)
		case err != nil:
			if errs++; errs > maxPollErrors {
				p.end()
				return v, &exitError{code: exitUndecided, err: fmt.Errorf("%s cannot be looked at: %s", id, printableLines(err.Error())), hint: "the request stays; " + again + " goes on waiting"}
			}
			p.show(fmt.Sprintf("%s cannot be looked at (%s), trying again", id, operation.Printable(err.Error())))
		default:
			errs = 0
			if over, err := c.outcome(v); over {
				p.end()
				return v, err
			}
			p.show(c.waiting(v))
		}
		if c.pause(ctx, interval) != nil {
			p.end()
			return v, stopped(id, again)
		}
	}
}

func stopped(id, again string) error {
	return &exitError{code: exitUndecided, err: fmt.Errorf("stopped waiting; the request %s stays", id), hint: again + " goes on waiting"}
}

// outcome says whether there is nothing to wait for any more, and what came of it.
func (c console) outcome(v breakglass.View) (over bool, err error) {
	switch v.Standing.State {
	case breakglass.Scheduled, breakglass.Active, breakglass.Used:
		return true, nil
	case breakglass.Denied, breakglass.Revoked, breakglass.Expired:
		return true, &exitError{code: exitDenied, err: fmt.Errorf("%s is %s: %s", v.ID(), v.Standing.State, operation.Printable(c.local(v.Standing.Why)))}
	}
	return false, nil // pending; or void, which more approvals may mend
}

// waiting is what there is to say while nothing is decided.
func (c console) waiting(v breakglass.View) string {
	text := fmt.Sprintf("waiting for %s: %s", v.ID(), operation.Printable(c.local(v.Standing.Why)))
	if !v.Standing.Until.IsZero() {
		text += ", until " + c.clockTime(v.Standing.Until)
	}
	return text
}

// progress is one line that changes: on a terminal it is written over, elsewhere
// it is written when it says something new.
type progress struct {
	console
	shown string
}

// eraseLine goes to the beginning of a terminal's line and clears it (ECMA-48 CR,
// EL).
const eraseLine = "\r\x1b[K"

func (p *progress) show(text string) {
	switch {
	case p.terminal:
		fmt.Fprint(p.err, eraseLine+"mollyguard: "+text)
	case text != p.shown:
		p.say("%s", text)
	}
	p.shown = text
}

// end leaves the line to what follows.
func (p *progress) end() {
	if p.terminal && p.shown != "" {
		fmt.Fprint(p.err, eraseLine)
	}
}
