package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sync/semaphore"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
)

// CasesPath is where changes to break-glass objects are judged.
const CasesPath = "/v1/admit-cases"

// maxCase is the largest review of a break-glass object: two of them, each of 64
// targets, 1000 groups and a token at their longest, are about 1.5 MiB.
const maxCase = 3 << 20

// maxCasesHeld is what all of these reviews together may hold: four of the
// largest, decoded beside their text.
const maxCasesHeld = 4 * maxCase

// maxCaseAnnotations is how much annotations of these objects may hold. Every
// replica keeps the objects' metadata, for as long as records are kept; kubectl
// apply writes the object itself into one.
const maxCaseAnnotations = 16 << 10

// Desk judges requests, verdicts and tokens before they are kept. *breakglass.Desk
// is one.
type Desk interface {
	CheckRequest(ctx context.Context, r breakglass.Request) error
	CheckVerdict(ctx context.Context, v breakglass.Verdict) error
	VerifyToken(ctx context.Context, actor operation.Actor, token operation.Secret) (breakglass.Grant, error)
	NoteRequest(ctx context.Context, r breakglass.Request) error
	NoteVerdict(ctx context.Context, v breakglass.Verdict) error
	NoteImport(ctx context.Context, actor operation.Actor, g breakglass.Grant) error
	// NoteRefused notes that somebody, or a token of theirs, was refused; handle is
	// what it was about, or empty.
	NoteRefused(ctx context.Context, kind breakglass.EventKind, actor operation.Actor, handle, reason string) error
}

// CasesOptions says what a CasesHandler is made of. Desk, Reviewer and Self are
// required.
type CasesOptions struct {
	Desk Desk
	// Reviewer tells what kind of actor somebody is, and the cluster's name.
	Reviewer *Reviewer
	// Self returns how the API server knows this server, which alone writes what is
	// not somebody's own word.
	Self func(ctx context.Context) (Self, error)
	// Caller tells whether a call is the API server's.
	Caller Caller
	// Timeout is how long an answer may take; zero means nine seconds.
	Timeout time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log is told what could not be decided; nil discards.
	Log *slog.Logger
}

// Self is how the API server knows this server.
type Self struct {
	Name string
	// Credentialed says that its calls carry the id of a credential: one without is
	// somebody who impersonates it.
	Credentialed bool
}

// CasesHandler guards the break-glass objects of the cluster: somebody asks and
// judges in their own name only, tokens are good and their own, and the rest is
// this server's to write.
type CasesHandler struct {
	CasesOptions
	held *semaphore.Weighted
}

var _ http.Handler = (*CasesHandler)(nil)

// NewCasesHandler returns a CasesHandler.
func NewCasesHandler(o CasesOptions) *CasesHandler {
	if o.Timeout <= 0 {
		o.Timeout = 9 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &CasesHandler{CasesOptions: o, held: semaphore.NewWeighted(maxCasesHeld)}
}

// ServeHTTP implements http.Handler. What cannot be decided is refused.
func (h *CasesHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "mollyguard: an admission review is sent with POST", http.StatusMethodNotAllowed)
		return
	}
	if why := h.Caller.untrusted(r, CasesPath); why != "" { // before anything is read or asked
		http.Error(w, "mollyguard: "+why, http.StatusForbidden)
		return
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
	defer cancel()
	if err := http.NewResponseController(w).SetReadDeadline(start.Add(h.Timeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		h.Log.Warn("no deadline for reading a review", "error", err)
	}
	if err := h.held.Acquire(ctx, maxCase); err != nil {
		http.Error(w, "mollyguard: "+errOverloaded.Error(), http.StatusServiceUnavailable)
		return
	}
	defer h.held.Release(maxCase)
	var review admissionv1.AdmissionReview
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCase))
	if err == nil {
		err = json.Unmarshal(body, &review)
	}
	if err != nil || review.Request == nil || review.Request.UID == "" {
		http.Error(w, "mollyguard: not an AdmissionReview of a break-glass object", http.StatusBadRequest)
		return
	}
	err = h.judge(ctx, review.Request)
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: err == nil, Result: h.result(err, review.Request)}
	review.Request = nil
	answer, err := json.Marshal(review)
	if err != nil { // these types always encode
		http.Error(w, "mollyguard: encode the response", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(answer); err != nil {
		h.Log.Warn("answer not sent: the API server has gone away", "error", err, "uid", review.Response.UID)
	}
}

// result words a refusal for kubectl; nil means allowed.
func (h *CasesHandler) result(err error, request *admissionv1.AdmissionRequest) *metav1.Status {
	if err == nil {
		return nil
	}
	var refusal *breakglass.Refusal
	switch {
	case errors.As(err, &refusal):
		return &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: operation.Clip(operation.Printable(refusal.Reason), maxMessage)}
	case errors.Is(err, breakglass.ErrNotFound):
		return &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound, Message: "there is neither request nor grant of that handle"}
	}
	h.Log.Error("a break-glass object could not be judged", "error", err, "uid", request.UID, "resource", request.Resource.Resource)
	return &metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusInternalServerError, Reason: metav1.StatusReasonInternalError,
		Message: operation.Clip("mollyguard could not decide: "+operation.Printable(err.Error()), maxMessage),
	}
}

// judge returns nil if a change may be made.
func (h *CasesHandler) judge(ctx context.Context, r *admissionv1.AdmissionRequest) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			h.Log.Error("panic in a review", "cause", fmt.Sprint(cause), "uid", r.UID, "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	self, err := h.Self(ctx)
	if err != nil {
		return fmt.Errorf("find out this server's own name: %w", err)
	}
	actor := h.actor(r.UserInfo)
	record := r.DryRun == nil || !*r.DryRun
	var handle string
	switch {
	case self.Name == "" || actor.Name != self.Name:
		handle, err = h.judgeOf(ctx, r, actor, record)
	case self.Credentialed && actor.Credential == "":
		err = &breakglass.Refusal{Reason: "this is somebody who impersonates mollyguard: its own calls come with a credential"}
	}
	var refusal *breakglass.Refusal
	if record && errors.As(err, &refusal) {
		kind := breakglass.EventRefused
		if r.Resource.Resource == "grants" && r.Operation == admissionv1.Create {
			kind = breakglass.EventTokenRefused
		}
		err = errors.Join(err, h.Desk.NoteRefused(ctx, kind, actor, handle, refusal.Reason))
	}
	return err
}

// judgeOf judges what somebody else than this server wants to do. handle is what
// it is about, as far as that could be read.
func (h *CasesHandler) judgeOf(ctx context.Context, r *admissionv1.AdmissionRequest, actor operation.Actor, record bool) (handle string, err error) {
	switch {
	case r.Operation == admissionv1.Update && actor.Kind == operation.Controller && r.SubResource == "":
		return "", nil // a storage migration writes back what it reads; the schema lets nobody change a spec
	case r.Operation != admissionv1.Create || r.SubResource != "":
		return "", &breakglass.Refusal{Reason: "break-glass objects are written once, and kept by mollyguard: to end a request or a grant, use kubectl mollyguard deny or revoke"}
	}
	switch r.Resource.Resource {
	case "breakglassrequests":
		return h.request(ctx, r, actor, record)
	case "breakglassverdicts":
		return h.verdict(ctx, r, actor, record)
	case "grants":
		return h.grant(ctx, r, actor, record)
	}
	return "", &breakglass.Refusal{Reason: fmt.Sprintf("only mollyguard creates %s", r.Resource.Resource)}
}

// actor is the caller, the way reviews of other objects have it.
func (h *CasesHandler) actor(info authenticationv1.UserInfo) operation.Actor {
	u := user{name: info.Username, uid: info.UID, groups: info.Groups}
	if values := info.Extra[operation.KubernetesCredential]; len(values) > 0 {
		u.credential = values[0]
	}
	return h.Reviewer.mapper.actor(&request{user: u})
}

func (h *CasesHandler) request(ctx context.Context, r *admissionv1.AdmissionRequest, actor operation.Actor, record bool) (handle string, err error) {
	var object v1alpha1.BreakGlassRequest
	if err := decodeObject(r.Object, &object); err != nil {
		return "", err
	}
	asked := kube.RequestFromObject(&object, h.Reviewer.mapper.cluster)
	if err := errors.Join(
		plainMetadata(object.ObjectMeta, kube.LabelSubject, kube.SubjectLabel(object.Spec.Subject)),
		sameActor("spec.requester", asked.Requester, actor),
	); err != nil {
		return asked.ID, err
	}
	asked.Created, asked.Requester = h.Now(), actor
	if err := h.Desk.CheckRequest(ctx, asked); err != nil || !record {
		return asked.ID, err
	}
	return asked.ID, h.Desk.NoteRequest(ctx, asked)
}

func (h *CasesHandler) verdict(ctx context.Context, r *admissionv1.AdmissionRequest, actor operation.Actor, record bool) (handle string, err error) {
	var object v1alpha1.BreakGlassVerdict
	if err := decodeObject(r.Object, &object); err != nil {
		return "", err
	}
	v := kube.VerdictFromObject(&object)
	if err := errors.Join(
		plainMetadata(object.ObjectMeta, kube.LabelRequest, v.Request),
		sameActor("spec.by", v.By, actor),
	); err != nil {
		return v.Request, err
	}
	if v.Door != breakglass.DoorKubernetes {
		return v.Request, &breakglass.Refusal{Reason: fmt.Sprintf("spec.door: a verdict that comes through the Kubernetes API is %q", breakglass.DoorKubernetes)}
	}
	if want := kube.VerdictName(v); object.Name != want {
		return v.Request, &breakglass.Refusal{Reason: fmt.Sprintf("metadata.name: expected %s, so that nobody speaks twice", want)}
	}
	v.At, v.By = h.Now(), actor
	if err := h.Desk.CheckVerdict(ctx, v); err != nil || !record {
		return v.Request, err
	}
	return v.Request, h.Desk.NoteVerdict(ctx, v)
}

// grant lets somebody bring a token from elsewhere. The object must say what the
// token says; it is the token that is believed, now and at every use.
func (h *CasesHandler) grant(ctx context.Context, r *admissionv1.AdmissionRequest, actor operation.Actor, record bool) (handle string, err error) {
	var object v1alpha1.Grant
	if err := decodeObject(r.Object, &object); err != nil {
		return "", err
	}
	if object.Spec.Token == "" {
		return "", &breakglass.Refusal{Reason: "only mollyguard issues grants: ask for one with kubectl mollyguard request, or bring a token with kubectl mollyguard use"}
	}
	token := operation.NewSecret(object.Spec.Token)
	g, err := h.Desk.VerifyToken(ctx, actor, token)
	if err != nil {
		return "", err
	}
	g.Token = token
	want, err := kube.GrantToObject(g)
	if err != nil {
		return g.ID, &breakglass.Refusal{Reason: err.Error()}
	}
	same, err := equalSpecs(want, &object)
	if err != nil {
		return g.ID, err
	}
	if !same {
		return g.ID, &breakglass.Refusal{Reason: "the grant does not say what its token says: let kubectl mollyguard use write it"}
	}
	if err := plainMetadata(object.ObjectMeta, kube.LabelSubject, kube.SubjectLabel(g.Subject)); err != nil || !record {
		return g.ID, err
	}
	return g.ID, h.Desk.NoteImport(ctx, actor, g)
}

func equalSpecs(want, got *v1alpha1.Grant) (bool, error) {
	a, err := json.Marshal(want.Spec)
	if err != nil {
		return false, fmt.Errorf("compare grant and token: %w", err)
	}
	b, err := json.Marshal(got.Spec)
	if err != nil {
		return false, fmt.Errorf("compare grant and token: %w", err)
	}
	return want.Name == got.Name && string(a) == string(b), nil
}

func decodeObject(raw runtime.RawExtension, into any) error {
	if err := json.Unmarshal(raw.Raw, into); err != nil {
		return &breakglass.Refusal{Reason: "not a break-glass object: " + err.Error()}
	}
	return nil
}

// sameActor refuses whoever speaks in another's name.
func sameActor(field string, said, caller operation.Actor) error {
	switch {
	case said.Name != caller.Name:
		return &breakglass.Refusal{Reason: fmt.Sprintf("%s.name: %s is not you (%s): everybody speaks for themselves", field, operation.Printable(said.Name), operation.Printable(caller.Name))}
	case said.Kind != operation.Human && said.Kind != caller.Kind:
		return &breakglass.Refusal{Reason: fmt.Sprintf("%s.kind: you are of kind %q here", field, caller.Kind)}
	case said.UID != caller.UID:
		return &breakglass.Refusal{Reason: fmt.Sprintf("%s.uid: not yours", field)}
	case said.Credential != caller.Credential:
		return &breakglass.Refusal{Reason: fmt.Sprintf("%s.credential: not the one in use", field)}
	case !slices.Equal(slices.Sorted(slices.Values(said.Groups)), slices.Sorted(slices.Values(caller.Groups))):
		return &breakglass.Refusal{Reason: fmt.Sprintf("%s.groups: not yours", field)}
	}
	return nil
}

// plainMetadata makes sure that an object is found by those who look for it, and holds
// nothing that would keep it from being removed, or every replica busy with it.
func plainMetadata(m metav1.ObjectMeta, key, want string) error {
	size := 0
	for name, value := range m.Annotations {
		size += len(name) + len(value)
	}
	switch {
	case m.Labels[key] != want:
		return &breakglass.Refusal{Reason: fmt.Sprintf("metadata.labels: expected %s=%s", key, want)}
	case len(m.Finalizers) > 0 || len(m.OwnerReferences) > 0:
		return &breakglass.Refusal{Reason: "metadata: a record has neither finalizers nor owners"}
	case size > maxCaseAnnotations:
		return &breakglass.Refusal{Reason: fmt.Sprintf("metadata.annotations: more than %d KiB", maxCaseAnnotations>>10)}
	}
	return nil
}
