package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook"
)

// fromDecision fills in the scope from a refusal: a server remembers the last
// ones, and in a cluster it left an Event, unless there were too many.
func (o requestOptions) fromDecision(ctx context.Context, desk connection, args []string, p *breakglass.Proposal) error {
	if len(args) > 0 {
		return usageError("", "--for says what is asked for: leave %s out", shown(strings.Join(args, " ")))
	}
	if desk.server != nil {
		return o.fromServer(ctx, desk, p)
	}
	return o.fromEvents(ctx, desk, p)
}

func (o requestOptions) fromServer(ctx context.Context, desk connection, p *breakglass.Proposal) error {
	d, err := desk.server.Decision(ctx, o.command)
	if errors.Is(err, breakglass.ErrNotFound) {
		return &exitError{code: exitUndecided, err: fmt.Errorf("the server does not remember a decision %s about you", o.command), hint: "name verb and target instead"}
	}
	if err != nil {
		return err
	}
	caller, err := desk.server.WhoAmI(ctx)
	if err != nil {
		return err
	}
	p.Decision = d.ID
	p.Scope.Surface, p.Scope.Audience = d.Surface, caller.Audience
	p.Scope.Verbs, p.Scope.Targets = []operation.Verb{d.Verb}, []operation.Reference{d.Target}
	return nil
}

// fromEvents looks for the Event of a refusal, in all namespaces if the user may,
// else in the one that is named. Whoever may create Events can make one up: what is
// asked for is therefore told, and who approves reads it too.
func (o requestOptions) fromEvents(ctx context.Context, desk connection, p *breakglass.Proposal) error {
	selector := metav1.ListOptions{FieldSelector: "reason=" + webhook.EventReason, Limit: maxEvents}
	list, err := desk.events.Events(metav1.NamespaceAll).List(ctx, selector)
	if apierrors.IsForbidden(err) && o.namespace != "" {
		list, err = desk.events.Events(o.namespace).List(ctx, selector)
	}
	if err != nil {
		err = fmt.Errorf("look for the Event of decision %s: %w", o.command, err)
		var status apierrors.APIStatus
		if errors.As(err, &status) {
			err = &exitError{code: exitUndecided, err: err, hint: "name verb and target instead, or the --namespace that it was in"}
		}
		return err
	}
	var found []refusedOperation
	for _, event := range list.Items {
		if one, ok := refusedIn(event); ok && event.Annotations[webhook.EventDecision] == o.command && !slices.Contains(found, one) {
			found = append(found, one)
		}
	}
	switch len(found) {
	case 0:
		return &exitError{code: exitUndecided, err: fmt.Errorf("no Event tells of decision %s", o.command), hint: "Events are few and do not last: name verb and target instead"}
	case 1:
		name, _ := operation.ParseKubernetesRef(found[0].target.Ref)
		p.Decision = o.command
		p.Scope.Surface, p.Scope.Audience = operation.Kubernetes, name.Cluster
		p.Scope.Verbs, p.Scope.Targets = []operation.Verb{found[0].verb}, []operation.Reference{found[0].target}
		return nil
	}
	return &exitError{
		code: exitDenied, err: fmt.Errorf("%d Events tell of decision %s, and not the same: all but one are made up", len(found), o.command),
		hint: "name verb and target instead, and tell the owners of the cluster",
	}
}

// refusedOperation is what an Event says was refused.
type refusedOperation struct {
	verb   operation.Verb
	target operation.Reference
}

// eventSource is who writes the Events of refusals (webhook.Events).
const eventSource = "mollyguard"

// refusedIn reads an Event. ok is false for one that the server would not have
// written: somebody else's, or one whose annotations tell of another object than it
// is about.
func refusedIn(event corev1.Event) (one refusedOperation, ok bool) {
	about := event.InvolvedObject
	ref := event.Annotations[webhook.EventRef]
	name, ok := operation.ParseKubernetesRef(ref)
	if !ok || name.Namespace != about.Namespace || name.Name != about.Name ||
		event.Source.Component != eventSource && event.ReportingController != eventSource {
		return refusedOperation{}, false
	}
	return refusedOperation{operation.Verb(event.Annotations[webhook.EventVerb]), operation.Reference{
		Ref: ref, Kind: about.Kind, Namespace: name.Namespace, Name: name.Name, UID: string(about.UID),
	}}, true
}

// maxEvents is how many Events are looked through: the server leaves 25 at once
// and then one every five seconds, and they are kept for an hour.
const maxEvents = 1000
