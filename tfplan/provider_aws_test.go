package tfplan

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

// pluginsFolder is a mirror of providers (terraform providers mirror) with AWS' in it.
const pluginsFolder = "MOLLYGUARD_TERRAFORM_PLUGINS"

func TestAWSAndAzureContainersHoldWhatNamesThem(t *testing.T) {
	const group = "/subscriptions/s1/resourceGroups/shop"
	for name, c := range map[string]struct {
		change *Change
		state  []*Resource
		want   []operation.Dependents
	}{
		"a network": {
			destroy("aws_vpc", `{"id":"vpc-1","arn":"arn:aws:ec2:eu-west-1:1:vpc/vpc-1"}`),
			[]*Resource{
				there("aws_subnet.a", "aws_subnet", `{"vpc_id":"vpc-1","tags_all":{"env":"prod"}}`),
				there("aws_subnet.b", "aws_subnet", `{"vpc_id":"vpc-2"}`),
				there("aws_eks_cluster.c", "aws_eks_cluster", `{"name":"c","vpc_config":[{"vpc_id":"vpc-1"}]}`),
			},
			[]operation.Dependents{contained("Subnet", 1, 1, "aws_subnet.a"), contained("Cluster", 1, 0, "aws_eks_cluster.c")},
		},
		"services of a cluster, by ARN and by name": {
			destroy("aws_ecs_cluster", `{"id":"arn:aws:ecs:eu-west-1:1:cluster/shop","arn":"arn:aws:ecs:eu-west-1:1:cluster/shop","name":"shop"}`),
			[]*Resource{
				there("aws_ecs_service.a", "aws_ecs_service", `{"cluster":"arn:aws:ecs:eu-west-1:1:cluster/shop"}`),
				there("aws_ecs_service.b", "aws_ecs_service", `{"cluster":"shop"}`),
				there("aws_ecs_service.c", "aws_ecs_service", `{"cluster":"arn:aws:ecs:eu-west-1:2:cluster/shop"}`),
			},
			[]operation.Dependents{contained("Service", 2, 0, "aws_ecs_service.a", "aws_ecs_service.b")},
		},
		"what a key encrypts": {
			destroy("aws_kms_key", `{"key_id":"k1","arn":"arn:aws:kms:eu-west-1:1:key/k1"}`),
			[]*Resource{
				there("aws_db_instance.a", "aws_db_instance", `{"kms_key_id":"arn:aws:kms:eu-west-1:1:key/k1","tags":{"env":"prod"}}`),
				there("aws_kms_alias.b", "aws_kms_alias", `{"target_key_id":"k1"}`),
			},
			[]operation.Dependents{contained("DBInstance", 1, 1, "aws_db_instance.a"), contained("Alias", 1, 0, "aws_kms_alias.b")},
		},
		"a resource group holds whatever names it": {
			destroy("azurerm_resource_group", `{"name":"shop","id":"`+group+`"}`),
			[]*Resource{
				there("azurerm_resource_group.x", "azurerm_resource_group", `{"name":"shop","id":"`+group+`"}`),
				there("azurerm_key_vault.a", "azurerm_key_vault", `{"resource_group_name":"shop","tags":{"env":"prod"}}`),
				there("azapi_resource.b", "azapi_resource", `{"id":"`+group+`/providers/Microsoft.App/x/y"}`),
				there("azurerm_key_vault.c", "azurerm_key_vault", `{"resource_group_name":"other"}`),
			},
			[]operation.Dependents{contained("vaults", 1, 1, "azurerm_key_vault.a"), contained("azapi", 1, 0, "azapi_resource.b")},
		},
		"databases of a server, by its id": {
			destroy("azurerm_mssql_server", `{"name":"sql","id":"`+group+`/providers/Microsoft.Sql/servers/sql"}`),
			[]*Resource{
				there("azurerm_mssql_database.a", "azurerm_mssql_database", `{"name":"a","server_id":"`+group+`/providers/Microsoft.Sql/servers/sql"}`),
				there("azurerm_mssql_database.b", "azurerm_mssql_database", `{"name":"b","server_id":"/subscriptions/s2/resourceGroups/shop/providers/Microsoft.Sql/servers/sql"}`),
			},
			[]operation.Dependents{contained("servers/databases", 1, 0, "azurerm_mssql_database.a")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan := &held{head: Head{Managed: len(c.state), Destroys: 1}, changes: []*Change{c.change}, state: c.state}
			var got []operation.Dependents
			for op, err := range operations(context.Background(), plan, testMapper(t), *testWhole()) {
				if err != nil {
					t.Fatal(err)
				}
				got = op.Dependents
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestAWSAndAzureRightsOfWhoAppliesAreSeen(t *testing.T) {
	list, err := EmbeddedRules()
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewMapper(MapperOptions{Rules: list, Appliers: []string{"deployer", "arn:aws:iam::1:role/deployer", "0-1-2"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ kind, before, after, unknown, widens string }{
		"AdministratorAccess to the role":     {"aws_iam_role_policy_attachment", "null", `{"role":"deployer","policy_arn":"arn:aws:iam::aws:policy/AdministratorAccess"}`, "", "deployer"},
		"FullAccess of the China partition":   {"aws_iam_role_policy_attachment", "null", `{"role":"deployer","policy_arn":"arn:aws-cn:iam::aws:policy/AmazonS3FullAccess"}`, "", "deployer"},
		"a policy of the account's own":       {"aws_iam_role_policy_attachment", "null", `{"role":"deployer","policy_arn":"arn:aws:iam::123456789012:policy/all"}`, "", "deployer"},
		"a policy known later":                {"aws_iam_role_policy_attachment", "null", `{"role":"deployer"}`, `{"policy_arn":true}`, "deployer"},
		"a policy that only reads":            {"aws_iam_role_policy_attachment", "null", `{"role":"deployer","policy_arn":"arn:aws:iam::aws:policy/ReadOnlyAccess"}`, "", ""},
		"another role":                        {"aws_iam_role_policy_attachment", "null", `{"role":"reader","policy_arn":"arn:aws:iam::aws:policy/AdministratorAccess"}`, "", ""},
		"a policy written for the role":       {"aws_iam_role_policy", "null", `{"role":"deployer","name":"more","policy":"{}"}`, "", "deployer"},
		"administrator of a cluster":          {"aws_eks_access_policy_association", "null", `{"principal_arn":"arn:aws:iam::1:role/deployer","policy_arn":"arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"}`, "", "arn:aws:iam::1:role/deployer"},
		"Owner, by the principal's id":        {"azurerm_role_assignment", "null", `{"principal_id":"0-1-2","role_definition_name":"Owner"}`, "", "0-1-2"},
		"a role by its id, named after apply": {"azurerm_role_assignment", "null", `{"principal_id":"0-1-2","role_definition_id":"/x"}`, `{"role_definition_name":true}`, "0-1-2"},
		"Reader":                              {"azurerm_role_assignment", "null", `{"principal_id":"0-1-2","role_definition_name":"Reader"}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			change := destroy(c.kind, c.before)
			change.Provider, change.Actions = "registry.terraform.io/hashicorp/"+strings.SplitN(c.kind, "_", 2)[0], tfjson.Actions{"create"}
			change.After, change.AfterUnknown = jsontext.Value(c.after), jsontext.Value(c.unknown)
			op, judged, err := m.Map(change, testWhole())
			if err != nil {
				t.Fatal(err)
			}
			if op.Target.Widens != c.widens || judged != (c.widens != "") {
				t.Errorf("widens %q (judged: %t), want %q: %q", op.Target.Widens, judged, c.widens, op.Changes)
			}
		})
	}
}

// awsProvider runs terraform with the AWS provider of pluginsFolder in a folder of its own.
type awsProvider struct {
	t      *testing.T
	folder string
}

func newAWSProvider(t *testing.T) *awsProvider {
	t.Helper()
	plugins := os.Getenv(pluginsFolder)
	if plugins == "" {
		t.Skip(pluginsFolder + " names no mirror of providers: rules were not compared with AWS' provider")
	}
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("terraform is not installed: rules were not compared with AWS' provider")
	}
	p := &awsProvider{t: t, folder: t.TempDir()}
	p.write("terraform.rc", `provider_installation { filesystem_mirror { path = `+string(p.json(plugins))+` } }`)
	p.write("main.tf.json", string(p.json(map[string]any{
		"terraform": map[string]any{"required_providers": map[string]any{"aws": map[string]any{"source": "hashicorp/aws"}}},
		"provider": map[string]any{"aws": map[string]any{
			"region": "eu-west-1", "access_key": "none", "secret_key": "none", "skip_credentials_validation": true,
			"skip_metadata_api_check": true, "skip_requesting_account_id": true, "skip_region_validation": true,
		}},
	})))
	p.run("init", "-input=false")
	return p
}

func (p *awsProvider) json(value any) []byte {
	p.t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		p.t.Fatal(err)
	}
	return data
}

func (p *awsProvider) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.folder, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *awsProvider) run(args ...string) []byte {
	p.t.Helper()
	ctx, stop := context.WithTimeout(p.t.Context(), 5*time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, "terraform", args...)
	cmd.Dir = p.folder
	cmd.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+filepath.Join(p.folder, "terraform.rc"), "TF_DATA_DIR=", "TF_CLI_ARGS=", "TF_WORKSPACE=", "CHECKPOINT_DISABLE=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("terraform %s: %v\n%s", args[0], err, stderr.String())
	}
	return out
}

func (p *awsProvider) schemas() map[string]awsSchema {
	p.t.Helper()
	var all struct {
		Providers map[string]struct {
			Resources map[string]awsSchema `json:"resource_schemas"`
		} `json:"provider_schemas"`
	}
	if err := json.Unmarshal(p.run("providers", "schema", "-json"), &all); err != nil {
		p.t.Fatal(err)
	}
	return all.Providers["registry.terraform.io/hashicorp/aws"].Resources
}

func TestAWSDeletesArePlannedAsTheCorpusHasThem(t *testing.T) {
	p := newAWSProvider(t)
	schemas := p.schemas()
	golden := map[string]corpusCase{}
	var resources []any
	for name, f := range corpusFiles(t) {
		if !strings.HasPrefix(name, "aws/real-") {
			continue
		}
		i := slices.IndexFunc(f.Cases, func(c corpusCase) bool { return c.Name == "delete" })
		if i < 0 {
			t.Fatalf("%s has no delete", name)
		}
		c := f.Cases[i]
		golden[c.Change.Address] = c
		resources = append(resources, map[string]any{
			"mode": "managed", "type": c.Change.Type, "name": c.Change.Name, "provider": `provider["` + c.Change.ProviderName + `"]`,
			"instances": []any{map[string]any{"schema_version": schemas[c.Change.Type].Version, "attributes": c.Change.Change.Before}},
		})
	}
	p.write("terraform.tfstate", string(p.json(map[string]any{
		"version": 4, "terraform_version": "1.0.0", "serial": 1, "lineage": "00000000-0000-0000-0000-000000000001", "resources": resources,
	})))
	p.run("plan", "-refresh=false", "-input=false", "-out=tfplan")
	var plan struct {
		Changes []corpusChange `json:"resource_changes"`
	}
	if err := json.Unmarshal(p.run("show", "-json", "tfplan"), &plan); err != nil {
		t.Fatal(err)
	}
	if len(plan.Changes) != len(golden) || len(golden) < 10 {
		t.Errorf("%d resources are deleted, of %d in the corpus", len(plan.Changes), len(golden))
	}
	m := testMapper(t)
	for _, change := range plan.Changes {
		_, got := readCase(t, m, &corpusCase{Name: change.Address, Change: change})
		if diff := cmp.Diff(golden[change.Address].Golden, got); diff != "" {
			t.Errorf("%s (-corpus +planned)\n%s", change.Address, diff)
		}
	}
}
