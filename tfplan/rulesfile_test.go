package tfplan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRulesAreReadAsTheyAreWritten(t *testing.T) {
	got, err := ReadRules("mine.yaml", []byte(`
providers: [acme, acme-beta]
labels: [tags]
foldLabels: true
project: ["account|id:accounts"]
disarm:
- field: guarded
  when: "off"
  created: true
  says: it is no longer guarded
types:
- types: [acme_store, acme_big_store]
  kind: Store
  ref: acme://{project}/stores/{name}
  container: true
  holds:
  - {types: [acme_item], field: store, by: [name]}
  disarm:
  - {field: rules.*.action, when: becomes, values: [DELETE, 3, true], verb: empty, says: things go}
  - {field: parts, when: shrunk, by: name, where: {field: "rules.*.on|x", is: [a.*]}, says: parts go}
- types: [acme_grant]
  replace: true
  grants: {members: who, role: what, terms: until, strong: ["admin.*"], weak: [none]}
- types: [acme_role]
  rights: {field: may, strong: [all]}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := Rules{
		Providers: []string{"acme", "acme-beta"}, Labels: []string{"tags"}, FoldLabels: true,
		Project: []string{"account|id:accounts"},
		Disarm:  []Disarm{{Field: "guarded", When: Off, Created: true, Says: "it is no longer guarded"}},
		Types: []TypeRule{{
			Types: []string{"acme_store", "acme_big_store"}, Kind: "Store", Ref: "acme://{project}/stores/{name}",
			Container: true,
			Holds:     []Holds{{Types: []string{"acme_item"}, Field: "store", By: []string{"name"}}},
			Disarm: []Disarm{{
				Field: "rules.*.action", When: Becomes, Values: []string{"DELETE", "3", "true"}, Verb: "empty", Says: "things go",
			}, {
				Field: "parts", When: Shrunk, By: "name", Where: &Where{Field: "rules.*.on|x", Is: []string{"a.*"}}, Says: "parts go",
			}},
		}, {
			Types: []string{"acme_grant"}, Replace: true,
			Grants: &GrantRule{Members: "who", Role: "what", Terms: "until", Strong: []string{"admin.*"}, Weak: []string{"none"}},
		}, {
			Types:  []string{"acme_role"},
			Rights: &RightsRule{Field: "may", Strong: []string{"all"}},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWhatIsWrongWithRulesIsSaidWithItsLine(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"an empty file":       {"", "f:1: the file is empty"},
		"a second document":   {"providers: [a]\n---\nproviders: [b]", "f:2: a second document begins here, and a file has one"},
		"no YAML":             {"providers: [a\n", "f:1: did not find expected ',' or ']'"},
		"a list":              {"- a", "f:1: keys with values should be here\nf:1: providers: is missing"},
		"no providers":        {"labels: [tags]", "f:1: providers: is missing"},
		"a strange provider":  {"providers:\n- hashicorp/google", `f:2: providers[0]: "hashicorp/google" is no provider's type, such as google, nor *`},
		"an unknown key":      {"providers: [a]\nlabel: x", `f:2: there is no key "label"; these are: providers, labels, annotations, project, location, names, namespace, providerProject, foldLabels, disarm, types`},
		"the wrong case":      {"providers: [a]\nLabels: [x]", `f:2: there is no key "Labels"; these are: providers, labels, annotations, project, location, names, namespace, providerProject, foldLabels, disarm, types`},
		"a key twice":         {"providers: [a]\nproviders: [b]", `f:2: "providers" comes twice`},
		"an empty list":       {"providers: []", "f:1: providers: a list with 1 to 5000 items should be here\nf:1: providers: is missing"},
		"a text for a list":   {"providers: a", "f:1: providers: a list with 1 to 5000 items should be here\nf:1: providers: is missing"},
		"null":                {"providers: [a]\nlabels: [~]", "f:2: labels[0]: a text should be here, and not an empty one"},
		"an alias":            {"providers: &p [a]\nlabels: *p", "f:1: providers: an alias or anchor, which is not read: write it out\nf:1: providers: is missing\nf:2: labels: an alias or anchor, which is not read: write it out"},
		"yes for true":        {"providers: [a]\nfoldLabels: yes", "f:2: foldLabels: true or false should be here"},
		"a type without name": {"providers: [a]\ntypes:\n- kind: X", "f:3: types[0]: types is missing"},
		"a type twice":        {"providers: [a]\ntypes:\n- types: [t]\n- types:\n  - u\n  - t", "f:6: types[1].types[1]: t has a rule already"},
		"two stars":           {"providers: [a]\ntypes:\n- types: [t_*_*]", `f:3: types[0].types[0]: "t_*_*" is no resource type`},
		"a bad path":          {"providers: [a]\nlabels: [a..b]", `f:2: labels[0]: "a..b": between dots there is a key, an index or *`},
		"a deep path":         {"providers: [a]\nlabels: [a" + strings.Repeat(".0", 16) + "]", `f:2: labels[0]: "a` + strings.Repeat(".0", 16) + `": a path has at most 16 steps`},
		"a bad place":         {"providers: [a]\nnames: ['a:b/c']", `f:2: names[0]: "a:b/c": after a colon there is last, or the segment before the one that is meant`},
		"no scheme":           {"providers: [a]\ntypes:\n- types: [t]\n  ref: 'x/{name}'", `f:4: types[0].ref: "x/{name}": a name is SCHEME://…, with at least one place in braces`},
		"another's scheme":    {"providers: [a]\ntypes:\n- types: [t]\n  ref: 'k8s://{name}'", `f:4: types[0].ref: "k8s://{name}": names with k8s:// are not written by rules`},
		"an unknown when":     {"providers: [a]\ndisarm:\n- field: x\n  when: gone\n  says: s", `f:4: disarm[0].when: "gone" is none of off, on, zero, less, more, removed, set, shrunk, fewer, changed, becomes, leaves`},
		"off without quotes":  {"providers: [a]\ndisarm:\n- {field: x, when: off, says: s}", ""},
		"an unknown verb":     {"providers: [a]\ndisarm:\n- field: x\n  when: on\n  verb: update\n  says: s", `f:5: disarm[0].verb: "update" is none of unprotect, scale-to-zero, empty, delete`},
		"values left out":     {"providers: [a]\ndisarm:\n- {field: x, when: becomes, says: s}", "f:3: disarm[0].values: becomes and leaves have values, and no other when has"},
		"values too many":     {"providers: [a]\ndisarm:\n- {field: x, when: zero, values: [1], says: s}", "f:3: disarm[0].values: becomes and leaves have values, and no other when has"},
		"less of the new":     {"providers: [a]\ndisarm:\n- {field: x, when: less, created: true, says: s}", "f:3: disarm[0].created: what is new is never less"},
		"a disarm unfinished": {"providers: [a]\ndisarm:\n- {field: x, when: zero}", "f:3: disarm[0]: field, when and says should be here"},
		"holds and no container": {
			"providers: [a]\ntypes:\n- types: [t]\n  holds:\n  - {types: ['*'], field: x, by: [id]}",
			"f:5: types[0].holds: what holds others is a container: say so",
		},
		"half a holds":              {"providers: [a]\ntypes:\n- types: [t]\n  container: true\n  holds:\n  - {types: [u]}", "f:6: types[0].holds[0]: types, field and by should be here"},
		"by of what is no list":     {"providers: [a]\ndisarm:\n- {field: x, when: zero, by: name, says: s}", "f:3: disarm[0].by: is for shrunk"},
		"a condition on nothing":    {"providers: [a]\ndisarm:\n- {field: x, when: zero, where: {is: [a]}, says: s}", "f:3: disarm[0].where: field is missing"},
		"a condition's bad pattern": {"providers: [a]\ndisarm:\n- {field: x, when: zero, where: {field: y, is: ['(']}, says: s}", "f:3: disarm[0].where.is[0]: pattern \"(\": error parsing regexp: missing closing ): `(`"},
		"rights that are none":      {"providers: [a]\ntypes:\n- types: [t]\n  rights: {field: r}", "f:4: types[0].rights: field and strong should be here"},
		"a bad pattern":             {"providers: [a]\ntypes:\n- types: [t]\n  grants: {members: m, strong: ['(']}", "f:4: types[0].grants.strong[0]: pattern \"(\": error parsing regexp: missing closing ): `(`"},
		"a grant to nobody":         {"providers: [a]\ntypes:\n- types: [t]\n  grants: {role: r}", "f:4: types[0].grants: members is missing"},
		"a group of no object":      {"providers: [a]\ntypes:\n- types: [t]\n  group: apps", "f:3: types[0]: group, resource, object and cluster are for what is in Kubernetes: say kubernetes: true"},
		"half an object":            {"providers: [a]\ntypes:\n- types: [t]\n  kubernetes: true", "f:3: types[0]: an object of Kubernetes has either object, or resource, kind and group (left out for core)"},
		"a resource's kind":         {"providers: [a]\ntypes:\n- types: [t]\n  kubernetes: true\n  kind: Pod\n  resource: Pod", `f:6: types[0].resource: "Pod" is no resource as the API calls it: lower case, plural`},
		"a name of an object":       {"providers: [a]\ntypes:\n- types: [t]\n  kubernetes: true\n  kind: Pod\n  resource: pods\n  ref: 'x://{name}'", "f:7: types[0].ref: an object of Kubernetes is called by its cluster, group, resource and name"},
		"loose without labels":      {"providers: [a]\ntypes:\n- types: [t]\n  loose: true", "f:4: types[0].loose: is about labels, and there are none"},
		"two mistakes":              {"providers: [a]\nlabels: [a b]\nx: y\n", "f:2: labels[0]: \"a b\": between dots there is a key, an index or *\nf:3: there is no key \"x\"; these are: providers, labels, annotations, project, location, names, namespace, providerProject, foldLabels, disarm, types"},
		"too much":                  {strings.Repeat("#", maxRules+1), "f:1: the file has 1048577 bytes, and at most 1048576 are read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadRules("f", []byte(c.in))
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestTheEmbeddedRulesAreRight(t *testing.T) {
	list, err := EmbeddedRules()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 || !cmp.Equal(list[0].Providers, []string{"*"}) {
		t.Errorf("what holds for all does not come first: %v", list)
	}
	seen := map[string]bool{}
	for _, r := range list {
		for _, rule := range r.Types {
			for _, name := range rule.Types {
				if seen[name] {
					t.Errorf("%s is in two files", name)
				}
				seen[name] = true
			}
		}
	}
}

func FuzzReadRules(f *testing.F) {
	f.Add([]byte("providers: [a]\ndisarm:\n- {field: x.*.y, when: becomes, values: [1], says: s}"))
	f.Add([]byte("providers: ['*']\ntypes:\n- types: [t]\n  ref: 'gcp://x/{a:b|c}/{name}'\n  grants: {members: m}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ReadRules("f", data)
		if err != nil {
			if len(r.Providers) > 0 {
				t.Errorf("half a file came with %v", err)
			}
			return
		}
		if _, err := NewMapper(MapperOptions{Rules: []Rules{r}}); err != nil {
			t.Errorf("what is read is not taken: %v", err)
		}
	})
}
