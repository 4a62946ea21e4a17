// Package api is the desk's door for people: break glass over HTTPS, in JSON, and
// the client for it.
//
//	request ─► limits ─► who is it? ─► limits ─► strict decoding ─► Desk ─► JSON
//
// NewHandler serves what openapi.json describes; a test holds the two together.
// Errors are application/problem+json (RFC 9457). What the desk refuses is a 403
// with the reason, what could not be decided a 503: never the one for the other.
//
// Callers show a bearer token in each request, and nothing else says who they
// are: there are no cookies, so that a page which somebody is lured to cannot
// make their browser ask in their name, and no protection against that is needed.
//
// The package speaks to interfaces. It knows neither stores nor Kubernetes nor
// policies.
package api

import (
	"context"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// Desk is what the API offers: a breakglass.Desk on the server's side, a Client
// on the other. Its methods are called concurrently. A *breakglass.Refusal is an
// answer, breakglass.ErrNotFound says that there is nothing under a handle; all
// other errors mean that it could not be decided.
type Desk interface {
	// Request keeps what an actor asks for.
	Request(ctx context.Context, actor operation.Actor, p breakglass.Proposal) (breakglass.View, error)
	// Judge keeps what an actor says of a request or a grant.
	Judge(ctx context.Context, actor operation.Actor, id string, kind breakglass.VerdictKind, reason string) (breakglass.View, error)
	// View returns a case and what it is worth now.
	View(ctx context.Context, id string) (breakglass.View, error)
	// List returns the newest cases.
	List(ctx context.Context) ([]breakglass.View, error)
	// Token returns a grant in portable form, for its subject and who asked for it.
	Token(ctx context.Context, actor operation.Actor, id string) (operation.Secret, error)
	// Import keeps a grant that another issuer made, from its token.
	Import(ctx context.Context, actor operation.Actor, token operation.Secret) (breakglass.View, error)
	// UsePlan takes the one use of a grant for a Terraform plan, from its token.
	UsePlan(ctx context.Context, actor operation.Actor, token operation.Secret, plan operation.Reference, decision string) (breakglass.View, error)
}

var (
	_ Desk = (*breakglass.Desk)(nil)
	_ Desk = (*Client)(nil)
)

// Decisions are the operations that were decided lately.
type Decisions interface {
	// Recent returns a decision by its id, and whether it is still known.
	Recent(id string) (operation.Decision, bool)
}

// Paths of the API. Those with {id} are for a handle or a decision's id.
const (
	pathWhoAmI    = "/v1/whoami"
	pathRequests  = "/v1/break-glass/requests"
	pathRequest   = "/v1/break-glass/requests/{id}"
	pathToken     = "/v1/break-glass/requests/{id}/token"
	pathTokens    = "/v1/break-glass/tokens"
	pathUses      = "/v1/uses"
	pathDecision  = "/v1/decisions/{id}"
	pathKeys      = "/.well-known/jwks.json"
	pathInterface = "/openapi.json"
)

// pathVerdict is where a verdict is given.
func pathVerdict(kind breakglass.VerdictKind) string { return pathRequest + "/" + string(kind) }
