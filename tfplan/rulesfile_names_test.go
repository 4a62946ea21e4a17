package tfplan

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// auditTables are the kinds of the audit log, whose names are the canonical ones.
const auditTables = "../auditlog/mapping/table"

// notInTerraform are kinds that Google's provider has no resource for, or none that says
// the whole name.
var notInTerraform = map[string]string{
	"artifactregistry Package": "made by uploads", "artifactregistry Version": "made by uploads", "artifactregistry Tag": "made by uploads",
	"bigquery Model":              "made by queries",
	"bigtableadmin Cluster":       "a block of the instance",
	"bigtableadmin Backup":        "made by policies and calls",
	"cloudbilling BillingAccount": "no resource", "cloudresourcemanager Organization": "no resource",
	"cloudresourcemanager TagBinding": "the resource's name is written otherwise",
	"cloudsql BackupRun":              "made by schedules", "cloudsql Backup": "no resource",
	"firestore Backup":  "made by schedules",
	"gkebackup Backup":  "made by plans",
	"iam PolicyBinding": "named by what it is bound to",
	"logging Log":       "made by entries", "logging Settings": "no resource that guards",
	"memorystore Backup": "made by schedules", "redis Backup": "made by schedules",
	"pubsub Snapshot": "no resource", "run Revision": "made by services", "spanner Backup": "made by schedules and calls",
}

var anyHole = regexp.MustCompile(`\{[^{}]*\}`)

// shapes are a name with its places left empty, for each scope. {scope}/{parent} stands for three.
func shapes(path string) []string {
	var list []string
	for _, scope := range []string{"projects/{p}", "folders/{p}", "organizations/{p}"} {
		list = append(list, anyHole.ReplaceAllString(strings.NewReplacer(
			"{scope}/{parent}", scope, "{scope}/{name}", scope, "{attachment}", "{a}").Replace(path), "{}"))
	}
	return list
}

func TestNamesOfGoogleResourcesAreThoseOfTheAuditLog(t *testing.T) {
	type table struct {
		Service string
		Kinds   map[string]struct{ Path string }
	}
	known := map[string]map[string]bool{} // shape → kinds
	missing := map[string]bool{}
	paths, err := filepath.Glob(filepath.Join(auditTables, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no tables: %v", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var read table
		if err := yaml.Unmarshal(data, &read); err != nil {
			t.Fatal(err)
		}
		for kind, k := range read.Kinds {
			missing[strings.TrimSuffix(read.Service, ".googleapis.com")+" "+kind] = true
			for _, shape := range shapes(k.Path) {
				shape = "gcp://" + read.Service + "/" + shape
				if known[shape] == nil {
					known[shape] = map[string]bool{}
				}
				known[shape][kind] = true
			}
		}
	}
	list, err := EmbeddedRules()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		for _, rule := range r.Types {
			if !strings.HasPrefix(rule.Ref, "gcp://") {
				continue
			}
			shape := anyHole.ReplaceAllString(strings.Replace(rule.Ref, "locations/global/jobs", "locations/{}/jobs", 1), "{}")
			if !known[shape][rule.Kind] {
				t.Errorf("%s: the audit log has no kind %s called %s", rule.Types[0], rule.Kind, rule.Ref)
			}
			service, _, _ := strings.Cut(strings.TrimPrefix(rule.Ref, "gcp://"), ".")
			delete(missing, service+" "+rule.Kind)
		}
	}
	for kind := range missing {
		if notInTerraform[kind] == "" {
			t.Errorf("no rule names the audit log's %s", kind)
		}
	}
	for kind := range notInTerraform {
		if !missing[kind] {
			t.Errorf("%s is said to be in no rule, and is", kind)
		}
	}
}
