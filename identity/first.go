package identity

import (
	"context"
	"errors"

	"github.com/mollyguard/mollyguard/operation"
)

// First returns an Authenticator that asks others in order and takes the first
// yes. One that cannot tell does not keep the next from being asked; if nobody
// says yes then, it could not be told.
func First(list ...Authenticator) Authenticator { return first(list) }

type first []Authenticator

// Authenticate implements Authenticator.
func (f first) Authenticate(ctx context.Context, bearer operation.Secret) (operation.Actor, error) {
	if bearer.Reveal() == "" {
		return operation.Actor{}, &Rejection{Reason: "no token was presented"}
	}
	if len(bearer.Reveal()) > MaxToken {
		return operation.Actor{}, tooLong()
	}
	answer := &Rejection{Reason: "the token is of no kind that is accepted here", Foreign: true}
	var unknown []error
	for _, one := range f {
		actor, err := one.Authenticate(ctx, bearer)
		if err == nil {
			return actor, nil
		}
		var rejection *Rejection
		if !errors.As(err, &rejection) {
			unknown = append(unknown, err)
		} else if answer.Foreign && !rejection.Foreign {
			answer = rejection
		}
	}
	if len(unknown) > 0 {
		return operation.Actor{}, errors.Join(unknown...)
	}
	return operation.Actor{}, answer
}

func tooLong() *Rejection { return &Rejection{Reason: "the token is longer than 16 KiB"} }
