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
// else in the one that is named.
func (o requestOptions) fromEvents(ctx context.Context, desk connection, p *breakglass.Proposal) error {
	selector := metav1.ListOptions{FieldSelector: "reason=" + webhook.EventReason, Limit: maxEvents}
	list, err := desk.events.Events(metav1.NamespaceAll).List(ctx, selector)
	if apierrors.IsForbidden(err) && o.namespace != "" {
		list, err = desk.events.Events(o.namespace).List(ctx, selector)
	}
	if err != nil {
		return &exitError{code: exitUndecided, err: fmt.Errorf("look for the Event of decision %s: %w", o.command, err), hint: "name verb and target instead, or the --namespace that it was in"}
	}
	i := slices.IndexFunc(list.Items, func(e corev1.Event) bool { return e.Annotations[webhook.EventDecision] == o.command })
	if i < 0 {
		return &exitError{code: exitUndecided, err: fmt.Errorf("no Event tells of decision %s", o.command), hint: "Events are few and do not last: name verb and target instead"}
	}
	event := list.Items[i]
	name, ok := operation.ParseKubernetesRef(event.Annotations[webhook.EventRef])
	if !ok {
		return &exitError{code: exitUndecided, err: fmt.Errorf("the Event of decision %s does not name an object", o.command), hint: "name verb and target instead"}
	}
	p.Decision = o.command
	p.Scope.Surface, p.Scope.Audience = operation.Kubernetes, name.Cluster
	p.Scope.Verbs = []operation.Verb{operation.Verb(event.Annotations[webhook.EventVerb])}
	p.Scope.Targets = []operation.Reference{{
		Ref: event.Annotations[webhook.EventRef], Kind: event.InvolvedObject.Kind, Namespace: name.Namespace, Name: name.Name, UID: string(event.InvolvedObject.UID),
	}}
	return nil
}

// maxEvents is how many Events are looked through: the server leaves 25 at once
// and then one every five seconds, and they are kept for an hour.
const maxEvents = 1000
