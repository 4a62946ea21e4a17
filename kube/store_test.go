package kube_test

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/breakglass/storetest"
	"github.com/mollyguard/mollyguard/kube"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/test/cluster"
)

const crds = "../deploy/base/crds"

// site is a cluster with the CRDs installed.
type site struct{ *cluster.Cluster }

func newClient(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	c, err := kube.NewClient(config, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *site) kubectl(t *testing.T, code int, args ...string) cluster.KubectlResult {
	t.Helper()
	return s.kubectlAs(t, s.Admin(), code, "", args...)
}

func (s *site) kubectlAs(t *testing.T, user *rest.Config, code int, stdin string, args ...string) cluster.KubectlResult {
	t.Helper()
	got, err := s.KubectlWith(t.Context(), cluster.KubectlOptions{Stdin: strings.NewReader(stdin)}, user, args...)
	if err != nil {
		t.Fatal(err)
	}
	if got.ExitCode != code {
		t.Fatalf("kubectl %q: exit code %d, want %d\nstdout: %s\nstderr: %s", args, got.ExitCode, code, got.Stdout, got.Stderr)
	}
	return got
}

// TestTheStoreInACluster shares one control plane among the tests that need one.
func TestTheStoreInACluster(t *testing.T) {
	s := &site{cluster.ForTest(t, cluster.Options{})}
	t.Run("without the CRDs it says what to do", s.testWithoutCRDs)
	folder, err := filepath.Abs(crds)
	if err != nil {
		t.Fatal(err)
	}
	s.kubectl(t, 0, "apply", "--filename", folder)
	if err := s.WaitForDefinitions(t.Context()); err != nil {
		t.Fatal(err)
	}

	t.Run("it keeps the promises of a store", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) []breakglass.Store {
			s.empty(t)
			return []breakglass.Store{s.store(t), s.store(t), s.store(t)}
		}, storetest.Options{ServerTimes: true})
	})
	s.empty(t)
	t.Run("the API server refuses what a record may not be", s.testSchema)
	t.Run("what a request asks for and what it is worth reads well", s.testColumns)
	t.Run("a request that names no cluster is for this one", s.testNoCluster)
	t.Run("a verdict in another's place is not taken for theirs", s.testVerdictInTheWay)
	t.Run("a list that takes several pages comes whole", s.testPages)
	t.Run("what was forged in a list does not hide the rest of it", s.testForeignObjects)
	t.Run("a grant is not read without its request", s.testUnlabelledRequest)
	t.Run("keys are kept in a Secret that is there", s.testKeys)
}

// store is as one replica has it.
func (s *site) store(t *testing.T) *kube.Store {
	t.Helper()
	return kube.NewStore(kube.StoreOptions{Client: newClient(t, s.Admin()), Cluster: "prod-eu"})
}

func (s *site) empty(t *testing.T) {
	t.Helper()
	c := newClient(t, s.Admin())
	for _, o := range []client.Object{&v1alpha1.Grant{}, &v1alpha1.BreakGlassRequest{}, &v1alpha1.BreakGlassVerdict{}, &v1alpha1.BreakGlassUse{}} {
		if err := c.DeleteAllOf(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *site) testWithoutCRDs(t *testing.T) {
	store := s.store(t)
	const want = "the CRDs of mollyguard are not installed: kubectl apply --filename deploy/base/crds"
	_, errCase := store.Case(t.Context(), "bg-k7m4-q9tx")
	_, errCasesOf := store.CasesOf(t.Context(), "alice@example.com")
	_, errCases := store.Cases(t.Context(), 1)
	_, errStanding := store.SetStanding(t.Context(), "bg-k7m4-q9tx", breakglass.Standing{State: breakglass.Pending})
	_, errPrune := store.Prune(t.Context(), time.Now())
	for method, err := range map[string]error{
		"Case": errCase, "CasesOf": errCasesOf, "Cases": errCases, "SetStanding": errStanding, "Prune": errPrune,
		"CreateRequest": store.CreateRequest(t.Context(), request("bg-k7m4-q9tx")),
		"CreateVerdict": store.CreateVerdict(t.Context(), verdict("bg-k7m4-q9tx", "bob@example.com")),
		"SetUseState":   store.SetUseState(t.Context(), "bg-k7m4-q9tx", 0, breakglass.Reserved, breakglass.Confirmed),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", method, err, want)
		}
	}
}

func human(name string) operation.Actor {
	return operation.Actor{Identity: operation.Identity{Name: name, Kind: operation.Human}}
}

func request(id string) breakglass.Request {
	return breakglass.Request{
		ID: id, Requester: human("alice@example.com"), Subject: "alice@example.com",
		Scope: breakglass.Scope{
			Surface: operation.Kubernetes, Audience: "prod-eu", Verbs: []operation.Verb{operation.Delete}, Objects: 1,
			Targets: []operation.Reference{{
				Ref: "k8s://prod-eu/core/namespaces/shop", Kind: "Namespace", Name: "shop",
			}},
		},
		Reason: "the shop moved", Ticket: "INC-4711", Duration: 30 * time.Minute,
	}
}

func verdict(id, name string) breakglass.Verdict {
	return breakglass.Verdict{Request: id, Kind: breakglass.Approve, By: human(name), Door: breakglass.DoorKubernetes}
}

func (s *site) testColumns(t *testing.T) {
	store := s.store(t)
	r := request("bg-0000-t001")
	r.Scope.Targets = append(r.Scope.Targets, operation.Reference{Ref: "k8s://prod-eu/core/pods/shop/web\x1b[31m", Namespace: "shop", Name: "web\x1b[31m"})
	until := time.Date(2026, 11, 21, 3, 42, 47, 0, time.UTC)
	if err := store.CreateRequest(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := store.CreateVerdict(t.Context(), verdict(r.ID, "bob@example.com")); err != nil {
		t.Fatal(err)
	}
	if _, err := store.SetStanding(t.Context(), r.ID, breakglass.Standing{
		State: breakglass.Active, Why: "approved by bob@example.com, 1 of 1 left", Approvers: []string{"bob@example.com"}, Needed: 1, Until: until, Left: 1,
	}); err != nil {
		t.Fatal(err)
	}
	s.kubectl(t, 0, "wait", "--for=condition=Active", "bgr/"+r.ID, "--timeout=10s")
	s.kubectl(t, 0, "wait", "--for=condition=Approved", "bgr/"+r.ID, "--timeout=10s")
	for _, tt := range []struct {
		args []string
		want [][]string // lines, and what they consist of
	}{
		{[]string{"get", "bgr", r.ID}, [][]string{
			{"NAME", "WHO", "WHAT", "STATE", "UNTIL", "AGE"},
			{r.ID, "alice@example.com", "delete namespaces shop and 1 more", "Active", "2026-11-21T03:42:47Z"},
		}},
		{[]string{"get", "bgv", "--selector=mollyguard.dev/request=" + r.ID}, [][]string{
			{"NAME", "REQUEST", "VERDICT", "BY", "AGE"},
			{kube.VerdictName(verdict(r.ID, "bob@example.com")), r.ID, "Approve", "bob@example.com"},
		}},
		{[]string{"get", "bgg"}, [][]string{
			{"NAME", "WHO", "ISSUER", "AGE"},
			{"bg-0000-s001", "alice@example.com", "prod-eu"},
		}},
		{[]string{"get", "bgu"}, [][]string{
			{"NAME", "WHO", "VERB", "KIND", "NAMESPACE", "TARGET", "STATE", "AGE"},
			{"bg-0000-s001-0", "alice@example.com", "delete", "Namespace", "shop", "Confirmed"},
		}},
	} {
		got := s.kubectl(t, 0, tt.args...).Stdout
		lines := strings.Split(strings.TrimSpace(got), "\n")
		if len(lines) != len(tt.want) {
			t.Errorf("kubectl %q: %d lines, want %d:\n%s", tt.args, len(lines), len(tt.want), got)
			continue
		}
		for i, parts := range tt.want {
			rest := lines[i]
			for _, part := range parts {
				_, after, found := strings.Cut(rest, part)
				if !found {
					t.Errorf("kubectl %q: %q is not where it should be in %q", tt.args, part, lines[i])
				}
				rest = after
			}
		}
	}
}

func (s *site) testNoCluster(t *testing.T) {
	c, store := newClient(t, s.Admin()), s.store(t)
	want := request("bg-0000-c001")
	o, err := kube.RequestToObject(want)
	if err != nil {
		t.Fatal(err)
	}
	o.Spec.Cluster = ""
	if err := c.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	got, err := store.Case(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.Scope().Audience != "prod-eu" || got.Scope().Targets[0].Ref != want.Scope.Targets[0].Ref {
		t.Errorf("the scope is %+v", got.Scope())
	}
}

func (s *site) testVerdictInTheWay(t *testing.T) {
	c, store := newClient(t, s.Admin()), s.store(t)
	denial := verdict("bg-0000-v001", "bob@example.com")
	denial.Kind = breakglass.Deny
	inTheWay := kube.VerdictToObject(denial)
	inTheWay.Spec.By.Name = "mallory@example.com"
	if err := c.Create(t.Context(), inTheWay); err != nil {
		t.Fatal(err)
	}
	err := store.CreateVerdict(t.Context(), denial)
	if want := "the name " + kube.VerdictName(denial) + " is taken by a verdict of somebody else"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func (s *site) testPages(t *testing.T) {
	const count = 230 // of 50 a page
	store := s.store(t)
	id := "bg-0000-p001"
	if err := store.CreateRequest(t.Context(), request(id)); err != nil {
		t.Fatal(err)
	}
	for slot := range count {
		if err := store.CreateUse(t.Context(), breakglass.Use{
			Grant: id, Slot: slot, Target: request(id).Scope.Targets[0], Verb: operation.Delete, Actor: "alice@example.com",
			At: time.Now(), State: breakglass.Reserved,
		}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := store.Case(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for i, use := range got.Uses {
		if use.Slot != i {
			t.Fatalf("use %d is in slot %d", i, use.Slot)
		}
	}
	if len(got.Uses) != count {
		t.Errorf("%d uses, want %d", len(got.Uses), count)
	}
}

// testForeignObjects tries times and durations that the API server might take and
// Go might not read.
func (s *site) testForeignObjects(t *testing.T) {
	c, store := newClient(t, s.Admin()), s.store(t)
	for i, change := range []struct{ path, value string }{
		{"spec.notBefore", "2026-11-21T10:00:00.123456789+23:59"},
		{"spec.notBefore", "0000-01-01T00:00:00Z"},
		{"spec.notBefore", "2026-11-21T10:00:60Z"},
		{"spec.notBefore", "2026-11-21T24:00:00Z"},
		{"spec.notBefore", "2026-11-21T10:00:00-00:00"},
		{"spec.duration", "1.5h"},
		{"spec.duration", "+90m"},
		{"spec.duration", "1h30m0.000000001s"},
		{"spec.duration", "5400000000µs"},
		{"spec.duration", "9999999999999h"},
	} {
		o := kinds(t)["BreakGlassRequest"]
		set(t, o, "metadata.name", fmt.Sprintf("bg-0000-f%03d", i))
		set(t, o, change.path, change.value)
		err := c.Create(t.Context(), &unstructured.Unstructured{Object: o})
		if err != nil && !apierrors.IsInvalid(err) {
			t.Errorf("%s %s: %v", change.path, change.value, err)
		}
		if _, err := store.Cases(t.Context(), 10); err != nil {
			t.Fatalf("%s %s: taken, and then: %v", change.path, change.value, err)
		}
	}
}

// testUnlabelledRequest is about a request that the label does not find.
func (s *site) testUnlabelledRequest(t *testing.T) {
	c, store := newClient(t, s.Admin()), s.store(t)
	r, g := request("bg-0000-r001"), grant("bg-0000-r001")
	r.Subject, g.Subject = "system:serviceaccount:shop:deployer", "system:serviceaccount:shop:deployer"
	o, err := kube.RequestToObject(r)
	if err != nil {
		t.Fatal(err)
	}
	o.Labels = nil
	if err := c.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := store.CreateGrant(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	got, err := store.CasesOf(t.Context(), r.Subject)
	if err != nil || len(got) != 1 || got[0].Request == nil {
		t.Errorf("got %+v, %v, want the case with its request", got, err)
	}
}

func TestAnAPIServerThatDoesNotAnswerIsAnErrorAndNotAnEmptyAnswer(t *testing.T) {
	config := &rest.Config{Host: "http://127.0.0.1:1", Transport: refusing{}}
	store := kube.NewStore(kube.StoreOptions{Client: newClient(t, config), Cluster: "prod-eu"})
	if _, err := store.CasesOf(t.Context(), "alice@example.com"); err == nil || !strings.Contains(err.Error(), "nobody there") {
		t.Errorf("CasesOf: got %v", err)
	}
	if _, err := store.Case(t.Context(), "bg-k7m4-q9tx"); err == nil || !strings.Contains(err.Error(), "nobody there") {
		t.Errorf("Case: got %v", err)
	}
}

type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("nobody there")
}
