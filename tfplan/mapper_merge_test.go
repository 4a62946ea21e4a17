package tfplan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

func TestAnOwnRuleAddsToTheBuiltInOnes(t *testing.T) {
	const (
		cluster = "google_container_cluster"
		member  = "google_iap_web_iam_member"
		owner   = `{"role":"roles/owner","member":"user:deployer@prod-shop.iam.gserviceaccount.com"}`
	)
	off := [2]string{`{"name":"c","deletion_protection":true}`, `{"name":"c","deletion_protection":false}`}
	type result struct {
		Kind, Name, Widens string
		Container          bool
		Changes            []string
		Holds              int
	}
	for name, c := range map[string]struct {
		rules, kind   string
		before, after string
		want          result
	}{
		"a container and what disarms it stay": {
			`types: [{types: [google_container_cluster], kind: X}]`, cluster, off[0], off[1],
			result{"X", "c", "", true, []string{"deletion protection is off (deletion_protection: true → false)"}, 1},
		},
		"what is held and what disarms adds up": {
			`types: [{types: [google_container_cluster], container: true, name: my, holds: [{types: [x_y], field: a, by: [b]}], disarm: [{field: my, when: changed, says: mine}]}]`,
			cluster, `{"name":"c","my":"a","deletion_protection":true}`, `{"name":"c","my":"b","deletion_protection":false}`,
			result{"Cluster", "a", "", true, []string{"mine (my: a → b)", "deletion protection is off (deletion_protection: true → false)"}, 2},
		},
		"whom an exact type gives rights stays": {
			`types: [{types: [google_iap_web_iam_member], kind: X, grants: {members: other}}]`, member, "null", owner,
			result{"X", "roles/owner", "user:deployer@prod-shop.iam.gserviceaccount.com", false, []string{"roles/owner is given to user:deployer@prod-shop.iam.gserviceaccount.com"}, 0},
		},
		"so does it of a type with a star": {
			`types: [{types: ["google_*"], kind: X}]`, member, "null", owner,
			result{"X", "roles/owner", "user:deployer@prod-shop.iam.gserviceaccount.com", false, []string{"roles/owner is given to user:deployer@prod-shop.iam.gserviceaccount.com"}, 0},
		},
		"a star does not touch what is exact": {
			`types: [{types: ["google_*"], kind: X, replace: true}]`, cluster, off[0], off[1],
			result{"Cluster", "c", "", true, []string{"deletion protection is off (deletion_protection: true → false)"}, 1},
		},
		"one that replaces stands alone": {
			`types: [{types: [google_iap_web_iam_member], kind: X, replace: true, disarm: [{field: role, when: set, created: true, says: mine}]}]`, member, "null", owner,
			result{"X", "this", "", false, []string{"mine (role: nothing → roles/owner)"}, 0},
		},
		"a star that replaces stands alone": {
			`types: [{types: ["google_iap_*"], kind: X, replace: true, disarm: [{field: role, when: set, created: true, says: mine}]}]`, member, "null", owner,
			result{"X", "this", "", false, []string{"mine (role: nothing → roles/owner)"}, 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			own, err := ReadRules("own.yaml", []byte("providers: [google]\n"+c.rules))
			if err != nil {
				t.Fatal(err)
			}
			m := testMapper(t, own)
			actions := tfjson.Actions{"update"}
			if c.before == "null" {
				actions = tfjson.Actions{"create"}
			}
			op, _, err := m.Map(&Change{
				Kind: Planned, Address: c.kind + ".this", Type: c.kind, Name: "this", Provider: google, Actions: actions,
				Before: jsontext.Value(c.before), After: jsontext.Value(c.after),
			}, testWhole())
			if err != nil {
				t.Fatal(err)
			}
			got := result{op.Target.Kind, op.Target.Name, op.Target.Widens, op.Target.Container, op.Changes, len(m.typeOf(c.kind).holds)}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestAnOwnRuleDoesNotHideWhatIsInATextOfKubernetes(t *testing.T) {
	own, err := ReadRules("own.yaml", []byte("providers: [mine]\ntypes: [{types: [kubectl_manifest], kubernetes: true, object: elsewhere}]"))
	if err != nil {
		t.Fatal(err)
	}
	op, _, err := testMapper(t, own).Map(&Change{
		Kind: Planned, Address: "kubectl_manifest.this", Type: "kubectl_manifest", Name: "this", Provider: kube, Actions: tfjson.Actions{"update"},
		Before: jsontext.Value(`{"yaml_body":"{kind: Deployment, spec: {replicas: 1}}"}`),
		After:  jsontext.Value(`{"yaml_body":"{kind: Deployment, spec: {replicas: 0}}"}`),
	}, testWhole())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(operation.ScaleToZero, op.Verb); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
