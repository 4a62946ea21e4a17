package webhook

import "testing"

func TestANetworkPolicyIsAskedAboutWhomItIsolatesFromNowOn(t *testing.T) {
	policy := func(app string) map[string]any {
		return map[string]any{
			"metadata": map[string]any{"name": "cut", "namespace": "shop"},
			"spec":     map[string]any{"podSelector": map[string]any{"matchLabels": map[string]any{"app": app}}, "policyTypes": []string{"Ingress"}},
		}
	}
	resource := map[string]any{"group": "networking.k8s.io", "version": "v1", "resource": "networkpolicies"}
	for name, c := range map[string]struct {
		parts map[string]any
		want  string
	}{
		"made":    {map[string]any{"operation": "CREATE", "resource": resource, "object": policy("web")}, "app=web"},
		"changed": {map[string]any{"operation": "UPDATE", "resource": resource, "oldObject": policy("db"), "object": policy("web")}, "app=web"},
		"deleted": {map[string]any{"operation": "DELETE", "resource": resource, "oldObject": policy("db")}, "app=db"},
	} {
		t.Run(name, func(t *testing.T) {
			decoded, err := decode(recorded(c.parts), false)
			if err != nil {
				t.Fatal(err)
			}
			q := (&mapper{cluster: "prod-eu"}).question(&decoded.request)
			if q.Selector == nil || q.Selector.String() != c.want {
				t.Errorf("asks about pods with %v, want %s", q.Selector, c.want)
			}
		})
	}
}
