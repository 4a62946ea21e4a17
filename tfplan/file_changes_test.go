package tfplan

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func openText(t *testing.T, text []byte) (*Document, error) {
	return Open(t.Context(), bytes.NewReader(text), int64(len(text)))
}

// TestAPlanFileAndItsJSONBelongTogether pairs plan files that Terraform wrote with JSON
// that it made of them, and of others.
func TestAPlanFileAndItsJSONBelongTogether(t *testing.T) {
	names := []string{"create", "nothing", "everything", "deposed"}
	for _, file := range names {
		f, err := openFile(t.Context(), fixture(t, file+".tfplan"))
		if err != nil {
			t.Fatal(said(err))
		}
		for _, of := range names {
			d, err := openText(t, fixture(t, of+".json"))
			if err != nil {
				t.Fatal(said(err))
			}
			if err := f.Describes(t.Context(), d); (err == nil) != (file == of) {
				t.Errorf("%s.tfplan and %s.json: %v", file, of, err)
			}
		}
	}
}

func TestAPlanFileThatIsNotUnderstoodTakesNoJSON(t *testing.T) {
	d, err := openText(t, fixture(t, "nothing.json"))
	if err != nil {
		t.Fatal(said(err))
	}
	f, err := openFile(t.Context(), zipped(t, "tfplan", "\x08\x04"))
	if err != nil {
		t.Fatal(said(err))
	}
	want := "the plan file is of format version 4, which is not known: whether the JSON is of this plan cannot be told"
	if err := f.Describes(t.Context(), d); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestTheWorkspaceIsInThePlanFile(t *testing.T) {
	f, err := openFile(t.Context(), fixture(t, "everything.tfplan"))
	if err != nil {
		t.Fatal(said(err))
	}
	if diff := cmp.Diff([]string{"default", "1.11.4"}, []string{f.Workspace, f.TerraformVersion}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatIsNoProtocolBufferIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"a group":                "\x0b",
		"a field without number": "\x00\x01",
		"cut off in a number":    "\x08",
		"cut off in a change":    "\x1a\x05ab",
		"a change of an exabyte": "\x1a\xff\xff\xff\xff\xff\xff\xff\xff\x0f",
		"a field of an exabyte":  "\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x0f",
		"a number without end":   strings.Repeat("\xff", 11),
		"a broken change":        "\x1a\x02\x6a\x05",
		"a broken action":        "\x1a\x04\x4a\x02\x08\xff",
	} {
		var bad *BadPlanError
		if _, err := openFile(t.Context(), zipped(t, "tfplan", text)); !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzPlanFile(f *testing.F) {
	f.Add([]byte("\x08\x03\x1a\x0a\x4a\x02\x08\x05\x6a\x04a.bc\x6a\x05\x1a\x03abc"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var file File
		if err := file.readPlan(strings.NewReader(string(text))); err == nil && file.format == formatVersion && file.changes == nil {
			t.Error("a known format, and no changes")
		}
	})
}
