package tfplan

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func openFile(ctx context.Context, text []byte) (*File, error) {
	return OpenFile(ctx, bytes.NewReader(text), int64(len(text)))
}

// zipped is a zip of entries, name and content by turns.
func zipped(t testing.TB, entries ...string) []byte {
	var text bytes.Buffer
	w := zip.NewWriter(&text)
	for i := 0; i < len(entries); i += 2 {
		entry, err := w.Create(entries[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(entry, entries[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

func TestARealPlanFileTellsWhichStateItIsFor(t *testing.T) {
	text := fixture(t, "nothing.tfplan")
	state, err := ReadState(t.Context(), bytes.NewReader(fixture(t, "state.tfstate")))
	if err != nil {
		t.Fatal(said(err))
	}
	got, err := openFile(t.Context(), text)
	if err != nil {
		t.Fatal(said(err))
	}
	first, err := openFile(t.Context(), fixture(t, "create.tfplan"))
	if err != nil {
		t.Fatal(said(err))
	}
	want := File{
		Digest: digestOf(string(text)), Lineage: state.Lineage, Serial: state.Serial, HasState: true, TerraformVersion: "1.11.4", Workspace: "default",
		// The configuration did not change between the two plans.
		Configuration: first.Configuration, Lock: first.Lock,
	}
	if diff := cmp.Diff(want, *got, cmpopts.IgnoreUnexported(File{})); diff != "" {
		t.Error(diff)
	}
	if len(got.Configuration) != 64 || len(got.Lock) != 64 {
		t.Errorf("no digests: %+v", got)
	}
}

func TestAPlanFileForANewWorkspaceHasNoState(t *testing.T) {
	got, err := openFile(t.Context(), fixture(t, "create.tfplan"))
	if err != nil {
		t.Fatal(said(err))
	}
	if got.HasState || got.Lineage != "" || got.Serial != 0 || got.TerraformVersion != "1.11.4" {
		t.Errorf("got %+v", got)
	}
}

func TestTheConfigurationsDigestIsOfNamesAndContentsInAnyOrder(t *testing.T) {
	configuration := func(entries ...string) string {
		file, err := openFile(t.Context(), zipped(t, append([]string{"tfplan", "\x08\x03"}, entries...)...))
		if err != nil {
			t.Fatal(said(err))
		}
		return file.Configuration
	}
	a, b, same := "tfconfig/m-/a.tf", "tfconfig/m-/b.tf", configuration("tfconfig/m-/a.tf", "1", "tfconfig/m-/b.tf", "2")
	if got := configuration(b, "2", a, "1"); got != same {
		t.Error("another order has another digest")
	}
	for name, got := range map[string]string{
		"contents swapped": configuration(a, "2", b, "1"),
		"a file more":      configuration(a, "1", b, "2", "tfconfig/m-/c.tf", ""),
		"a file less":      configuration(a, "1"),
	} {
		if got == same {
			t.Errorf("%s: the same digest", name)
		}
	}
	if got := configuration(); got != "" {
		t.Errorf("no configuration has digest %q", got)
	}
	want := digestOf(fmt.Sprintf("%s\x00%s\n%s\x00%s\n", a, digestOf("1"), b, digestOf("2")))
	if same != want {
		t.Error("not the digest of the sorted names and the digests of their contents")
	}
}

func TestWhatIsNoPlanFileIsRefusedAndNamed(t *testing.T) {
	real := fixture(t, "nothing.tfplan")
	flipped := bytes.Clone(real)
	flipped[100] ^= 0xff
	many := []string{"tfplan", "\x08\x03"}
	for i := range maxEntries {
		many = append(many, fmt.Sprint(i), "")
	}
	for name, test := range map[string]struct {
		text []byte
		want string
	}{
		"nothing":         {nil, "the plan file is empty"},
		"JSON":            {[]byte(`{"format_version":"1.2"}`), "this is JSON, not a plan file"},
		"encrypted":       {[]byte(`{"meta":{},"encrypted_data":"AA","encryption_version":"v0"}`), "this plan file is encrypted by OpenTofu: it cannot be read here"},
		"a remote plan":   {[]byte(`{"remote_plan_format":1,"run_id":"run-1"}`), "this only says where HCP Terraform keeps a plan, it is not the plan"},
		"an old one":      {[]byte("tfplan\x02"), "this is a plan file of a Terraform before 0.12"},
		"text":            {[]byte("No changes."), "this is no plan file: it is not a zip"},
		"cut off":         {real[:len(real)-30], "the plan file is cut off or broken: zip: not a valid zip file"},
		"only a start":    {real[:4], "the plan file is cut off or broken: zip: not a valid zip file"},
		"a bit flipped":   {flipped, `entry "tfplan" of the plan file is broken: `},
		"another zip":     {zipped(t, "word/document.xml", "<x/>"), "this zip is no plan file: it has no entry tfplan"},
		"a wrong state":   {zipped(t, "tfplan", "\x08\x03", "tfstate", `{"version":3}`), `entry "tfstate" of the plan file: the state's version is 3: only 4 is understood`},
		"a cut state":     {zipped(t, "tfplan", "\x08\x03", "tfstate", `{"version":4`), `entry "tfstate" of the plan file: the JSON of the state is cut off at byte 12, in /version`},
		"two plans":       {zipped(t, "tfplan", "\x08\x03", "tfplan", "y"), `the plan file has the entry "tfplan" twice`},
		"too many":        {zipped(t, many...), "the plan file has more than 10000 entries: Terraform writes no such file"},
		"a long lock":     {zipped(t, "tfplan", "\x08\x03", ".terraform.lock.hcl", strings.Repeat("a", maxConfig+1)), `entry ".terraform.lock.hcl" of the plan file unpacks to more than 16 MiB`},
		"a long config":   {zipped(t, "tfplan", "\x08\x03", "tfconfig/m-/main.tf", strings.Repeat("a", maxConfig+1)), `entry "tfconfig/m-/main.tf" of the plan file unpacks to more than 16 MiB`},
		"a long variable": {zipped(t, "tfplan", "\x08\x03", "tfstate", `{"version":4,"lineage":"`+strings.Repeat("a", 1<<20)+`"}`), `entry "tfstate" of the plan file: /lineage of the state is longer than 64 KiB`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openFile(t.Context(), test.text)
			got := said(err)
			if strings.HasSuffix(test.want, ": ") && strings.HasPrefix(got, test.want) {
				return // what is broken about it is the unpacker's word
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Each entry is within its own limit, together they are not.
func TestEntriesThatTogetherUnpackTooFarAreRefused(t *testing.T) {
	u := &unpacking{ctx: t.Context(), file: &File{}, left: 10 << 10, seen: map[string]bool{}, configuration: map[string]string{}}
	text := zipped(t, "tfconfig/a", strings.Repeat("a", 6<<10), "tfconfig/b", strings.Repeat("b", 6<<10))
	archive, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := u.entry(archive.File[0]); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("the plan file unpacks to more than 1536 MiB", said(u.entry(archive.File[1]))); diff != "" {
		t.Error(diff)
	}
}

// cutOff is what a decompressor says when its input ends too soon.
type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestAPackedStateThatIsCutOffIsNotTakenForItsEnd(t *testing.T) {
	for name, text := range map[string]string{"before it": "", "after it": `{"version":4}`} {
		t.Run(name, func(t *testing.T) {
			head, err := ReadState(t.Context(), io.MultiReader(strings.NewReader(text), cutOff{}))
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("got %+v, %v", head, err)
			}
		})
	}
}

// A directory that repeats itself lies about how many entries there are.
func TestMarksAcrossChunksAreCounted(t *testing.T) {
	mark := "PK\x01\x02"
	for shift := range len(mark) + 1 {
		text := strings.Repeat(" ", chunk-shift) + mark + strings.Repeat(" ", chunk-7) + mark
		digest, marks, err := digestFile(t.Context(), strings.NewReader(text))
		if err != nil || marks != 2 || digest != digestOf(text) {
			t.Errorf("shift %d: %d marks, %v, digest right: %t", shift, marks, err, digest == digestOf(text))
		}
	}
}

func TestReadingAPlanFileEndsWithItsContext(t *testing.T) {
	why := errors.New("the run was stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := openFile(ctx, fixture(t, "nothing.tfplan")); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}
