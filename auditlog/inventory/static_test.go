package inventory

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mollyguard/mollyguard/auditlog"
)

// printed is what gcloud asset search-all-resources --format=json prints, in its form;
// the resources are invented.
const printed = `[
  {
    "assetType": "container.googleapis.com/Cluster",
    "createTime": "2025-01-01T00:00:00Z",
    "displayName": "prod",
    "effectiveTags": [{"attachedResource": "//cloudresourcemanager.googleapis.com/projects/100",
      "effectiveTags": [{"tagKey": "1/tier", "tagKeyId": "tagKeys/5", "tagValue": "1/tier/gold", "tagValueId": "tagValues/6"}]}],
    "folders": ["folders/11", "folders/12"],
    "labels": {"env": "production"},
    "location": "europe-west3-a",
    "name": "//container.googleapis.com/projects/shop/zones/europe-west3-a/clusters/prod",
    "organization": "organizations/1",
    "parentFullResourceName": "//cloudresourcemanager.googleapis.com/projects/shop",
    "project": "projects/100",
    "updateTime": "2026-11-01T00:00:00Z"
  },
  {"assetType": "dns.googleapis.com/ManagedZone", "displayName": "zone", "name": "//dns.googleapis.com/projects/shop/managedZones/123", "project": "projects/100",
   "labels": {"env": "dev"}},
  {"assetType": "cloudresourcemanager.googleapis.com/Project", "labels": {"team": "shop"}, "folders": ["folders/11", "folders/12"], "organization": "organizations/1",
   "name": "//cloudresourcemanager.googleapis.com/projects/shop", "project": "projects/100", "updateTime": "2026-11-01T00:00:00Z"},
  {"assetType": "secretmanager.googleapis.com/Secret", "name": "//secretmanager.googleapis.com/projects/100/secrets/s", "project": "projects/100", "labels": {}}
]`

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "assets.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFileOfAssetsAnswers(t *testing.T) {
	lines := strings.TrimSuffix(strings.TrimPrefix(printed, "["), "]")
	for name, text := range map[string]string{"array": printed, "one after the other": strings.ReplaceAll(lines, "},\n  {", "}\n{")} {
		t.Run(name, func(t *testing.T) {
			i, err := FromFile(write(t, text))
			if err != nil {
				t.Fatal(err)
			}
			tags := map[string]string{"tier": "gold"}
			for _, tt := range []struct {
				ref  string
				ok   bool
				want auditlog.Asset
			}{
				{clusterRef, true, auditlog.Asset{Labels: prod, Tags: tags, ProjectLabels: team, Ancestors: ancestors}},
				{clusterRef + "/nodePools/p", true, auditlog.Asset{Labels: prod, Tags: tags, ProjectLabels: team, Ancestors: ancestors}},
				{"gcp://dns.googleapis.com/projects/shop/managedZones/zone", true, known(dev)},
				{"gcp://secretmanager.googleapis.com/projects/shop/secrets/s", true, known(nil)},
				{"gcp://secretmanager.googleapis.com/projects/shop/secrets/other", false, known(nil)},
				{"k8s://prod/core/namespaces/shop", false, auditlog.Asset{}},
				{"", false, auditlog.Asset{}},
			} {
				got, ok, err := i.Find(t.Context(), tt.ref, "", noon)
				if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); err != nil || ok != tt.ok || diff != "" {
					t.Errorf("%s: %v, %v\n%s", tt.ref, ok, err, diff)
				}
			}
			if err := i.Ready(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAFileThatCannotBeReadSaysWhere(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"cut short":   {printed[:len(printed)/2], "asset "},
		"no JSON":     {"hello", "asset 1: "},
		"other array": {`[1]`, "asset 1: "},
		"no name":     {`[{"assetType":"x"}]`, "asset 1: asset name \"\" is not"},
		"second":      {`[{"name":"//a/b","assetType":"x"},{"name":"a","assetType":"x"}]`, "asset 2: "},
		"too many":    {`[{"name":"//a/b","assetType":"x"},{"name":"//a/c","assetType":"x"},{"name":"//a/d","assetType":"x"}]`, "more than 2 assets"},
		"too large":   {`[{"name":"//a/b","assetType":"x","description":"` + strings.Repeat("x", 4000) + `"}]`, "more than 3000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fromReader(strings.NewReader(tt.text), 2, 3000)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	if _, err := FromFile(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there is read")
	}
}

func FuzzFromFile(f *testing.F) {
	f.Add([]byte(printed))
	f.Add([]byte(`{"name":"//a/b","assetType":"x"}{"name":"//a/c","assetType":"cloudresourcemanager.googleapis.com/Project","project":"projects/1"}`))
	f.Add([]byte(`[]][[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := fromReader(bytes.NewReader(data), 100, 1<<16)
		if err != nil {
			return
		}
		for key, value := range i.static {
			if ref, ok := strings.CutPrefix(key, prefixAsset); ok {
				if _, err := decodeRecord(value); err != nil {
					t.Errorf("%s: %v", key, err)
				}
				if _, _, err := i.Find(t.Context(), "gcp://"+ref, "", noon); err != nil {
					t.Errorf("%s: %v", key, err)
				}
			}
		}
	})
}

func FuzzFeed(f *testing.F) {
	f.Add([]byte(message(clusterName, clusterKind, clusterProd, noon, "")))
	f.Add([]byte(deletion(clusterName, clusterKind, noon)))
	f.Add([]byte(message(diskName, diskKind, `"settings":{"userLabels":{"a":"b"}},"metadata":[],"config":null`, noon, `,"priorAsset":{"name":"x"},"deleted":true`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := decodeFeed(data)
		if err != nil && len(list) > 0 || len(list) > 2 {
			t.Errorf("%d observations and %v", len(list), err)
		}
		for _, o := range list {
			if o.state.From <= 0 && o.state.From != 0 || RefOf(o.name, o.kind, "p") == "" {
				t.Errorf("%+v", o)
			}
		}
	})
}
