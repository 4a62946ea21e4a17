package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook"
)

// anEvent is what the server leaves of aDecision: Alice may not delete the
// Deployment web.
func anEvent() corev1.Event {
	return corev1.Event{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Event"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web.1", Annotations: map[string]string{
			webhook.EventDecision: aDecision, webhook.EventVerb: string(operation.Delete), webhook.EventRef: "k8s://prod-eu/apps/deployments/shop/web",
		}},
		InvolvedObject: corev1.ObjectReference{Kind: "Deployment", Namespace: "shop", Name: "web", UID: "uid-of-web"},
		Reason:         webhook.EventReason, Source: corev1.EventSource{Component: eventSource},
	}
}

func altered(change func(e *corev1.Event)) corev1.Event {
	e := anEvent()
	e.Name = "web.2"
	change(&e)
	return e
}

// putEvent keeps an Event in the cluster.
func (f *fakeCluster) putEvent(t *testing.T, e corev1.Event) {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := json.Unmarshal(text, &o.Object); err != nil {
		t.Fatal(err)
	}
	f.keep("/api/v1/namespaces/"+e.Namespace+"/events/"+e.Name, o)
}

func TestAnEventSaysWhatWasRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		events []corev1.Event
	}{
		{"as the server writes it", []corev1.Event{anEvent()}},
		{"twice", []corev1.Event{anEvent(), altered(func(*corev1.Event) {})}},
		{"with the newer field for who wrote it", []corev1.Event{altered(func(e *corev1.Event) { e.Source.Component, e.ReportingController = "", eventSource })}},
		{"beside that of another program", []corev1.Event{anEvent(), altered(func(e *corev1.Event) { e.Source.Component, e.InvolvedObject.UID = "kubelet", "uid-2" })}},
		{"beside one that is about another object than it says", []corev1.Event{anEvent(), altered(func(e *corev1.Event) { e.Annotations[webhook.EventRef] = "k8s://prod-eu/apps/deployments/shop/api" })}},
		{"beside one of another namespace", []corev1.Event{anEvent(), altered(func(e *corev1.Event) { e.InvolvedObject.Namespace = "other" })}},
		{"beside that of another decision", []corev1.Event{anEvent(), altered(func(e *corev1.Event) {
			e.Annotations[webhook.EventDecision], e.InvolvedObject.UID = "01J0000000000000000000000B", "uid-2"
		})}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := shopCluster(t)
			weighing(f)
			for _, event := range tt.events {
				f.putEvent(t, event)
			}
			c, out, talk := testConsole()
			if err := deskRun(t, c, "request", "--kubeconfig", f.kubeconfig(t), "--for", aDecision, "--reason", "why"); err != nil {
				t.Fatal(err)
			}
			kept := f.objects["/apis/mollyguard.dev/v1alpha1/breakglassrequests/"+aHandle.FindString(out.String())].Object["spec"].(map[string]any)
			want := []any{map[string]any{"group": "apps", "resource": "deployments", "kind": "Deployment", "namespace": "shop", "name": "web", "uid": "uid-of-web"}}
			if diff := cmp.Diff(want, kept["targets"]); diff != "" || kept["decision"] != aDecision {
				t.Errorf("kept is %v; targets (-want +got):\n%s", kept, diff)
			}
			if !strings.Contains(talk.String(), " asks for delete Deployment shop/web\n") {
				t.Errorf("what is asked for is not told:\n%s", talk)
			}
		})
	}
}

func TestEventsThatAreMadeUpAreNotBelieved(t *testing.T) {
	for _, tt := range []struct {
		name   string
		events []corev1.Event
		code   int
		want   string
	}{
		{"another object", []corev1.Event{anEvent(), altered(func(e *corev1.Event) { e.InvolvedObject.UID = types.UID("uid-2") })}, exitDenied, "2 Events tell of decision " + aDecision},
		{"another verb", []corev1.Event{anEvent(), altered(func(e *corev1.Event) { e.Annotations[webhook.EventVerb] = "evict" })}, exitDenied, "2 Events tell of decision " + aDecision},
		{"another program alone", []corev1.Event{altered(func(e *corev1.Event) { e.Source.Component = "x" })}, exitUndecided, "no Event tells of decision " + aDecision},
		{"no name", []corev1.Event{altered(func(e *corev1.Event) { e.Annotations[webhook.EventRef] = "web" })}, exitUndecided, "no Event tells of decision " + aDecision},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := shopCluster(t)
			for _, event := range tt.events {
				f.putEvent(t, event)
			}
			c, out, _ := testConsole()
			err := deskRun(t, c, "request", "--kubeconfig", f.kubeconfig(t), "--for", aDecision, "--reason", "why")
			if exitOf(err) != tt.code || !strings.HasPrefix(err.Error(), tt.want) || out.Len() > 0 {
				t.Errorf("got exit code %d, %v; want %d and %q\n%s", exitOf(err), err, tt.code, tt.want, out)
			}
		})
	}
}
