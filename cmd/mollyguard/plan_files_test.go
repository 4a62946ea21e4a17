package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

// folderOf lists what is in a folder.
func folderOf(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, entry := range entries {
		names = append(names, entry.Name()+" "+entry.Type().String())
	}
	return names
}

func textOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPlanOutputsTakeThePlaceOfWhatWasThereOnlyAsAWhole(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "report.md")
	broken := errors.New("broken off")
	write := func(text string, err error) error {
		return writeFile(path, func(w io.Writer) error {
			_, wrong := io.WriteString(w, text)
			return errors.Join(wrong, err)
		})
	}
	if err := write("first", nil); err != nil {
		t.Fatal(err)
	}
	// As readable as any file: reports and receipts are uploaded by others.
	usual, err := os.OpenFile(filepath.Join(t.TempDir(), "usual"), os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	want, err := usual.Stat()
	if err := errors.Join(err, usual.Close()); err != nil {
		t.Fatal(err)
	}
	if got, err := os.Stat(path); err != nil || got.Mode() != want.Mode() {
		t.Errorf("mode %v, want %v (%v)", got.Mode(), want.Mode(), err)
	}
	if err := write("second", broken); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	if got := textOf(t, path); got != "first" {
		t.Errorf("%q, want what was there", got)
	}
	if diff := cmp.Diff([]string{"report.md ----------"}, folderOf(t, folder)); diff != "" {
		t.Errorf("the folder (-want +got):\n%s", diff)
	}
	if err := write("third", nil); err != nil {
		t.Fatal(err)
	}
	if got := textOf(t, path); got != "third" {
		t.Errorf("%q, want third", got)
	}
}

func TestPlanOutputsAreWrittenThroughWhatIsNoRegularFile(t *testing.T) {
	folder := t.TempDir()
	target, link := filepath.Join(folder, "target"), filepath.Join(folder, "link")
	if err := errors.Join(os.WriteFile(target, []byte("what was there"), 0o600), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(link, func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }); err != nil {
		t.Fatal(err)
	}
	if got := textOf(t, target); got != "new" {
		t.Errorf("behind the link is %q, want new", got)
	}
	if diff := cmp.Diff([]string{"link L---------", "target ----------"}, folderOf(t, folder)); diff != "" {
		t.Errorf("the folder (-want +got):\n%s", diff)
	}
	if err := writeFile(os.DevNull, func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }); err != nil {
		t.Errorf("%s: %v", os.DevNull, err)
	}
}

func TestPlanRecordsAreInTheirFileOnceAllIsDecided(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "plan.jsonl")
	if err := os.WriteFile(path, []byte("of the last plan\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	open := func() *records {
		r, err := openRecords(&out, []planOutput{{"json", path}, {"table", ""}, {"json", ""}})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.add(operation.Decision{ID: "one"}); err != nil {
			t.Fatal(err)
		}
		return r
	}
	var err error
	if open().close(&err); err != nil {
		t.Fatal(err)
	}
	if got := textOf(t, path); got != "of the last plan\n" {
		t.Errorf("%q, want what was there", got)
	}
	r := open()
	if err := r.commit(); err != nil {
		t.Fatal(err)
	}
	if r.close(&err); err != nil {
		t.Fatal(err)
	}
	if got := recordsOf(t, textOf(t, path)); len(got) != 1 || got[0].ID != "one" {
		t.Errorf("records %v", got)
	}
	if got := recordsOf(t, out.String()); len(got) != 2 { // broken off, and whole
		t.Errorf("%d records on standard output, want 2", len(got))
	}
	if diff := cmp.Diff([]string{"plan.jsonl ----------"}, folderOf(t, folder)); diff != "" {
		t.Errorf("the folder (-want +got):\n%s", diff)
	}
}

func TestPlanInputsAreCapped(t *testing.T) {
	long := fileWith(t, "long", "0123456789")
	if _, err := readRegular(long, 9); err == nil || !strings.HasSuffix(err.Error(), "long has more than 9 bytes") {
		t.Errorf("error %v", err)
	}
	if got, err := readRegular(long, 10); err != nil || string(got) != "0123456789" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := readRegular(os.DevNull, 9); err == nil || !strings.HasSuffix(err.Error(), "is not a regular file") {
		t.Errorf("error %v", err)
	}
	var to strings.Builder
	if err := copyCapped(&to, strings.NewReader("0123456789"), 10); err != nil || to.Len() != 10 {
		t.Errorf("%d bytes, %v", to.Len(), err)
	}
	if err := copyCapped(io.Discard, strings.NewReader("0123456789"), 9); err == nil {
		t.Error("more was copied than may be")
	}
	s := streams{in: strings.NewReader("0123456789")}
	_, err := takeFile(t.Context(), s, "-", 9, planHint)
	if err := planError("-", err); err.Error() != "standard input: it has more than 0 MiB, and no more is read" || exitOf(err) != exitUndecided {
		t.Errorf("error %v, exit code %d", err, exitOf(err))
	}
}
