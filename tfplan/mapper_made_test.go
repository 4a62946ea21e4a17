package tfplan

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
)

// madeCorpus makes, by the rules, the least change that each of them is about.
func madeCorpus(t *testing.T) map[string]corpusFile {
	t.Helper()
	paths, err := filepath.Glob("rules/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no rules: %v", err)
	}
	corpus := map[string]corpusFile{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := ReadRules(path, data)
		if err != nil {
			t.Fatal(err)
		}
		folder := strings.TrimSuffix(filepath.Base(path), ".yaml")
		if len(r.Disarm) > 0 {
			row := TypeRule{Types: []string{folder + "_example"}}
			k := &maker{t: t, rules: &r, rule: &row}
			corpus[folder+"/"+row.Types[0]+".json"] = k.file(r.Disarm)
		}
		for i := range r.Types {
			k := &maker{t: t, rules: &r, rule: &r.Types[i]}
			corpus[folder+"/"+k.kind()+".json"] = k.file(r.Types[i].Disarm)
		}
	}
	return corpus
}

// maker makes changes of one row of types.
type maker struct {
	t     *testing.T
	rules *Rules
	rule  *TypeRule
}

// kind is a type that the rule is about.
func (k *maker) kind() string { return strings.Replace(k.rule.Types[0], "*", "any", 1) }

func (k *maker) file(disarm []Disarm) corpusFile {
	f := corpusFile{Synthetic: true}
	add := func(name string, before, after map[string]any, actions ...tfjson.Action) {
		f.Cases = append(f.Cases, k.change(name, before, after, actions))
	}
	add("delete", k.values(), nil, tfjson.ActionDelete)
	for _, d := range disarm {
		before, after := k.values(), k.values()
		from, to := turn(d)
		put(before, d.Field, from)
		put(after, d.Field, to)
		k.fulfil(before, d.Where)
		k.fulfil(after, d.Where)
		add(d.Field+" "+string(d.When)+": "+d.Says, before, after, tfjson.ActionUpdate)
		if d.Created {
			add("made with "+d.Field+" "+string(d.When)+": "+d.Says, nil, after, tfjson.ActionCreate)
		}
	}
	if k.rule.Destroys != "" {
		add("create: "+k.rule.Destroys, nil, k.values(), tfjson.ActionCreate)
	}
	if k.rule.Grants != nil {
		after := k.values()
		k.grant(after)
		add("grant to who applies", nil, after, tfjson.ActionCreate)
	}
	if k.rule.Rights != nil {
		before, after := k.values(), k.values()
		put(before, k.rule.Rights.Field, []any{})
		put(after, k.rule.Rights.Field, k.strongRight())
		add("update: is given to "+holders, before, after, tfjson.ActionUpdate)
	}
	return f
}

// turn is a value before and after that a Disarm is about.
func turn(d Disarm) (from, to any) {
	switch d.When {
	case Off:
		return true, false
	case On:
		return false, true
	case Zero:
		return 3, 0
	case Less:
		return 604800, 3600
	case More:
		return 1, 3
	case Removed:
		return "something", nil
	case Set:
		return nil, "something"
	case Shrunk, Fewer:
		return []any{"a", "b"}, []any{"a"}
	case Changed:
		return "a", "b"
	case Becomes:
		return "OTHER", d.Values[0]
	default:
		return d.Values[0], "OTHER"
	}
}

// values are those of an object of production, with secrets.
func (k *maker) values() map[string]any {
	values := map[string]any{"password": planted, "api_token": planted, "settings_data": planted}
	r := k.rule
	places := map[string]string{"name": r.Name, "project": r.Project, "location": r.Location, "namespace": r.Namespace}
	for field, list := range map[string][]string{"name": k.rules.Names, "project": k.rules.Project, "location": k.rules.Location, "namespace": k.rules.Namespace} {
		if places[field] == "" && len(list) > 0 {
			places[field] = list[0]
		}
	}
	fill := map[string]string{"name": "main", "project": "prod-shop", "location": "europe-west1", "namespace": "shop"}
	texts := []string{}
	for _, field := range slices.Sorted(maps.Keys(places)) {
		if places[field] != "" {
			texts = append(texts, places[field]+"="+fill[field])
		}
	}
	for _, m := range holeForm.FindAllStringSubmatch(r.Ref, -1) {
		if fill[m[1]] == "" {
			texts = append(texts, m[1]+"=in-"+strings.Map(letter, m[1]))
		}
	}
	picked := map[string][]string{}
	for _, text := range texts {
		at, value, _ := strings.Cut(text, "=")
		at, _, _ = strings.Cut(at, "|")
		path, pick, _ := strings.Cut(at, ":")
		picked[path] = append(picked[path], pick+"="+value)
	}
	for path, picks := range picked {
		put(values, path, joined(picks))
	}
	labels := append(slices.Clone(k.rules.Labels), r.Labels...)
	switch {
	case r.Object != "":
		root, _, _ := strings.Cut(r.Object, "|")
		values[root] = map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment",
			"metadata": map[string]any{"name": "main", "namespace": "shop", "labels": map[string]any{"env": "prod"}},
		}
	case len(labels) > 0:
		put(values, labels[0], map[string]any{"env": "prod"})
	}
	return values
}

func letter(r rune) rune {
	if r == ':' || r == '_' || r == '|' {
		return '-'
	}
	return r
}

// joined is a text of which places pick parts.
func joined(picks []string) string {
	slices.Sort(picks)
	text, last := "", ""
	for _, p := range slices.Compact(picks) {
		pick, value, _ := strings.Cut(p, "=")
		switch pick {
		case "", "last":
			last = value
		default:
			text += "/" + pick + "/" + value
		}
	}
	switch {
	case text == "":
		return last
	case last != "":
		text += "/things/" + last
	}
	return text[1:]
}

// put sets a value at a path, with lists for indices.
func put(values map[string]any, path string, value any) {
	steps := strings.Split(path, ".")
	var into func(at any, steps []string) any
	into = func(at any, steps []string) any {
		if len(steps) == 0 {
			return value
		}
		if i, err := strconv.Atoi(steps[0]); err == nil || steps[0] == "*" {
			list, _ := at.([]any)
			for len(list) <= i {
				list = append(list, nil)
			}
			list[i] = into(list[i], steps[1:])
			return list
		}
		object, _ := at.(map[string]any)
		if object == nil {
			object = map[string]any{}
		}
		object[steps[0]] = into(object[steps[0]], steps[1:])
		return object
	}
	into(values, steps)
}

func (k *maker) change(name string, before, after map[string]any, actions []tfjson.Action) corpusCase {
	raw := func(values map[string]any) json.RawMessage {
		if values == nil {
			return json.RawMessage("null")
		}
		// kubectl has objects as text.
		for key, value := range values {
			if strings.HasPrefix(key, "yaml_body") {
				values[key] = string(k.marshal(value))
			}
		}
		return k.marshal(values)
	}
	c := corpusCase{Name: name}
	provider := k.rules.Providers[0]
	if provider == "*" {
		provider = "example"
	}
	c.Change.Type, c.Change.Name = k.kind(), "this"
	c.Change.Address = c.Change.Type + ".this"
	c.Change.ProviderName = "registry.terraform.io/hashicorp/" + provider
	c.Change.Change.Actions = actions
	c.Change.Change.Before, c.Change.Change.After = raw(before), raw(after)
	c.Change.Change.BeforeSensitive = json.RawMessage(`{"settings_data":true}`)
	c.Change.Change.AfterSensitive = json.RawMessage(`{"settings_data":true}`)
	return c
}

func (k *maker) marshal(value any) json.RawMessage {
	data, err := json.Marshal(value)
	if err != nil {
		k.t.Fatal(err)
	}
	return data
}
