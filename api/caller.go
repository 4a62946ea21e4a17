package api

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/operation"
)

// maxVia is enough for the name and version of a tool.
const maxVia = 64

// authenticate finds out who is calling, from the bearer token (RFC 6750, section
// 2.1; tokens in the body or in the address are not taken).
func (h *handler) authenticate(c *call) error {
	bearer, err := bearerOf(c.Header.Values("Authorization"))
	if err != nil {
		return err
	}
	c.keepSecret(bearer)
	actor, err := h.authenticator.Authenticate(c.Context(), bearer)
	if err != nil {
		var rejection *identity.Rejection
		if errors.As(err, &rejection) {
			return rejection
		}
		return &notToldError{err}
	}
	if actor.Via == "" {
		via := c.UserAgent()
		actor.Via = operation.Printable(via[:min(len(via), maxVia)])
	}
	c.actor = actor
	return nil
}

func bearerOf(headers []string) (operation.Secret, error) {
	if len(headers) != 1 {
		return operation.Secret{}, &identity.Rejection{Reason: fmt.Sprintf("%d Authorization headers: expected one with a bearer token", len(headers))}
	}
	scheme, text, _ := strings.Cut(headers[0], " ")
	text = strings.TrimSpace(text)
	switch {
	case !strings.EqualFold(scheme, "Bearer") || text == "":
		return operation.Secret{}, &identity.Rejection{Reason: "the Authorization header holds no bearer token"}
	case len(text) > identity.MaxToken:
		return operation.Secret{}, &identity.Rejection{Reason: "the token is longer than 16 KiB"}
	}
	return operation.NewSecret(text), nil
}

// notToldError says that nobody could tell who is calling. A stranger does not
// learn why.
type notToldError struct{ error }

func (e *notToldError) Unwrap() error { return e.error }
