// Package cluster asks a Kubernetes cluster who somebody is and what they may do:
// a person has one name and one set of rights in the cluster and at the desk.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/operation"
)

// askTimeout is how long the API server has for one answer.
const askTimeout = 5 * time.Second

// TokenReview takes the tokens that the API server takes
// (https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/).
// It may be used concurrently.
type TokenReview struct {
	client   kubernetes.Interface
	audience string
	kindOf   identity.KindOf
}

var _ identity.Authenticator = (*TokenReview)(nil)

// NewTokenReview returns a TokenReview. With an audience it takes only tokens
// that were made for it, so that a token which leaks here opens nothing else, and
// a token for another service opens nothing here. Without one it takes those for
// the API server itself.
func NewTokenReview(client kubernetes.Interface, audience string, kindOf identity.KindOf) (*TokenReview, error) {
	if client == nil || kindOf == nil {
		return nil, errors.New("token review: a client and KindOf are required")
	}
	return &TokenReview{client, audience, kindOf}, nil
}

// Authenticate implements identity.Authenticator.
func (t *TokenReview) Authenticate(ctx context.Context, bearer operation.Secret) (operation.Actor, error) {
	if identity.IsUserToken(bearer) { // nothing that the API server should see
		return operation.Actor{}, &identity.Rejection{Reason: "not a token of the cluster", Foreign: true}
	}
	if len(bearer.Reveal()) > identity.MaxToken {
		return operation.Actor{}, &identity.Rejection{Reason: "the token is longer than 16 KiB"}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: bearer.Reveal()}}
	if t.audience != "" {
		review.Spec.Audiences = []string{t.audience}
	}
	answer, err := t.client.AuthenticationV1().TokenReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return operation.Actor{}, fmt.Errorf("ask the API server whose a token is: %w", err)
	}
	status := answer.Status
	// The API server writes an error also for a token that is merely bad; it has no
	// other way to say that it could not tell.
	if !status.Authenticated || status.User.Username == "" {
		return operation.Actor{}, &identity.Rejection{Reason: "the cluster does not know the token" + t.forUs(), Detail: identity.Detail(status.Error, bearer)}
	}
	// One that knows no audiences leaves them out, and has not looked.
	if t.audience != "" && !slices.Contains(status.Audiences, t.audience) {
		return operation.Actor{}, &identity.Rejection{
			Reason: "the cluster does not know the token" + t.forUs(), Detail: fmt.Sprintf("the API server answered for the audiences %q", status.Audiences),
		}
	}
	return t.actor(status.User), nil
}

func (t *TokenReview) forUs() string {
	if t.audience == "" {
		return ""
	}
	return ", or it is not for the audience " + t.audience
}

func (t *TokenReview) actor(user authenticationv1.UserInfo) operation.Actor {
	actor := operation.Actor{
		Identity: operation.Identity{Name: user.Username, Kind: t.kindOf(user.Username)},
		UID:      user.UID, Groups: user.Groups,
	}
	if ids := user.Extra[operation.KubernetesCredential]; len(ids) > 0 {
		actor.Credential = ids[0]
	}
	return actor
}
