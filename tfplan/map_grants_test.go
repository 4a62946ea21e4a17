package tfplan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

func TestWhoAppliesDoesNotWidenTheirRightsUnseen(t *testing.T) {
	const me = "serviceAccount:Deployer@prod-shop.iam.gserviceaccount.com"
	type result struct {
		Judged           bool
		Verb             operation.Verb
		Widens           string
		Changes, Unknown []string
	}
	given := func(who, text string) result {
		return result{true, operation.Update, who, []string{text}, nil}
	}
	for name, c := range map[string]struct {
		kind, before, after, unknown, sensitive string
		want                                    result
	}{
		"a member": {"google_project_iam_member", "null", `{"role":"roles/owner","member":"` + me + `"}`, "", "", given(me, "roles/owner is given to "+me)},
		"without a kind": {
			"google_project_iam_member", "null", `{"role":"roles/owner","member":"deployer@prod-shop.iam.gserviceaccount.com"}`, "", "",
			given("deployer@prod-shop.iam.gserviceaccount.com", "roles/owner is given to deployer@prod-shop.iam.gserviceaccount.com"),
		},
		"of a type with a star":   {"google_iap_web_iam_member", "null", `{"role":"roles/owner","member":"` + me + `"}`, "", "", given(me, "roles/owner is given to "+me)},
		"another member":          {"google_project_iam_member", "null", `{"role":"roles/owner","member":"user:bob@example.com"}`, "", "", result{Verb: operation.Update}},
		"a weak role":             {"google_project_iam_member", "null", `{"role":"roles/viewer","member":"` + me + `"}`, "", "", result{Verb: operation.Update}},
		"a role of somebody's":    {"google_project_iam_member", "null", `{"role":"projects/p/roles/all","member":"` + me + `"}`, "", "", given(me, "projects/p/roles/all is given to "+me)},
		"a role known later":      {"google_project_iam_member", "null", `{"member":"` + me + `"}`, `{"role":true}`, "", given(me, "rights are given to "+me)},
		"everybody":               {"google_storage_bucket_iam_binding", "null", `{"role":"roles/storage.admin","members":["user:a@b","allUsers"]}`, "", "", given("everybody", "roles/storage.admin is given to everybody")},
		"one who had it already":  {"google_project_iam_binding", `{"role":"roles/owner","members":["` + me + `"]}`, `{"role":"roles/owner","members":["` + me + `","user:b@c"]}`, "", "", result{Verb: operation.Update}},
		"one in a list":           {"google_project_iam_binding", `{"role":"roles/owner","members":["user:b@c"]}`, `{"role":"roles/owner","members":["` + me + `","user:b@c"]}`, "", "", given(me, "roles/owner is given to "+me)},
		"a policy":                {"google_project_iam_policy", `{"policy_data":"{\"bindings\":[]}"}`, `{"policy_data":"{\"bindings\":[{\"role\":\"roles/editor\",\"members\":[\"` + me + `\"]}]}"}`, "", "", given(me, "roles/editor is given to "+me)},
		"somebody known later":    {"google_project_iam_member", "null", `{"role":"roles/owner"}`, `{"member":true}`, "", result{true, operation.Update, "", []string{"rights are given to somebody who is only known after apply"}, []string{"who is given rights"}}},
		"a weak right, later":     {"google_project_iam_member", "null", `{"role":"roles/viewer"}`, `{"member":true}`, "", result{Verb: operation.Update}},
		"a member nobody may see": {"google_project_iam_member", "null", `{"role":"roles/owner","member":"` + me + `"}`, "", `{"member":true}`, given(hidden, "(sensitive) is given to (sensitive)")},
		"a cluster's role":        {"kubernetes_cluster_role_binding", "null", `{"metadata":[{"name":"x"}],"role_ref":[{"name":"cluster-admin"}],"subject":[{"kind":"User","name":"` + me[15:] + `"}]}`, "", "", given(me[15:], "cluster-admin is given to "+me[15:])},
	} {
		t.Run(name, func(t *testing.T) {
			actions := tfjson.Actions{"update"}
			if c.before == "null" {
				actions = tfjson.Actions{"create"}
			}
			op, judged, err := testMapper(t).Map(&Change{
				Kind: Planned, Address: c.kind + ".x", Type: c.kind, Provider: google, Actions: actions,
				Before: jsontext.Value(c.before), After: jsontext.Value(c.after),
				AfterUnknown: jsontext.Value(c.unknown), AfterSensitive: jsontext.Value(c.sensitive),
			}, testWhole())
			if err != nil {
				t.Fatal(err)
			}
			got := result{judged, op.Verb, op.Target.Widens, op.Changes, op.Unknown}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
