package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/api"
	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// object is a JSON object of the description.
type object = map[string]any

func description(t testing.TB) object {
	t.Helper()
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc object
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// at goes down into the description, following references.
func at(t testing.TB, doc object, from any, steps ...string) any {
	t.Helper()
	node := from
	for i := 0; ; i++ {
		if o, ok := node.(object); ok {
			if ref, ok := o["$ref"].(string); ok {
				node = at(t, doc, doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
				if node == nil {
					t.Fatalf("%s refers to nothing", ref)
				}
			}
		}
		if i == len(steps) {
			return node
		}
		o, ok := node.(object)
		if !ok {
			return nil
		}
		node = o[steps[i]]
	}
}

// pathOf is the description's path for a request's.
func pathOf(path string) string {
	path = strings.NewReplacer(handle, "{id}", otherHandle, "{id}", decisionID, "{id}").Replace(path)
	return path
}

// validate fails if an answer is not as the description says.
func validate(t *testing.T, method, path string, got response) {
	t.Helper()
	doc := description(t)
	answer := at(t, doc, doc, "paths", pathOf(path), strings.ToLower(method), "responses", strconv.Itoa(got.status))
	if answer == nil {
		t.Errorf("%s %s: status %d is not described", method, pathOf(path), got.status)
		return
	}
	schema := at(t, doc, answer, "content", got.header.Get("Content-Type"), "schema")
	if schema == nil {
		t.Errorf("%s %s: %s is not described for status %d", method, pathOf(path), got.header.Get("Content-Type"), got.status)
		return
	}
	if headers, ok := at(t, doc, answer, "headers").(object); ok {
		for name := range headers {
			if got.header.Get(name) == "" {
				t.Errorf("%s %s: status %d has no header %s", method, pathOf(path), got.status, name)
			}
		}
	}
	var body any
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Error(err)
		return
	}
	for _, problem := range mismatches(t, doc, schema, body, "body") {
		t.Errorf("%s %s: %s", method, pathOf(path), problem)
	}
}

// mismatches compares a value with a schema, as far as the description uses JSON
// Schema (draft 2020-12). A keyword that it does not know is a mismatch, too.
func mismatches(t testing.TB, doc object, schemaNode, value any, where string) []string {
	t.Helper()
	schema, ok := at(t, doc, schemaNode).(object)
	if !ok {
		return []string{where + ": no schema"}
	}
	var found []string
	add := func(format string, args ...any) { found = append(found, where+": "+fmt.Sprintf(format, args...)) }
	for _, keyword := range slices.Sorted(maps.Keys(schema)) {
		switch want := schema[keyword]; keyword {
		case "description", "additionalProperties":
		case "type":
			if got := typeOf(value); got != want {
				add("is a %s, not a %v", got, want)
			}
		case "const":
			if value != want {
				add("is %v, not %v", value, want)
			}
		case "enum":
			if list, ok := want.([]any); !ok || !slices.Contains(list, value) {
				add("%v is not one of %v", value, want)
			}
		case "format":
			if text, ok := value.(string); want == "date-time" && ok {
				if _, err := time.Parse(time.RFC3339, text); err != nil {
					add("%v", err)
				}
			}
		case "pattern":
			text, ok := value.(string)
			if pattern, isText := want.(string); ok && isText && !regexp.MustCompile(pattern).MatchString(text) {
				add("%q is not like %s", text, pattern)
			}
		case "anyOf":
			list, _ := want.([]any)
			if !slices.ContainsFunc(list, func(one any) bool { return len(mismatches(t, doc, one, value, where)) == 0 }) {
				add("is like none of anyOf")
			}
		case "items":
			list, _ := value.([]any)
			for i, item := range list {
				found = append(found, mismatches(t, doc, want, item, fmt.Sprintf("%s[%d]", where, i))...)
			}
		case "required":
			names, _ := want.([]any)
			for _, name := range names {
				if members, ok := value.(object); ok && members[fmt.Sprint(name)] == nil {
					if _, there := members[fmt.Sprint(name)]; !there {
						add("%v is missing", name)
					}
				}
			}
		case "properties":
			properties, _ := want.(object)
			members, _ := value.(object)
			for name, member := range members {
				property, described := properties[name]
				if described {
					found = append(found, mismatches(t, doc, property, member, where+"."+name)...)
				} else if schema["additionalProperties"] == false {
					add("%s is not described", name)
				}
			}
		default:
			add("the test does not know %s", keyword)
		}
	}
	return found
}

func typeOf(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case object:
		return "object"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	}
	return fmt.Sprintf("%T", value)
}

func TestEveryRouteIsDescribedAndNothingElseIs(t *testing.T) {
	doc := description(t)
	paths, ok := doc["paths"].(object)
	if !ok {
		t.Fatal("no paths")
	}
	s := newServer(t)
	for path, operations := range paths {
		concrete := strings.Replace(path, "{id}", handle, 1)
		var described []string
		for method := range operations.(object) {
			described = append(described, strings.ToUpper(method))
		}
		slices.Sort(described)
		got := s.do(t, "TRACE", concrete, "", "")
		if got.status != 405 {
			t.Errorf("%s is described and not served: status %d", path, got.status)
			continue
		}
		if diff := cmp.Diff(strings.Join(described, ", "), got.header.Get("Allow")); diff != "" {
			t.Errorf("%s: methods (-described +served):\n%s", path, diff)
		}
	}
	if diff := cmp.Diff(api.Paths(), slices.Sorted(maps.Keys(paths))); diff != "" {
		t.Errorf("paths (-served +described):\n%s", diff)
	}
}

func TestWhoNeedsATokenIsDescribed(t *testing.T) {
	doc := description(t)
	for path, operations := range doc["paths"].(object) {
		for method, described := range operations.(object) {
			s := newServer(t)
			_, open := described.(object)["security"]
			got := s.do(t, strings.ToUpper(method), strings.Replace(path, "{id}", handle, 1), "", "{}")
			if (got.status != 401) != open {
				t.Errorf("%s %s: status %d without a token, described as open: %v", method, path, got.status, open)
			}
		}
	}
}

func TestEveryValueOfAClosedSetIsDescribed(t *testing.T) {
	doc := description(t)
	for schema, values := range map[string][]string{
		"Standing.state":        breakglass.State("").Values(),
		"Verdict.kind":          breakglass.VerdictKind("").Values(),
		"Scope.surface":         operation.Surface("").Values(),
		"ProposedScope.surface": operation.Surface("").Values(),
		"Use.verb":              operation.Verb("").Values(),
		"Decision.verb":         operation.Verb("").Values(),
		"Decision.phase":        operation.Phase("").Values(),
		"Decision.outcome":      operation.Outcome("").Values(),
		"Actor.kind":            operation.ActorKind("").Values(),
		"Identity.kind":         append(operation.ActorKind("").Values(), ""),
	} {
		name, field, _ := strings.Cut(schema, ".")
		described, _ := at(t, doc, doc, "components", "schemas", name, "properties", field, "enum").([]any)
		var texts []string
		for _, value := range described {
			texts = append(texts, fmt.Sprint(value))
		}
		slices.Sort(texts)
		slices.Sort(values)
		if diff := cmp.Diff(values, texts); diff != "" {
			t.Errorf("%s (-code +described):\n%s", schema, diff)
		}
	}
}

// TestEveryFieldIsDescribed finds fields that an example may have left out.
func TestEveryFieldIsDescribed(t *testing.T) {
	doc := description(t)
	for name, of := range map[string]reflect.Type{
		"Caller": reflect.TypeFor[api.Caller](), "Proposal": reflect.TypeFor[api.Proposal](), "Case": reflect.TypeFor[api.Case](),
		"Request": reflect.TypeFor[api.Request](), "Verdict": reflect.TypeFor[api.Verdict](), "Grant": reflect.TypeFor[breakglass.Grant](),
		"Use": reflect.TypeFor[breakglass.Use](), "Standing": reflect.TypeFor[breakglass.Standing](), "Scope": reflect.TypeFor[breakglass.Scope](),
		"ProposedScope": reflect.TypeFor[breakglass.Scope](), "PlanFacts": reflect.TypeFor[breakglass.PlanFacts](), "Target": reflect.TypeFor[operation.Reference](),
		"Reference": reflect.TypeFor[operation.Reference](), "Identity": reflect.TypeFor[operation.Identity](),
		"Actor": reflect.TypeFor[operation.Actor](), "Decision": reflect.TypeFor[operation.Decision](), "Problem": reflect.TypeFor[api.Problem](),
	} {
		var fields []string
		for _, field := range reflect.VisibleFields(of) {
			if operation.Visible(field) {
				fields = append(fields, operation.JSONName(field))
			}
		}
		slices.Sort(fields)
		properties, _ := at(t, doc, doc, "components", "schemas", name, "properties").(object)
		if diff := cmp.Diff(fields, slices.Sorted(maps.Keys(properties))); diff != "" {
			t.Errorf("%s (-code +described):\n%s", name, diff)
		}
		for field, property := range properties {
			if o, _ := property.(object); o["description"] == nil && o["$ref"] == nil && o["enum"] == nil && o["items"] == nil {
				t.Errorf("%s.%s has no description", name, field)
			}
		}
	}
}

func TestEveryFieldBelowADecisionIsDescribed(t *testing.T) {
	doc := description(t)
	decision := at(t, doc, doc, "components", "schemas", "Decision", "properties").(object)
	for _, tt := range []struct {
		name   string
		schema any
		of     reflect.Type
	}{
		{"production", decision["production"], reflect.TypeFor[operation.Production]()},
		{"dependents", at(t, doc, decision, "dependents", "items"), reflect.TypeFor[operation.Dependents]()},
		{"volumes", at(t, doc, decision, "volumes", "items"), reflect.TypeFor[operation.Volume]()},
		{"violations", at(t, doc, decision, "violations", "items"), reflect.TypeFor[operation.Violation]()},
	} {
		var fields []string
		for _, field := range reflect.VisibleFields(tt.of) {
			fields = append(fields, operation.JSONName(field))
		}
		slices.Sort(fields)
		properties, _ := at(t, doc, tt.schema, "properties").(object)
		if diff := cmp.Diff(fields, slices.Sorted(maps.Keys(properties))); diff != "" {
			t.Errorf("%s (-code +described):\n%s", tt.name, diff)
		}
	}
	var ways []string
	for _, way := range at(t, doc, decision, "dependents", "items", "properties", "via", "enum").([]any) {
		ways = append(ways, fmt.Sprint(way))
	}
	if diff := cmp.Diff(append(operation.Via("").Values(), ""), ways); diff != "" {
		t.Errorf("via (-code +described):\n%s", diff)
	}
}

func TestARequestAsDescribedIsTaken(t *testing.T) {
	doc := description(t)
	var body any
	if err := json.Unmarshal([]byte(proposal), &body); err != nil {
		t.Fatal(err)
	}
	for _, problem := range mismatches(t, doc, at(t, doc, doc, "components", "schemas", "Proposal"), body, "proposal") {
		t.Error(problem)
	}
}
