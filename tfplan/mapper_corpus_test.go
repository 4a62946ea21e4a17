package tfplan

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

var update = flag.Bool("update", false, "make what is missing of the corpus by the rules, and write the golden operations")

// corpusDir has a folder for each file of rules, with a file for each row of its types.
const corpusDir = "testdata/corpus"

// planted is in every value that nobody may read.
const planted = "planted-hunter2"

// corpusFile is what a file has. Synthetic ones are made by the rules themselves.
type corpusFile struct {
	Synthetic bool         `json:"synthetic"`
	Cases     []corpusCase `json:"cases"`
}

type corpusCase struct {
	Name   string       `json:"name"`
	Change corpusChange `json:"change"`
	Judged bool         `json:"judged"`
	Golden *corpusRead  `json:"operation,omitempty"`
}

// corpusChange is a change as a plan's JSON has it.
type corpusChange struct {
	Address      string `json:"address"`
	Type         string `json:"type"`
	Name         string `json:"name"`
	ProviderName string `json:"provider_name"`
	Change       struct {
		Actions         tfjson.Actions  `json:"actions"`
		Before          json.RawMessage `json:"before"`
		After           json.RawMessage `json:"after"`
		AfterUnknown    json.RawMessage `json:"after_unknown,omitempty"`
		BeforeSensitive json.RawMessage `json:"before_sensitive,omitempty"`
		AfterSensitive  json.RawMessage `json:"after_sensitive,omitempty"`
	} `json:"change"`
}

func (c *corpusChange) read() *Change {
	return &Change{
		Kind: Planned, Address: c.Address, Mode: tfjson.ManagedResourceMode, Type: c.Type, Name: c.Name,
		Provider: c.ProviderName, Actions: c.Change.Actions,
		Before: jsontext.Value(c.Change.Before), After: jsontext.Value(c.Change.After),
		AfterUnknown:    jsontext.Value(c.Change.AfterUnknown),
		BeforeSensitive: jsontext.Value(c.Change.BeforeSensitive), AfterSensitive: jsontext.Value(c.Change.AfterSensitive),
	}
}

// corpusRead is what the rules decide of an operation.
type corpusRead struct {
	Verb      operation.Verb    `json:"verb"`
	Also      []operation.Verb  `json:"also,omitempty"`
	Ref       string            `json:"ref"`
	Kind      string            `json:"kind"`
	Group     string            `json:"group,omitempty"`
	Resource  string            `json:"resource"`
	Name      string            `json:"name"`
	Namespace string            `json:"namespace,omitempty"`
	Project   string            `json:"project,omitempty"`
	Location  string            `json:"location,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Container bool              `json:"container,omitempty"`
	Created   bool              `json:"created,omitempty"`
	Widens    string            `json:"widens,omitempty"`
	Changes   []string          `json:"changes,omitempty"`
	Unknown   []string          `json:"unknown,omitempty"`
}

// isProduction is what the tests mark production with.
func isProduction(labels map[string]string) bool { return labels["env"] == "prod" }

func testMapper(t testing.TB, more ...Rules) *Mapper {
	t.Helper()
	list, err := EmbeddedRules()
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewMapper(MapperOptions{
		Rules: append(list, more...), Marked: isProduction,
		Cluster: func(_ string, provider map[string]string) string {
			if provider["config_context"] == "elsewhere" {
				return ""
			}
			return "prod-eu"
		},
		Appliers: []string{"deployer@prod-shop.iam.gserviceaccount.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func testWhole() *Whole {
	return &Whole{
		Plan: operation.PlanReference(strings.Repeat("ab", 32)), State: "lineage-1", Workspace: "default",
		Head: Head{
			Managed: 10, Destroys: 2,
			Providers: map[string]map[string]string{"google": {"project": "prod-shop", "region": "europe-west1"}},
		},
	}
}

func readCase(t *testing.T, m *Mapper, c *corpusCase) (bool, *corpusRead) {
	t.Helper()
	op, judged, err := m.Map(c.Change.read(), testWhole())
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	if !judged {
		return false, nil
	}
	target := op.Target
	return true, &corpusRead{
		Verb: op.Verb, Also: op.Also, Ref: target.Ref, Kind: target.Kind, Group: target.Group, Resource: target.Resource,
		Name: target.Name, Namespace: target.Namespace, Project: target.Project, Location: target.Location,
		Labels: target.Labels, Container: target.Container, Created: target.Created, Widens: target.Widens,
		Changes: op.Changes, Unknown: op.Unknown,
	}
}

// corpusFiles lists the corpus by folder and file.
func corpusFiles(t *testing.T) map[string]corpusFile {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(corpusDir, "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]corpusFile{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var f corpusFile
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&f); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		name, err := filepath.Rel(corpusDir, path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.ToSlash(name)] = f
	}
	return files
}

func writeCorpus(t *testing.T, name string, f corpusFile) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(f); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(corpusDir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTheCorpusIsReadAsItsGoldenOperationsSay(t *testing.T) {
	m := testMapper(t)
	want := madeCorpus(t)
	files := corpusFiles(t)
	if *update {
		for name, f := range want {
			files[name] = f
		}
	}
	for name, f := range files {
		made, known := want[name]
		if f.Synthetic && !known {
			t.Errorf("%s: no rule has this row: remove the file, or make the corpus anew with -update", name)
		}
		for i := range f.Cases {
			c := &f.Cases[i]
			judged, golden := readCase(t, m, c)
			if *update {
				c.Judged, c.Golden = judged, golden
				continue
			}
			if diff := cmp.Diff(c.Golden, golden); diff != "" || c.Judged != judged {
				t.Errorf("%s: %s (-want +got)\n%s", name, c.Name, diff)
			}
		}
		for _, w := range made.Cases {
			if !f.has(w.Name) {
				t.Errorf("%s: nothing there is %q: add it, or make the corpus anew with -update", name, w.Name)
			}
		}
		if *update {
			writeCorpus(t, name, f)
		}
	}
	for name := range want {
		if _, ok := files[name]; !ok {
			t.Errorf("%s is missing: add it, or make the corpus anew with -update", name)
		}
	}
}

func (f *corpusFile) has(name string) bool {
	for _, c := range f.Cases {
		if c.Name == name {
			return true
		}
	}
	return false
}

func TestEveryRuleOfTheCorpusHolds(t *testing.T) {
	for name, f := range corpusFiles(t) {
		for _, c := range f.Cases {
			if strings.HasPrefix(c.Name, "move ") {
				continue
			}
			if !c.Judged {
				t.Errorf("%s: %q is not judged", name, c.Name)
				continue
			}
			if _, says, ok := strings.Cut(c.Name, ": "); ok && !strings.Contains(strings.Join(c.Golden.Changes, "\n"), says) {
				t.Errorf("%s: %q is not what is said: %q", name, c.Name, c.Golden.Changes)
			}
		}
	}
}

func TestNoOperationOfTheCorpusHasASecret(t *testing.T) {
	count := 0
	for name, f := range corpusFiles(t) {
		for _, c := range f.Cases {
			if bytes.Contains(c.Change.Change.Before, []byte(planted)) || bytes.Contains(c.Change.Change.After, []byte(planted)) {
				count++
			}
			text, err := json.Marshal(c.Golden)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(text, []byte(planted)) {
				t.Errorf("%s: %s tells a secret", name, c.Name)
			}
		}
	}
	if count == 0 {
		t.Error("no change of the corpus has a secret")
	}
}
