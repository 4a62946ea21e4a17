package kube

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
)

// RequestToObject returns a request as an object, with its labels. Created is
// left out: the API server says when. Times are kept in whole seconds.
func RequestToObject(r breakglass.Request) (*v1alpha1.BreakGlassRequest, error) {
	targets, err := scopeToTargets(r.Scope)
	if err != nil {
		return nil, err
	}
	o := &v1alpha1.BreakGlassRequest{
		ObjectMeta: metav1.ObjectMeta{Name: r.ID, Labels: map[string]string{LabelSubject: SubjectLabel(r.Subject)}},
		Spec: v1alpha1.BreakGlassRequestSpec{
			Requester: actorToObject(r.Requester), Subject: r.Subject, Cluster: r.Scope.Audience,
			Verbs: texts[v1alpha1.Verb](r.Scope.Verbs), Targets: targets, Objects: int32(r.Scope.Objects),
			Reason: r.Reason, Ticket: r.Ticket, Duration: metav1.Duration{Duration: r.Duration}, Decision: r.Decision,
			Approvals: int32(r.Approvals),
		},
	}
	if !r.NotBefore.IsZero() {
		o.Spec.NotBefore = &metav1.Time{Time: r.NotBefore}
	}
	return o, nil
}

// RequestFromObject returns the request that an object is. cluster is the name of
// the cluster that it is in, for one that names none; a client that does not know
// it gives "" and takes the server's word in the status.
func RequestFromObject(o *v1alpha1.BreakGlassRequest, cluster string) breakglass.Request {
	cluster = cmp.Or(o.Spec.Cluster, cluster, o.Status.Cluster)
	r := breakglass.Request{
		ID: o.Name, Created: o.CreationTimestamp.UTC(), Requester: actorFromObject(o.Spec.Requester), Subject: o.Spec.Subject,
		Scope:  scope(cluster, o.Spec.Verbs, o.Spec.Targets, o.Spec.Objects),
		Reason: o.Spec.Reason, Ticket: o.Spec.Ticket, Duration: o.Spec.Duration.Duration, Decision: o.Spec.Decision,
		Approvals: int(o.Spec.Approvals),
	}
	if o.Spec.NotBefore != nil {
		r.NotBefore = o.Spec.NotBefore.UTC()
	}
	return r
}

// VerdictToObject returns a verdict as an object, with its labels. At is left
// out: the API server says when.
func VerdictToObject(v breakglass.Verdict) *v1alpha1.BreakGlassVerdict {
	return &v1alpha1.BreakGlassVerdict{
		ObjectMeta: metav1.ObjectMeta{Name: VerdictName(v), Labels: map[string]string{LabelRequest: v.Request}},
		Spec: v1alpha1.BreakGlassVerdictSpec{
			Request: v1alpha1.Handle(v.Request), Verdict: v1alpha1.VerdictKind(capitalized(string(v.Kind))),
			By: actorToObject(v.By), Reason: v.Reason, Door: v1alpha1.Door(v.Door),
		},
	}
}

// VerdictFromObject returns the verdict that an object is.
func VerdictFromObject(o *v1alpha1.BreakGlassVerdict) breakglass.Verdict {
	return breakglass.Verdict{
		Request: string(o.Spec.Request), Kind: breakglass.VerdictKind(strings.ToLower(string(o.Spec.Verdict))),
		By: actorFromObject(o.Spec.By), At: o.CreationTimestamp.UTC(), Reason: o.Spec.Reason, Door: breakglass.Door(o.Spec.Door),
	}
}

// GrantToObject returns a grant as an object, with its labels. Times are kept in
// whole seconds.
func GrantToObject(g breakglass.Grant) (*v1alpha1.Grant, error) {
	targets, err := scopeToTargets(g.Scope)
	if err != nil {
		return nil, err
	}
	return &v1alpha1.Grant{
		ObjectMeta: metav1.ObjectMeta{Name: g.ID, Labels: map[string]string{LabelSubject: SubjectLabel(g.Subject)}},
		Spec: v1alpha1.GrantSpec{
			Issuer: g.Issuer, Subject: g.Subject, Credential: g.Credential, Cluster: g.Scope.Audience,
			Verbs: texts[v1alpha1.Verb](g.Scope.Verbs), Targets: targets, Objects: int32(g.Scope.Objects),
			Reason: g.Reason, Ticket: g.Ticket, Approvers: g.Approvers, ApprovalsDigest: g.ApprovalsDigest,
			NotBefore: metav1.Time{Time: g.NotBefore}, Expires: metav1.Time{Time: g.Expires}, Seal: g.Seal, Token: g.Token.Reveal(),
		},
	}, nil
}

// GrantFromObject returns the grant that an object is.
func GrantFromObject(o *v1alpha1.Grant) breakglass.Grant {
	return breakglass.Grant{
		ID: o.Name, Issuer: o.Spec.Issuer, Subject: o.Spec.Subject, Credential: o.Spec.Credential,
		Scope:  scope(o.Spec.Cluster, o.Spec.Verbs, o.Spec.Targets, o.Spec.Objects),
		Reason: o.Spec.Reason, Ticket: o.Spec.Ticket, Approvers: o.Spec.Approvers, ApprovalsDigest: o.Spec.ApprovalsDigest,
		NotBefore: o.Spec.NotBefore.UTC(), Expires: o.Spec.Expires.UTC(), Seal: o.Spec.Seal, Token: operation.NewSecret(o.Spec.Token),
	}
}

// useToObject returns a use as an object, with its labels. cluster is the one
// that it is in.
func useToObject(u breakglass.Use, cluster string) (*v1alpha1.BreakGlassUse, error) {
	target, err := referenceToTarget(u.Target, cluster)
	if err != nil {
		return nil, err
	}
	if u.Slot < 0 || u.Slot > math.MaxInt32 {
		return nil, fmt.Errorf("slot: %d is out of range", u.Slot)
	}
	return &v1alpha1.BreakGlassUse{
		ObjectMeta: metav1.ObjectMeta{Name: useName(u.Grant, u.Slot), Labels: map[string]string{LabelRequest: u.Grant}},
		Spec: v1alpha1.BreakGlassUseSpec{
			Grant: v1alpha1.Handle(u.Grant), Slot: int32(u.Slot), Target: target, Verb: v1alpha1.Verb(u.Verb),
			Actor: u.Actor, At: metav1.MicroTime{Time: u.At}, Decision: u.Decision,
		},
		Status: v1alpha1.BreakGlassUseStatus{State: v1alpha1.UseState(capitalized(string(u.State)))},
	}, nil
}

func useFromObject(o *v1alpha1.BreakGlassUse, cluster string) breakglass.Use {
	return breakglass.Use{
		Grant: string(o.Spec.Grant), Slot: int(o.Spec.Slot), Target: reference(o.Spec.Target, cluster), Verb: operation.Verb(o.Spec.Verb),
		Actor: o.Spec.Actor, At: o.Spec.At.UTC(), State: useState(o), Decision: o.Spec.Decision,
	}
}

func useState(o *v1alpha1.BreakGlassUse) breakglass.UseState {
	return breakglass.UseState(strings.ToLower(string(o.Status.State)))
}

func actorToObject(a operation.Actor) v1alpha1.Actor {
	return v1alpha1.Actor{Name: a.Name, UID: a.UID, Groups: a.Groups, Credential: a.Credential, Kind: v1alpha1.ActorKind(a.Kind), Via: a.Via}
}

func actorFromObject(a v1alpha1.Actor) operation.Actor {
	return operation.Actor{
		Identity: operation.Identity{Name: a.Name, Kind: operation.ActorKind(a.Kind), Via: a.Via},
		UID:      a.UID, Groups: a.Groups, Credential: a.Credential,
	}
}

func scope(cluster string, verbs []v1alpha1.Verb, targets []v1alpha1.Target, objects int32) breakglass.Scope {
	s := breakglass.Scope{Surface: operation.Kubernetes, Audience: cluster, Verbs: texts[operation.Verb](verbs), Objects: int(objects)}
	for _, t := range targets {
		s.Targets = append(s.Targets, reference(t, cluster))
	}
	return s
}

// scopeToTargets returns the targets of a scope that a cluster can keep.
func scopeToTargets(s breakglass.Scope) ([]v1alpha1.Target, error) {
	if s.Surface != operation.Kubernetes {
		return nil, fmt.Errorf("scope.surface: the cluster keeps requests and grants for kubernetes, not for %s", operation.Printable(string(s.Surface)))
	}
	if s.Objects < 1 || s.Objects > breakglass.MaxObjects {
		return nil, fmt.Errorf("scope.objects: %d is not between 1 and %d", s.Objects, breakglass.MaxObjects)
	}
	targets := make([]v1alpha1.Target, len(s.Targets))
	for i, ref := range s.Targets {
		var err error
		if targets[i], err = referenceToTarget(ref, s.Audience); err != nil {
			return nil, fmt.Errorf("scope.targets[%d]: %w", i, err)
		}
	}
	return targets, nil
}

func reference(t v1alpha1.Target, cluster string) operation.Reference {
	return operation.Reference{
		Ref:  operation.KubernetesRef(cluster, t.Group, t.Resource, t.Namespace, t.Name),
		Kind: t.Kind, Namespace: t.Namespace, Name: t.Name, UID: t.UID,
	}
}

// referenceToTarget takes a reference apart, such that reference puts the same
// one together again.
func referenceToTarget(ref operation.Reference, cluster string) (v1alpha1.Target, error) {
	name, ok := operation.ParseKubernetesRef(ref.Ref)
	t := v1alpha1.Target{
		Group: name.Group, Resource: name.Resource, Kind: ref.Kind, Namespace: name.Namespace, Name: name.Name, UID: ref.UID,
	}
	switch {
	case !ok:
		return t, fmt.Errorf("%s is not an object of Kubernetes", operation.Printable(ref.Ref))
	case name.Cluster != cluster:
		return t, fmt.Errorf("%s is not in %s", operation.Printable(ref.Ref), operation.Printable(cluster))
	case name.Namespace != ref.Namespace || name.Name != ref.Name:
		return t, fmt.Errorf("%s is not namespace %q, name %q", operation.Printable(ref.Ref), ref.Namespace, ref.Name)
	}
	return t, nil
}

// texts copies a list of one string type into another's.
func texts[To, From ~string](list []From) []To {
	if list == nil {
		return nil
	}
	copied := make([]To, len(list))
	for i, item := range list {
		copied[i] = To(item)
	}
	return copied
}

// capitalized writes one of our words as Kubernetes writes the values of fields.
func capitalized(word string) string {
	if word == "" {
		return ""
	}
	return strings.ToUpper(word[:1]) + word[1:]
}
