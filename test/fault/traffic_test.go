package fault

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// dev is what is not production.
var dev = object{deployments, "sandbox", "dev"}

// named is metadata of something that the cluster names.
func named(prefix string) metav1.ObjectMeta { return metav1.ObjectMeta{GenerateName: prefix + "-"} }

// elsewhere is what does not concern Mollyguard: it is never asked.
var elsewhere = []attempt{
	{name: "make, change and read a ConfigMap", do: func(ctx context.Context, a actor) error {
		maps := a.clients.CoreV1().ConfigMaps("sandbox")
		made, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: named("made"), Data: map[string]string{"a": "1"}}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		made.Data["a"] = "2"
		if made, err = maps.Update(ctx, made, metav1.UpdateOptions{}); err != nil {
			return err
		}
		_, err = maps.Get(ctx, made.Name, metav1.GetOptions{})
		return err
	}},
	{name: "make a Secret in a production namespace", do: func(ctx context.Context, a actor) error {
		_, err := a.clients.CoreV1().Secrets("live").Create(ctx, &corev1.Secret{ObjectMeta: named("made")}, metav1.CreateOptions{})
		return err
	}},
	{name: "make a namespace", do: func(ctx context.Context, a actor) error {
		_, err := a.clients.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: named("made")}, metav1.CreateOptions{})
		return err
	}},
	{name: "make a pod, and tell its status", do: func(ctx context.Context, a actor) error {
		all := a.clients.CoreV1().Pods("sandbox")
		made, err := all.Create(ctx, &corev1.Pod{ObjectMeta: named("made"), Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "example.com/a"}}}}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		made.Status.Phase = corev1.PodRunning
		_, err = all.UpdateStatus(ctx, made, metav1.UpdateOptions{})
		return err
	}},
	change("roll out a Deployment", dev, `{"spec":{"template":{"metadata":{"annotations":{"turn":"next"}}}}}`),
	change("roll out a production Deployment", web, `{"spec":{"template":{"metadata":{"annotations":{"turn":"next"}}}}}`),
	change("annotate a production namespace", live, `{"metadata":{"annotations":{"turn":"next"}}}`),
	scaling("scale up", dev, 2),
	scaling("scale down, not to zero", dev, 1),
	{name: "hold, renew and release a Lease", do: func(ctx context.Context, a actor) error {
		leases := a.clients.CoordinationV1().Leases("sandbox")
		made, err := leases.Create(ctx, &coordinationv1.Lease{ObjectMeta: named("made")}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		made.Spec.HolderIdentity = new("a")
		if _, err := leases.Update(ctx, made, metav1.UpdateOptions{}); err != nil {
			return err
		}
		return leases.Delete(ctx, made.Name, metav1.DeleteOptions{})
	}},
	{name: "register a node, tell its status, and remove it", do: func(ctx context.Context, a actor) error {
		nodes := a.clients.CoreV1().Nodes()
		made, err := nodes.Create(ctx, &corev1.Node{ObjectMeta: named("made")}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		if _, err := nodes.PatchStatus(ctx, made.Name, []byte(`{"status":{"nodeInfo":{"kernelVersion":"1"}}}`)); err != nil {
			return err
		}
		return nodes.Delete(ctx, made.Name, metav1.DeleteOptions{})
	}},
	{name: "tell an Event, and remove it", do: func(ctx context.Context, a actor) error {
		events := a.clients.CoreV1().Events("sandbox")
		made, err := events.Create(ctx, &corev1.Event{ObjectMeta: named("made"), InvolvedObject: corev1.ObjectReference{Namespace: "sandbox"}}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		return events.Delete(ctx, made.Name, metav1.DeleteOptions{})
	}},
	{name: "ask what somebody may do", do: func(ctx context.Context, a actor) error {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Resource: "pods"}}}
		_, err := a.clients.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		return err
	}},
}

// open is what is asked about and goes on without an answer. Each makes what it takes.
var open = []attempt{
	{name: "delete a ConfigMap", do: func(ctx context.Context, a actor) error {
		maps := a.clients.CoreV1().ConfigMaps("sandbox")
		made, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: named("gone")}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		return maps.Delete(ctx, made.Name, metav1.DeleteOptions{})
	}},
	{name: "empty a ConfigMap", do: func(ctx context.Context, a actor) error {
		maps := a.clients.CoreV1().ConfigMaps("sandbox")
		made, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: named("made"), Data: map[string]string{"a": "1"}}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		_, err = maps.Patch(ctx, made.Name, types.MergePatchType, []byte(`{"data":null}`), metav1.PatchOptions{})
		return err
	}},
	{name: "delete a pod", pod: true, do: func(ctx context.Context, a actor) error {
		made, err := makePod(ctx, a, "nowhere")
		if err != nil {
			return err
		}
		return a.clients.CoreV1().Pods("sandbox").Delete(ctx, made.Name, metav1.DeleteOptions{})
	}},
	{name: "delete a PriorityClass", do: func(ctx context.Context, a actor) error {
		classes := a.clients.SchedulingV1().PriorityClasses()
		made, err := classes.Create(ctx, &schedulingv1.PriorityClass{ObjectMeta: named("gone"), Value: 1}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		return classes.Delete(ctx, made.Name, metav1.DeleteOptions{})
	}},
}

// isolation is the same, and only warned of.
var isolation = attempt{name: "isolate pods", do: func(ctx context.Context, a actor) error {
	_, err := a.clients.NetworkingV1().NetworkPolicies("sandbox").Create(ctx, &networkingv1.NetworkPolicy{
		ObjectMeta: named("made"),
		Spec:       networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "none"}}, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}},
	}, metav1.CreateOptions{})
	return err
}}

// harmless is all that goes on without an answer.
var harmless = append(slices.Clone(open), isolation)

// atOnce is a pod that nothing has to be waited for, since it is on no node or is deleted
// by force: the API server asks about it twice.
var atOnce = attempt{name: "delete a pod at once", twice: true, pod: true, do: func(ctx context.Context, a actor) error {
	made, err := makePod(ctx, a, "")
	if err != nil {
		return err
	}
	return a.clients.CoreV1().Pods("sandbox").Delete(ctx, made.Name, metav1.DeleteOptions{})
}}

// closed is what is not production either, which the API server cannot tell: it is
// refused without an answer.
var closed = []attempt{
	{name: "scale to zero", twice: true, do: func(ctx context.Context, a actor) error {
		if err := scaling("", dev, 0).do(ctx, a); err != nil {
			return err
		}
		return scaling("", dev, 1).do(ctx, a)
	}},
	{name: "evict", do: func(ctx context.Context, a actor) error {
		made, err := makePod(ctx, a, "")
		if err != nil {
			return err
		}
		return eviction("", object{pods, "sandbox", made.Name}).do(ctx, a)
	}},
	{name: "delete an empty namespace", do: func(ctx context.Context, a actor) error {
		made, err := a.clients.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: named("gone")}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		return a.clients.CoreV1().Namespaces().Delete(ctx, made.Name, metav1.DeleteOptions{})
	}},
}

func makePod(ctx context.Context, a actor, node string) (*corev1.Pod, error) {
	return a.clients.CoreV1().Pods("sandbox").Create(ctx, &corev1.Pod{
		ObjectMeta: named("gone"), Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "a", Image: "example.com/a"}}},
	}, metav1.CreateOptions{})
}

// wait is how long the API server may wait for answers to an attempt.
func (w *world) wait(a attempt) time.Duration {
	if a.twice {
		return 2 * w.timeout
	}
	return w.timeout
}

// done reports what of a list is not done in time. All of them are tried at the same time.
func (w *world) done(t *testing.T, list []attempt) error {
	t.Helper()
	return each(list, func(a attempt) error {
		ctx, cancel := within(t, w.wait(a))
		defer cancel()
		if err := a.do(ctx, w.olga); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		return nil
	})
}

// check holds several things at the same time.
func check(t *testing.T, claims ...func() error) {
	t.Helper()
	if err := each(claims, func(claim func() error) error { return claim() }); err != nil {
		t.Error(err)
	}
}

// passBy holds that what does not concern Mollyguard is done, and that the API server
// calls no webhook about it: by its own count, so that it holds whether or not anybody
// would have answered.
func (w *world) passBy(t *testing.T) {
	t.Helper()
	before := w.calls(t)
	check(t, func() error { return w.done(t, elsewhere) })
	if diff := cmp.Diff(before, w.calls(t)); diff != "" {
		t.Errorf("the API server called the webhook (-before +after):\n%s", diff)
	}
}

// once holds that the API server makes one call of a request, and two of those that it is
// known to ask about twice: of a pod once more if the cluster changes it meanwhile.
func (w *world) once(t *testing.T) {
	t.Helper()
	for _, a := range append([]attempt{atOnce}, harmless...) {
		before := total(w.calls(t))
		check(t, func() error { return w.done(t, []attempt{a}) })
		got := total(w.calls(t)) - before
		switch {
		case a.twice && got < 2:
			t.Errorf("%s: %d calls, want 2", a.name, got)
		case !a.twice && !a.pod && got != 1:
			t.Errorf("%s: %d calls, want 1", a.name, got)
		}
	}
}

func total(calls map[string]int) int {
	sum := 0
	for _, n := range calls {
		sum += n
	}
	return sum
}
