package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/operation"
)

// The resource that rights are given on.
const (
	group    = "mollyguard.dev"
	resource = "breakglassrequests"
)

// verbs are the RBAC verbs that a role has to have for what is asked. Whoever
// may create a BreakGlassRequest in the cluster may request here.
var verbs = map[string]string{
	identity.VerbRequest: "create",
	identity.VerbApprove: "approve",
	identity.VerbRevoke:  "revoke",
	identity.VerbLook:    "list",
}

const (
	// masters may do everything
	// (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles).
	masters = "system:masters"
	// authenticated is a group of everybody whom the API server has authenticated.
	authenticated = "system:authenticated"
	// unauthenticated is a group of everybody else.
	unauthenticated = "system:unauthenticated"
)

// Rights is an Authorizer that asks the API server, each time: what it says
// decides whether something is destroyed. It may be used concurrently.
type Rights struct{ client kubernetes.Interface }

var _ identity.Authorizer = (*Rights)(nil)

// NewRights returns a Rights.
func NewRights(client kubernetes.Interface) (*Rights, error) {
	if client == nil {
		return nil, errors.New("rights: a client is required")
	}
	return &Rights{client}, nil
}

// Allowed implements identity.Authorizer.
func (r *Rights) Allowed(ctx context.Context, actor operation.Actor, verb string) (allowed bool, why string, err error) {
	asked, ok := verbs[verb]
	if !ok {
		return false, "", fmt.Errorf("the cluster has no verb for %s", verb)
	}
	allowed, err = r.ask(ctx, actor, authorizationv1.ResourceAttributes{Group: group, Resource: resource, Verb: asked})
	if err != nil || allowed {
		return allowed, "", err
	}
	return false, fmt.Sprintf("%s may not %s: no role gives them the verb %s on %s.%s",
		operation.Printable(actor.Name), verb, asked, resource, group), nil
}

// impersonations are the ways to another user's name: impersonation as it always
// was, and constrained impersonation, on by default since Kubernetes 1.36
// (KEP-5284; k8s.io/apiserver pkg/endpoints/filters/impersonation/mode.go). The
// latter takes a second right, to the request that is made in the other's name;
// that is not asked for, since a right too many is the safe mistake.
var impersonations = []authorizationv1.ResourceAttributes{
	{Verb: "impersonate", Resource: "users"},
	{Verb: "impersonate:user-info", Group: "authentication.k8s.io", Resource: "users"},
}

// MayImpersonate implements identity.Authorizer.
func (r *Rights) MayImpersonate(ctx context.Context, actor, other operation.Actor) (bool, error) {
	if slices.Contains(actor.Groups, masters) {
		return true, nil
	}
	for _, attributes := range impersonations {
		attributes.Name = other.Name
		if may, err := r.ask(ctx, actor, attributes); err != nil || may {
			return may, err
		}
	}
	return false, nil
}

func (r *Rights) ask(ctx context.Context, actor operation.Actor, attributes authorizationv1.ResourceAttributes) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	spec := authorizationv1.SubjectAccessReviewSpec{
		ResourceAttributes: &attributes, User: actor.Name, UID: actor.UID, Groups: slices.Clone(actor.Groups),
	}
	// An actor whom an issuer of ID tokens vouches for comes without this group,
	// which the API server gives them; roles may be bound to it.
	if !slices.Contains(spec.Groups, authenticated) && !slices.Contains(spec.Groups, unauthenticated) {
		spec.Groups = append(spec.Groups, authenticated)
	}
	if actor.Credential != "" {
		spec.Extra = map[string]authorizationv1.ExtraValue{operation.KubernetesCredential: {actor.Credential}}
	}
	answer, err := r.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("ask the API server what %s may do: %w", actor.Name, err)
	}
	// An evaluation error is routine (a binding to a role that is not there); what
	// the other roles say stands.
	return answer.Status.Allowed && !answer.Status.Denied, nil
}
