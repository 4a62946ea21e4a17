package mapping

import (
	"strings"
	"sync"
	"testing"

	"github.com/mollyguard/mollyguard/auditlog"
)

// audited is an entry with a protoPayload.
func audited(payload string) string {
	return `{"insertId":"i","logName":"projects/p/logs/cloudaudit.googleapis.com%2Factivity","timestamp":"2026-11-21T03:12:47Z","protoPayload":{` + payload + `}}`
}

func TestWhatTheScanSaysOfAnEntry(t *testing.T) {
	m := testMapper(t, Options{
		HeartbeatLog: "mollyguard-heartbeat",
		Clusters:     []Cluster{{Project: "p", Location: "l", Name: "c", Guarded: true, Namespace: "guards"}},
	})
	const get = `"methodName":"storage.objects.get","serviceName":"storage.googleapis.com"`
	const deletion = `"methodName":"google.container.v1.ClusterManager.DeleteCluster","serviceName":"container.googleapis.com"`
	kube := func(method, name string) string {
		return `"serviceName":"k8s.io","methodName":"` + method + `","resourceName":"` + name + `"`
	}
	for _, tt := range []struct {
		name, entry string
		want        bool
	}{
		{"a read", audited(get), false},
		{"a deletion", audited(deletion), true},
		{"a deletion, service last", audited(`"methodName":"google.container.v1.ClusterManager.DeleteCluster","request":{},"serviceName":"container.googleapis.com"`), true},
		{"a method with an escaped character", audited(`"methodName":"x.\u0064elete","serviceName":"s"`), true},
		{"a name with an escaped character", audited(`"m\u0065thodName":"x.delete","serviceName":"s"`), true},
		{"an escaped protoPayload", `{"proto\u0050ayload":{"methodName":"x.delete"}}`, true},
		{"a second method", audited(get + `,"methodName":"x.delete"`), true},
		{"a second payload", `{"protoPayload":{` + get + `},"protoPayload":{` + deletion + `}}`, true},
		{"a method in the request's body", audited(get + `,"request":{"methodName":"x.delete","protoPayload":{"methodName":"x.delete"}}`), false},
		{"a method in the body and before it", audited(`"request":{"methodName":"storage.objects.get"},` + deletion), true},
		{"a method at the top", `{"methodName":"x.delete","protoPayload":{` + get + `}}`, false},
		{"a method that no table knows and that looks destructive", audited(`"methodName":"acme.v1.Things.PurgeThing","serviceName":"acme.googleapis.com"`), true},
		{"in another case", audited(`"methodName":"acme.v1.Things.removething","serviceName":"acme.googleapis.com"`), true},
		{"the word in another segment", audited(`"methodName":"acme.v1.DeletedThings.List","serviceName":"acme.googleapis.com"`), false},
		{"a policy that is set", audited(`"methodName":"SetIamPolicy","serviceName":"cloudresourcemanager.googleapis.com"`), true},
		{"an audit log's entry without a method", audited(`"@type":"type.googleapis.com/google.cloud.audit.AuditLog"`), true},
		{"another payload without a method", audited(`"@type":"type.googleapis.com/google.appengine.logging.v1.RequestLog"`), false},
		{"an entry of a program", `{"insertId":"i","logName":"projects/p/logs/web","textPayload":"x.delete"}`, false},
		{"a heartbeat", `{"logName":"projects/p/logs/mollyguard-heartbeat","textPayload":"beat"}`, true},
		{"a heartbeat, its log's name encoded", `{"logName":"projects/p/logs/mollyguard%2Dheartbeat","textPayload":"beat"}`, true},
		{"an entry that is cut off", audited(get)[:60], true},
		{"an entry that goes on", audited(get) + "x", true},
		{"an entry that is followed by another", audited(get) + audited(deletion), true},
		{"not an object", `[]`, true},
		{"nothing", ``, true},
		{"a method that is no text", audited(`"methodName":1`), true},
		{"a payload that is no object", `{"protoPayload":"x"}`, true},
		{"labels that are no object", `{"labels":[],"protoPayload":{` + get + `}}`, true},
		{"too much", audited(get + `,"response":"` + strings.Repeat("x", MaxEntry) + `"`), true},
		{"a pod that is read", audited(kube("io.k8s.core.v1.pods.get", "core/v1/namespaces/shop/pods/web")), false},
		{"a pod that is deleted", audited(kube("io.k8s.core.v1.pods.delete", "core/v1/namespaces/shop/pods/web")), true},
		{"a lease that is deleted", audited(kube("io.k8s.coordination.v1.leases.delete", "coordination.k8s.io/v1/namespaces/shop/leases/l")), false},
		{"a ConfigMap that is updated", audited(kube("io.k8s.core.v1.configmaps.update", "core/v1/namespaces/shop/configmaps/c")), false},
		{"a ConfigMap of ours", audited(kube("io.k8s.core.v1.configmaps.update", "core/v1/namespaces/guards/configmaps/c")), true},
		{"a webhook configuration", audited(kube("io.k8s.admissionregistration.v1.validatingwebhookconfigurations.patch", "admissionregistration.k8s.io/v1/validatingwebhookconfigurations/x")), true},
		{
			"an update that the webhook did not see", `{"labels":{"failed-open.validating.webhook.admission.k8s.io/round_0_index_1":"object.update.mollyguard.dev"},"protoPayload":{` +
				kube("io.k8s.core.v1.configmaps.update", "core/v1/namespaces/shop/configmaps/c") + `}}`, true,
		},
		{
			"a deletion's webhook that did not answer", `{"labels":{"failed-open.mutation.webhook.admission.k8s.io/round_0_index_1":"other-1.delete.mollyguard.dev"},"protoPayload":{` +
				kube("io.k8s.coordination.v1.leases.delete", "coordination.k8s.io/v1/namespaces/shop/leases/l") + `}}`, true,
		},
		{
			"an update that a mutating webhook was called for", `{"labels":{"mutation.webhook.admission.k8s.io/round_0_index_1":"{}"},"protoPayload":{` +
				kube("io.k8s.core.v1.configmaps.update", "core/v1/namespaces/shop/configmaps/c") + `}}`, false,
		},
		{"what the floor knows", audited(kube("dev.mollyguard.v1alpha1.floors.patch", "mollyguard.dev/v1alpha1/floors/mg")), true},
		{"an API service", audited(kube("io.k8s.apiregistration.v1.apiservices.patch", "apiregistration.k8s.io/v1/apiservices/v1.x")), true},
		{
			"an update that the webhook decided on", `{"labels":{"object.update.mollyguard.dev/decision":"01J"},"protoPayload":{` +
				kube("io.k8s.core.v1.configmaps.update", "core/v1/namespaces/shop/configmaps/c") + `}}`, true,
		},
		{"a native event of a read", `{"apiVersion":"audit.k8s.io/v1","kind":"Event","stage":"ResponseComplete","verb":"list"}`, false},
		{"a native event of a deletion", `{"apiVersion":"audit.k8s.io/v1","kind":"Event","stage":"ResponseComplete","verb":"delete"}`, true},
		{"a native event that is not over", `{"apiVersion":"audit.k8s.io/v1","kind":"Event","stage":"RequestReceived","verb":"delete"}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := m.Cares([]byte(tt.entry)); got != tt.want {
				t.Errorf("somebody cares: %t, want %t", got, tt.want)
			}
		})
	}
}

// FuzzCares holds the scan to its word: what it says no to is JSON, and there is nothing
// in it to be judged when it is read without a scan before.
func FuzzCares(f *testing.F) {
	f.Add(podsGet())
	f.Add(objectsGet())
	f.Add(clusterDeletion(f))
	for _, text := range []string{
		audited(`"methodName":"x.\u0064elete","serviceName":"s"`),
		audited(`"serviceName":"k8s.io","methodName":"io.k8s.core.v1.pods.delete","resourceName":"core/v1/namespaces/shop/pods/web"`),
		audited(`"serviceName":"k8s.io","methodName":"io.k8s.core.v1.secrets.update","resourceName":"core/v1/namespaces/mollyguard/secrets/x"`),
		`{"apiVersion":"audit.k8s.io/v1","kind":"Event","stage":"ResponseComplete","verb":"delete","objectRef":{"resource":"pods"},"requestReceivedTimestamp":"2026-11-21T03:12:47Z"}`,
		`{"labels":{"failed-open.validating.webhook.admission.k8s.io/r":"object.update.mollyguard.dev"},"protoPayload":{"methodName":"a.v1.b.update","serviceName":"k8s.io"},"timestamp":"2026-11-21T03:12:47Z"}`,
		`{"logName":"projects/p/logs/beat","timestamp":"2026-11-21T03:12:47Z"}`,
	} {
		f.Add([]byte(text))
	}
	m := testMapper(f, Options{HeartbeatLog: "beat", Own: []string{"mg@p.iam.gserviceaccount.com"}, Clusters: []Cluster{{Guarded: true}, {Project: "p", Location: "l", Name: "c", Guarded: true}}})
	f.Fuzz(func(t *testing.T, data []byte) {
		if m.Cares(data) {
			return
		}
		// An error is about a field that decides nothing here.
		if reading, _ := m.read(data); reading.Care != auditlog.Ignore {
			t.Errorf("the scan says no, the mapper says %d", reading.Care)
		}
		if _, err := decode(data); err != nil && !strings.Contains(err.Error(), "comes twice") && !strings.Contains(err.Error(), "nested more than") {
			t.Errorf("the scan says no to what is no JSON: %v", err)
		}
		if reading, err := m.Map(data); err != nil || reading.Care != auditlog.Ignore {
			t.Errorf("the scan says no, Map says %d, %v", reading.Care, err)
		}
	})
}

func TestAMapperMayBeUsedConcurrently(t *testing.T) {
	m := testMapper(t, Options{})
	entries := map[string]bool{string(podsGet()): false, string(clusterDeletion(t)): true, deletion: true}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				for entry, want := range entries {
					if got := m.Cares([]byte(entry)); got != want {
						t.Errorf("somebody cares: %t, want %t", got, want)
					}
					if reading, err := m.Map([]byte(entry)); err != nil || (reading.Care == auditlog.Judge) != want {
						t.Errorf("care %d, %v", reading.Care, err)
					}
				}
			}
		})
	}
	group.Wait()
}
