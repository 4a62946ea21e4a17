package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
)

func TestTheGuardOfPlansCanBeSet(t *testing.T) {
	set := config.Default().Terraform
	set.Audience, set.Rules, set.Appliers, set.BaseBranch = "guard", []string{"own.yaml"}, []string{"ci@example.com"}, "trunk"
	set.Clusters = []config.TerraformCluster{{Name: "prod-eu", Addresses: []string{"module\\.eu\\..*"}, Contexts: []string{"eu"}, Hosts: []string{"https://10\\..*"}}}
	set.MaxDestroys, set.MaxShare = new(0), new(100)
	set.Receipts = config.TerraformReceipt{Key: "key.pem", PublicKeys: []string{"public.pem"}, Lifetime: time.Hour}
	for _, tt := range []struct {
		name, text string
		want       config.Terraform
		problems   []string
	}{
		{"left out", "{}", config.Default().Terraform, nil},
		{"set", `{audience: guard, rules: [own.yaml], appliers: [ci@example.com], baseBranch: trunk, maxDestroys: 0, maxShare: 100,
  clusters: [{name: prod-eu, addresses: ['module\.eu\..*'], contexts: [eu], hosts: ['https://10\..*']}],
  receipts: {key: key.pem, publicKeys: [public.pem], lifetime: 1h}}`, set, nil},
		{"wrong", `{maxDestroys: -1, maxShare: 101, appliers: [""], clusters: [{name: a/b, addresses: ["("]}], receipts: {lifetime: 200h}}`, config.Terraform{}, []string{
			"c.yaml:3: terraform.maxDestroys: -1 is below 0, which is off",
			"c.yaml:3: terraform.maxShare: 101 is not between 0, which is off, and 100 percent",
			`c.yaml:3: terraform.clusters[0].name: "a/b" is not a name of 1 to 100 letters, digits, dots, dashes and underscores`,
			"c.yaml:3: terraform.clusters[0].addresses[0]: pattern: error parsing regexp: missing closing ): `(`",
			"c.yaml:3: terraform.appliers[0]: empty",
			"c.yaml:3: terraform.receipts.lifetime: 200h0m0s is not between 1m0s and 168h0m0s",
		}},
		{"no time", "{receipts: {lifetime: 0s}}", config.Terraform{}, []string{
			"c.yaml:3: terraform.receipts.lifetime: 0 is not possible: leave it out for the default",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := config.Parse("c.yaml", []byte(header+"terraform: "+tt.text+"\n"))
			var problems []string
			if err != nil {
				problems = strings.Split(err.Error(), "\n")
			}
			if diff := cmp.Diff(tt.problems, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, c.Terraform); diff != "" {
				t.Errorf("terraform (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAWorkspaceIsProductionByAPartOfItsName(t *testing.T) {
	pattern, err := operation.ParsePattern(config.Default().Production.Workspaces[0])
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, name := range []string{"prod", "PROD", "shop-prod", "prod.eu", "live_2", "production", "default", "preprod", "product", "deliver", "staging"} {
		got[name] = pattern.MatchString(name)
	}
	want := map[string]bool{
		"prod": true, "PROD": true, "shop-prod": true, "prod.eu": true, "live_2": true, "production": true,
		"default": false, "preprod": false, "product": false, "deliver": false, "staging": false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPathsOfWhatPlansAreJudgedByCountFromTheConfiguration(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "mollyguard.yaml")
	text := header + `breakGlass: {trust: [{issuer: a, file: a.json}, {issuer: b, url: "https://b.example.com/keys"}]}
terraform: {rules: [own.yaml, /etc/rules.yaml], receipts: {key: key.pem, publicKeys: [keys/public.pem]}}
policies: {directories: [own]}
`
	if err := os.Mkdir(filepath.Join(folder, "own"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "own", "own.rego"), []byte("package mollyguard\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	got := append([]string{c.BreakGlass.Trust[0].File, c.BreakGlass.Trust[1].File, c.Terraform.Receipts.Key, c.Policies.Directories[0]}, append(c.Terraform.Rules, c.Terraform.Receipts.PublicKeys...)...)
	want := []string{
		filepath.Join(folder, "a.json"), "", filepath.Join(folder, "key.pem"), filepath.Join(folder, "own"),
		filepath.Join(folder, "own.yaml"), "/etc/rules.yaml", filepath.Join(folder, "keys/public.pem"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatAReceiptHasToPinIsOneOfAFew(t *testing.T) {
	const head = "apiVersion: config.mollyguard.dev/v1alpha1\nkind: Configuration\n"
	c, err := config.Parse("c.yaml", []byte(head+"terraform: {receipts: {require: [state, git, file]}}\n"))
	if diff := cmp.Diff([]string{config.RequireState, config.RequireGit, config.RequireFile}, c.Terraform.Receipts.Require); err != nil || diff != "" {
		t.Errorf("%v, require (-want +got):\n%s", err, diff)
	}
	_, err = config.Parse("c.yaml", []byte(head+"terraform:\n  receipts:\n    require:\n    - state\n    - commit\n    - state\n"))
	want := "c.yaml:7: terraform.receipts.require[1]: \"commit\" is none of state, git and file\n" +
		"c.yaml:8: terraform.receipts.require[2]: state is there twice"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
