package identity

import (
	"context"

	"github.com/mollyguard/mollyguard/operation"
)

// Current is an Authorizer that asks another about actors as they are known now:
// who is not known any more may do nothing.
type Current struct {
	next    Authorizer
	current func(actor operation.Actor) (operation.Actor, bool, error)
}

var _ Authorizer = (*Current)(nil)

// NewCurrent returns a Current; see Users.Current.
func NewCurrent(next Authorizer, current func(actor operation.Actor) (operation.Actor, bool, error)) *Current {
	return &Current{next, current}
}

// Allowed implements Authorizer.
func (c *Current) Allowed(ctx context.Context, actor operation.Actor, verb string) (allowed bool, why string, err error) {
	known, ok, err := c.current(actor)
	if err != nil {
		return false, "", err
	}
	if !ok {
		return false, operation.Printable(actor.Name) + " is not known any more", nil
	}
	return c.next.Allowed(ctx, known, verb)
}

// MayImpersonate implements Authorizer.
func (c *Current) MayImpersonate(ctx context.Context, actor, other operation.Actor) (bool, error) {
	return c.next.MayImpersonate(ctx, actor, other)
}
