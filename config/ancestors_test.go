package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/config"
)

const ancestorsOf = header + "production:\n  ancestors:\n  - %q\n  never:\n    ancestors:\n    - %[1]q\n"

func TestPatternsForAncestorsThatMatchAreTaken(t *testing.T) {
	for _, pattern := range []string{
		"folders/123456789012", "folders/(1|2)", ".*", "organizations/[0-9]+", "(folders|organizations)/1.*", `folders/\d{12}`, "(?i)FOLDERS/1",
		"^folders/12$", "organizations/1|folder/2", ".*/12", "[a-z]+/12", "folders/1?2?3", `\bfolders\b/.+`, "(folders/1)?", "(?s).+", "folders.[^a]*",
		strings.Repeat("(f?o?l?d?e?r?s?/?.?)", 100) + "{0,10}",
	} {
		if _, err := config.Parse("c.yaml", fmt.Appendf(nil, ancestorsOf, pattern)); err != nil {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

func TestPatternsForAncestorsThatNeverMatchAreToldWithFileAndLine(t *testing.T) {
	for _, pattern := range []string{
		"folder/123456789012", "folders/my-folder", "123456789012", "folders/", "folders", "Folders/1", "organizations", "projects/1", "folders/[a-z]+",
		"//cloudresourcemanager.googleapis.com/folders/1", "folders/1/", " folders/1", "folders/(a|b)", "[0-9]+", "(folders/)?", "[^o]*/x.*",
	} {
		_, err := config.Parse("c.yaml", fmt.Appendf(nil, ancestorsOf, pattern))
		if err == nil {
			t.Errorf("%q is taken", pattern)
			continue
		}
		says := fmt.Sprintf("%q never matches: what projects are in is called folders/NUMBER and organizations/NUMBER", pattern)
		want := []string{"c.yaml:5: production.ancestors[0]: " + says, "c.yaml:8: production.never.ancestors[0]: " + says}
		if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestAPatternForAncestorsThatDoesNotParseIsToldOnce(t *testing.T) {
	checkWrong(t, []wrong{
		{"a bracket", header + "production: {ancestors: ['(']}\n", []string{"c.yaml:3: production.ancestors[0]: pattern: error parsing regexp: missing closing ): `(`"}},
		{"nothing", header + "production: {ancestors: ['']}\n", []string{"c.yaml:3: production.ancestors[0]: empty pattern: it would only match the empty name"}},
	})
}
