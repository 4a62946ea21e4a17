package tfplan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"
)

func TestLabelsAreReadWhereverTheyAre(t *testing.T) {
	many := make([]string, maxLabels+1)
	for i := range many {
		many[i] = fmt.Sprintf(`"k%04d":"v"`, i)
	}
	for name, c := range map[string]struct {
		kind, before, sensitive string
		want                    map[string]string
		unknown                 []string
	}{
		"of no provider that is known": {"acme_thing", `{"tags":{"env":"prod"},"tags_all":{"team":"a"}}`, "", map[string]string{"env": "prod", "team": "a"}, nil},
		"none":                         {"acme_thing", `{"name":"x"}`, "", nil, nil},
		"null":                         {"acme_thing", `{"labels":null,"tags":""}`, "", nil, nil},
		"a null value":                 {"acme_thing", `{"labels":{"env":null}}`, "", map[string]string{"env": ""}, nil},
		"numbers and truth values":     {"acme_thing", `{"labels":{"n":12345678901234567890,"b":true}}`, "", map[string]string{"n": "12345678901234567890", "b": "true"}, nil},
		"later ones over earlier ones": {"google_compute_disk", `{"labels":{"env":"dev"},"effective_labels":{"env":"prod"}}`, "", map[string]string{"env": "prod"}, nil},
		"a list of texts":              {"acme_thing", `{"tags":["env:prod","tier=1","web"]}`, "", map[string]string{"env": "prod", "tier": "1", "web": ""}, nil},
		"a list of keys and values":    {"acme_thing", `{"tags":[{"key":"env","value":"prod","propagate":true},{"key":"x"}]}`, "", map[string]string{"env": "prod", "x": ""}, nil},
		"a list of something else":     {"acme_thing", `{"tags":[["a"]]}`, "", nil, []string{"labels (tags has something else than labels)"}},
		"a number":                     {"acme_thing", `{"labels":7}`, "", nil, []string{"labels (labels is no object)"}},
		"an object as a value":         {"acme_thing", `{"labels":{"a":{"b":"c"}}}`, "", nil, []string{"labels (labels.a is no text)"}},
		"sensitive as a whole":         {"acme_thing", `{"labels":{"env":"prod"}}`, `{"labels":true}`, nil, []string{"labels (labels is sensitive)"}},
		"everything sensitive":         {"acme_thing", `{"labels":{"env":"prod"}}`, `true`, nil, []string{"labels (labels is sensitive)"}},
		"secrets by name":              {"acme_thing", `{"labels":{"db-password":"planted-hunter2","env":"prod"}}`, "", map[string]string{"db-password": hidden, "env": "prod"}, nil},
		"what moves the cursor":        {"acme_thing", `{"labels":{"env":"prod\u001b[2K"}}`, "", map[string]string{"env": `prod\x1b[2K`}, nil},
		"a long value":                 {"acme_thing", `{"labels":{"a":"` + strings.Repeat("x", 600) + `"}}`, "", map[string]string{"a": strings.Repeat("x", 509) + "…"}, nil},
		"terraform_data":               {"terraform_data", `{"input":{"env":"prod","size":3,"list":[1],"labels":{"team":"a"}},"triggers_replace":["x"]}`, "", map[string]string{"env": "prod", "size": "3", "team": "a", "x": ""}, nil},
		"terraform_data with a text":   {"terraform_data", `{"input":"env=prod"}`, "", nil, nil},
		"null_resource":                {"null_resource", `{"triggers":{"env":"prod"}}`, "", map[string]string{"env": "prod"}, nil},
		"settings of Cloud SQL":        {"google_sql_database_instance", `{"settings":[{"user_labels":{"env":"prod"}}]}`, "", map[string]string{"env": "prod"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			op, _, err := testMapper(t).Map(&Change{
				Kind: Planned, Address: "x.y", Type: c.kind, Provider: "registry.terraform.io/acme/acme",
				Actions: tfjson.Actions{"delete"}, Before: jsontext.Value(c.before), BeforeSensitive: jsontext.Value(c.sensitive),
			}, testWhole())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, op.Target.Labels); diff != "" {
				t.Errorf("labels (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(c.unknown, op.Unknown); diff != "" {
				t.Errorf("unknown (-want +got)\n%s", diff)
			}
		})
	}
	t.Run("too many", func(t *testing.T) {
		op, _, err := testMapper(t).Map(&Change{
			Kind: Planned, Address: "x.y", Type: "acme_thing", Actions: tfjson.Actions{"delete"},
			Before: jsontext.Value(`{"labels":{` + strings.Join(many, ",") + `}}`),
		}, testWhole())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"labels (256 of 257 are read)"}, op.Unknown); diff != "" || len(op.Target.Labels) != maxLabels {
			t.Errorf("%d labels, unknown (-want +got)\n%s", len(op.Target.Labels), diff)
		}
	})
}

func TestLabelsInAnyCaseCountWherePeopleWriteThemSo(t *testing.T) {
	m := testMapper(t, Rules{Providers: []string{"acme"}, FoldLabels: true})
	op, _, err := m.Map(&Change{
		Kind: Planned, Address: "x.y", Type: "acme_thing", Provider: "example.com/acme/acme", Actions: tfjson.Actions{"update"},
		Before: jsontext.Value(`{"tags":{"Env":"PROD"}}`), After: jsontext.Value(`{"tags":{"Env":"test"}}`),
	}, testWhole())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"Env": "PROD", "env": "prod"}, op.Target.Labels); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"it is no longer labelled as production (env: prod → test)"}, op.Changes); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
