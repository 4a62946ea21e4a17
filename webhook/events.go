package webhook

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mollyguard/mollyguard/operation"
)

// A denial makes an Event on its object, for whoever looks at the object later.
// Every Event is stored in etcd, and denials come in storms, so they are
// aggregated and limited over all objects together: at most eventBurst at once,
// then one every 1/eventsPerSecond seconds.
const (
	eventBurst      = 25
	eventsPerSecond = 0.2
)

// maxEventMessage is what the events.k8s.io API accepts as a note.
const maxEventMessage = 1024

const (
	// EventReason is the reason of every Event here.
	EventReason    = "OperationRefused"
	eventComponent = "mollyguard"
)

// Annotations of an Event, by which a refusal is found again from its decision.
const (
	EventDecision = "mollyguard.dev/decision"
	EventVerb     = "mollyguard.dev/verb"
	EventRef      = "mollyguard.dev/ref"
)

// Events writes Kubernetes Events about refusals. It does not block, and drops
// what is over the limit: the decision log has everything.
type Events struct {
	recorder    record.EventRecorder
	broadcaster record.EventBroadcaster
}

// NewEvents returns an Events that writes with the given client until Close.
func NewEvents(clients kubernetes.Interface, scheme *runtime.Scheme) *Events {
	broadcaster := record.NewBroadcaster(record.WithCorrelatorOptions(record.CorrelatorOptions{
		BurstSize:   eventBurst,
		QPS:         eventsPerSecond,
		SpamKeyFunc: func(event *corev1.Event) string { return event.Source.Component }, // one limit for all
	}))
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: clients.CoreV1().Events("")})
	return &Events{
		broadcaster: broadcaster,
		recorder:    broadcaster.NewRecorder(scheme, corev1.EventSource{Component: eventComponent}),
	}
}

// Observe writes an Event if the answer is a refusal of something real.
func (e *Events) Observe(answer Answer) {
	d := answer.Decision
	if answer.NotOurs || !d.Refused() || d.DryRun || d.Target.Name == "" {
		return
	}
	annotations := map[string]string{EventDecision: d.ID, EventVerb: string(d.Verb), EventRef: d.Target.Ref}
	e.recorder.AnnotatedEventf(reference(answer.Operation.Target), annotations, corev1.EventTypeWarning, EventReason, "%s",
		operation.Clip("decision "+d.ID+", "+operation.Printable(d.Actor.Name)+": "+headline(d, "refused"), maxEventMessage))
}

// Close stops writing.
func (e *Events) Close() { e.broadcaster.Shutdown() }

// reference is what an Event is about. The API version is left out: Events are found
// by kind, name and uid.
func reference(t operation.Target) *corev1.ObjectReference {
	return &corev1.ObjectReference{
		Kind: t.Kind, Namespace: t.Namespace, Name: t.Name, UID: types.UID(t.UID),
	}
}
