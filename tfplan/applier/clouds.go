package applier

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// aws finds what the provider would authenticate with
// (https://registry.terraform.io/providers/hashicorp/aws/latest/docs#authentication-and-configuration).
func (f *finding) aws() {
	role := f.env("AWS_ROLE_ARN")
	f.fact(FactAWSRole, role)
	f.called(role)
	f.fact(FactAWSProfile, f.first("AWS_PROFILE", "AWS_DEFAULT_PROFILE"))
	f.fact(FactAWSKey, accessKey(f.env("AWS_ACCESS_KEY_ID")))
	if role != "" {
		f.is(role)
	}
}

// temporaryKey is the form of the keys that STS hands out, a new one each time
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes).
var temporaryKey = regexp.MustCompile(`^ASIA[A-Z2-7]{16}$`)

// accessKey names a key by its end. Of a temporary one, which the next job has not, it
// tells the account that it is for, which the key holds.
func accessKey(id string) string {
	if id == "" {
		return ""
	}
	if temporaryKey.MatchString(id) {
		raw, err := base32.StdEncoding.DecodeString(id[len("ASIA"):])
		if err == nil {
			// The first bit says nothing, the next forty are the account's number:
			// https://medium.com/@TalBeerySec/a-short-note-on-aws-key-id-f88cc4317489
			number := (binary.BigEndian.Uint64(raw[:8]) << 1) >> 24
			return fmt.Sprintf("temporary, of account %012d", number)
		}
	}
	return "…" + id[max(0, len(id)-4):] + " " + digest(id)
}

// azure finds what the provider would authenticate with
// (https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs#argument-reference).
func (f *finding) azure() {
	client := f.env("ARM_CLIENT_ID")
	f.fact(FactAzureClient, client)
	f.fact(FactAzureTenant, f.env("ARM_TENANT_ID"))
	f.fact(FactAzureSubscription, f.env("ARM_SUBSCRIPTION_ID"))
	f.called(client)
	if client != "" {
		f.is("azure client " + client)
	}
}

const (
	// maxKubeConfig caps a kubeconfig: 200 clusters with certificates of 2 KiB, three each.
	maxKubeConfig = 2 << 20
	// maxKubeConfigs caps how many of them a path list may name.
	maxKubeConfigs = 8
)

// kubeConfig is what a kubeconfig says of where it leads
// (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/).
type kubeConfig struct {
	Current  string `yaml:"current-context"`
	Contexts []struct {
		Name    string
		Context struct{ Cluster string }
	}
	Clusters []struct {
		Name    string
		Cluster struct{ Server string }
	}
}

// kube finds the cluster that the Kubernetes and Helm providers would act on. Of several
// kubeconfigs the first that says something wins, as with kubectl.
func (f *finding) kube() {
	var merged kubeConfig
	paths := filepath.SplitList(f.first("KUBE_CONFIG_PATHS", "KUBE_CONFIG_PATH", "KUBECONFIG"))
	if len(paths) > maxKubeConfigs {
		f.problem(fmt.Sprintf("kube context: only the first %d of %d files are read", maxKubeConfigs, len(paths)))
		paths = paths[:maxKubeConfigs]
	}
	for _, path := range paths {
		if path == "" {
			continue
		}
		data, err := f.ReadFile(path, maxKubeConfig)
		if err != nil {
			f.problem("kube context: " + err.Error())
			continue
		}
		var config kubeConfig
		if yaml.Unmarshal(data, &config) != nil { // the error could quote a key
			f.problem("kube context: " + path + " is not a kubeconfig")
			continue
		}
		if merged.Current == "" {
			merged.Current = config.Current
		}
		merged.Contexts = append(merged.Contexts, config.Contexts...)
		merged.Clusters = append(merged.Clusters, config.Clusters...)
	}
	if context := f.env("KUBE_CTX"); context != "" {
		merged.Current = context
	}
	f.fact(FactKubeContext, merged.Current)
	server := f.env("KUBE_HOST")
	if server == "" {
		server = merged.server()
	}
	f.fact(FactKubeServer, withoutUser(server))
}

// server returns the address of the current context's cluster, or an empty text.
func (k kubeConfig) server() string {
	for _, context := range k.Contexts {
		if context.Name != k.Current {
			continue
		}
		for _, cluster := range k.Clusters {
			if cluster.Name == context.Context.Cluster {
				return cluster.Cluster.Server
			}
		}
		return ""
	}
	return ""
}

// withoutUser returns an address without what could be a password in it.
func withoutUser(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return digest(address)
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return strings.TrimSuffix(u.String(), "/")
}
