package inventory

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/mollyguard/mollyguard/operation"
)

func TestAssetNamesBecomeCanonicalNames(t *testing.T) {
	for _, tt := range []struct{ name, kind, project, want string }{
		{"//container.googleapis.com/projects/p/zones/z/clusters/c", clusterKind, "p", "gcp://container.googleapis.com/projects/p/locations/z/clusters/c"},
		{"//container.googleapis.com/projects/p/locations/r/clusters/c/nodePools/n", "", "p", "gcp://container.googleapis.com/projects/p/locations/r/clusters/c/nodePools/n"},
		{"//container.googleapis.com/projects/p/zones/z/clusters/c/k8s/namespaces/zones", "", "p", "gcp://container.googleapis.com/projects/p/locations/z/clusters/c/k8s/namespaces/zones"},
		{"//compute.googleapis.com/projects/p/zones/z/instances/i", "", "p", "gcp://compute.googleapis.com/projects/p/zones/z/instances/i"},
		{"//compute.googleapis.com/projects/p/global/networks/n", "", "", "gcp://compute.googleapis.com/projects/p/global/networks/n"},
		{"//storage.googleapis.com/bucket", "", "p", "gcp://storage.googleapis.com/projects/_/buckets/bucket"},
		{"//storage.googleapis.com/projects/_/buckets/bucket", "", "p", "gcp://storage.googleapis.com/projects/_/buckets/bucket"},
		{"//cloudsql.googleapis.com/projects/p/instances/i", "sqladmin.googleapis.com/Instance", "p", "gcp://cloudsql.googleapis.com/projects/p/instances/i"},
		{"//sqladmin.googleapis.com/projects/p/instances/i", "", "p", "gcp://cloudsql.googleapis.com/projects/p/instances/i"},
		{"//secretmanager.googleapis.com/projects/123/secrets/s", "", "p", "gcp://secretmanager.googleapis.com/projects/p/secrets/s"},
		{"//secretmanager.googleapis.com/projects/123/secrets/s", "", "", "gcp://secretmanager.googleapis.com/projects/123/secrets/s"},
		{"//cloudresourcemanager.googleapis.com/projects/123", typeProject, "p", "gcp://cloudresourcemanager.googleapis.com/projects/p"},
		{"//cloudresourcemanager.googleapis.com/folders/9", typeFolder, "", "gcp://cloudresourcemanager.googleapis.com/folders/9"},
		{"//cloudbilling.googleapis.com/projects/p/billingInfo", "", "p", "gcp://cloudresourcemanager.googleapis.com/projects/p"},
		{"//compute.googleapis.com/projects/p", "", "p", "gcp://cloudresourcemanager.googleapis.com/projects/p"},
		{"projects/p", "", "p", ""},
		{"//", "", "p", ""},
		{"//service", "", "p", ""},
		{"//service/", "", "p", ""},
		{"///x", "", "p", ""},
	} {
		if got := RefOf(tt.name, tt.kind, tt.project); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// assetForms are the names of assets where they are not SERVICE and the path of the
// mapping's kind (https://cloud.google.com/asset-inventory/docs/asset-names).
var assetForms = map[string]func(path string) []string{
	gkeService: func(path string) []string {
		return []string{path, strings.Replace(path, "/locations/", "/zones/", 1), strings.Replace(path, "/locations/", "/regions/", 1)}
	},
	storageService: func(path string) []string {
		if _, bucket, ok := strings.Cut(path, "/buckets/"); ok {
			return []string{bucket}
		}
		return nil
	},
	secretService: func(path string) []string { return []string{strings.Replace(path, "projects/shop", "projects/100", 1)} },
}

var part = regexp.MustCompile(`\{[a-z_]+\}`)

func TestEveryKindOfTheMappingIsFoundUnderItsAssetName(t *testing.T) {
	files, err := filepath.Glob("../mapping/table/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tables: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var table struct {
			Service string                           `yaml:"service"`
			Kinds   map[string]struct{ Path string } `yaml:"kinds"`
		}
		if err := yaml.Unmarshal(text, &table); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for kind, k := range table.Kinds {
			if k.Path == "" {
				continue
			}
			path := part.ReplaceAllStringFunc(k.Path, func(p string) string {
				if p == "{project}" {
					return "shop"
				}
				return "the-" + p[1:len(p)-1]
			})
			ref := operation.GCPRef(table.Service, path)
			forms := []string{path}
			if other := assetForms[table.Service]; other != nil {
				forms = append(forms, other(path)...)
			}
			for _, form := range forms {
				// What is asked for and what is kept come to the same key.
				service, asked := canonical(table.Service, path)
				if got, want := RefOf("//"+table.Service+"/"+form, "", "shop"), operation.GCPRef(service, asked); got != want {
					t.Errorf("%s %s: %s is kept as %s, asked for as %s (%s)", file, kind, form, got, want, ref)
				}
			}
		}
	}
}

func TestParentsAreWhatIsBetweenAResourceAndItsProject(t *testing.T) {
	for path, want := range map[string][]string{
		"projects/p": nil, "projects/p/topics": nil, "": nil, "x": nil,
		"projects/p/topics/t":                               {"projects/p/topics"},
		"projects/p/instances/i/databases/d":                {"projects/p/instances/i/databases", "projects/p/instances/i", "projects/p/instances"},
		"projects/_/buckets/b" + strings.Repeat("/x", 5000): slices.Concat(chain("projects/_/buckets/b", 6), []string{"projects/_/buckets/b", "projects/_/buckets"}),
	} {
		if diff := cmp.Diff(want, parentsOf(path)); diff != "" {
			t.Errorf("%.40s: %s", path, diff)
		}
	}
}

func chain(base string, n int) (list []string) {
	for ; n > 0; n-- {
		list = append(list, base+strings.Repeat("/x", n))
	}
	return list
}

func TestDefaultAssetTypesAreSortedAndComeOnce(t *testing.T) {
	got := DefaultAssetTypes()
	for n, kind := range got {
		if !regexp.MustCompile(`^[a-z0-9]+\.googleapis\.com/[A-Z][A-Za-z]+$`).MatchString(kind) || n > 0 && got[n-1] >= kind {
			t.Errorf("%d: %s", n, kind)
		}
	}
}
