package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
)

// counter is a desk that says what it is told to, and writes down what it hears.
type counter struct {
	err   error
	grant breakglass.Grant
	heard []string
}

func (c *counter) CheckRequest(_ context.Context, r breakglass.Request) error {
	c.heard = append(c.heard, "check request of "+r.Requester.Name+", a "+string(r.Requester.Kind))
	return c.err
}

func (c *counter) CheckVerdict(_ context.Context, v breakglass.Verdict) error {
	c.heard = append(c.heard, "check "+string(v.Kind)+" of "+v.By.Name)
	return c.err
}

func (c *counter) NoteImport(_ context.Context, _ operation.Actor, g breakglass.Grant) error {
	c.heard = append(c.heard, "note import "+g.ID)
	return nil
}

func (c *counter) NoteRefused(_ context.Context, kind breakglass.EventKind, actor operation.Actor, handle, _ string) error {
	c.heard = append(c.heard, strings.TrimSpace("note "+string(kind)+" of "+actor.Name+" "+handle))
	return nil
}

func (c *counter) VerifyToken(_ context.Context, actor operation.Actor, token operation.Secret) (breakglass.Grant, error) {
	c.heard = append(c.heard, "check token of "+actor.Name)
	return c.grant, c.err
}

func (c *counter) NoteRequest(_ context.Context, r breakglass.Request) error {
	c.heard = append(c.heard, "note request "+r.ID)
	return nil
}

func (c *counter) NoteVerdict(_ context.Context, v breakglass.Verdict) error {
	c.heard = append(c.heard, "note "+string(v.Kind))
	return nil
}

var (
	caseAlice = operation.Actor{
		Identity: operation.Identity{Name: "alice@example.com", Kind: operation.Human},
		UID:      "a-1", Groups: []string{"dev", "system:authenticated"}, Credential: "X509SHA256=ab",
	}
	caseTarget  = operation.Reference{Ref: "k8s://prod-eu/apps/deployments/shop/web", Kind: "Deployment", Namespace: "shop", Name: "web", UID: "w-1"}
	caseRequest = breakglass.Request{
		ID: "bg-0000-0001", Requester: caseAlice, Subject: caseAlice.Name, Reason: "moved", Duration: time.Minute,
		Scope: breakglass.Scope{
			Surface: operation.Kubernetes, Audience: "prod-eu", Verbs: []operation.Verb{operation.Delete},
			Targets: []operation.Reference{caseTarget}, Objects: 1,
		},
	}
	caseVerdict = breakglass.Verdict{Request: "bg-0000-0001", Kind: breakglass.Approve, By: caseAlice, Door: breakglass.DoorKubernetes}
	caseGrant   = breakglass.Grant{
		ID: "bg-0000-0002", Issuer: "hq", Subject: caseAlice.Name, Scope: caseRequest.Scope, Approvers: []string{"bob"},
		NotBefore: time.Unix(1_800_000_000, 0).UTC(), Expires: time.Unix(1_800_000_600, 0).UTC(), Token: operation.NewSecret("t.o.k"),
	}
)

func objectOf(t *testing.T, object any, err error) []byte {
	t.Helper()
	data, encodeErr := json.Marshal(object)
	if err := errors.Join(err, encodeErr); err != nil {
		t.Fatal(err)
	}
	return data
}

// aCase is a review of the creation of an object by Alice, as changed by edits.
func aCase(resource string, object []byte, edits ...func(*admissionv1.AdmissionRequest)) *admissionv1.AdmissionRequest {
	r := &admissionv1.AdmissionRequest{
		UID: "u-1", Operation: admissionv1.Create, Resource: metav1.GroupVersionResource{Group: "mollyguard.dev", Version: "v1alpha1", Resource: resource},
		UserInfo: authenticationv1.UserInfo{
			Username: caseAlice.Name, UID: caseAlice.UID, Groups: []string{"system:authenticated", "dev"},
			Extra: map[string]authenticationv1.ExtraValue{operation.KubernetesCredential: {caseAlice.Credential}},
		},
		Object: runtime.RawExtension{Raw: object},
	}
	for _, edit := range edits {
		edit(r)
	}
	return r
}

func TestBreakGlassObjectsAreWrittenInOnesOwnName(t *testing.T) {
	requestOf := func(edits ...func(*v1alpha1.BreakGlassRequest)) []byte {
		o, err := kube.RequestToObject(caseRequest)
		for _, edit := range edits {
			edit(o)
		}
		return objectOf(t, o, err)
	}
	verdictOf := func(edits ...func(*v1alpha1.BreakGlassVerdict)) []byte {
		o := kube.VerdictToObject(caseVerdict)
		for _, edit := range edits {
			edit(o)
		}
		return objectOf(t, o, nil)
	}
	grantOf := func(edits ...func(*v1alpha1.Grant)) []byte {
		o, err := kube.GrantToObject(caseGrant)
		for _, edit := range edits {
			edit(o)
		}
		return objectOf(t, o, err)
	}
	by := func(name string) func(*admissionv1.AdmissionRequest) {
		return func(r *admissionv1.AdmissionRequest) { r.UserInfo.Username = name }
	}
	const writtenOnce = "break-glass objects are written once"
	for _, tt := range []struct {
		name   string
		review *admissionv1.AdmissionRequest
		err    error
		want   string // what the refusal says; empty if it is allowed
		heard  []string
	}{
		{name: "a request", review: aCase("breakglassrequests", requestOf()), heard: []string{"check request of alice@example.com, a human", "note request bg-0000-0001"}},
		{
			name: "a request that says what kind its author is", want: "",
			review: aCase("breakglassrequests", requestOf(func(o *v1alpha1.BreakGlassRequest) {
				o.Spec.Requester.Name, o.Spec.Requester.Kind = "deploy-bot", "human"
			}), by("deploy-bot")),
			heard: []string{"check request of deploy-bot, a agent", "note request bg-0000-0001"},
		},
		{
			name:   "a dry run leaves no trace",
			review: aCase("breakglassrequests", requestOf(), func(r *admissionv1.AdmissionRequest) { r.DryRun = new(true) }), heard: []string{"check request of alice@example.com, a human"},
		},
		{
			name: "a request that the desk refuses", review: aCase("breakglassrequests", requestOf()), err: &breakglass.Refusal{Reason: "no\x1b[2J ticket"},
			want: `no\x1b[2J ticket`, heard: []string{"check request of alice@example.com, a human"},
		},
		{
			name: "a request that could not be judged", review: aCase("breakglassrequests", requestOf()), err: errors.New("etcd is gone"),
			want: "mollyguard could not decide: etcd is gone", heard: []string{"check request of alice@example.com, a human"},
		},
		{name: "a request in another's name", review: aCase("breakglassrequests", requestOf(), by("mallory")), want: "spec.requester.name: alice@example.com is not you (mallory): everybody speaks for themselves"},
		{
			name: "with another's groups", want: "spec.requester.groups: not yours",
			review: aCase("breakglassrequests", requestOf(func(o *v1alpha1.BreakGlassRequest) { o.Spec.Requester.Groups = append(o.Spec.Requester.Groups, "sre") })),
		},
		{
			name: "with another's uid", want: "spec.requester.uid: not yours",
			review: aCase("breakglassrequests", requestOf(func(o *v1alpha1.BreakGlassRequest) { o.Spec.Requester.UID = "a-2" })),
		},
		{
			name: "with a credential that is not in use", want: "spec.requester.credential: not the one in use",
			review: aCase("breakglassrequests", requestOf(func(o *v1alpha1.BreakGlassRequest) { o.Spec.Requester.Credential = "" })),
		},
		{
			name: "without the label that it is found by", want: "metadata.labels: expected mollyguard.dev/subject=" + kube.SubjectLabel(caseAlice.Name),
			review: aCase("breakglassrequests", requestOf(func(o *v1alpha1.BreakGlassRequest) { o.Labels = nil })),
		},
		{
			name: "of a kind that its author is not", want: `spec.requester.kind: you are of kind "human" here`,
			review: aCase("breakglassrequests", requestOf(func(o *v1alpha1.BreakGlassRequest) { o.Spec.Requester.Kind = "service" })),
		},
		{
			name: "with a finalizer, which would keep it for ever", want: "metadata: a record has neither finalizers nor owners",
			review: aCase("breakglassrequests", requestOf(func(o *v1alpha1.BreakGlassRequest) { o.Finalizers = []string{"a.b/c"} })),
		},
		{
			name: "with an owner, which the garbage collector would ask about for ever", want: "metadata: a record has neither finalizers nor owners",
			review: aCase("breakglassverdicts", verdictOf(func(o *v1alpha1.BreakGlassVerdict) { o.OwnerReferences = []metav1.OwnerReference{{}} })),
		},
		{
			name: "with annotations that every replica would keep", want: "metadata.annotations: more than 16 KiB",
			review: aCase("breakglassrequests", requestOf(func(o *v1alpha1.BreakGlassRequest) {
				o.Annotations = map[string]string{"a": strings.Repeat("x", 16<<10)}
			})),
		},
		{name: "a verdict", review: aCase("breakglassverdicts", verdictOf()), heard: []string{"check approve of alice@example.com", "note approve"}},
		{name: "a verdict on nothing", review: aCase("breakglassverdicts", verdictOf()), err: breakglass.ErrNotFound, want: "there is neither request nor grant of that handle", heard: []string{"check approve of alice@example.com"}},
		{name: "a verdict in another's name", review: aCase("breakglassverdicts", verdictOf(), by("bob")), want: "spec.by.name: alice@example.com is not you (bob): everybody speaks for themselves"},
		{
			name: "a verdict by a door that it did not come by", want: `spec.door: a verdict that comes through the Kubernetes API is "kubernetes"`,
			review: aCase("breakglassverdicts", verdictOf(func(o *v1alpha1.BreakGlassVerdict) { o.Spec.Door = "api" })),
		},
		{
			name: "a second voice by another name of the object", want: "metadata.name: expected " + kube.VerdictName(caseVerdict),
			review: aCase("breakglassverdicts", verdictOf(func(o *v1alpha1.BreakGlassVerdict) { o.Name += "0" })),
		},
		{
			name: "a verdict under another request's label", want: "metadata.labels: expected mollyguard.dev/request=bg-0000-0001",
			review: aCase("breakglassverdicts", verdictOf(func(o *v1alpha1.BreakGlassVerdict) { o.Labels[kube.LabelRequest] = "bg-0000-0009" })),
		},
		{name: "a grant with its token", review: aCase("grants", grantOf()), heard: []string{"check token of alice@example.com", "note import bg-0000-0002"}},
		{name: "a grant whose token is not good", review: aCase("grants", grantOf()), err: &breakglass.Refusal{Reason: "forged"}, want: "forged", heard: []string{"check token of alice@example.com"}},
		{
			name: "a grant without a token", want: "only mollyguard issues grants",
			review: aCase("grants", grantOf(func(o *v1alpha1.Grant) { o.Spec.Token = "" })),
		},
		{
			name: "a grant that says more than its token", want: "the grant does not say what its token says",
			review: aCase("grants", grantOf(func(o *v1alpha1.Grant) { o.Spec.Objects = 2 })), heard: []string{"check token of alice@example.com"},
		},
		{
			name: "a grant under another's label", want: "metadata.labels: expected mollyguard.dev/subject=",
			review: aCase("grants", grantOf(func(o *v1alpha1.Grant) { o.Labels[kube.LabelSubject] = "x" })), heard: []string{"check token of alice@example.com"},
		},
		{name: "a use", review: aCase("breakglassuses", []byte(`{}`)), want: "only mollyguard creates breakglassuses"},
		{name: "an object that is none", review: aCase("grants", []byte(`{"spec":[]}`)), want: "not a break-glass object: "},
		{name: "no object", review: aCase("grants", nil), want: "not a break-glass object: "},
		{name: "an update", review: aCase("grants", grantOf(), func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Update }), want: writtenOnce},
		{name: "a state", review: aCase("grants", grantOf(), func(r *admissionv1.AdmissionRequest) { r.Operation, r.SubResource = admissionv1.Update, "status" }), want: writtenOnce},
		{name: "a deletion", review: aCase("grants", nil, func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Delete }), want: writtenOnce},
		{
			name:   "what the cluster's own machinery writes back",
			review: aCase("grants", grantOf(), by("system:serviceaccount:kube-system:migrator"), func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Update }),
		},
		{name: "even that machinery deletes nothing", want: writtenOnce, review: aCase("grants", nil, by("system:serviceaccount:kube-system:migrator"), func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Delete })},
		{name: "what this server writes", review: aCase("breakglassuses", []byte(`{}`), by("system:serviceaccount:mollyguard:mollyguard"))},
		{
			name: "what somebody writes who impersonates this server", want: "this is somebody who impersonates mollyguard",
			review: aCase("breakglassuses", []byte(`{}`), by("system:serviceaccount:mollyguard:mollyguard"), func(r *admissionv1.AdmissionRequest) { r.UserInfo.Extra = nil }),
		},
		{name: "what this server deletes", review: aCase("grants", nil, by("system:serviceaccount:mollyguard:mollyguard"), func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Delete })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			desk := &counter{err: tt.err, grant: caseGrant}
			response := postCase(t, desk, tt.review)
			if response.UID != "u-1" || response.Allowed != (tt.want == "") {
				t.Fatalf("answer %+v", response)
			}
			if !response.Allowed && !strings.HasPrefix(response.Result.Message, tt.want) {
				t.Errorf("says %q, want %s…", response.Result.Message, tt.want)
			}
			heard := desk.heard
			// Every no is told, once, and what could not be decided is not a no.
			told := len(heard) > 0 && strings.Contains(heard[len(heard)-1], "refused of ")
			if no := response.Result != nil && response.Result.Code == 403; told != no {
				t.Errorf("a no: %t, the desk heard %q", no, heard)
			}
			if told {
				heard = heard[:len(heard)-1]
			}
			if len(heard) == 0 {
				heard = nil
			}
			if diff := cmp.Diff(tt.heard, heard); diff != "" {
				t.Errorf("the desk heard (-want +got):\n%s", diff)
			}
		})
	}
}

func casesHandler(t testing.TB, desk Desk) *CasesHandler {
	t.Helper()
	m := testMapper(t)
	return NewCasesHandler(CasesOptions{
		Desk: desk, Caller: Caller{Trusted: true},
		Reviewer: NewReviewer(ReviewerOptions{Cluster: "prod-eu", ControlPlane: m.controlPlane, Agents: m.agents}),
		Self: func(context.Context) (Self, error) {
			return Self{Name: "system:serviceaccount:mollyguard:mollyguard", Credentialed: true}, nil
		},
	})
}

func postCase(t *testing.T, desk Desk, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	t.Helper()
	server := httptest.NewServer(casesHandler(t, desk))
	t.Cleanup(server.Close)
	body, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: request})
	if err != nil {
		t.Fatal(err)
	}
	code, review, text := post(t, server.URL, bytes.NewReader(body))
	if code != 200 || review.Response == nil {
		t.Fatalf("code %d: %s", code, text)
	}
	return review.Response
}

func TestWhoIsNotTheAPIServerIsNotEvenRead(t *testing.T) {
	desk := &counter{}
	handler := casesHandler(t, desk)
	handler.Caller = Caller{}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	code, _, text := post(t, server.URL, strings.NewReader("{}"))
	if code != 403 || len(desk.heard) > 0 || !strings.Contains(text, "nothing proves that this call is the API server's") {
		t.Errorf("code %d: %s; heard %q", code, text, desk.heard)
	}
}

func TestWhoTheServerIsHasToBeKnown(t *testing.T) {
	handler := casesHandler(t, &counter{})
	handler.Self = func(context.Context) (Self, error) { return Self{}, errors.New("no answer") }
	err := handler.judge(t.Context(), aCase("grants", nil))
	if want := "find out this server's own name: no answer"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAReviewOfACaseThatIsNoneIsNotAnswered(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON": "x", "no request": "{}", "no uid": `{"request":{}}`, "too long": `{"a":"` + strings.Repeat("x", maxCase) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(casesHandler(t, &counter{}))
			t.Cleanup(server.Close)
			if code, _, text := post(t, server.URL, strings.NewReader(body)); code != 400 {
				t.Errorf("code %d: %s", code, text)
			}
		})
	}
}

func FuzzCase(f *testing.F) {
	f.Add("grants", "CREATE", []byte(`{"spec":{"token":"a.b.c"}}`))
	f.Add("breakglassrequests", "CREATE", []byte(`{"spec":{"requester":{"name":"alice@example.com"},"duration":"1m"}}`))
	f.Add("breakglassverdicts", "UPDATE", []byte(`{"spec":{"by":{"name":"alice@example.com"}}}`))
	f.Fuzz(func(t *testing.T, resource, verb string, object []byte) {
		desk := &counter{err: &breakglass.Refusal{Reason: "no"}}
		handler := casesHandler(t, desk)
		review := aCase(resource, object, func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Operation(verb) })
		if err := handler.judge(t.Context(), review); err == nil || errors.Is(err, errPanicked) {
			t.Errorf("%s of %s: %v", verb, resource, err)
		}
	})
}
