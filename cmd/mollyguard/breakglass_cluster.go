package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
)

const (
	// clusterDuration is how long a grant can be used if the request does not say:
	// an object in the cluster has to.
	clusterDuration = 30 * time.Minute
	// maxShown is how many cases a list shows, as the server's does.
	maxShown = 500
	// newHandleAttempts is how often another handle is tried when one is taken.
	newHandleAttempts = 5
	// settleTimeout is how long to wait for what the server makes of something new:
	// it watches, and is done in a fraction of a second.
	settleTimeout  = 5 * time.Second
	settleInterval = 250 * time.Millisecond
)

// clusterDesk speaks to the API server alone, with the user's own rights: what
// they ask and say are objects that the webhook judges, and what a case is worth
// is what the server has written into its status.
type clusterDesk struct {
	client  client.Client
	store   *kube.Store
	reviews typedv1.SelfSubjectReviewsGetter
	entropy io.Reader
	pause   func(ctx context.Context, d time.Duration) error
}

var _ remoteDesk = (*clusterDesk)(nil)

// Request implements remoteDesk. A *madeError says that the request was made, but
// could not be looked at.
func (d *clusterDesk) Request(ctx context.Context, p breakglass.Proposal) (breakglass.View, error) {
	actor, err := d.whoAmI(ctx)
	if err != nil {
		return breakglass.View{}, err
	}
	r := breakglass.Request{
		Requester: actor, Subject: p.Subject, Scope: p.Scope, Reason: p.Reason, Ticket: p.Ticket,
		Duration: p.Duration, NotBefore: p.NotBefore, Decision: p.Decision, Approvals: p.Approvals,
	}
	if r.Subject == "" {
		r.Subject = actor.Name
	}
	if r.Duration == 0 {
		r.Duration = clusterDuration
	}
	for range newHandleAttempts {
		if r.ID, err = breakglass.NewHandle(d.entropy); err != nil {
			return breakglass.View{}, err
		}
		err = d.store.CreateRequest(ctx, r)
		if errors.Is(err, breakglass.ErrExists) {
			continue
		}
		if err != nil {
			return breakglass.View{}, err
		}
		v, err := d.settled(ctx, r.ID, breakglass.Standing{})
		if err != nil {
			return v, &madeError{r.ID, err}
		}
		return v, nil
	}
	return breakglass.View{}, errors.New("no free handle was found")
}

// madeError says that a request was made, and what went wrong after that.
type madeError struct {
	handle string
	err    error
}

func (e *madeError) Error() string {
	return fmt.Sprintf("the request %s was made, but cannot be looked at: %v", e.handle, e.err)
}

func (e *madeError) Unwrap() error { return e.err }

// whoAmI is who the API server takes the user for: the webhook compares it.
func (d *clusterDesk) whoAmI(ctx context.Context) (operation.Actor, error) {
	review, err := d.reviews.SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return operation.Actor{}, fmt.Errorf("ask the API server who you are: %w", err)
	}
	user := review.Status.UserInfo
	actor := operation.Actor{
		Identity: operation.Identity{Name: user.Username, Kind: operation.Human, Via: "mollyguard/" + version()},
		UID:      user.UID, Groups: user.Groups,
	}
	if strings.HasPrefix(user.Username, "system:") { // agents only the server knows
		actor.Kind = operation.Service
	}
	if ids := user.Extra[operation.KubernetesCredential]; len(ids) > 0 {
		actor.Credential = ids[0]
	}
	return actor, nil
}

// Judge implements remoteDesk.
func (d *clusterDesk) Judge(ctx context.Context, id string, kind breakglass.VerdictKind, reason string) (breakglass.View, error) {
	actor, err := d.whoAmI(ctx)
	if err != nil {
		return breakglass.View{}, err
	}
	before, err := d.View(ctx, id)
	if err != nil {
		return breakglass.View{}, err
	}
	err = d.store.CreateVerdict(ctx, breakglass.Verdict{Request: id, Kind: kind, By: actor, Reason: reason, Door: breakglass.DoorKubernetes})
	switch {
	case errors.Is(err, breakglass.ErrExists): // said before: the answer is the same
		return d.View(ctx, id)
	case err != nil:
		return breakglass.View{}, err
	}
	return d.settled(ctx, id, before.Standing)
}

// Import implements remoteDesk. What the token says is written down; the server
// verifies it, now and at every use.
func (d *clusterDesk) Import(ctx context.Context, token operation.Secret) (breakglass.View, error) {
	g, err := breakglass.Unverified(token)
	var refusal *breakglass.Refusal
	if errors.As(err, &refusal) {
		return breakglass.View{}, &breakglass.Refusal{Reason: "the token is not good: " + refusal.Reason}
	}
	if err != nil {
		return breakglass.View{}, err
	}
	g.Token = token
	if err := d.store.CreateGrant(ctx, g); err != nil && !errors.Is(err, breakglass.ErrExists) {
		return breakglass.View{}, err
	}
	return d.settled(ctx, g.ID, breakglass.Standing{})
}

// Token implements remoteDesk.
func (d *clusterDesk) Token(context.Context, string) (operation.Secret, error) {
	return operation.Secret{}, usageError("say --server URL, or set MOLLYGUARD_SERVER", "only a server signs tokens, and none is named")
}

// View implements remoteDesk.
func (d *clusterDesk) View(ctx context.Context, id string) (breakglass.View, error) {
	c, err := d.store.Case(ctx, id)
	if err != nil {
		return breakglass.View{}, err
	}
	v := breakglass.View{Case: c}
	key := client.ObjectKey{Name: id}
	switch {
	case c.Request != nil:
		var o v1alpha1.BreakGlassRequest
		err = d.client.Get(ctx, key, &o)
		v.Standing = standingOf(o.Status)
	case c.Grant != nil:
		var o v1alpha1.Grant
		err = d.client.Get(ctx, key, &o)
		v.Standing = standingOf(o.Status)
	}
	return v, err
}

// standingOf is what a status says. Before the server has looked at a case, it
// says nothing, and so does the standing.
func standingOf(s v1alpha1.Standing) breakglass.Standing {
	standing := breakglass.Standing{
		State: breakglass.State(strings.ToLower(string(s.State))), Why: s.Message, Approvers: s.Approvers,
		Needed: int(s.ApprovalsNeeded), Left: int(s.Left),
	}
	if s.State == "" {
		standing.Why = "the server has not looked at it yet"
	}
	if s.Until != nil {
		standing.Until = s.Until.UTC()
	}
	return standing
}

// settled is View, once the server has said something else than before, or has
// had the time to.
func (d *clusterDesk) settled(ctx context.Context, id string, before breakglass.Standing) (breakglass.View, error) {
	for waited := time.Duration(0); ; waited += settleInterval {
		v, err := d.View(ctx, id)
		if err != nil || waited >= settleTimeout || v.Standing.State != "" && !reflect.DeepEqual(v.Standing, before) {
			return v, err
		}
		if err := d.pause(ctx, settleInterval); err != nil {
			return v, err
		}
	}
}

// List implements remoteDesk.
func (d *clusterDesk) List(ctx context.Context) ([]breakglass.View, error) {
	cases, err := d.store.Cases(ctx, maxShown)
	if err != nil {
		return nil, err
	}
	standings, err := d.standings(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]breakglass.View, len(cases))
	for i, c := range cases {
		s, ok := standings[c.ID()]
		if !ok { // made since
			s = standingOf(v1alpha1.Standing{})
		}
		views[i] = breakglass.View{Case: c, Standing: s}
	}
	return views, nil
}

// standings are those of all cases, by handle.
func (d *clusterDesk) standings(ctx context.Context) (map[string]breakglass.Standing, error) {
	var requests v1alpha1.BreakGlassRequestList
	if err := d.client.List(ctx, &requests); err != nil {
		return nil, err
	}
	var grants v1alpha1.GrantList
	if err := d.client.List(ctx, &grants); err != nil {
		return nil, err
	}
	standings := map[string]breakglass.Standing{}
	for _, o := range grants.Items {
		standings[o.Name] = standingOf(o.Status)
	}
	for _, o := range requests.Items { // of a grant that was asked for, the request's counts
		standings[o.Name] = standingOf(o.Status)
	}
	return standings, nil
}
