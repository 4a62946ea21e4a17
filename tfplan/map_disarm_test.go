package tfplan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"
)

// TestWhatDisarms has, for each When, what does and what does not. x is the field.
func TestWhatDisarms(t *testing.T) {
	const none = ""
	for name, c := range map[string]struct {
		when                   When
		field                  string
		values                 []string
		before, after, unknown string
		want                   string // how, as people read it
	}{
		"off":                                {Off, "x", nil, `true`, `false`, "", "true → false"},
		"off by leaving it out":              {Off, "x", nil, `true`, ``, "", "true → nothing"},
		"off as a text":                      {Off, "x", nil, `"true"`, `"false"`, "", "true → false"},
		"off before":                         {Off, "x", nil, `false`, `false`, "", none},
		"off, known after apply":             {Off, "x", nil, `true`, ``, `true`, "true → known after apply"},
		"on":                                 {On, "x", nil, ``, `true`, "", "nothing → true"},
		"on before":                          {On, "x", nil, `true`, `true`, "", none},
		"on, known after apply":              {On, "x", nil, ``, ``, `true`, "nothing → known after apply"},
		"zero":                               {Zero, "x", nil, `3`, `0`, "", "3 → 0"},
		"zero as texts":                      {Zero, "x", nil, `"3"`, `"0"`, "", "3 → 0"},
		"zero of a list":                     {Zero, "x", nil, `["a"]`, `[]`, "", "1 entries → 0 entries"},
		"a list that is left out":            {Zero, "x", nil, `["a"]`, ``, "", "1 entries → nothing"},
		"a number that is left out":          {Zero, "x", nil, `3`, ``, "", none},
		"zero before":                        {Zero, "x", nil, `0`, `0`, "", none},
		"a number known after apply":         {Zero, "x", nil, `3`, ``, `true`, "3 → known after apply"},
		"less":                               {Less, "x", nil, `7`, `3`, "", "7 → 3"},
		"less of seconds":                    {Less, "x", nil, `"604800s"`, `"86400s"`, "", "604800s → 86400s"},
		"less of days and hours":             {Less, "x", nil, `"7d"`, `"24h"`, "", "7d → 24h"},
		"more of weeks":                      {Less, "x", nil, `"7d"`, `"2w"`, "", none},
		"less by leaving it out":             {Less, "x", nil, `7`, ``, "", "7 → nothing"},
		"more":                               {Less, "x", nil, `3`, `7`, "", none},
		"more than before":                   {More, "x", nil, `1`, `"50%"`, "", "1 → 50%"},
		"more than none":                     {More, "x", nil, `0`, `2`, "", "0 → 2"},
		"more that is less":                  {More, "x", nil, `2`, `1`, "", none},
		"no number":                          {Less, "x", nil, `"a"`, `"b"`, "", none},
		"removed":                            {Removed, "x", nil, `{"a":1}`, `{}`, "", "1 entries → 0 entries"},
		"changed but not removed":            {Removed, "x", nil, `"a"`, `"b"`, "", none},
		"set":                                {Set, "x", nil, ``, `"a"`, "", "nothing → a"},
		"set before":                         {Set, "x", nil, `"b"`, `"a"`, "", none},
		"shrunk":                             {Shrunk, "x", nil, `["a","b"]`, `["b"]`, "", "2 entries → 1 entries"},
		"others of the same number":          {Shrunk, "x", nil, `["a"]`, `["b"]`, "", "1 entries → 1 entries"},
		"grown":                              {Shrunk, "x", nil, `["a"]`, `["b","a"]`, "", none},
		"a block changed in place":           {Shrunk, "x", nil, `[{"a":1}]`, `[{"a":2}]`, "", "1 entries → 1 entries"},
		"blocks in another order":            {Shrunk, "x", nil, `[{"a":1},{"a":2}]`, `[{"a":2},{"a":1}]`, "", none},
		"one of two that are the same":       {Shrunk, "x", nil, `["a","a","b"]`, `["a","b","b"]`, "", "3 entries → 3 entries"},
		"fewer":                              {Fewer, "x", nil, `["a","b"]`, `["c"]`, "", "2 entries → 1 entries"},
		"others, but as many":                {Fewer, "x", nil, `["a"]`, `["b"]`, "", none},
		"an object that loses a key":         {Shrunk, "x", nil, `{"a":1,"b":2}`, `{"a":1}`, "", "2 entries → 1 entries"},
		"changed":                            {Changed, "x", nil, `"a"`, `"b"`, "", "a → b"},
		"changed deep inside":                {Changed, "x", nil, `[{"a":[1]}]`, `[{"a":[2]}]`, "", "1 entries → 1 entries"},
		"something in a block known later":   {Removed, "x", nil, `[{"a":1}]`, `[{}]`, `[{"a":true}]`, none},
		"something changed that comes later": {Changed, "x", nil, `[{"a":1}]`, `[{}]`, `[{"a":true}]`, "1 entries → known after apply"},
		"the same":                           {Changed, "x", nil, `[{"a":[1]}]`, `[{"a":[1]}]`, "", none},
		"becomes":                            {Becomes, "x", []string{"DELETE"}, `"KEEP"`, `"delete"`, "", "KEEP → delete"},
		"was it before":                      {Becomes, "x", []string{"DELETE"}, `"DELETE"`, `"DELETE"`, "", none},
		"becomes, known after apply":         {Becomes, "x", []string{"DELETE"}, `"KEEP"`, ``, `true`, "KEEP → known after apply"},
		"leaves":                             {Leaves, "x", []string{"KEEP"}, `"KEEP"`, `""`, "", "KEEP → nothing"},
		"was not there":                      {Leaves, "x", []string{"KEEP"}, `"A"`, `"B"`, "", none},
		"one more of many":                   {Becomes, "x.*.a", []string{"D"}, `[{"a":"D"}]`, `[{"a":"E"},{"a":"D"},{"a":"D"}]`, "", "nothing → D"},
		"the same in another order":          {Becomes, "x.*.a", []string{"D"}, `[{"a":"D"},{"a":"E"}]`, `[{"a":"E"},{"a":"D"}]`, "", none},
		"none left of many":                  {Leaves, "x.*.a", []string{"K"}, `[{"a":"K"}]`, `[{"a":"E"}]`, "", "K → E"},
		"one of many, known later":           {Becomes, "x.*.a", []string{"D"}, `[]`, `[{}]`, `[{"a":true}]`, "nothing → known after apply"},
		"one that goes":                      {Leaves, "x.*.a", []string{"K"}, `[{"a":"K","name":"k"},{"a":"K","name":"l"}]`, `[{"a":"K","name":"l"}]`, "", "K → nothing"},
		"two that swap what they are":        {Becomes, "x.*.a", []string{"D"}, `[{"a":"D","name":"k"},{"a":"E","name":"l"}]`, `[{"a":"E","name":"k"},{"a":"D","name":"l"}]`, "", "E → D"},
		"all of them known later":            {Becomes, "x.*.a", []string{"D"}, ``, ``, "true", "nothing → known after apply"},
		"an element of many":                 {Less, "x.*.a", nil, `[{"a":7},{"a":9}]`, `[{"a":7},{"a":1}]`, "", "9 → 1"},
		"a block that is an object now":      {Off, "x.0.a", nil, `{"a":true}`, `{"a":false}`, "", "true → false"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := NewMapper(MapperOptions{Rules: []Rules{{
				Providers: []string{"*"},
				Disarm:    []Disarm{{Field: c.field, When: c.when, Values: c.values, Says: "it"}},
			}}})
			if err != nil {
				t.Fatal(err)
			}
			object := func(value string) jsontext.Value {
				if value == "" {
					return jsontext.Value(`{}`)
				}
				return jsontext.Value(`{"x":` + value + `}`)
			}
			op, judged, err := m.Map(&Change{
				Kind: Planned, Address: "a.b", Type: "a", Actions: tfjson.Actions{"update"},
				Before: object(c.before), After: object(c.after), AfterUnknown: object(c.unknown),
			}, testWhole())
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if judged {
				got = op.Changes[0]
			}
			want := c.want
			if want != none {
				at := map[string]string{
					"an element of many": "x.1.a", "one more of many": "x.2.a", "none left of many": "x.0.a",
					"one of many, known later": "x.0.a", "one that goes": "x.0.a", "two that swap what they are": "x.1.a",
				}[name]
				if at == "" {
					at = c.field
				}
				want = "it (" + at + ": " + want + ")"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestSecretsAreMaskedByTheNameOfTheirField(t *testing.T) {
	for field, want := range map[string]string{
		"settings.0.root_password": "it (settings.0.root_password: (sensitive) → (sensitive))",
		"privateKey":               "it (privateKey: (sensitive) → (sensitive))",
		"kms_key_name":             "it (kms_key_name: a → b)",
	} {
		m, err := NewMapper(MapperOptions{Rules: []Rules{{
			Providers: []string{"*"}, Disarm: []Disarm{{Field: field, When: Changed, Says: "it"}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		before, after := map[string]any{}, map[string]any{}
		put(before, field, "a")
		put(after, field, "b")
		k := maker{t: t}
		op, _, err := m.Map(&Change{
			Kind: Planned, Address: "a.b", Type: "a", Actions: tfjson.Actions{"update"},
			Before: jsontext.Value(k.marshal(before)), After: jsontext.Value(k.marshal(after)),
		}, testWhole())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{want}, op.Changes); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func TestAddressesLoseTheirIndices(t *testing.T) {
	for in, want := range map[string]string{
		"a.b":                                "a.b",
		"module.m[0].a.b[1]":                 "module.m.a.b",
		`module.m["x]y"].a.b["q\"]"]`:        "module.m.a.b",
		`module.a["b"].module.c["d[0]"].e.f`: "module.a.module.c.e.f",
		"a.b[":                               "a.b",
	} {
		if got := withoutIndices(in); got != want {
			t.Errorf("%s became %s", in, got)
		}
	}
}
