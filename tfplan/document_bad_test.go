package tfplan

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readAll reads a plan to its end, as plan check does.
func readAll(ctx context.Context, text []byte) (*Document, []Change, []Resource, error) {
	d, err := Open(ctx, bytes.NewReader(text), int64(len(text)))
	if err != nil {
		return nil, nil, nil, err
	}
	var changes []Change
	for c, err := range d.Changes(ctx) {
		if err != nil {
			return nil, nil, nil, err
		}
		own := *c
		own.Before, own.After, own.AfterUnknown = c.Before.Clone(), c.After.Clone(), c.AfterUnknown.Clone()
		own.BeforeSensitive, own.AfterSensitive = c.BeforeSensitive.Clone(), c.AfterSensitive.Clone()
		changes = append(changes, own)
	}
	var state []Resource
	for r, err := range d.State(ctx) {
		if err != nil {
			return nil, nil, nil, err
		}
		own := *r
		own.Values, own.Sensitive = r.Values.Clone(), r.Sensitive.Clone()
		state = append(state, own)
	}
	return d, changes, state, nil
}

// said is a refusal's one line, or what else there was.
func said(err error) string {
	if err == nil {
		return "no error"
	}
	if bad, ok := errors.AsType[*BadPlanError](err); ok {
		return bad.What
	}
	return "not the input's fault: " + err.Error()
}

// planned is a plan whose resource_changes are these.
func planned(changes string) string {
	return `{"format_version":"1.2","terraform_version":"1.11.4","resource_changes":` + changes + `}`
}

func TestWhatIsNoPlanIsRefusedAndNamed(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	for name, test := range map[string]struct{ text, want string }{
		"nothing":           {"", "the plan is empty"},
		"blanks":            {" \n\t", "the plan is empty"},
		"a plan file":       {"PK\x03\x04\x14\x00", "this is a plan file (a zip), not its JSON"},
		"UTF-16":            {"\xff\xfe{\x00", "the plan is in UTF-16, as PowerShell's > writes it, and must be in UTF-8"},
		"a command line":    {"[command]/usr/bin/terraform show -json tfplan\n{}", "this is not JSON alone: a wrapper around terraform wrote its command line before it"},
		"an old plan file":  {"tfplan\x02\x00", "this is a plan file of a Terraform before 0.12"},
		"a page":            {"<!DOCTYPE html><html>", "this is HTML or XML, not the JSON of a plan: perhaps a page that asks to log in"},
		"a list":            {`[{"op":"add"}]`, "this is a JSON list, not a Terraform plan"},
		"text for people":   {"\nTerraform used the selected providers to generate", "this is what terraform plan prints for people, not the JSON of a plan"},
		"text of OpenTofu":  {"x: Refreshing...\nOpenTofu will perform the following actions:", "this is what terraform plan prints for people, not the JSON of a plan"},
		"other text":        {"panic: nil pointer dereference", "this is not JSON: it does not begin with a brace"},
		"a log":             {"{\"@level\":\"info\",\"@message\":\"x\"}\n{\"@level\":\"info\"}", "this is the log that terraform plan -json writes, not the JSON of a plan"},
		"a state":           {`{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"x","resources":[]}`, "this is a Terraform state, not a plan"},
		"a shown state":     {`{"format_version":"1.0","terraform_version":"1.11.4","values":{"root_module":{}}}`, "this is a state as terraform show -json writes it without a plan file, not a plan"},
		"no state shown":    {`{"format_version":"1.0"}`, "this is what terraform show -json writes where there is no state: name the plan file"},
		"encrypted":         {`{"meta":{"key_provider.x":"e30="},"encrypted_data":"AAAA","encryption_version":"v0"}`, "this is a plan file or state that OpenTofu has encrypted: it cannot be read here"},
		"a remote plan":     {`{"remote_plan_format":1,"run_id":"run-1","hostname":"app.terraform.io"}`, "this only says where HCP Terraform keeps a plan, it is not the plan"},
		"a redacted plan":   {`{"plan_format_version":"1.2","resource_changes":[]}`, "this is a redacted plan of HCP Terraform, without the values that must be judged"},
		"schemas":           {`{"format_version":"1.0","provider_schemas":{}}`, "this is what terraform providers schema -json writes, not a plan"},
		"a validation":      {`{"format_version":"1.0","valid":true,"error_count":0}`, "this is what terraform validate -json writes, not a plan"},
		"Pulumi":            {`{"config":{},"steps":[],"duration":1,"changeSummary":{"create":1}}`, "this is from Pulumi, not a Terraform plan"},
		"CloudFormation":    {`{"Changes":[],"ChangeSetName":"x","StackId":"y"}`, "this is from CloudFormation, not a Terraform plan"},
		"Kubernetes":        {`{"apiVersion":"v1","kind":"List"}`, "this is a Kubernetes object, not a Terraform plan"},
		"any object":        {`{"a":1}`, "this is no Terraform plan: the JSON has no format_version"},
		"an empty object":   {`{}`, "this is no Terraform plan: the JSON has no format_version"},
		"no changes":        {`{"format_version":"1.2","terraform_version":"1.11.4","resource_changes":null}`, "this is no Terraform plan: the JSON has neither resource_changes nor planned_values"},
		"an old format":     {`{"format_version":"0.1","terraform_version":"0.15.3","resource_changes":[]}`, "the plan's format is 0.1, of a Terraform before 1.0: only 1.x is understood"},
		"an old 0.2":        {`{"format_version":"0.2","terraform_version":"0.15.5","resource_changes":[]}`, "the plan's format is 0.2, of a Terraform before 1.0: only 1.x is understood"},
		"a new format":      {`{"format_version":"2.0","resource_changes":[]}`, "the plan's format is 2.0: only 1.x is understood"},
		"a long format":     {`{"format_version":"10.0","resource_changes":[]}`, "the plan's format is 10.0: only 1.x is understood"},
		"no version":        {`{"format_version":"one","resource_changes":[]}`, `format_version "one" of the plan is no version`},
		"a number":          {`{"format_version":1.2,"resource_changes":[]}`, "/format_version of the plan is a number and should be a string (byte 21)"},
		"cut off":           {planned(`[{"address":"a.b","type":"a","change":{"actions":["del`), "the JSON of the plan is cut off at byte 127, in /resource_changes/0/change/actions"},
		"cut off at a name": {`{"format_version":"1.2","resource_ch`, "the JSON of the plan is cut off at byte 36, in /format_version"},
		"only a brace":      {`{`, "the JSON of the plan is cut off at byte 1, in the outermost object"},
		"broken":            {planned(`[{"address":"a.b",}]`), `the JSON of the plan is broken at byte 89, in /resource_changes/0: invalid character ',' at start of value`},
		"not UTF-8":         {planned("[{\"address\":\"a\xff\"}]"), "the JSON of the plan is broken at byte 86, in /resource_changes/0/address: invalid UTF-8"},
		"more after it":     {planned(`[]`) + "\n{}", "there is more after the JSON of the plan, from byte 75"},
		"text after it":     {planned(`[]`) + "\n::debug::stdout", "there is more after the JSON of the plan, from byte 75"},
		"twice":             {`{"format_version":"1.2","resource_changes":[],"resource_changes":[]}`, "/resource_changes of the plan is there twice (byte 46): which of them counts is anybody's guess"},
		"twice, escaped":    {`{"format_version":"1.2","resource_changes":[],"\u0072esource_changes":[]}`, "/resource_changes of the plan is there twice (byte 46): which of them counts is anybody's guess"},
		"a value twice":     {planned(`[{"address":"a.b","type":"a","change":{"actions":["update"],"before":{"x":1,"x":2}}}]`), "/resource_changes/0/change/before/x of the plan is there twice (byte 148): which of them counts is anybody's guess"},
		"too deep":          {`{"format_version":"1.2","checks":` + deep + `}`, "the plan nests deeper than 200 levels at byte 232: Terraform writes no such JSON"},
		"too deep values":   {planned(`[{"address":"a.b","change":{"before":` + deep + `}}]`), "the plan nests deeper than 200 levels at byte 305: Terraform writes no such JSON"},
		"no list":           {planned(`{"a":1}`), "/resource_changes of the plan is an object and should be a list (byte 73)"},
		"no object":         {planned(`["a"]`), "/resource_changes/0 of the plan is a string and should be an object (byte 76)"},
		"a null":            {planned(`[null]`), "entry 0 of resource_changes has no change (byte 77)"},
		"no address":        {planned(`[{"type":"a","change":{"actions":["delete"]}}]`), "entry 0 of resource_changes has no address (byte 117)"},
		"no type":           {planned(`[{"address":"a.b","change":{"actions":["delete"]}}]`), "entry 0 of resource_changes has no type (byte 122)"},
		"no actions":        {planned(`[{"address":"a.b","type":"a","change":{"before":null}}]`), "entry 0 of resource_changes has no actions (byte 126)"},
		"empty actions":     {planned(`[{"address":"a.b","type":"a","change":{"actions":[]}}]`), "entry 0 of resource_changes has no actions (byte 125)"},
		"an empty action":   {planned(`[{"address":"a.b","type":"a","change":{"actions":[""]}}]`), "/resource_changes/0/change/actions/0 of the plan is empty and should name an action"},
		"many actions":      {planned(`[{"address":"a.b","type":"a","change":{"actions":["1","2","3","4","5","6","7","8","9"]}}]`), "/resource_changes/0/change/actions/7 of the plan has more than 8 elements"},
		"errored, a string": {`{"format_version":"1.2","resource_changes":[],"errored":"false"}`, "/errored of the plan is a string and should be true or false (byte 63)"},
		"a long address":    {planned(`[{"address":"` + strings.Repeat("a", 70000) + `"}]`), "/resource_changes/0/address of the plan is longer than 64 KiB"},
		"a state resource":  {`{"format_version":"1.2","planned_values":{},"prior_state":{"values":{"root_module":{"resources":[{"type":"a"}]}}}}`, "a resource of prior_state has no address (/prior_state/values/root_module/resources/0, byte 109)"},
		"a long change":     {planned(`[{"address":"a.b","type":"a","change":{"actions":["update"],"before":"` + strings.Repeat("a", MaxChange) + `"}}]`), "/resource_changes/0 of the plan is longer than 16 MiB"},
		"a long string":     {`{"format_version":"1.2","x":"` + strings.Repeat("a", MaxChange+1<<20) + `"}`, "/x of the plan is longer than 16 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := readAll(t.Context(), []byte(test.text))
			if diff := cmp.Diff(test.want, said(err)); diff != "" {
				t.Error(diff)
			}
			if strings.ContainsAny(said(err), "\n\r\x1b") {
				t.Errorf("more than one line: %q", said(err))
			}
		})
	}
}

func TestRealOutputThatIsNoPlanIsNamed(t *testing.T) {
	for name, want := range map[string]string{
		"create.tfplan":              "this is a plan file (a zip), not its JSON",
		"state.tfstate":              "this is a Terraform state, not a plan",
		"not-a-plan-show-state.json": "this is a state as terraform show -json writes it without a plan file, not a plan",
		"not-a-plan-log.json":        "this is the log that terraform plan -json writes, not the JSON of a plan",
		"not-a-plan-text.json":       "this is what terraform plan prints for people, not the JSON of a plan",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := readAll(t.Context(), fixture(t, name))
			if diff := cmp.Diff(want, said(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A plan that is cut off anywhere is refused: tried at every seventeenth byte.
func TestEveryBeginningOfAPlanIsRefused(t *testing.T) {
	text := bytes.TrimSpace(fixture(t, "everything.json"))
	for n := 0; n < len(text); n += 17 {
		if _, err := Open(t.Context(), bytes.NewReader(text[:n]), int64(n)); err == nil {
			t.Fatalf("the first %d of %d bytes count as a plan", n, len(text))
		}
	}
}

func fixture(t testing.TB, name string) []byte {
	text, err := os.ReadFile(filepath.Join("testdata", "plans", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
