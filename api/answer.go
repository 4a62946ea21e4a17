package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/identity"
)

// send writes an answer, or nothing and returns an error.
func (h *handler) send(c *call, a answer) error {
	body, err := json.Marshal(a.body)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	header := c.writer.Header()
	header.Set("Content-Type", "application/json")
	if a.public {
		header.Set("Cache-Control", "public, max-age=300")
	}
	if a.location != "" {
		header.Set("Location", a.location)
	}
	c.writer.WriteHeader(a.status)
	// Who has gone away needs no answer.
	_, _ = c.writer.Write(append(body, '\n'))
	return nil
}

// problem is what is sent for an error, and tells the log of what people here have
// to look after.
func (h *handler) problem(c *call, err error) *Problem {
	var (
		ready     *Problem
		rejection *identity.Rejection
		notTold   *notToldError
		input     *inputError
		large     *http.MaxBytesError
		refusal   *breakglass.Refusal
	)
	switch {
	case errors.As(err, &ready):
		return ready
	case errors.As(err, &rejection):
		if rejection.Detail != "" {
			h.log.Info("token not accepted", "reason", c.scrub(rejection.Reason), "detail", c.scrub(rejection.Detail))
		}
		return notAuthenticated().with(c.scrub(rejection.Reason))
	case errors.As(err, &notTold):
		h.log.Error("caller not found out", "error", c.scrub(err.Error()))
		return undecidable().with("who is asking could not be found out: try again, or see the server's log")
	case errors.As(err, &large):
		return tooLarge().with(fmt.Sprintf("the body is larger than %d KiB", maxBody>>10))
	case errors.As(err, &input):
		return badRequest().with(c.scrub(input.Error()))
	case errors.As(err, &refusal):
		if err.Error() != refusal.Reason { // and it could not be recorded
			h.log.Error("refused, with an error besides", "error", c.scrub(err.Error()), "user", c.actor.Name)
		}
		return refused().with(c.scrub(refusal.Reason))
	case errors.Is(err, breakglass.ErrNotFound):
		return notFound().with("there is nothing under that name")
	}
	h.log.Error("not decided", "error", c.scrub(err.Error()), "user", c.actor.Name, "method", c.Method, "path", c.Pattern)
	return undecidable().with(c.scrub(err.Error()))
}
