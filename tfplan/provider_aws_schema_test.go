package tfplan

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// awsSchema is what terraform providers schema -json has of a type
// (https://developer.hashicorp.com/terraform/cli/commands/providers/schema).
type awsSchema struct {
	Version int         `json:"version"`
	Block   schemaBlock `json:"block"`
}

type schemaBlock struct {
	Attributes map[string]struct {
		Type   json.RawMessage `json:"type"`
		Nested *schemaNested   `json:"nested_type"`
	} `json:"attributes"`
	Blocks map[string]schemaNested `json:"block_types"`
}

type schemaNested struct {
	schemaBlock
	Mode  string      `json:"nesting_mode"`
	Block schemaBlock `json:"block"`
}

func index(steps route) route {
	if len(steps) > 0 && (steps[0] == "*" || steps[0] == "0") {
		return steps[1:]
	}
	return steps
}

// has reports whether a block has a value at a path.
func (b *schemaBlock) has(at route) bool {
	if len(at) == 0 {
		return true
	}
	if attribute, ok := b.Attributes[at[0]]; ok {
		if attribute.Nested != nil {
			return attribute.Nested.has(index(at[1:]))
		}
		return typeHas(attribute.Type, at[1:])
	}
	block, ok := b.Blocks[at[0]]
	return ok && block.Block.has(index(at[1:]))
}

// typeHas is has for a type as Terraform writes it: "string", ["list", T], ["object", {…}].
func typeHas(raw json.RawMessage, at route) bool {
	if len(at) == 0 {
		return true
	}
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil || len(parts) != 2 {
		return false // of a plain value there is nothing below
	}
	var fields map[string]json.RawMessage
	switch kind := string(parts[0]); {
	case kind == `"object"` && json.Unmarshal(parts[1], &fields) == nil:
		field, ok := fields[at[0]]
		return ok && typeHas(field, at[1:])
	case kind == `"map"`:
		return typeHas(parts[1], at[1:])
	}
	return typeHas(parts[1], index(at))
}

func TestAWSFieldsOfRulesAreThoseOfTheProvider(t *testing.T) {
	schemas := newAWSProvider(t).schemas()
	oneOf := func(p place) []route {
		var all []route
		for _, o := range p {
			all = append(all, o.at)
		}
		return all
	}
	check := func(what string, kinds []string, routes ...route) {
		t.Helper()
		found := len(routes) == 0
		for _, kind := range kinds {
			schema, ok := schemas[kind]
			if !ok {
				t.Errorf("%s: the provider has no %s", what, kind)
			}
			found = found || slices.ContainsFunc(routes, schema.Block.has)
		}
		if !found {
			t.Errorf("%s: none of %v has any of %v", what, kinds, routes)
		}
	}
	m := testMapper(t)
	for name, rule := range m.types {
		if !strings.HasPrefix(name, "aws_") {
			continue
		}
		check(name+": name", rule.Types, oneOf(rule.name)...)
		check(name+": project", rule.Types, oneOf(rule.project)...)
		for _, h := range rule.ref.holes {
			if h.name != "name" && h.name != "project" && h.name != "location" {
				check(name+": ref", []string{name}, oneOf(h.at)...)
			}
		}
		for _, at := range rule.labels {
			check(name+": labels", []string{name}, at)
		}
		for _, d := range rule.disarm {
			check(name+": disarm", rule.Types, d.at)
		}
		for _, h := range rule.holds {
			for held := range h.types {
				if held != "*" {
					check(name+": holds", []string{held}, oneOf(h.field)...)
				}
			}
			for _, by := range h.by {
				check(name+": holds by", rule.Types, oneOf(by)...)
			}
		}
		for _, g := range rule.grants {
			for _, at := range slices.Concat(g.members, g.terms) {
				check(name+": grants", rule.Types, at)
			}
			if g.role != nil {
				check(name+": grants role", rule.Types, g.role)
			}
		}
		for _, one := range rule.rights {
			check(name+": rights", rule.Types, one.at)
		}
	}
	all := make([]string, 0, len(schemas))
	for kind := range schemas {
		all = append(all, kind)
	}
	for _, d := range m.families["aws"].disarm[:len(m.families["aws"].disarm)-len(m.everyone.disarm)] {
		check("all types", all, d.at)
	}
}
