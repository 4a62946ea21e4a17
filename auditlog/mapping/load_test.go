package mapping

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

func TestWhatIsWrongWithATableIsSaidWithItsLine(t *testing.T) {
	const kinds = "service: acme.googleapis.com\nkinds:\n  Thing:\n    resource: things\n    path: projects/{project}/things/{name}\n"
	const row = "rows:\n- methods: [acme.v1.Things.DeleteThing]\n  kind: Thing\n  verb: delete\n"
	for _, tt := range []struct{ name, text, want string }{
		{"a misspelt key", kinds + "row:\n- {}\n", `a.yaml:6: "row" is no key here; these are: kinds, rows, service`},
		{"a key in the wrong case", strings.Replace(kinds, "resource", "Resource", 1), "a.yaml:3: kind Thing: resource is missing\na.yaml:4: \"Resource\" is no key here; these are: match, names, parts, path, resource"},
		{"a misspelt key of a row", kinds + row + "  labls: x\n", `a.yaml:10: "labls" is no key here; these are: change, kind, labels, methods, own, verb, when`},
		{"a key that comes twice", kinds + row + "  verb: update\n", `a.yaml:10: "verb" comes twice`},
		{"a second document", kinds + "---\nservice: x\n", "a.yaml:6: a second document: a file has one"},
		{"nothing", "", "a.yaml:1: the file is empty"},
		{"only a comment", "# nothing\n", "a.yaml:1: the file is empty"},
		{"no YAML", "service: [\n", "a.yaml:1: did not find expected node content"},
		{"a list", "- a\n", "a.yaml:1: this should be a mapping"},
		{"no service", "kinds: {}\n", "a.yaml:1: service is missing"},
		{"an alias", "service: &a acme.googleapis.com\nkinds: *a\n", "a.yaml:2: an alias (*a): write it out"},
		{"a verb that there is not", kinds + strings.Replace(row, "verb: delete", "verb: erase", 1), `a.yaml:9: verb: "erase" is none of delete, evict, scale-to-zero, unprotect, replace, forget, empty, update, unknown, ignore`},
		{"a kind that there is not", kinds + strings.Replace(row, "kind: Thing", "kind: thing", 1), `a.yaml:8: kind "thing": acme.googleapis.com has no such kind`},
		{"a row without kind, verb and methods", kinds + "rows:\n- change: x\n", "a.yaml:7: methods is missing\na.yaml:7: verb is missing\na.yaml:7: kind is missing"},
		{"half a wildcard", kinds + strings.Replace(row, "DeleteThing", "Delete*", 1), `a.yaml:7: method "acme.v1.Things.Delete*": between dots there is a name, * or **`},
		{"a wildcard for any last segment and more", kinds + strings.Replace(row, "[acme.v1.Things.DeleteThing]", `["acme.**"]`, 1), `a.yaml:7: method "acme.**": ** cannot be the last`},
		{"a condition of two kinds", kinds + row + "  when: [{path: a, is: zero, equals: x}]\n", "a.yaml:10: one of is, equals, contains and has should be here"},
		{"a condition without a path", kinds + row + "  when: [{is: zero}]\n", "a.yaml:10: path is missing"},
		{"a state that there is not", kinds + row + "  when: [{path: a, is: nil}]\n", `a.yaml:10: is: "nil" is none of absent, empty, false, nonzero, present, true, zero`},
		{"a path with an empty name", kinds + row + "  when: [{path: a..b, is: zero}]\n", `a.yaml:10: "a..b" is no path: names between dots, with [] after one that is a list`},
		{"a change with a hole that is no path", kinds + row + "  change: n {}\n", `a.yaml:10: change: "" is no path: names between dots, with [] after one that is a list`},
		{"a path without a name", "service: s\nkinds:\n  T:\n    resource: ts\n    path: projects/{project}\n", "a.yaml:5: path: {name} is missing"},
		{"a part that comes twice", "service: s\nkinds:\n  T:\n    resource: ts\n    path: a/{name}/{name}\n", `a.yaml:5: "a/{name}/{name}": {name} comes twice`},
		{"a part of match that path has not", kinds + "    match: [\"a/{thing}/{name}\"]\n", "a.yaml:6: match: {thing} is not in path"},
		{"a part that path has not", kinds + "    parts: {thing: [a]}\n", "a.yaml:6: parts: {thing} is not in path"},
		{"alternatives in path", strings.Replace(kinds, "/things/", "/things|stuff/", 1), "a.yaml:5: path: | is for match, a canonical name has one form"},
		{"true in words", kinds + row + "  own: yes\n", `a.yaml:10: this should be true or false, not "yes"`},
		{"too much", "#" + strings.Repeat("x", maxTable), "a.yaml:1: the file has 1048577 bytes, more than 1048576"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(map[string][]byte{"a.yaml": []byte(tt.text)})
			if err == nil {
				t.Fatal("the table was read")
			}
			if diff := cmp.Diff("read the table of methods: "+tt.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFilesComeBeforeTheEmbeddedTable(t *testing.T) {
	embedded := map[string][]byte{"acme.yaml": []byte("service: acme.googleapis.com\nkinds:\n  Thing: {resource: things, path: \"projects/{project}/things/{name}\"}\n" +
		"rows:\n- {methods: [acme.v1.DeleteThing], kind: Thing, verb: delete}\n")}
	own := map[string][]byte{"own.yaml": []byte("service: acme.googleapis.com\nkinds:\n  Thing: {resource: items, path: \"projects/{project}/items/{name}\"}\n" +
		"rows:\n- {methods: [acme.v1.DeleteThing], verb: ignore}\n- {methods: [acme.v1.DropThing], kind: Thing, verb: delete}\n")}
	table, err := load(own, embedded)
	if err != nil {
		t.Fatal(err)
	}
	want := []Row{
		{File: "own.yaml", Line: 5, Service: "acme.googleapis.com", Methods: []string{"acme.v1.DeleteThing"}},
		{File: "own.yaml", Line: 6, Service: "acme.googleapis.com", Methods: []string{"acme.v1.DropThing"}, Kind: "Thing", Verb: operation.Delete},
		{File: "acme.yaml", Line: 5, Service: "acme.googleapis.com", Methods: []string{"acme.v1.DeleteThing"}, Kind: "Thing", Verb: operation.Delete},
	}
	if diff := cmp.Diff(want, table.Rows()); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if got := table.services["acme.googleapis.com"].kinds["Thing"].resource; got != "items" {
		t.Errorf("the kind's resource is %s, want the file's", got)
	}
}

func TestPatternsOfMethods(t *testing.T) {
	for _, tt := range []struct {
		pattern, method string
		want            bool
	}{
		{"a.b", "a.b", true},
		{"a.b", "a.B", false},
		{"a.b", "a.b.c", false},
		{"a.b", "a", false},
		{"a.*", "a.b", true},
		{"a.*", "a.b.c", false},
		{"*.b", "a.b", true},
		{"**.b", "b", true},
		{"**.b", "a.b", true},
		{"**.b", "a.c.b", true},
		{"**.b", "a.c.b.d", false},
		{"a.**.b", "a.b", true},
		{"a.**.b", "a.c.d.b", true},
		{"a.**.b", "c.d.b", false},
		{"a.**.*", "a.b", true},
		{"a.**.*", "a", false},
		{"a.**.c.**.b", "a.c.c.x.b", true},
		{"a.*.b", "a..b", true},
	} {
		p, err := parsePattern(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.matches(tt.method); got != tt.want {
			t.Errorf("%s and %s: %t", tt.pattern, tt.method, got)
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, name := range []string{"container.yaml", "k8s.yaml"} {
		data, err := embedded.ReadFile("table/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("service: &a x\nkinds: {*a : *a}\nrows: [*a]\n"))
	f.Add([]byte("? {a: b}\n: c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := load(map[string][]byte{"a.yaml": data})
		if (table == nil) == (err == nil) {
			t.Fatal(table, err)
		}
		if err != nil {
			return
		}
		m, err := newMapper(Options{}, table)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range table.Rows() {
			for _, method := range row.Methods {
				entry := `{"timestamp":"2026-11-21T03:12:47Z","protoPayload":{"methodName":"` + strings.Map(jsonSafe, method) + `","serviceName":"` + strings.Map(jsonSafe, row.Service) + `"}}`
				if _, err := m.read([]byte(entry)); err != nil {
					t.Errorf("%s: %v", entry, err)
				}
			}
		}
	})
}

func jsonSafe(r rune) rune {
	if r < ' ' || r == '"' || r == '\\' || r == 0xfffd {
		return -1
	}
	return r
}
