package deploy

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

const docs = root + "/docs"

// replay returns what mollyguard audit replay prints, in the root of the checkout.
func replay(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.Command(mollyguard(t), append([]string{"audit", "replay"}, args...)...)
	command.Dir = root
	said, err := command.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 3) { // something would be alerted
		t.Fatalf("%v\n%s", err, said)
	}
	return string(said)
}

func TestTheExampleOfATableMakesAnUnknownMethodKnown(t *testing.T) {
	entries := "docs/examples/dataproc-entries.json"
	with := replay(t, "--config", "docs/examples/dataproc-mollyguard.yaml", entries)
	if !strings.Contains(with, "is deleting production Cluster nightly (project prod-data, europe-west1)") ||
		!strings.Contains(with, "2 entries, 1 judged: 1 operation would have been alerted") {
		t.Errorf("with the table:\n%s", with)
	}
	without := replay(t, entries)
	if !strings.Contains(without, "is doing something unknown to production cloud_dataproc_cluster nightly") ||
		!strings.Contains(without, "2 entries, 2 judged: 2 operations would have been alerted") {
		t.Errorf("without the table:\n%s", without)
	}
}

func TestTheDocsShowTheExampleAsItIs(t *testing.T) {
	text := readText(t, docs+"/audit-log.md")
	for _, file := range []string{"dataproc.yaml", "dataproc-mollyguard.yaml"} {
		if !strings.Contains(text, "\n```yaml\n"+readText(t, docs+"/examples/"+file)+"```\n") {
			t.Errorf("docs/audit-log.md does not show examples/%s as it is", file)
		}
	}
}

// TestTheAlertsInTheDocsAreTrue compares what the docs show with what is printed.
func TestTheAlertsInTheDocsAreTrue(t *testing.T) {
	command := "audit replay --assets docs/examples/assets.json policies/testdata/gcp/container/alert/delete-cluster.json"
	want := replay(t, strings.Fields(command)[2:]...)
	for _, file := range []string{root + "/README.md", docs + "/audit-log.md"} {
		_, shown, found := strings.Cut(readText(t, file), "mollyguard "+command+"\n")
		shown, _, _ = strings.Cut(shown, "```\n")
		if !found {
			t.Errorf("%s does not show %s", file, command)
			continue
		}
		if diff := cmp.Diff(want, shown); diff != "" {
			t.Errorf("%s (-printed +shown):\n%s", file, diff)
		}
	}
}

// blocks are the YAML blocks of a page that are configuration.
func blocks(t *testing.T, page string) []string {
	t.Helper()
	var list []string
	rest := readText(t, page)
	for {
		_, after, found := strings.Cut(rest, "\n```yaml\n")
		if !found {
			return list
		}
		block, after, _ := strings.Cut(after, "\n```\n")
		rest = after
		if !strings.HasPrefix(block, "#") { // tables, manifests and others say what they are
			list = append(list, block+"\n")
		}
	}
}

func TestEveryConfigurationInTheDocsIsValid(t *testing.T) {
	for _, page := range []string{"audit-log.md", "alerts.md"} {
		for _, block := range blocks(t, filepath.Join(docs, page)) {
			var fields map[string]any
			if err := yaml.Unmarshal([]byte(block), &fields); err != nil {
				t.Errorf("%s: %v\n%s", page, err, block)
				continue
			}
			if _, whole := fields["apiVersion"]; !whole {
				block = header + block
			}
			if _, there := fields["ledger"]; !there {
				block += "ledger: {path: /var/lib/mollyguard/ledger.db}\n"
			}
			if _, there := fields["alerts"]; !there {
				block += "alerts: {sinks: [{name: terminal, stdout: {}}]}\n"
			}
			path := filepath.Join(t.TempDir(), configFile)
			if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
				t.Fatal(err)
			}
			check := exec.Command(mollyguard(t), "config", "--config", path)
			check.Dir = filepath.Dir(docs) // tables are named from there
			if said, err := check.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s\n%s", page, err, said, block)
			}
		}
	}
}
