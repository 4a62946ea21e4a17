package mollyguard_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	// metricName is a metric's name in Go. The engine's begin with what they are of.
	metricName   = regexp.MustCompile(`"(mollyguard_[a-z_]+)"`)
	engineMetric = regexp.MustCompile(`\bname\("([a-z_]+)"\)`)
	// documented is a metric at the beginning of a row.
	documented = regexp.MustCompile("(?m)^\\| `(mollyguard_[a-z_]+)`")
)

func TestEveryMetricIsInTheTableOfMetrics(t *testing.T) {
	var there []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == "test" || path == "tools" || path != "." && strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, match := range metricName.FindAllStringSubmatch(string(text), -1) {
			there = append(there, match[1])
		}
		if path == "engine/metrics.go" {
			for _, match := range engineMetric.FindAllStringSubmatch(string(text), -1) {
				there = append(there, "mollyguard_"+match[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, match := range documented.FindAllStringSubmatch(string(text), -1) {
		told = append(told, match[1])
	}
	slices.Sort(there)
	slices.Sort(told)
	told = slices.DeleteFunc(told, func(name string) bool { return name == "mollyguard_issuing_policies" }) // a row for four
	if diff := cmp.Diff(slices.Compact(there), told); diff != "" {
		t.Errorf("metrics in the code and in docs/metrics.md (-code +docs):\n%s", diff)
	}
}
