package tfplan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	sqlBefore = `{"name":"main","project":"prod-shop","region":"europe-west1","deletion_protection":true,` +
		`"settings":[{"activation_policy":"ALWAYS","user_labels":{"env":"prod"}}],"root_password":"planted-hunter2"}`
	sqlRef = "gcp://cloudsql.googleapis.com/projects/prod-shop/instances/main"
	google = "registry.terraform.io/hashicorp/google"
	kube   = "registry.terraform.io/hashicorp/kubernetes"
)

// sql is a change of a database instance of production.
func sql(change func(*Change), actions ...tfjson.Action) *Change {
	c := &Change{
		Kind: Planned, Address: `module.db.google_sql_database_instance.main["a.b[0]"]`, Mode: tfjson.ManagedResourceMode,
		Type: "google_sql_database_instance", Name: "main", Provider: google,
		Actions: actions, Before: jsontext.Value(sqlBefore), After: jsontext.Value(`null`),
	}
	if change != nil {
		change(c)
	}
	return c
}

func sqlAfter(old, new string) jsontext.Value {
	return jsontext.Value(strings.ReplaceAll(sqlBefore, old, new))
}

// sqlOp is what becomes of it.
func sqlOp(verb operation.Verb, change func(*operation.Operation)) operation.Operation {
	op := operation.Operation{
		Surface: operation.Terraform, Verb: verb, Phase: operation.Requested,
		Plan: operation.Plan{Workspace: "default", Managed: 10, Destroys: 2, Share: 20},
		Target: operation.Target{
			Reference: operation.Reference{Ref: sqlRef, Kind: "Instance", Name: "main"},
			Group:     "cloudsql.googleapis.com", Resource: "google_sql_database_instance",
			Labels: map[string]string{"env": "prod"}, Project: "prod-shop", Location: "europe-west1",
			Address:   `module.db.google_sql_database_instance.main["a.b[0]"]`,
			Container: true, Within: "plan://sha256:" + strings.Repeat("ab", 32),
		},
	}
	if change != nil {
		change(&op)
	}
	return op
}

func says(unknown string, changes ...string) func(*operation.Operation) {
	return func(op *operation.Operation) {
		op.Changes = changes
		if unknown != "" {
			op.Unknown = []string{unknown}
		}
	}
}

func TestChangesBecomeOperations(t *testing.T) {
	off := sqlAfter(`"deletion_protection":true`, `"deletion_protection":false`)
	for name, c := range map[string]struct {
		change *Change
		judged bool
		want   operation.Operation
	}{
		"a deletion": {sql(nil, "delete"), true, sqlOp("delete", nil)},
		"a deletion with its reason": {
			sql(func(c *Change) { c.Reason = "delete_because_no_resource_config" }, "delete"), true,
			sqlOp("delete", says("", "it is no longer in the configuration")),
		},
		"a replacement":            {sql(nil, "delete", "create"), true, sqlOp("replace", nil)},
		"a replacement made first": {sql(nil, "create", "delete"), true, sqlOp("replace", says("", "its replacement is created before it is deleted"))},
		"what is forgotten":        {sql(nil, "forget"), true, sqlOp("forget", says("", "Terraform no longer manages it"))},
		"a deletion with what is odd": {sql(nil, "delete", "explode"), true, sqlOp("delete", func(op *operation.Operation) {
			op.Also = []operation.Verb{"unknown"}
			says("what the action explode does", "Terraform's action is explode")(op)
		})},
		"an unknown action": {sql(nil, "explode"), true, sqlOp("unknown", says("what the action explode does", "Terraform's action is explode"))},
		"no action":         {sql(nil), true, sqlOp("unknown", says("what the action none does", "Terraform's action is none"))},
		"a read":            {sql(nil, "read"), false, sqlOp("update", nil)},
		"an update of nothing that counts": {
			sql(func(c *Change) { c.After = sqlAfter("ALWAYS", "ON_DEMAND") }, "update"), false, sqlOp("update", nil),
		},
		"a move alone": {
			sql(func(c *Change) { c.After = c.Before; c.PreviousAddress = "google_sql_database_instance.old" }, "no-op"), false,
			sqlOp("update", func(op *operation.Operation) { op.Target.PreviousAddress = "google_sql_database_instance.old" }),
		},
		"a move with more": {
			sql(func(c *Change) { c.After = off; c.PreviousAddress = "google_sql_database_instance.old" }, "update"), true,
			sqlOp("unprotect", func(op *operation.Operation) {
				op.Target.PreviousAddress = "google_sql_database_instance.old"
				says("", "deletion protection is off (deletion_protection: true → false)", "it moves here from google_sql_database_instance.old")(op)
			}),
		},
		"protection and life at once": {
			sql(func(c *Change) { c.After = jsontext.Value(strings.ReplaceAll(string(off), "ALWAYS", "NEVER")) }, "update"), true,
			sqlOp("scale-to-zero", func(op *operation.Operation) {
				op.Also = []operation.Verb{"unprotect"}
				says("", "deletion protection is off (deletion_protection: true → false)", "it is stopped (settings.0.activation_policy: ALWAYS → NEVER)")(op)
			}),
		},
		"protection known after apply": {
			sql(func(c *Change) {
				c.After = sqlAfter(`"deletion_protection":true,`, "")
				c.AfterUnknown = jsontext.Value(`{"deletion_protection":true}`)
			}, "update"), true,
			sqlOp("unprotect", says("deletion_protection after apply", "deletion protection is off (deletion_protection: true → known after apply)")),
		},
		"a sensitive value": {
			sql(func(c *Change) { c.After = off; c.BeforeSensitive = jsontext.Value(`{"deletion_protection":true}`) }, "update"), true,
			sqlOp("unprotect", says("", "deletion protection is off (deletion_protection: (sensitive) → false)")),
		},
		"made without protection": {
			sql(func(c *Change) { c.Before = jsontext.Value("null"); c.After = off }, "create"), true,
			sqlOp("unprotect", func(op *operation.Operation) {
				op.Target.Created = true
				says("", "deletion protection is off (deletion_protection: nothing → false)")(op)
			}),
		},
		"a label that is changed": {
			sql(func(c *Change) { c.After = sqlAfter(`"env":"prod"`, `"env":"dev"`) }, "update"), true,
			sqlOp("unprotect", says("", "it is no longer labelled as production (env: prod → dev)")),
		},
		"a label that goes": {
			sql(func(c *Change) { c.After = sqlAfter(`"env":"prod"`, ``) }, "update"), true,
			sqlOp("unprotect", says("", "it is no longer labelled as production (env: prod → nothing)")),
		},
		"a label known after apply": {
			sql(func(c *Change) {
				c.After = sqlAfter(`"env":"prod"`, ``)
				c.AfterUnknown = jsontext.Value(`{"settings":[{"user_labels":{"env":true}}]}`)
			}, "update"), true,
			sqlOp("unprotect", says("after apply: labels (settings.0.user_labels is only known after apply)", "the labels that mark it as production may go")),
		},
		"an update of what is not there": {
			sql(func(c *Change) { c.Before = jsontext.Value("null"); c.After = off }, "update"), true,
			sqlOp("unknown", says("what it was before, or will be after, is not in the plan")),
		},
		"labels that are sensitive": {
			sql(func(c *Change) { c.BeforeSensitive = jsontext.Value(`{"settings":[{"user_labels":{"env":true}}]}`) }, "delete"), true,
			sqlOp("delete", func(op *operation.Operation) {
				op.Target.Labels = map[string]string{"env": hidden}
				says("labels (settings.0.user_labels.env is sensitive)")(op)
			}),
		},
		"a sensitive label that changes": {
			sql(func(c *Change) {
				c.BeforeSensitive = jsontext.Value(`{"settings":[{"user_labels":{"env":true}}]}`)
				c.After = sqlAfter(`"env":"prod"`, `"env":"dev"`)
			}, "update"), true,
			sqlOp("unprotect", func(op *operation.Operation) {
				op.Target.Labels = map[string]string{"env": hidden}
				says("labels (settings.0.user_labels.env is sensitive)", "labels that may mark it as production change")(op)
			}),
		},
		"a sensitive label that stays": {
			sql(func(c *Change) {
				c.BeforeSensitive = jsontext.Value(`{"settings":[{"user_labels":{"env":true}}]}`)
				c.After = sqlAfter("ALWAYS", "ON_DEMAND")
			}, "update"), false,
			sqlOp("update", func(op *operation.Operation) {
				op.Target.Labels = map[string]string{"env": hidden}
				says("labels (settings.0.user_labels.env is sensitive)")(op)
			}),
		},
		"labels that are none": {
			sql(func(c *Change) { c.Before = sqlAfter(`{"env":"prod"}`, `true`) }, "delete"), true,
			sqlOp("delete", func(op *operation.Operation) {
				op.Target.Labels = nil
				says("labels (settings.0.user_labels is no object)")(op)
			}),
		},
		"a deposed object": {
			sql(func(c *Change) { c.Deposed = "ab12" }, "delete"), true,
			sqlOp("delete", says("", "it is a deposed object (ab12) that an earlier replacement left behind; what is at the address now is another")),
		},
		"drift": {
			sql(func(c *Change) { c.Kind = Drift }, "delete"), true,
			sqlOp("delete", func(op *operation.Operation) {
				op.Phase = operation.Finished
				says("", "it was done outside Terraform since the last apply")(op)
			}),
		},
		"what is put off": {
			sql(func(c *Change) { c.Kind, c.Reason = Deferred, "provider_config_unknown" }, "delete"), true,
			sqlOp("delete", says("", "it is put off to a later plan: its provider's configuration is not known yet")),
		},
		"nothing before": {
			sql(func(c *Change) { c.Before = jsontext.Value("null") }, "delete"), true,
			sqlOp("delete", func(op *operation.Operation) {
				op.Target.Ref, op.Target.Group = `terraform://lineage-1/`+op.Target.Address, ""
				op.Target.Labels, op.Target.Location = nil, ""
				says("what it was before is not in the plan")(op)
			}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			op, judged, err := testMapper(t).Map(c.change, testWhole())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, op); diff != "" || judged != c.judged {
				t.Errorf("judged %t (-want +got)\n%s", judged, diff)
			}
		})
	}
}

func TestABrokenChangeIsNoOperation(t *testing.T) {
	for name, before := range map[string]string{
		"cut off": `{"a":`, "two values": `{} {}`, "a key twice": `{"a":1,"a":2}`, "too deep": strings.Repeat("[", MaxDepth+2) + strings.Repeat("]", MaxDepth+2),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := testMapper(t).Map(sql(func(c *Change) { c.Before = jsontext.Value(before) }, "delete"), testWhole())
			bad, ok := err.(*BadPlanError)
			if !ok || !strings.Contains(bad.What, "google_sql_database_instance.main") {
				t.Errorf("%v", err)
			}
		})
	}
}
