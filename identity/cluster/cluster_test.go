package cluster_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/identity/cluster"
	"github.com/mollyguard/mollyguard/operation"
)

func kindOf(name string) operation.ActorKind {
	if strings.HasPrefix(name, "system:") {
		return operation.Service
	}
	return operation.Human
}

// reviewing is a clientset whose API server gives one answer to every
// TokenReview, and keeps what it was asked.
func reviewing(status authenticationv1.TokenReviewStatus, err error) (*fake.Clientset, *[]authenticationv1.TokenReviewSpec) {
	client := fake.NewClientset()
	asked := &[]authenticationv1.TokenReviewSpec{}
	client.PrependReactor("create", "tokenreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		create, ok := action.(clienttesting.CreateAction)
		if !ok {
			return false, nil, nil
		}
		review, ok := create.GetObject().(*authenticationv1.TokenReview)
		if !ok {
			return false, nil, nil
		}
		*asked = append(*asked, review.Spec)
		return true, &authenticationv1.TokenReview{Status: status}, err
	})
	return client, asked
}

func TestATokenIsWhoseTheAPIServerSaysIfItIsForUs(t *testing.T) {
	alice := authenticationv1.UserInfo{
		Username: "alice@example.com", UID: "u-1", Groups: []string{"sre", "system:authenticated"},
		Extra: map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"JTI=7"}},
	}
	wantAlice := operation.Actor{
		Identity: operation.Identity{Name: "alice@example.com", Kind: operation.Human},
		UID:      "u-1", Groups: []string{"sre", "system:authenticated"}, Credential: "JTI=7",
	}
	notKnown := "the cluster does not know the token, or it is not for the audience mollyguard"
	for _, tt := range []struct {
		name     string
		audience string
		status   authenticationv1.TokenReviewStatus
		err      error
		want     operation.Actor
		wantErr  error
	}{
		{"a token for our audience", "mollyguard", authenticationv1.TokenReviewStatus{Authenticated: true, User: alice, Audiences: []string{"mollyguard"}}, nil, wantAlice, nil},
		{"a token for the API server, where no audience is asked for", "", authenticationv1.TokenReviewStatus{Authenticated: true, User: alice}, nil, wantAlice, nil},
		{
			"a service account", "mollyguard",
			authenticationv1.TokenReviewStatus{Authenticated: true, User: authenticationv1.UserInfo{Username: "system:serviceaccount:ci:deployer"}, Audiences: []string{"mollyguard"}}, nil,
			operation.Actor{Identity: operation.Identity{Name: "system:serviceaccount:ci:deployer", Kind: operation.Service}}, nil,
		},
		{
			"an API server that knows no audiences", "mollyguard", authenticationv1.TokenReviewStatus{Authenticated: true, User: alice}, nil,
			operation.Actor{}, &identity.Rejection{Reason: notKnown, Detail: "the API server answered for the audiences []"},
		},
		{
			"a token for somebody else", "mollyguard", authenticationv1.TokenReviewStatus{Authenticated: true, User: alice, Audiences: []string{"vault"}}, nil,
			operation.Actor{}, &identity.Rejection{Reason: notKnown, Detail: `the API server answered for the audiences ["vault"]`},
		},
		{
			"a token that is not good", "mollyguard", authenticationv1.TokenReviewStatus{Error: "token has expired", User: alice}, nil,
			operation.Actor{}, &identity.Rejection{Reason: notKnown, Detail: "token has expired"},
		},
		{
			"an error that quotes the token", "mollyguard", authenticationv1.TokenReviewStatus{Error: "bad token tOkEn"}, nil,
			operation.Actor{}, &identity.Rejection{Reason: notKnown},
		},
		{
			"somebody without a name", "", authenticationv1.TokenReviewStatus{Authenticated: true}, nil,
			operation.Actor{}, &identity.Rejection{Reason: "the cluster does not know the token"},
		},
		{"no answer", "mollyguard", authenticationv1.TokenReviewStatus{}, errDown, operation.Actor{}, errDown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, asked := reviewing(tt.status, tt.err)
			review, err := cluster.NewTokenReview(client, tt.audience, kindOf)
			if err != nil {
				t.Fatal(err)
			}
			got, err := review.Authenticate(t.Context(), operation.NewSecret("tOkEn"))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("actor (-want +got):\n%s", diff)
			}
			checkError(t, tt.wantErr, err)
			want := authenticationv1.TokenReviewSpec{Token: "tOkEn"}
			if tt.audience != "" {
				want.Audiences = []string{tt.audience}
			}
			if diff := cmp.Diff([]authenticationv1.TokenReviewSpec{want}, *asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

var errDown = errors.New("the API server is down")

func checkError(t *testing.T, want, got error) {
	t.Helper()
	var rejection *identity.Rejection
	if errors.As(want, &rejection) {
		var gotRejection *identity.Rejection
		if !errors.As(got, &gotRejection) {
			t.Fatalf("got %v, want the rejection %v", got, want)
		}
		if diff := cmp.Diff(rejection, gotRejection); diff != "" {
			t.Errorf("rejection (-want +got):\n%s", diff)
		}
		return
	}
	if !errors.Is(got, want) || errors.As(got, &rejection) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestATokenOfTheUsersFileIsNotShownToTheAPIServer(t *testing.T) {
	client, asked := reviewing(authenticationv1.TokenReviewStatus{}, nil)
	review, err := cluster.NewTokenReview(client, "mollyguard", kindOf)
	if err != nil {
		t.Fatal(err)
	}
	_, err = review.Authenticate(t.Context(), operation.NewSecret("mgu_secret"))
	checkError(t, &identity.Rejection{Reason: "not a token of the cluster", Foreign: true}, err)
	_, err = review.Authenticate(t.Context(), operation.NewSecret(strings.Repeat("x", 17<<10)))
	checkError(t, &identity.Rejection{Reason: "the token is longer than 16 KiB"}, err)
	if len(*asked) > 0 {
		t.Errorf("the API server was asked %d times", len(*asked))
	}
}

// granting is a clientset whose API server allows what may says, and keeps what
// it was asked.
func granting(may func(authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error)) (*fake.Clientset, *[]authorizationv1.SubjectAccessReviewSpec) {
	client := fake.NewClientset()
	asked := &[]authorizationv1.SubjectAccessReviewSpec{}
	client.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		create, ok := action.(clienttesting.CreateAction)
		if !ok {
			return false, nil, nil
		}
		review, ok := create.GetObject().(*authorizationv1.SubjectAccessReview)
		if !ok {
			return false, nil, nil
		}
		*asked = append(*asked, review.Spec)
		status, err := may(review.Spec)
		return true, &authorizationv1.SubjectAccessReview{Status: status}, err
	})
	return client, asked
}

func TestRightsAreThoseOfTheCluster(t *testing.T) {
	actor := operation.Actor{
		Identity: operation.Identity{Name: "alice@example.com", Kind: operation.Human}, UID: "u-1", Groups: []string{"sre"}, Credential: "JTI=7",
	}
	for _, tt := range []struct {
		verb, asked string
		status      authorizationv1.SubjectAccessReviewStatus
		err         error
		want        bool
		why         string
	}{
		{identity.VerbRequest, "create", authorizationv1.SubjectAccessReviewStatus{Allowed: true}, nil, true, ""},
		{identity.VerbApprove, "approve", authorizationv1.SubjectAccessReviewStatus{}, nil, false, "alice@example.com may not approve: no role gives them the verb approve on breakglassrequests.mollyguard.dev"},
		{identity.VerbRevoke, "revoke", authorizationv1.SubjectAccessReviewStatus{Allowed: true, Denied: true}, nil, false, "alice@example.com may not revoke: no role gives them the verb revoke on breakglassrequests.mollyguard.dev"},
		{identity.VerbApprove, "approve", authorizationv1.SubjectAccessReviewStatus{Allowed: true, EvaluationError: "a role is missing"}, nil, true, ""},
		{identity.VerbApprove, "approve", authorizationv1.SubjectAccessReviewStatus{Allowed: true}, errDown, false, ""},
	} {
		client, asked := granting(func(authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error) {
			return tt.status, tt.err
		})
		rights, err := cluster.NewRights(client)
		if err != nil {
			t.Fatal(err)
		}
		got, why, err := rights.Allowed(t.Context(), actor, tt.verb)
		if got != tt.want || why != tt.why || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %v, %q, %v, want %v, %q, %v", tt.verb, got, why, err, tt.want, tt.why, tt.err)
		}
		want := []authorizationv1.SubjectAccessReviewSpec{{
			User: "alice@example.com", UID: "u-1", Groups: []string{"sre", "system:authenticated"},
			Extra:              map[string]authorizationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"JTI=7"}},
			ResourceAttributes: &authorizationv1.ResourceAttributes{Group: "mollyguard.dev", Resource: "breakglassrequests", Verb: tt.asked},
		}}
		if diff := cmp.Diff(want, *asked); diff != "" {
			t.Errorf("%s: asked (-want +got):\n%s", tt.verb, diff)
		}
	}
}

func TestNobodyBecomesAuthenticatedByBeingAskedAbout(t *testing.T) {
	client, asked := granting(func(authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error) {
		return authorizationv1.SubjectAccessReviewStatus{}, nil
	})
	rights, err := cluster.NewRights(client)
	if err != nil {
		t.Fatal(err)
	}
	stranger := operation.Actor{Identity: operation.Identity{Name: "system:anonymous"}, Groups: []string{"system:unauthenticated"}}
	if _, _, err := rights.Allowed(t.Context(), stranger, identity.VerbRequest); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stranger.Groups, (*asked)[0].Groups); diff != "" {
		t.Errorf("groups (-want +asked):\n%s", diff)
	}
}

func TestWhoMayImpersonateIsFoundOutForBothWaysOfDoingIt(t *testing.T) {
	bob := operation.Actor{Identity: operation.Identity{Name: "bob"}}
	for _, tt := range []struct {
		name   string
		groups []string
		verb   string
		want   bool
		asked  int
	}{
		{"nobody gave the right", nil, "", false, 2},
		{"impersonation as it always was", nil, "impersonate", true, 1},
		{"constrained impersonation", nil, "impersonate:user-info", true, 2},
		{"who may do everything", []string{"system:masters"}, "", true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, asked := granting(func(spec authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error) {
				a := spec.ResourceAttributes
				group := map[string]string{"impersonate": "", "impersonate:user-info": "authentication.k8s.io"}[a.Verb]
				return authorizationv1.SubjectAccessReviewStatus{Allowed: a.Verb == tt.verb && a.Group == group && a.Resource == "users" && a.Name == "bob"}, nil
			})
			rights, err := cluster.NewRights(client)
			if err != nil {
				t.Fatal(err)
			}
			got, err := rights.MayImpersonate(t.Context(), operation.Actor{Identity: operation.Identity{Name: "alice"}, Groups: tt.groups}, bob)
			if got != tt.want || err != nil || len(*asked) != tt.asked {
				t.Errorf("got %v, %v after %d questions, want %v after %d", got, err, len(*asked), tt.want, tt.asked)
			}
		})
	}
	client, _ := granting(func(authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error) {
		return authorizationv1.SubjectAccessReviewStatus{}, errDown
	})
	rights, err := cluster.NewRights(client)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rights.MayImpersonate(context.Background(), bob, bob); !errors.Is(err, errDown) {
		t.Errorf("no answer: got %v", err)
	}
}
