package index

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkReadPage reads a page of pods as the API server writes them, some 4 KB each
// with their managed fields. What it allocates is garbage as soon as the index has taken
// the objects in.
func BenchmarkReadPage(b *testing.B) {
	var items []string
	for i := range pageSize {
		items = append(items, fmt.Sprintf(`{"metadata":{"name":"web-%d","namespace":"shop","uid":"2a9e0d9c-5c1d-4b5f-9c53-%012d","resourceVersion":"%d",
		"labels":{"app":"web","pod-template-hash":"6c8b9"},"annotations":{"note":%q},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"o","controller":true}],
		"managedFields":[{"manager":"kubelet","fieldsV1":{"f:status":{%s"f:x":{}}}}]},"spec":{"nodeName":"n","serviceAccountName":"default",
		"volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"data-%d"}},{"name":"tls","secret":{"secretName":"tls"}}],
		"containers":[{"name":"web","image":"example.com/web","env":[{"name":"A","value":"b"},{"name":"P","valueFrom":{"secretKeyRef":{"name":"db","key":"p"}}}]}]},
		"status":{"phase":"Running"}}`, i, i, i, strings.Repeat("n", 500), strings.Repeat(`"f:conditions":{"f:a":{}},`, 80), i))
	}
	body := `{"metadata":{"resourceVersion":"7"},"items":[` + strings.Join(items, ",") + `]}`
	for _, kind := range []string{"pods", "configmaps"} {
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			d, _ := distillerOf(resource(kind))
			for b.Loop() {
				if _, err := readPage(strings.NewReader(body), func(data []byte) error {
					_, err := d(data)
					return err
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/pageSize, "ns/object")
		})
	}
}
