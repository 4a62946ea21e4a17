package mapping

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mollyguard/mollyguard/auditlog"
)

// podsGet is what most of a GKE project's audit log looks like: 3 KB about a read.
func podsGet() []byte {
	return kubernetesEntry("io.k8s.core.v1.pods.get", "core/v1/namespaces/shop/pods/web-7d4b9c6f5d-x2x9k")
}

func objectsGet() []byte {
	return []byte(strings.NewReplacer(
		"io.k8s.core.v1.pods.get", "storage.objects.get", `"k8s.io"`, `"storage.googleapis.com"`,
		"core/v1/namespaces/shop/pods/web-7d4b9c6f5d-x2x9k", "projects/_/buckets/shop-images/objects/2026/11/21/image.png",
	).Replace(string(podsGet())))
}

// kubernetesEntry is an entry of about 3 KB, with the labels and checks that GKE adds.
func kubernetesEntry(method, resourceName string) []byte {
	const reason = `RBAC: allowed by ClusterRoleBinding \"system:node-proxier\" of ClusterRole \"system:node-proxier\" to User \"system:kube-proxy\"`
	var checks []string
	for i := range 6 {
		checks = append(checks, fmt.Sprintf(`{"granted":true,"permission":"%s","resource":"%s","resourceAttributes":{"n":%d}}`, method, resourceName, i))
	}
	return fmt.Appendf(nil, `{"insertId":"03adfb9f-71a3-4f41-9701-29b5542f4d22","labels":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"%s"},`+
		`"logName":"projects/dev-shop/logs/cloudaudit.googleapis.com%%2Fdata_access","operation":{"first":true,"id":"03adfb9f-71a3-4f41-9701-29b5542f4d22","last":true,"producer":"k8s.io"},`+
		`"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","authenticationInfo":{"principalEmail":"system:kube-proxy"},"authorizationInfo":[%s],`+
		`"methodName":"%s","requestMetadata":{"callerIp":"10.128.0.5","callerSuppliedUserAgent":"kube-proxy/v1.36.2 (linux/amd64) kubernetes/$Format","destinationAttributes":{},"requestAttributes":{}},`+
		`"resourceName":"%s","response":{"note":"%s"},"serviceName":"k8s.io","status":{}},`+
		`"receiveTimestamp":"2026-11-21T03:12:49.172112711Z","resource":{"labels":{"cluster_name":"dev-eu","location":"europe-west1","project_id":"dev-shop"},"type":"k8s_cluster"},"severity":"INFO","timestamp":"2026-11-21T03:12:47.593271939Z"}`,
		reason, strings.Join(checks, ","), method, resourceName, strings.Repeat("x ", 400))
}

func clusterDeletion(tb testing.TB) []byte {
	data, err := os.ReadFile("testdata/gcp/cluster_deletion_started.json")
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestAnEntryThatNobodyCaresAboutCostsNextToNoMemory(t *testing.T) {
	m := testMapper(t, Options{HeartbeatLog: "mollyguard"})
	for name, data := range map[string][]byte{"pods.get": podsGet(), "objects.get": objectsGet()} {
		if m.Cares(data) {
			t.Errorf("%s: somebody cares", name)
		}
		// Decoding makes hundreds. Under the race detector a sync.Pool drops what it holds now
		// and then.
		if n := testing.AllocsPerRun(100, func() { m.Cares(data) }); n > 10 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkCares(b *testing.B) {
	m := testMapper(b, Options{HeartbeatLog: "mollyguard", Clusters: []Cluster{{Project: "p", Location: "l", Name: "n", Guarded: true}}})
	for name, data := range map[string][]byte{"pods.get": podsGet(), "objects.get": objectsGet(), "DeleteCluster": clusterDeletion(b)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				m.Cares(data)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

func BenchmarkMap(b *testing.B) {
	m := testMapper(b, Options{})
	for name, data := range map[string][]byte{"pods.delete": kubernetesEntry("io.k8s.core.v1.pods.delete", "core/v1/namespaces/shop/pods/web-1"), "DeleteCluster": clusterDeletion(b)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if reading, err := m.Map(data); err != nil || reading.Care != auditlog.Judge {
					b.Fatal(reading.Care, err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// BenchmarkUnmarshal is the floor: what decoding alone costs with the standard library.
func BenchmarkUnmarshal(b *testing.B) {
	for name, data := range map[string][]byte{"pods.get": podsGet(), "DeleteCluster": clusterDeletion(b)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				var into any
				if err := json.Unmarshal(data, &into); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}
