package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/identity/cluster"
	"github.com/mollyguard/mollyguard/kube"
	"github.com/mollyguard/mollyguard/operation"
)

// testBreakGlass has the service account do what the server does for break glass,
// with the server's own code.
func (s *site) testBreakGlass(t *testing.T) {
	clients := s.clients(t, s.robot)
	httpClient, err := rest.HTTPClientFor(s.robot)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kube.NewClient(s.robot, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	s.testCase(t, kube.NewStore(kube.StoreOptions{Client: client, Cluster: "my-cluster"}))

	keys, err := kube.NewKeyStore(clients.CoreV1(), namespace, "mollyguard-break-glass")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := keys.Load(t.Context()); !errors.Is(err, breakglass.ErrNotFound) {
		t.Errorf("keys before there are any: %v", err)
	}

	review, err := cluster.NewTokenReview(clients, "", func(string) operation.ActorKind { return operation.Service })
	if err != nil {
		t.Fatal(err)
	}
	actor, err := review.Authenticate(t.Context(), operation.NewSecret(s.robot.BearerToken))
	if err != nil || actor.Name != account {
		t.Errorf("the caller with the service account's token is %q, %v", actor.Name, err)
	}
	authorizer, err := cluster.NewRights(clients)
	if err != nil {
		t.Fatal(err)
	}
	if may, _, err := authorizer.Allowed(t.Context(), actor, identity.VerbApprove); err != nil || may {
		t.Errorf("the service account may approve: %t, %v", may, err)
	}
}

// testCase takes a case through its life, and one that came as a token.
func (s *site) testCase(t *testing.T, store *kube.Store) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const own, imported = "bg-0000-0001", "bg-0000-0002"
	alice := operation.Actor{Identity: operation.Identity{Name: "alice@example.com", Kind: operation.Human}}
	scope := breakglass.Scope{
		Surface: operation.Kubernetes, Audience: "my-cluster", Verbs: []operation.Verb{operation.Delete}, Objects: 1,
		Targets: []operation.Reference{{Ref: operation.KubernetesRef("my-cluster", "", "namespaces", "", shop), Kind: "Namespace", Name: shop}},
	}
	now := time.Now().UTC().Truncate(time.Second)
	grant := breakglass.Grant{
		ID: own, Issuer: "mollyguard/my-cluster", Subject: alice.Name, Scope: scope, NotBefore: now, Expires: now.Add(time.Minute),
	}
	must(store.CreateRequest(t.Context(), breakglass.Request{
		ID: own, Requester: alice, Subject: alice.Name, Scope: scope, Reason: "it moved", Duration: time.Minute,
	}))
	denial := breakglass.Verdict{Request: own, Kind: breakglass.Deny, By: alice, Door: breakglass.DoorAPI}
	must(store.CreateVerdict(t.Context(), denial))
	if err := store.CreateVerdict(t.Context(), denial); !errors.Is(err, breakglass.ErrExists) {
		t.Errorf("the same verdict again: %v", err)
	}
	must(store.CreateGrant(t.Context(), grant))
	grant.ID, grant.Token = imported, operation.NewSecret("token")
	must(store.CreateGrant(t.Context(), grant))
	must(store.CreateUse(t.Context(), breakglass.Use{
		Grant: own, Target: scope.Targets[0], Verb: operation.Delete, Actor: alice.Name, At: now, State: breakglass.Reserved,
	}))
	must(store.SetUseState(t.Context(), own, 0, breakglass.Reserved, breakglass.Confirmed))
	for _, id := range []string{own, imported} {
		_, err := store.SetStanding(t.Context(), id, breakglass.Standing{State: breakglass.Active})
		must(err)
	}
	cases, err := store.CasesOf(t.Context(), alice.Name)
	must(err)
	if len(cases) != 2 {
		t.Errorf("%d cases, want 2", len(cases))
	}
	removed, err := store.Prune(t.Context(), now.Add(time.Hour))
	must(err)
	if removed != 2 {
		t.Errorf("%d cases removed, want 2", removed)
	}
}

// testPeople asks for every right there is in our group, and some that there are
// outside.
func (s *site) testPeople(t *testing.T) {
	const (
		requests, verdicts, grants, uses = "breakglassrequests", "breakglassverdicts", "grants", "breakglassuses"
		group                            = "mollyguard.dev"
	)
	verbs := []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "request", "approve", "deny", "revoke", "use", "*"}
	resources := []string{requests, requests + "/status", verdicts, grants, grants + "/status", uses, uses + "/status", "*"}
	read := func(resource string) []string {
		return []string{"get " + resource, "list " + resource, "watch " + resource}
	}
	requester := slices.Concat(read(requests), read(verdicts), read(grants), read(uses), []string{"create " + requests, "create " + verdicts, "create " + grants})
	for role, want := range map[string][]string{
		"mollyguard-requester": requester,
		"mollyguard-approver":  append(slices.Clone(requester), "approve "+requests, "revoke "+requests),
		"mollyguard-auditor":   slices.Concat(read(requests), read(verdicts), read(grants), read(uses)),
	} {
		name := role + "@example.com"
		user, err := s.User(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Grant(t.Context(), name, role); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, resource := range resources {
			for _, verb := range verbs {
				may, err := s.mayAs(t.Context(), t, user, right{verb: verb, group: group, resource: resource})
				if err != nil {
					t.Fatal(err)
				}
				if may {
					got = append(got, verb+" "+resource)
				}
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rights of %s (-want +got):\n%s", role, diff)
		}
		for _, r := range []right{
			{"get", "", "secrets", namespace, "mollyguard-break-glass"},
			{"delete", "", "pods", shop, ""},
			{"impersonate", "", "users", "", ""},
			{"create", authorizationv1.GroupName, "subjectaccessreviews", "", ""},
			{"update", "apiextensions.k8s.io", "customresourcedefinitions", "", requests + "." + group},
		} {
			if may, err := s.mayAs(t.Context(), t, user, r); err != nil || may {
				t.Errorf("%s: %s is allowed: %t, %v", role, r, may, err)
			}
		}
	}
	// Nobody has them who was not given them, and who may do everything has them.
	for user, want := range map[*rest.Config]bool{s.operator: false, s.robot: false, s.Admin(): true} {
		for _, verb := range []string{"approve", "revoke"} {
			r := right{verb: verb, group: group, resource: requests}
			if may, err := s.mayAs(t.Context(), t, user, r); err != nil || may != want {
				t.Errorf("%s is allowed: %t, %v, want %t", r, may, err, want)
			}
		}
	}
}

// mayAs asks the API server whether a user has a right.
func (s *site) mayAs(ctx context.Context, t *testing.T, user *rest.Config, r right) (bool, error) {
	t.Helper()
	resource, subresource := r.split()
	review, err := s.clients(t, user).AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: r.verb, Group: r.group, Resource: resource, Subresource: subresource, Namespace: r.namespace, Name: r.name,
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return review.Status.Allowed, nil
}

// testNoWebhook forges an approval while no webhook is called: the admission policy
// of the manifests refuses it.
func (s *site) testNoWebhook(t *testing.T) {
	const mallory = "mallory@example.com"
	user, err := s.User(mallory)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Grant(t.Context(), mallory, "mollyguard-requester"); err != nil {
		t.Fatal(err)
	}
	httpClient, err := rest.HTTPClientFor(user)
	if err != nil {
		t.Fatal(err)
	}
	c, err := kube.NewClient(user, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	store := kube.NewStore(kube.StoreOptions{Client: c, Cluster: "my-cluster"})
	review, err := s.clients(t, user).AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	own := operation.Actor{
		Identity: operation.Identity{Name: mallory, Kind: operation.Human}, Groups: review.Status.UserInfo.Groups,
		Credential: review.Status.UserInfo.Extra["authentication.kubernetes.io/credential-id"][0],
	}
	forged := breakglass.Verdict{Request: "bg-0000-0001", Kind: breakglass.Approve, By: own, Door: breakglass.DoorKubernetes}
	forged.By.Name = "bob@example.com"
	await(t, "the admission policy to be in force", func(ctx context.Context) (bool, error) {
		err := store.CreateVerdict(ctx, forged)
		if err == nil || errors.Is(err, breakglass.ErrExists) { // written before it was
			forged.Reason += "again"
			forged.Request = fmt.Sprintf("bg-0000-%04d", len(forged.Reason))
			return false, nil
		}
		return strings.Contains(err.Error(), "everybody speaks for themselves"), err
	})
	for want, forge := range map[string]func(v *breakglass.Verdict){
		"not the one in use": func(v *breakglass.Verdict) { v.By.Credential = "X509SHA256=00" },
		"groups: not yours":  func(v *breakglass.Verdict) { v.By.Groups = append(slices.Clone(v.By.Groups), "sre") },
		"spec.door":          func(v *breakglass.Verdict) { v.Door = breakglass.DoorAPI },
	} {
		v := forged
		v.By = own
		forge(&v)
		if err := store.CreateVerdict(t.Context(), v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want …%s…", err, want)
		}
	}
}
