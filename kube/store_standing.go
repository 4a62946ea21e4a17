package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
)

// The limits of v1alpha1.Standing.
const (
	maxWhat      = 1024
	maxMessage   = 4096
	maxApprovers = 64
)

// SetStanding implements breakglass.Store: it writes the status of the request,
// or of the grant if that came without one. A case that is verdicts or uses alone
// has nothing that it could be written on.
func (s *Store) SetStanding(ctx context.Context, id string, standing breakglass.Standing) (changed bool, err error) {
	if !breakglass.IsHandle(id) {
		return false, breakglass.ErrNotFound
	}
	for range changeAttempts {
		changed, err = s.setStanding(ctx, id, standing)
		if !errors.Is(err, breakglass.ErrConflict) {
			break
		}
	}
	if errors.Is(err, breakglass.ErrNotFound) {
		return false, nil
	}
	return changed, err
}

func (s *Store) setStanding(ctx context.Context, id string, standing breakglass.Standing) (changed bool, err error) {
	key := client.ObjectKey{Name: id}
	var r v1alpha1.BreakGlassRequest
	err = storeError(s.client.Get(ctx, key, &r))
	if err == nil {
		return s.writeStanding(ctx, &r, &r.Status, what(r.Spec.Verbs, r.Spec.Targets), standing)
	}
	if !errors.Is(err, breakglass.ErrNotFound) {
		return false, err
	}
	var g v1alpha1.Grant
	if err := s.client.Get(ctx, key, &g); err != nil {
		return false, storeError(err)
	}
	return s.writeStanding(ctx, &g, &g.Status, what(g.Spec.Verbs, g.Spec.Targets), standing)
}

// writeStanding writes the status of an object, which is part of it, unless that
// says the same already.
func (s *Store) writeStanding(ctx context.Context, o client.Object, status *v1alpha1.Standing, what string, standing breakglass.Standing) (changed bool, err error) {
	before := status.DeepCopy()
	status.ObservedGeneration = o.GetGeneration()
	status.Cluster, status.What = s.cluster, operation.Clip(what, maxWhat)
	status.State = v1alpha1.State(capitalized(string(standing.State)))
	status.Message = operation.Clip(standing.Why, maxMessage)
	status.Approvers = slices.Clone(standing.Approvers[:min(len(standing.Approvers), maxApprovers)])
	status.ApprovalsNeeded, status.Left = int32(standing.Needed), int32(standing.Left)
	status.Until = nil
	if !standing.Until.IsZero() {
		status.Until = new(metav1.NewTime(standing.Until).Rfc3339Copy())
	}
	for condition, holds := range map[string]bool{
		v1alpha1.ConditionApproved: approved(standing),
		v1alpha1.ConditionActive:   standing.State == breakglass.Active,
	} {
		word := metav1.ConditionFalse
		if holds {
			word = metav1.ConditionTrue
		}
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: condition, Status: word, Reason: string(status.State), Message: status.Message,
			ObservedGeneration: status.ObservedGeneration, LastTransitionTime: metav1.NewTime(s.now()),
		})
	}
	if equality.Semantic.DeepEqual(before, status) {
		return false, nil
	}
	if err := s.client.Status().Update(ctx, o); err != nil {
		return false, storeError(err)
	}
	return before.State != status.State, nil
}

// approved reports whether people enough have approved, and nothing took that
// back.
func approved(s breakglass.Standing) bool {
	switch s.State {
	case breakglass.Scheduled, breakglass.Active, breakglass.Used:
		return true
	case breakglass.Expired: // before it was approved, or after
		return len(s.Approvers) >= s.Needed
	}
	return false
}

// what says in words what is asked for.
func what(verbs []v1alpha1.Verb, targets []v1alpha1.Target) string {
	if len(targets) == 0 {
		return ""
	}
	first := targets[0]
	name := first.Name
	if first.Namespace != "" {
		name = first.Namespace + "/" + name
	}
	// Not by the kind, which is what the requester wrote, and opens nothing.
	resource := first.Resource
	if first.Group != "" {
		resource += "." + first.Group
	}
	text := fmt.Sprintf("%s %s %s", strings.Join(texts[string](verbs), ", "), resource, name)
	if more := len(targets) - 1; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return operation.Printable(text)
}
