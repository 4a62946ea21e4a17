package tfplan

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"
)

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

const builtin = "terraform.io/builtin/terraform"

func TestHeadSaysWhatRealPlansAre(t *testing.T) {
	variables := digestOf(`{"secret":"not so secret","size":2}`)
	providers := map[string]map[string]string{"terraform": {}}
	left := map[string]bool{"terraform_data.left": true}
	for name, want := range map[string]Head{
		"create":     {Complete: true, Changes: 8, Variables: variables, Providers: providers},
		"nothing":    {Complete: true, Managed: 8, Changes: 8, Variables: variables, Providers: providers},
		"destroy":    {Complete: true, Managed: 8, Changes: 8, Destroys: 8, Variables: variables, Providers: providers},
		"target":     {Managed: 8, Changes: 1, Destroys: 1, Variables: variables, Providers: providers},
		"everything": {Complete: true, Managed: 9, Changes: 10, Destroys: 4, Providers: providers, Variables: digestOf(`{"secret":"changed \"quoted\" value","size":"1"}`)},
		"deposed":    {Complete: true, Managed: 1, Changes: 2, Destroys: 1, Variables: digestOf(`{}`), Providers: providers, Provisioned: left},
		"errored":    {Errored: true, Managed: 1, Changes: 2, Destroys: 1, Variables: digestOf(`{}`), Providers: providers, Provisioned: left},
		"empty":      {Complete: true, Variables: digestOf(`{}`)},
	} {
		t.Run(name, func(t *testing.T) {
			text := fixture(t, name+".json")
			d, _, _, err := readAll(t.Context(), text)
			if err != nil {
				t.Fatal(said(err))
			}
			want.FormatVersion, want.TerraformVersion = "1.2", "1.11.4"
			want.ProviderOf = map[string]string{}
			if want.Providers != nil {
				want.Configurations = map[string][]string{builtin: {"terraform"}}
			}
			if want.Provisioned == nil {
				want.Provisioned = map[string]bool{}
			}
			if diff := cmp.Diff(want, d.Head()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(digestOf(string(text)), d.Digest()); diff != "" {
				t.Errorf("digest: %s", diff)
			}
		})
	}
}

func TestChangesOfARealPlanComeInOrderWithoutWhatChangesNothing(t *testing.T) {
	_, changes, state, err := readAll(t.Context(), fixture(t, "everything.json"))
	if err != nil {
		t.Fatal(said(err))
	}
	var got []string
	for _, c := range changes {
		got = append(got, fmt.Sprint(c.Kind, " ", c.Address, " ", c.Actions, " ", c.PreviousAddress, " ", c.Importing, " ", c.Reason))
	}
	want := []string{
		`planned terraform_data.forgotten [forget]   delete_because_no_resource_config`,
		`planned terraform_data.imported [no-op]  an-id `,
		`planned terraform_data.many[0] [update]   `,
		`planned terraform_data.many[1] [delete]   delete_because_count_index`,
		`planned terraform_data.moved [no-op] terraform_data.moving  `,
		`planned terraform_data.replaced [delete create]   replace_because_cannot_update`,
		`planned terraform_data.swapped [create delete]   replace_because_cannot_update`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	deleted := changes[3]
	id := deleted.Before[:bytes.Index(deleted.Before, []byte(`","`))]
	deleted.Before = deleted.Before[len(id):]
	if diff := cmp.Diff(Change{
		Kind: Planned, Address: "terraform_data.many[1]", Mode: "managed", Type: "terraform_data", Name: "many",
		Provider: builtin, Actions: tfjson.Actions{"delete"}, Reason: "delete_because_count_index",
		Before: jsontext.Value(`","input":{"n":1,"s":"not so secret"},"output":{"n":1,"s":"not so secret"},"triggers_replace":null}`),
		After:  jsontext.Value("null"), AfterUnknown: jsontext.Value("{}"),
		BeforeSensitive: jsontext.Value(`{"input":{"s":true},"output":{}}`), AfterSensitive: jsontext.Value("false"),
	}, deleted); diff != "" {
		t.Error(diff)
	}
	var addresses []string
	for _, r := range state {
		addresses = append(addresses, r.Address)
	}
	slices.Sort(addresses)
	if diff := cmp.Diff([]string{
		`module.child["a"].terraform_data.inner`, `module.child["b"].terraform_data.inner`,
		"terraform_data.forgotten", "terraform_data.imported", "terraform_data.many[0]", "terraform_data.many[1]",
		"terraform_data.moved", "terraform_data.replaced", "terraform_data.swapped",
	}, addresses); diff != "" {
		t.Error(diff)
	}
}

func TestADeposedObjectHasItsKeyInChangesAndState(t *testing.T) {
	_, changes, state, err := readAll(t.Context(), fixture(t, "deposed.json"))
	if err != nil {
		t.Fatal(said(err))
	}
	type object struct{ Address, Deposed string }
	var got []object
	for _, c := range changes {
		got = append(got, object{c.Address, c.Deposed})
	}
	for _, r := range state {
		got = append(got, object{r.Address, r.Deposed})
	}
	key := changes[1].Deposed
	want := []object{{"terraform_data.left", ""}, {"terraform_data.left", key}, {"terraform_data.left", ""}, {"terraform_data.left", key}}
	if diff := cmp.Diff(want, got); diff != "" || len(key) != 8 {
		t.Error(diff, key)
	}
}

func TestReadingStopsWhenNobodyWantsMore(t *testing.T) {
	text := fixture(t, "everything.json")
	d, err := Open(t.Context(), bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(said(err))
	}
	n := 0
	for range d.Changes(t.Context()) {
		n++
		break
	}
	for range d.State(t.Context()) {
		n++
		break
	}
	if n != 2 {
		t.Errorf("%d elements came", n)
	}
}

func TestReadingEndsWithItsContext(t *testing.T) {
	text := fixture(t, "everything.json")
	why := errors.New("the run was stopped")
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := Open(ended, bytes.NewReader(text), int64(len(text))); !errors.Is(err, why) {
		t.Errorf("Open: %v", err)
	}
	d, err := Open(t.Context(), bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(said(err))
	}
	last := func(ctx context.Context, cancel func()) (int, error) {
		n := 0
		for _, err := range d.Changes(ctx) {
			if err != nil {
				return n, err
			}
			n++
			cancel()
		}
		return n, nil
	}
	ctx, stop := context.WithCancelCause(t.Context())
	if n, err := last(ctx, func() { stop(why) }); n != 1 || !errors.Is(err, why) {
		t.Errorf("%d changes, then %v", n, err)
	}
	for _, err := range d.State(ended) {
		if !errors.Is(err, why) {
			t.Errorf("State: %v", err)
		}
	}
}

func TestAPlanThatChangesWhileItIsReadIsNoticed(t *testing.T) {
	for name, replace := range map[string][2]string{
		"an action":  {`["delete","create"]`, `["update","create"]`},
		"a value":    {`"lives on"`, `"lives no"`},
		"a name":     {`"before_sensitive"`, `"before_sEnsitive"`},
		"it is gone": {`{"address":"terraform_data.many[0]"`, `[{"ddress":"terraform_data.many[0]"`},
	} {
		t.Run(name, func(t *testing.T) {
			text := fixture(t, "everything.json")
			d, err := Open(t.Context(), bytes.NewReader(text), int64(len(text)))
			if err != nil {
				t.Fatal(said(err))
			}
			copy(text, strings.ReplaceAll(string(text), replace[0], replace[1]))
			var last error
			for _, err := range d.Changes(t.Context()) {
				last = err
			}
			if _, ok := errors.AsType[*BadPlanError](last); !ok {
				t.Errorf("read to its end with %v", last)
			}
		})
	}
}

// failing is a disk that breaks.
type failing struct{ err error }

func (f failing) ReadAt(p []byte, at int64) (int, error) {
	if at > 0 {
		return 0, f.err
	}
	return copy(p, bytes.Repeat([]byte(" "), len(p)-1)) + copy(p[len(p)-1:], "{"), nil
}

func TestADiskThatBreaksIsNotThePlansFault(t *testing.T) {
	broken := errors.New("input/output error")
	_, err := Open(t.Context(), failing{broken}, 10*chunk)
	if _, ok := errors.AsType[*BadPlanError](err); ok || !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
