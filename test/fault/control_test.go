package fault

import (
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mollyguard/mollyguard/test/cluster"
)

// testLinkCut ends what the replicas hear of the cluster, and what they could ask it.
// What they know is believed for a minute.
func testLinkCut(t *testing.T, w *world) {
	w.link.cut()
	w.passBy(t)
	check(t,
		func() error { return w.refused(t, destructive, byAnything) },
		func() error { return w.done(t, harmless) })
	w.unseen(t)
	w.link.mend()
}

// testLinkSilent is worse: questions are taken, and never answered.
func testLinkSilent(t *testing.T, w *world) {
	w.link.swallow()
	w.passBy(t)
	check(t,
		func() error { return w.refused(t, destructive, byAnything) },
		func() error { return w.done(t, harmless) })
	w.link.mend()
}

// unseen makes namespaces production that the replicas don't know, or know otherwise, and
// has what is in them destroyed.
func (w *world) unseen(t *testing.T) {
	t.Helper()
	ctx, cancel := within(t, w.timeout)
	defer cancel()
	all := w.admin.clients.CoreV1().Namespaces()
	made, err := all.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "unseen-", Labels: map[string]string{"env": "production"}}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.admin.clients.CoreV1().ConfigMaps(made.Name).Create(ctx, settingsMap(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := all.Patch(ctx, "later", types.MergePatchType, []byte(`{"metadata":{"labels":{"env":"production"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	var list []attempt
	for _, namespace := range []string{made.Name, "later"} {
		inside := object{configMaps, namespace, "settings"}
		list = append(list,
			deletion("delete what is in namespace "+namespace, inside),
			change("empty what is in namespace "+namespace, inside, `{"data":null}`),
			deletion("delete namespace "+namespace, object{namespaces, "", namespace}))
	}
	check(t, func() error { return w.refused(t, list, byAnything) })
}

func settingsMap() *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"a": "1"}}
}

// testWrongBundle has the API server distrust the replicas, which can't put that right
// because they can't reach it.
func testWrongBundle(t *testing.T, w *world) {
	w.link.cut()
	hooks := w.admin.clients.AdmissionregistrationV1()
	ctx, cancel := within(t, 0)
	defer cancel()
	deletions, err := hooks.MutatingWebhookConfigurations().Get(ctx, "mollyguard", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	others, err := hooks.ValidatingWebhookConfigurations().Get(ctx, "mollyguard", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wrong := newIssuer(t)
	for i := range deletions.Webhooks {
		deletions.Webhooks[i].ClientConfig.CABundle = wrong.pem
	}
	for i := range others.Webhooks {
		others.Webhooks[i].ClientConfig.CABundle = wrong.pem
	}
	if _, err := hooks.MutatingWebhookConfigurations().Update(ctx, deletions, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := hooks.ValidatingWebhookConfigurations().Update(ctx, others, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the API server to distrust the replicas", func() error { return w.refused(t, destructive, byDistrust) })
	w.unanswered(t)
	w.link.mend()
}

// standstill is how long etcd stands still: less than the ten seconds after which a
// controller manager gives up its lease.
const standstill = 3 * time.Second

// testEtcdStands stops etcd. Nobody can be answered then; what matters is that nothing is
// done afterwards that was asked meanwhile.
func testEtcdStands(t *testing.T, w *world) {
	if err := w.Signal(cluster.Etcd, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	w.hold(t, limit(t, standstill))
	if err := w.Signal(cluster.Etcd, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// testAPIServerRestartsLast has all but what an API server takes half a minute for (see
// TestWhatTakesMinutesToShow): it is the last fault of its world.
func testAPIServerRestartsLast(t *testing.T, w *world) {
	before := w.traces(t)
	testAPIServerRestarts(t, w)
	eventually(t, "the policies to refuse", func() error { return w.refused(t, destructive, byPolicy) })
	eventually(t, "the rest to be done", func() error { return w.done(t, harmless) })
	w.passBy(t)
	t.Run("and the replicas are killed", func(t *testing.T) {
		w.killAll()
		w.hold(t, limit(t, w.timeout+slack))
	})
	w.untouched(t, before)
}

// testAPIServerRestarts goes on asking while the API server goes and comes back: it must
// not let through anything before it knows whom to ask.
func testAPIServerRestarts(t *testing.T, w *world) {
	restarted := make(chan error, 1)
	go func() { restarted <- w.RestartAPIServer(t.Context()) }()
	for {
		w.hold(t, limit(t, w.timeout+slack))
		select {
		case <-time.After(poll):
		case err := <-restarted:
			if err != nil {
				t.Fatal(err)
			}
			return
		}
	}
}
