package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/config"
)

func TestAFieldIsFoundInItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(header+"audit:\n  mappings:\n  - a.yaml\n  - b.yaml\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, field := range []string{"audit.mappings[0]", "audit.mappings[1]", "audit.own[0]", "cluster"} {
		got[field] = config.Where(path, field)
	}
	want := map[string]string{"audit.mappings[0]": path + ":5", "audit.mappings[1]": path + ":6", "audit.own[0]": path + ":4", "cluster": path + ":1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := config.Where("/nowhere/c.yaml", "cluster"); got != "/nowhere/c.yaml" {
		t.Errorf("where there is no file: %s", got)
	}
}
