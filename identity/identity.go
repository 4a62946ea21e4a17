// Package identity says who is asking, by the bearer token that came with a
// request, and what they may do at the desk.
//
//	bearer ─► First ─┬─► Users        a file with hashes of tokens
//	                 ├─► OIDC         ID tokens of one issuer
//	                 └─► Cached ─► cluster.TokenReview
//
// An Authenticator makes an operation.Actor of a token, named as the other doors
// name the same person. An Authorizer says what an actor may do: Static by lists
// in the configuration, cluster.Rights by what the API server says. What asks a
// cluster is in the package below, so that who only needs the types does not
// import Kubernetes. What the rights are rights to is for others to know.
package identity

import (
	"context"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// MaxToken is the longest bearer that is looked at. Service account tokens have
// about 1 KiB; an ID token that lists 200 groups by 36-character ids has 11.
const MaxToken = 16 << 10

// Authenticator says whose a bearer token is. It is called concurrently.
type Authenticator interface {
	// Authenticate returns who presents a bearer token. A *Rejection says that the
	// token is not good; any other error that it could not be told. Neither ever
	// holds the token.
	Authenticate(ctx context.Context, bearer operation.Secret) (operation.Actor, error)
}

// Rejection is an answer: the token proves nobody's identity.
type Rejection struct {
	// Reason is one line for whoever presented the token.
	Reason string
	// Detail is for the server's own log: it may tell more than a stranger should
	// know. It is empty if there is no more to tell.
	Detail string
	// Foreign says that the token is not of the kind that the authenticator knows,
	// so that another's reason says more.
	Foreign bool
}

func (r *Rejection) Error() string { return r.Reason }

// maxDetail is enough for a sentence of a library: some quote what they read.
const maxDetail = 300

// Detail is what may be logged of a text about a token: nothing if it quotes the
// token or a part of it.
func Detail(text string, bearer operation.Secret) string {
	for part := range strings.SplitSeq(bearer.Reveal(), ".") {
		if part != "" && strings.Contains(text, part) {
			return ""
		}
	}
	return operation.Printable(text[:min(len(text), maxDetail)])
}

// KindOf says what kind of actor bears a name. All doors have to agree on it, so
// it is given to each.
type KindOf func(name string) operation.ActorKind

// The verbs that an Authorizer is asked about.
const (
	VerbRequest = "request"
	VerbApprove = "approve"
	VerbRevoke  = "revoke"
	// VerbLook is to see the cases of others.
	VerbLook = "look"
)

// Authorizer says who may do what. It is called concurrently, also with actors as
// they were recorded earlier: what they may is told for now. An error means that
// it could not be told.
type Authorizer interface {
	// Allowed says whether an actor may do one of the verbs; why says in words why
	// not.
	Allowed(ctx context.Context, actor operation.Actor, verb string) (allowed bool, why string, err error)
	// MayImpersonate says whether an actor could have acted in another's name.
	MayImpersonate(ctx context.Context, actor, other operation.Actor) (bool, error)
}

// clusterOwn is how names and groups begin that only a cluster gives
// (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-subjects).
// No other source may, or somebody who can name themselves there would be a
// member of system:masters here.
const clusterOwn = "system:"
