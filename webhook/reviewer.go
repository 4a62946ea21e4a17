// Package webhook is the Kubernetes surface: it reads AdmissionReviews, maps
// them to operations, and answers with the guard's decisions.
//
//	bytes ── decode ─► review ── map ─► operation ── look up ─► guard ─► decision ─► response
//
// decode and map are pure. Looking up adds what a review does not carry: the
// labels of the namespace, and of the object behind a scale or an eviction. What
// cannot be learnt is named in the operation; unknown counts as production.
//
// The package also generates what is put into the API server, and keeps it as it should
// be: the webhook configurations that make it call, validating and, for deletions where
// there is a floor, mutating; and the floor, admission policies by which it refuses when
// nobody answers.
package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"runtime/debug"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook/index"
)

// Decider decides on operations. *guard.Guard is one.
type Decider interface {
	Decide(ctx context.Context, op operation.Operation) operation.Decision
	// Undecidable records that something could not be read as an operation.
	Undecidable(ctx context.Context, op operation.Operation, cause error) operation.Decision
}

// Lookup tells what a review does not carry. It is called concurrently.
type Lookup interface {
	// NamespaceLabels returns the labels of a namespace. An error means that they
	// are not known, and is shown to the user as the reason.
	NamespaceLabels(ctx context.Context, name string) (map[string]string, error)
	// Object returns what is known of one object. An error means that nothing is.
	Object(ctx context.Context, key ObjectKey) (ObjectMeta, error)
	// Owner says whether the owner that an object in a namespace names is there and
	// stays. An error means that it is not known.
	Owner(ctx context.Context, namespace string, ref ObjectRef) (stays bool, err error)
	// Whole returns an object as JSON. An error means that it is not known.
	Whole(ctx context.Context, key ObjectKey) ([]byte, error)
}

// ObjectKey names an object by its resource.
type ObjectKey struct {
	Group, Version, Resource, Namespace, Name string
}

// ObjectMeta is what a Lookup tells of an object. Kind may be empty.
type ObjectMeta struct {
	Kind string
	UID  string
	// Controlled says that a controller owns it.
	Controlled  bool
	Labels      map[string]string
	Annotations map[string]string
}

// Dependents tells what depends on an object. *index.Index is one. It is called
// concurrently.
type Dependents interface {
	Lost(q index.Question) index.Answer
}

// ReviewerOptions says what a Reviewer is made of. Decider and Lookup are
// required.
type ReviewerOptions struct {
	Decider Decider
	Lookup  Lookup
	// Dependents says what goes with a target, or fails without it; nil means that
	// nobody looks, and a target is judged by itself.
	Dependents Dependents
	// Cluster is the cluster's name in references.
	Cluster string
	// ControlPlane and Agents match the users of these kinds.
	ControlPlane, Agents []*regexp.Regexp
	// Selectors and NamespaceSelectors say which labels mark production.
	Selectors, NamespaceSelectors []labels.Selector
	// Own is Mollyguard's own, Exempt are those who are let through.
	Own    Ownership
	Exempt []Exempt
	// ReadsAnnotations says whether a policy reads target.annotations, which
	// are not decoded otherwise; nil means that none does.
	ReadsAnnotations func() bool
	// Log is told of panics; nil discards.
	Log *slog.Logger
}

// Reviewer judges AdmissionReviews. It may be used concurrently.
type Reviewer struct {
	decider          Decider
	lookup           Lookup
	dependents       Dependents
	mapper           mapper
	readsAnnotations func() bool
	log              *slog.Logger
	// marked says that the API server knows the namespace to be marked by its labels.
	marked bool
}

// NewReviewer returns a Reviewer.
func NewReviewer(opts ReviewerOptions) *Reviewer {
	r := &Reviewer{
		decider: opts.Decider, lookup: opts.Lookup, dependents: opts.Dependents,
		mapper: mapper{
			cluster: opts.Cluster, controlPlane: opts.ControlPlane, agents: opts.Agents,
			selectors: opts.Selectors, namespaceSelectors: opts.NamespaceSelectors,
			own: opts.Own, exempt: opts.Exempt,
		},
		readsAnnotations: opts.ReadsAnnotations, log: opts.Log,
	}
	if r.readsAnnotations == nil {
		r.readsAnnotations = func() bool { return false }
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	return r
}

// inMarked is the same Reviewer for what the API server sends because of a namespace's
// labels.
func (r *Reviewer) inMarked() *Reviewer {
	marked := *r
	marked.marked = true
	return &marked
}

// Answer is what a Reviewer makes of one AdmissionReview.
type Answer struct {
	// UID is the request's, empty if it could not be read.
	UID string
	// NotOurs says that Mollyguard has no say in the request (CONNECT, updates
	// of a status): it is allowed, without a look and without a record. Decision
	// has no id then.
	NotOurs bool
	// Failure says why the review could not be judged, if it could not.
	Failure Failure
	// Operation is what the review was read as; Decision is the answer to it.
	Operation operation.Operation
	Decision  operation.Decision
}

// Failure says why a review could not be judged.
type Failure string

// The failures.
const (
	None       Failure = ""
	Undecoded  Failure = "undecodable"
	TimedOut   Failure = "timeout"
	Panicked   Failure = "panic"
	Unjudgable Failure = "undecided"
	// Overloaded reviews are not read at all; they are only counted.
	Overloaded Failure = "overloaded"
)

// errPanicked is the cause that a user sees; the log has the stack.
var errPanicked = errors.New("an internal error: the log of mollyguard has it")

// Review judges one AdmissionReview, given as JSON. It always answers: a text
// that cannot be read, a panic and an expired ctx end in an undecided Decision,
// which is recorded like any other.
//
// untrusted says in words why the review cannot be believed to come from the API
// server, or is empty; then it is judged all the same, and uses up no grant.
func (r *Reviewer) Review(ctx context.Context, body []byte, untrusted string) (answer Answer) {
	if len(body) > maxBody { // offline; the server has not read it
		return r.Undecodable(ctx, body[:uidWithin], errTooLarge)
	}
	var decoded review
	defer func() { answer = r.recovered(recover(), &decoded.request, answer) }()
	decoded, err := decode(body, r.readsAnnotations())
	if err != nil {
		return r.undecidable(ctx, &decoded.request, err)
	}
	op, need, ours := r.mapper.guarded(&decoded.request)
	if !ours {
		return Answer{UID: decoded.request.uid, NotOurs: true, Operation: op, Decision: operation.Decision{
			Surface: op.Surface, Verb: op.Verb, Phase: op.Phase, Outcome: operation.OutcomeAllow,
			Actor: op.Actor.Identity, Target: op.Target.Reference, DryRun: op.DryRun, Source: op.Source,
		}}
	}
	op.Untrusted = untrusted
	r.complete(ctx, &op, need, decoded.request.resource.version)
	r.depend(&op, &decoded.request)
	decision := r.decider.Decide(ctx, op)
	answer = Answer{UID: decoded.request.uid, Operation: op, Decision: decision}
	if decision.Error != "" {
		answer.Failure = Unjudgable
		if ctx.Err() != nil {
			answer.Failure = TimedOut
		}
	}
	return answer
}

// Undecodable answers a review of which only the beginning could be read.
func (r *Reviewer) Undecodable(ctx context.Context, beginning []byte, cause error) (answer Answer) {
	var decoded review
	defer func() { answer = r.recovered(recover(), &decoded.request, answer) }()
	decoded, _ = decode(beginning, false) // what was read before the error is all there is
	return r.undecidable(ctx, &decoded.request, cause)
}

func (r *Reviewer) undecidable(ctx context.Context, request *request, cause error) Answer {
	op := r.fragment(request)
	return Answer{UID: request.uid, Failure: Undecoded, Operation: op, Decision: r.decider.Undecidable(ctx, op, cause)}
}

// fragment is the operation of a review that was not read to its end: what it
// would change cannot be told.
func (r *Reviewer) fragment(request *request) operation.Operation {
	op, _, _ := r.mapper.operation(request)
	op.Changes, op.Unknown = nil, nil
	return op
}

// recovered turns a panic into a refusal that keeps the uid. Whatever panicked is
// not called again: the log, not the decision log, has the rest.
func (r *Reviewer) recovered(cause any, request *request, answer Answer) Answer {
	if cause == nil {
		return answer
	}
	r.log.Error("panic in a review", "cause", fmt.Sprint(cause), "uid", request.uid, "stack", string(debug.Stack()))
	return Answer{UID: request.uid, Failure: Panicked, Decision: operation.Decision{
		Surface: operation.Kubernetes, Verb: operation.Unknown, Phase: operation.Requested, Outcome: operation.OutcomeUndecided,
		Error: errPanicked.Error(), Source: operation.Source{UID: request.uid},
	}}
}

// complete looks up what the review does not carry, and names what stays
// unknown.
func (r *Reviewer) complete(ctx context.Context, op *operation.Operation, need needs, version string) {
	target := &op.Target
	if need.object {
		meta, err := r.lookup.Object(ctx, ObjectKey{target.Group, version, target.Resource, target.Namespace, target.Name})
		if err != nil {
			op.Unknown = append(op.Unknown, fmt.Sprintf("the labels of %s (%v)", describe(target.Reference), err))
		} else {
			target.Labels, target.Annotations = meta.Labels, maps.Clone(meta.Annotations)
			delete(target.Annotations, BreakGlassKey)
			op.Presented = append(op.Presented, presented([]string{meta.Annotations[BreakGlassKey]})...)
			target.UID, target.Kind = cmp.Or(meta.UID, target.UID), cmp.Or(meta.Kind, target.Kind)
			target.Controlled = meta.Controlled
		}
		if len(need.brings) > 0 {
			r.mapper.bound(op, need.brings, err == nil)
		}
	}
	r.lookForOwners(ctx, op, need.owners)
	r.lookForRole(ctx, op, need.role)
	if need.namespace != "" {
		labels, err := r.namespaceLabels(ctx, need.namespace)
		if err != nil {
			op.Unknown = append(op.Unknown, fmt.Sprintf("the labels of namespace %s (%v)", need.namespace, err))
		} else {
			target.NamespaceLabels = labels
		}
	}
}

// namespaceLabels looks the labels of a namespace up. Where they contradict the API
// server, they are asked for anew: a watch that hangs is silent.
func (r *Reviewer) namespaceLabels(ctx context.Context, name string) (map[string]string, error) {
	found, err := r.lookup.NamespaceLabels(ctx, name)
	if err != nil || !r.marked || slices.ContainsFunc(r.mapper.namespaceSelectors, func(s labels.Selector) bool { return s.Matches(labels.Set(found)) }) {
		return found, err
	}
	r.log.Warn("the labels of a namespace are not those that the API server has, asking for them", "namespace", name)
	fresh, err := r.lookup.Object(ctx, ObjectKey{Version: "v1", Resource: "namespaces", Name: name})
	return fresh.Labels, err
}

// KindOf says what kind of actor a user is. All doors have to agree on it.
func (r *Reviewer) KindOf(name string) operation.ActorKind { return r.mapper.actorKind(name) }
