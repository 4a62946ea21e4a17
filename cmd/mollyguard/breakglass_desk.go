package main

import (
	"context"

	"github.com/mollyguard/mollyguard/api"
	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// remoteDesk is a desk somewhere else, which knows by itself who is asking. A
// *breakglass.Refusal is an answer, breakglass.ErrNotFound says that there is
// nothing under a handle.
type remoteDesk interface {
	Request(ctx context.Context, p breakglass.Proposal) (breakglass.View, error)
	Judge(ctx context.Context, id string, kind breakglass.VerdictKind, reason string) (breakglass.View, error)
	View(ctx context.Context, id string) (breakglass.View, error)
	List(ctx context.Context) ([]breakglass.View, error)
	Token(ctx context.Context, id string) (operation.Secret, error)
	Import(ctx context.Context, token operation.Secret) (breakglass.View, error)
}

// serverDesk is the desk of a server, by its API. The server knows who the
// bearer of the token is; no actor is sent.
type serverDesk struct{ *api.Client }

var _ remoteDesk = serverDesk{}

func (d serverDesk) Request(ctx context.Context, p breakglass.Proposal) (breakglass.View, error) {
	return d.Client.Request(ctx, operation.Actor{}, p)
}

func (d serverDesk) Judge(ctx context.Context, id string, kind breakglass.VerdictKind, reason string) (breakglass.View, error) {
	return d.Client.Judge(ctx, operation.Actor{}, id, kind, reason)
}

func (d serverDesk) Token(ctx context.Context, id string) (operation.Secret, error) {
	return d.Client.Token(ctx, operation.Actor{}, id)
}

func (d serverDesk) Import(ctx context.Context, token operation.Secret) (breakglass.View, error) {
	return d.Client.Import(ctx, operation.Actor{}, token)
}
