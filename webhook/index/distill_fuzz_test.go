package index

import "testing"

// withFacts are the kinds that have a distiller of their own, and one that has not.
var withFacts = []string{
	"pods", "persistentvolumeclaims", "persistentvolumes", "volumesnapshots.snapshot.storage.k8s.io", "poddisruptionbudgets.policy",
	"services", "rolebindings.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io",
	"customresourcedefinitions.apiextensions.k8s.io", "secrets",
}

func FuzzDistill(f *testing.F) {
	f.Add([]byte(`{"metadata":{"name":"x","labels":{"a":"b"},"ownerReferences":[{"uid":"u","controller":true}]},"spec":{"selector":{"a":"b"}}}`))
	f.Add([]byte(`{"metadata":{"name":"x"},"spec":{"selector":{"matchExpressions":[{"key":"a","operator":"In","values":["b"]}]},"minAvailable":"10%"}}`))
	f.Add([]byte(`{"metadata":{"name":"x"},"spec":{"volumes":[{"ephemeral":{}},{"projected":{"sources":[null]}}],"containers":[{"env":[{"valueFrom":{}}]}]}}`))
	f.Add([]byte(`{"roleRef":{"kind":"Role"},"subjects":[{"kind":"ServiceAccount"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, name := range withFacts {
			d, facts := distillerOf(resource(name))
			got, err := d(data)
			if err != nil {
				continue
			}
			if len(got.object.Labels) > maxRead+1 || len(got.object.Owners) > maxOwners+1 {
				t.Errorf("%s: %d labels and %d owners were read", name, len(got.object.Labels), len(got.object.Owners))
			}
			if (got.object.Facts != nil) != facts {
				t.Errorf("%s: facts are %v", name, got.object.Facts)
			}
			if b, ok := got.object.Facts.(*Budget); ok && b.Selector == nil && !b.Worthless {
				t.Error("a budget that selects nothing is worth something")
			}
		}
	})
}
