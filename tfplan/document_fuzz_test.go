package tfplan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"
)

// refused fails the test if an error is not the input's fault, though all else works.
func refused(t *testing.T, err error) {
	if _, ok := errors.AsType[*BadPlanError](err); !ok {
		t.Fatalf("not a BadPlanError: %v", err)
	}
}

// Whatever is opened is a plan whose changes and state can all be read, twice, to values
// that are JSON.
func FuzzDocument(f *testing.F) {
	for _, name := range []string{"create", "destroy", "everything", "deposed", "errored", "empty", "not-a-plan-show-state", "not-a-plan-log"} {
		f.Add(fixture(f, name+".json"))
	}
	f.Add([]byte(synthetic))
	f.Add([]byte(planned(`[{"address":"a.b","type":"a","change":{"actions":["delete"]}}]`)))
	f.Add([]byte(`{"format_version":"1.0","planned_values":{},"variables":{"a":{"value":1e999}},"configuration":{"provider_config":{"a":{"expressions":{"region":{"constant_value":1e999}}}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		ctx := context.Background()
		d, err := Open(ctx, bytes.NewReader(text), int64(len(text)))
		if err != nil {
			refused(t, err)
			return
		}
		destroys := 0
		for c, err := range d.Changes(ctx) {
			if err != nil {
				t.Fatalf("opened, but its changes cannot be read: %v", err)
			}
			if c.Address == "" || c.Type == "" || len(c.Actions) == 0 {
				t.Fatalf("a change without an address, type or action: %+v", c)
			}
			for _, value := range [][]byte{c.Before, c.After, c.AfterUnknown, c.BeforeSensitive, c.AfterSensitive} {
				if !json.Valid(value) {
					t.Fatalf("not JSON: %q", value)
				}
			}
			if c.Kind == Planned && c.Destroys() && c.Deposed == "" {
				destroys++
			}
		}
		if destroys != d.Head().Destroys {
			t.Fatalf("%d changes destroy, the head says %d", destroys, d.Head().Destroys)
		}
		managed := 0
		for r, err := range d.State(ctx) {
			if err != nil {
				t.Fatalf("opened, but its state cannot be read: %v", err)
			}
			if r.Mode == "managed" && r.Deposed == "" {
				managed++
			}
		}
		if managed != d.Head().Managed {
			t.Fatalf("%d managed resources, the head says %d", managed, d.Head().Managed)
		}
		if !json.Valid(bytes.TrimPrefix(text, []byte(byteOrderMark))) {
			t.Fatal("encoding/json refuses it")
		}
	})
}

func FuzzOpenFile(f *testing.F) {
	f.Add(fixture(f, "create.tfplan"))
	f.Add(fixture(f, "nothing.tfplan"))
	f.Add(zipped(f, "tfplan", "\x08\x03", "tfstate", `{"version":4,"serial":1,"lineage":"x","resources":[]}`, "tfconfig/a", "b"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := openFile(context.Background(), text)
		if err != nil {
			refused(t, err)
			return
		}
		if file.Digest != digestOf(string(text)) || file.HasState != (file.Lineage != "") {
			t.Fatalf("got %+v", file)
		}
	})
}

func FuzzReadState(f *testing.F) {
	f.Add(fixture(f, "state.tfstate"))
	f.Add([]byte(`{"version":4,"serial":1,"lineage":"x","resources":[{"mode":"managed","instances":[{"deposed":"1"},{}]}]}`))
	f.Add([]byte(" "))
	f.Fuzz(func(t *testing.T, text []byte) {
		head, err := ReadState(context.Background(), bytes.NewReader(text))
		if err != nil {
			refused(t, err)
			return
		}
		if head.Version != 4 && len(bytes.TrimSpace(text)) > 0 {
			t.Fatalf("a state of version %d", head.Version)
		}
	})
}
