// Package mollyguard_test holds what is true of the module as a whole.
package mollyguard_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/mollyguard/mollyguard"

// Names for what a package must not import. A name stands for all packages
// below it.
var (
	surfaces   = []string{module + "/webhook", module + "/auditlog", module + "/tfplan"}
	stores     = []string{module + "/ledger", module + "/kube"}
	kubernetes = []string{"k8s.io", "sigs.k8s.io", module + "/kube"}
	google     = []string{"cloud.google.com", "google.golang.org/api"}
	opa        = []string{"github.com/open-policy-agent", module + "/engine"}
	bbolt      = []string{"go.etcd.io/bbolt"}
)

// oursBut forbids the packages of this module other than some.
func oursBut(names ...string) rule {
	allowed := make([]string, len(names))
	for i, name := range names {
		allowed[i] = module + "/" + name
	}
	return rule{forbidden: []string{module}, allowed: allowed}
}

// rule says what a package must not import, by itself or by way of other
// packages of ours.
type rule struct {
	forbidden []string
	// allowed are exceptions from forbidden.
	allowed []string
	// onlyStandard forbids all but the standard library.
	onlyStandard bool
	// onlyFor lists who may import the package, if not everybody may.
	onlyFor []string
}

func not(lists ...[]string) rule { return rule{forbidden: slices.Concat(lists...)} }

// rules are the third column of the table of packages in DESIGN.md, by the
// first element of a package's path.
var rules = map[string]rule{
	"operation":  {onlyStandard: true},
	"policies":   oursBut("policies"),
	"engine":     not(surfaces, kubernetes, google, []string{"net/http"}),
	"guard":      not(surfaces, stores),
	"breakglass": not(surfaces, kubernetes, opa),
	"identity":   not([]string{module + "/guard", module + "/breakglass"}),
	"pace":       oursBut("operation", "pace"),
	"ledger":     not(surfaces, opa),
	"kube":       not(surfaces, opa, bbolt),
	"webhook":    not([]string{module + "/auditlog", module + "/tfplan"}, opa, bbolt),
	"auditlog":   not([]string{module + "/webhook", module + "/tfplan"}, opa),
	"tfplan":     not(kubernetes, google, opa),
	"alert":      not(surfaces, opa, kubernetes),
	"certs":      not([]string{module + "/guard", module + "/engine"}),
	"config": {
		forbidden: []string{module}, allowed: []string{module + "/operation", module + "/config"},
		onlyFor: []string{module + "/cmd"},
	},
	"pause":   {onlyStandard: true},
	"console": not(opa, google),
	"api":     not(surfaces, stores, kubernetes, google, opa, bbolt),
	"cmd":     {},
	"deploy":  {},
	"docs":    {},
	"test":    {},
	"tools":   {},
}

// goPackage is what go list tells of a package; test files are not counted.
type goPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
}

func TestPackagesImportOnlyWhatTheDesignLetsThem(t *testing.T) {
	packages := list(t)
	for _, p := range packages {
		folder, _, _ := strings.Cut(strings.TrimPrefix(p.ImportPath, module+"/"), "/")
		if !isOurs(p.ImportPath) || p.ImportPath == module {
			continue
		}
		r, ok := rules[folder]
		if !ok {
			t.Errorf("%s: what must it not import? Say so in DESIGN.md and here", p.ImportPath)
		}
		for _, problem := range r.problems(p, packages) {
			t.Error(problem)
		}
	}
}

// problems says which of a package's imports break a rule, and by what way.
func (r rule) problems(p goPackage, packages map[string]goPackage) []string {
	var found []string
	seen := map[string]bool{}
	var walk func(at goPackage, way string)
	walk = func(at goPackage, way string) {
		for _, name := range at.Imports {
			next := way + " → " + name
			if under(name, r.forbidden) && !under(name, r.allowed) {
				found = append(found, next)
				continue
			}
			if r.onlyStandard && !packages[name].Standard {
				found = append(found, next+" is not of the standard library")
				continue
			}
			if isOurs(name) && !seen[name] {
				seen[name] = true
				walk(packages[name], next)
			}
		}
	}
	walk(p, p.ImportPath)
	if len(r.onlyFor) > 0 {
		for _, other := range packages {
			if slices.Contains(other.Imports, p.ImportPath) && isOurs(other.ImportPath) && !under(other.ImportPath, r.onlyFor) {
				found = append(found, other.ImportPath+" → "+p.ImportPath)
			}
		}
	}
	slices.Sort(found)
	return found
}

func isOurs(path string) bool { return under(path, []string{module}) }

// under reports whether a path is one of the roots or below one.
func under(path string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return path == root || strings.HasPrefix(path, root+"/") })
}

// list returns our packages and all that they import, by path.
func list(t *testing.T) map[string]goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-json=ImportPath,Standard,Imports", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, &stderr)
	}
	packages := map[string]goPackage{}
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p
	}
}

func TestARuleFindsWhatBreaksIt(t *testing.T) {
	packages := map[string]goPackage{
		"net/http":                         {Standard: true},
		"example.com/x":                    {},
		module + "/policies":               {Imports: []string{"embed"}},
		"embed":                            {Standard: true},
		module + "/guard":                  {Imports: []string{module + "/engine/deep", "net/http"}},
		module + "/engine/deep":            {Imports: []string{"github.com/open-policy-agent/opa/ast"}},
		module + "/enginery":               {Imports: []string{"net/http"}},
		"github.com/open-policy-agent/opa": {},
	}
	for path, p := range packages {
		p.ImportPath = path
		packages[path] = p
	}
	subject := func(imports ...string) goPackage { return goPackage{ImportPath: module + "/webhook", Imports: imports} }
	for _, tt := range []struct {
		name    string
		rule    rule
		imports []string
		want    []string
	}{
		{"nothing", not(opa), nil, nil},
		{"what is allowed", not(opa), []string{"net/http", "example.com/x"}, nil},
		{"what is forbidden", not([]string{"net/http"}), []string{"net/http"}, []string{module + "/webhook → net/http"}},
		{"what is below it", not([]string{"net"}), []string{"net/http"}, []string{module + "/webhook → net/http"}},
		{"what only begins like it", not([]string{module + "/engine"}), []string{module + "/enginery"}, nil},
		{
			"what one of ours imports", not([]string{module + "/engine"}), []string{module + "/guard"},
			[]string{module + "/webhook → " + module + "/guard → " + module + "/engine/deep"},
		},
		{
			"what one of ours imports from elsewhere", not([]string{"github.com/open-policy-agent"}), []string{module + "/guard"},
			[]string{module + "/webhook → " + module + "/guard → " + module + "/engine/deep → github.com/open-policy-agent/opa/ast"},
		},
		{"one of ours", oursBut(), []string{module + "/policies"}, []string{module + "/webhook → " + module + "/policies"}},
		{"one of ours that is let in", oursBut("policies"), []string{module + "/policies"}, nil},
		{"what is not of the standard library", rule{onlyStandard: true}, []string{"net/http", "example.com/x"}, []string{module + "/webhook → example.com/x is not of the standard library"}},
		{"what only others may", rule{onlyFor: []string{module + "/cmd"}}, nil, []string{module + "/caller → " + module + "/webhook"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := subject(tt.imports...)
			packages[p.ImportPath] = p
			packages[module+"/caller"] = goPackage{ImportPath: module + "/caller", Imports: []string{module + "/webhook"}}
			if diff := cmp.Diff(tt.want, tt.rule.problems(p, packages)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}
