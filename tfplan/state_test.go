package tfplan

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestARealStateTellsItsLineageAndSerial(t *testing.T) {
	got, err := ReadState(t.Context(), bytes.NewReader(fixture(t, "state.tfstate")))
	if err != nil {
		t.Fatal(said(err))
	}
	want := StateHead{Version: 4, TerraformVersion: "1.11.4", Lineage: got.Lineage, Serial: 9, Resources: 8}
	if diff := cmp.Diff(want, got); diff != "" || len(got.Lineage) != 36 {
		t.Error(diff)
	}
}

func TestInstancesThatAreDeposedOrData(t *testing.T) {
	got, err := ReadState(t.Context(), strings.NewReader(`{"version":4,"serial":18446744073709551615,"lineage":"x","outputs":{"a":{"value":[1]}},
		"resources":[{"instances":[{"attributes":{}},{"deposed":"00000001"}],"mode":"managed"},
		{"mode":"data","instances":[{}]},{"mode":"managed","instances":[]},{"mode":"managed"}],"check_results":null}`))
	if err != nil {
		t.Fatal(said(err))
	}
	if diff := cmp.Diff(StateHead{Version: 4, Lineage: "x", Serial: 1<<64 - 1, Resources: 1}, got); diff != "" {
		t.Error(diff)
	}
}

func TestNothingIsTheStateOfANewWorkspace(t *testing.T) {
	for _, text := range []string{"", "\n", " \t\r\n"} {
		got, err := ReadState(t.Context(), strings.NewReader(text))
		if err != nil || got != (StateHead{}) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestWhatIsNoStateIsRefusedAndNamed(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"a plan":           {`{"format_version":"1.2","planned_values":{}}`, "this is JSON that terraform show -json writes, not a state"},
		"a plan file":      {"PK\x03\x04\x14\x00", "this is a plan file (a zip), not a state"},
		"a list":           {`[]`, "this is no Terraform state: its JSON is a list"},
		"text":             {"No state.", "the JSON of the state is broken at byte 0, in the outermost object: invalid character 'N' at start of value"},
		"any object":       {`{"a":{"b":[1]}}`, "this is no Terraform state: the JSON has no version"},
		"an old version":   {`{"version":3,"serial":1}`, "the state's version is 3: only 4 is understood"},
		"a new version":    {`{"version":5}`, "the state's version is 5: only 4 is understood"},
		"a wild version":   {`{"version":4.5}`, "/version of the state is 4.5 and should be a whole number from 0 up"},
		"a wild serial":    {`{"version":4,"serial":-1}`, "/serial of the state is -1 and should be a whole number from 0 up"},
		"a text serial":    {`{"version":4,"serial":"1"}`, "/serial of the state is a string and should be a number (byte 25)"},
		"encrypted":        {`{"serial":1,"lineage":"x","meta":{},"encrypted_data":"AA"}`, "this state is encrypted by OpenTofu: it cannot be read here"},
		"cut off":          {`{"version":4,"lineage":"441b`, "the JSON of the state is cut off at byte 28, in /lineage"},
		"more after it":    {`{"version":4}{}`, "there is more after the JSON of the state, from byte 13"},
		"twice":            {`{"version":4,"serial":1,"serial":2}`, "/serial of the state is there twice (byte 24): which of them counts is anybody's guess"},
		"no resource":      {`{"version":4,"resources":[null]}`, "/resources/0 of the state is null and should be an object (byte 30)"},
		"too deep":         {`{"version":4,"x":` + strings.Repeat("[", MaxDepth), "the state nests deeper than 200 levels at byte 216: Terraform writes no such JSON"},
		"a long attribute": {`{"version":4,"resources":[{"instances":[{"attributes":"` + strings.Repeat("a", MaxChange+1<<20) + `"}]}]}`, "/resources/0/instances/0/attributes of the state is longer than 16 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadState(t.Context(), strings.NewReader(test.text))
			if diff := cmp.Diff(test.want, said(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// blanks is a text of spaces without end.
type blanks struct{}

func (blanks) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte(" "), len(p))), nil }

func TestAStateWithoutEndIsRefused(t *testing.T) {
	for name, before := range map[string]string{"before it": "", "in it": `{"version":4,`, "after it": `{"version":4}`} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadState(t.Context(), io.MultiReader(strings.NewReader(before), blanks{}))
			if _, ok := errors.AsType[*BadPlanError](err); !ok {
				t.Errorf("got %v", err)
			}
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ReadState(ended, blanks{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
