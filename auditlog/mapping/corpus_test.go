package mapping

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

// corpusDir has log entries by service: alert/ what a row of a table is for, on
// something in production; allow/ the same methods where nothing is lost.
const corpusDir = "../../policies/testdata/gcp"

// corpusOptions are those that the corpus is written for.
var corpusOptions = Options{
	Clusters: []Cluster{{Project: "prod-shop", Location: "europe-west1", Name: "prod-eu"}},
	Own:      []string{"mollyguard@prod-platform.iam.gserviceaccount.com"},
}

// read is what the mapper makes of an entry, as far as the tables decide it.
type read struct {
	File      string            `json:"file"`
	Care      string            `json:"care,omitempty"`
	Verb      operation.Verb    `json:"verb,omitempty"`
	Phase     operation.Phase   `json:"phase,omitempty"`
	Kind      string            `json:"kind,omitempty"`
	Ref       string            `json:"ref,omitempty"`
	Project   string            `json:"project,omitempty"`
	Location  string            `json:"location,omitempty"`
	Name      string            `json:"name,omitempty"`
	Changes   []string          `json:"changes,omitempty"`
	NewLabels map[string]string `json:"new_labels,omitzero"`
	Own       bool              `json:"own,omitempty"`
	Unknown   []string          `json:"unknown,omitempty"`
}

func readOf(file string, reading auditlog.Reading) read {
	op := reading.Operation
	care := map[auditlog.Care]string{
		auditlog.Judge: "judge", auditlog.Heartbeat: "heartbeat", auditlog.Mediated: "mediated",
	}[reading.Care]
	return read{
		File: file, Care: care, Verb: op.Verb, Phase: op.Phase, Kind: op.Target.Kind,
		Ref: op.Target.Ref, Project: op.Target.Project, Location: op.Target.Location,
		Name: op.Target.Name, Changes: op.Changes, NewLabels: reading.NewLabels,
		Own: op.Target.Own, Unknown: op.Unknown,
	}
}

// sample is one file of the corpus. Its file is below corpusDir.
type sample struct {
	file            string
	data            []byte
	service, method string
	row             *row // that decides, nil for none
}

func (s sample) alert() bool { return strings.Contains(s.file, "/alert/") }

func corpus(t *testing.T, m *Mapper) []sample {
	t.Helper()
	files, err := filepath.Glob(corpusDir + "/*/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no corpus in ", corpusDir, err)
	}
	var list []sample
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name, _ := filepath.Rel(corpusDir, file)
		s := sample{file: filepath.ToSlash(name), data: data}
		if isNativeFile(data) {
			continue // Kubernetes' own events have no row of a table to match
		}
		tree, err := decode(data)
		if err != nil {
			t.Fatalf("%s: %v", s.file, err)
		}
		if source := plain(tree["_source"]); source != "synthetic" && !strings.HasPrefix(source, "https://") {
			t.Errorf("%s: _source is %q; it should be the page whose shape it follows, or synthetic", s.file, source)
		}
		e, err := newEntry(tree, func() string { return "" })
		if err != nil {
			t.Fatalf("%s: %v", s.file, err)
		}
		s.service, s.method = e.serviceName, e.method
		_, s.row, _ = m.row(e)
		list = append(list, s)
	}
	return list
}

func isNativeFile(data []byte) bool {
	tree, err := decode(data)
	return err == nil && isNative(tree)
}

func corpusMapper(t *testing.T) *Mapper {
	t.Helper()
	m, err := New(corpusOptions)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTheCorpusIsReadAsTheGoldenFilesSay(t *testing.T) {
	m := corpusMapper(t)
	byService := map[string][]read{}
	for _, s := range corpus(t, m) {
		reading, err := m.Map(s.data)
		if err != nil {
			t.Errorf("%s: %v", s.file, err)
			continue
		}
		folder, _, _ := strings.Cut(s.file, "/")
		byService[folder] = append(byService[folder], readOf(s.file, reading))
	}
	golden, err := filepath.Glob("testdata/golden/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range golden {
		if byService[strings.TrimSuffix(filepath.Base(file), ".json")] == nil {
			t.Errorf("%s: the corpus has no such service", file)
		}
	}
	for folder, got := range byService {
		compareGolden(t, filepath.Join("testdata/golden", folder+".json"), got)
	}
}

func compareGolden(t *testing.T, file string, got []read) {
	t.Helper()
	if *update {
		data, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
		return
	}
	var want []read
	if err := json.Unmarshal(data, &want); err != nil {
		t.Errorf("%s: %v", file, err)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got), go test -update writes it:\n%s", file, diff)
	}
}

// What a row says that is neither destructive nor sets labels could as well be left
// out, but for what is Mollyguard's own.
func TestEveryAlertSampleIsDestructiveAndNamesItsTarget(t *testing.T) {
	m := corpusMapper(t)
	for _, s := range corpus(t, m) {
		if !s.alert() {
			continue
		}
		reading, err := m.Map(s.data)
		if err != nil {
			t.Errorf("%s: %v", s.file, err)
			continue
		}
		op := reading.Operation
		if reading.Care != auditlog.Judge {
			t.Errorf("%s: it is not judged", s.file)
			continue
		}
		if op.Verb == operation.Update && reading.NewLabels == nil && !op.Target.Own {
			t.Errorf("%s: nothing is destroyed by it", s.file)
		}
		if _, _, ok := operation.ParseGCPRef(op.Target.Ref); op.Surface == operation.GCP && !ok {
			t.Errorf("%s: its ref is %q", s.file, op.Target.Ref)
		}
		if len(op.Unknown) > 0 || op.Target.Name == "" {
			t.Errorf("%s: of %q it is not known: %s", s.file, op.Target.Ref, strings.Join(op.Unknown, ", "))
		}
	}
}

func TestEveryRowOfATableHasSamples(t *testing.T) {
	m := corpusMapper(t)
	samples := corpus(t, m)
	for _, name := range sortedServices(m.table) {
		for _, r := range m.table.services[name].rows {
			alerted := slices.ContainsFunc(samples, func(s sample) bool { return s.alert() && s.row == r })
			allowed := slices.ContainsFunc(samples, func(s sample) bool {
				return !s.alert() && s.service == name && slices.ContainsFunc(r.methods, func(p pattern) bool { return p.matches(s.method) })
			})
			if !alerted && !r.ignore {
				t.Errorf("%s:%d: no sample in %s/*/alert is decided by this row", r.file, r.line, corpusDir)
			}
			if !allowed {
				t.Errorf("%s:%d: no sample in %s/*/allow is of one of its methods", r.file, r.line, corpusDir)
			}
		}
	}
}

func TestNoSampleOfWhatIsIgnoredIsJudged(t *testing.T) {
	m := corpusMapper(t)
	for _, s := range corpus(t, m) {
		if s.row == nil || !s.row.ignore {
			continue
		}
		if reading, err := m.Map(s.data); err != nil || reading.Care != auditlog.Ignore {
			t.Errorf("%s: %v, %v; it should be ignored", s.file, reading.Care, err)
		}
	}
}

func sortedServices(table *Table) []string {
	var names []string
	for name := range table.services {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
