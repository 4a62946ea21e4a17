// Package deploy tests what stands in the folder deploy, and the Dockerfile: the
// manifests are rendered the way `kubectl apply -k` does it, applied to a real API
// server, and the server is run with the rights that they give it.
//
// There is no kubelet, so no container is ever started: that the image runs, that
// probes reach it and that a Service leads to it is not shown here. The server is a
// process on this machine instead, with the arguments of the Deployment, the
// configuration of the ConfigMap and a token of the ServiceAccount.
package deploy

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/mollyguard/mollyguard/config"
)

const (
	root      = "../.."
	base      = root + "/deploy/base"
	overlays  = root + "/deploy/overlays"
	namespace = "mollyguard"

	configFile      = "mollyguard.yaml"
	configFolder    = "/etc/mollyguard/config"
	policiesFolder  = "/etc/mollyguard/policies"
	dryRunFlag      = "--dry-run-enforcement"
	certManagerAPIs = "cert-manager.io/"
)

// render builds a kustomization, in the order in which it is to be applied.
func render(t testing.TB, folder string) []*unstructured.Unstructured {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for _, resource := range resources.Resources() {
		content, err := resource.Map()
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, &unstructured.Unstructured{Object: content})
	}
	return objects
}

// all returns the objects of a kind, decoded strictly.
func all[T any](t testing.TB, objects []*unstructured.Unstructured, kind string) []T {
	t.Helper()
	var found []T
	for _, object := range objects {
		if object.GetKind() != kind {
			continue
		}
		var typed T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &typed, true); err != nil {
			t.Fatalf("%s %s: %v", kind, object.GetName(), err)
		}
		found = append(found, typed)
	}
	return found
}

func one[T any](t testing.TB, objects []*unstructured.Unstructured, kind string) T {
	t.Helper()
	found := all[T](t, objects, kind)
	if len(found) != 1 {
		t.Fatalf("%d objects of kind %s, want one", len(found), kind)
	}
	return found[0]
}

// configMap returns the data of the ConfigMap whose generated name begins with prefix.
func configMap(t testing.TB, objects []*unstructured.Unstructured, prefix string) map[string]string {
	t.Helper()
	for _, c := range all[corev1.ConfigMap](t, objects, "ConfigMap") {
		if strings.HasPrefix(c.Name, prefix+"-") {
			return c.Data
		}
	}
	t.Fatalf("no ConfigMap %s", prefix)
	return nil
}

func parse(t testing.TB, text string) config.Configuration {
	t.Helper()
	c, err := config.Parse(configFile, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheBaseConfigurationIsTheDefault(t *testing.T) {
	want := config.Default()
	want.Cluster = "my-cluster"
	want.BreakGlass.Issuer = "mollyguard/my-cluster"
	want.Terraform.Audience = "my-cluster"
	text := configMap(t, render(t, base), "mollyguard-config")[configFile]
	if diff := cmp.Diff(want, parse(t, text)); diff != "" {
		t.Errorf("the file against the defaults (-want +got):\n%s", diff)
	}
}

// switchedOn is a configuration with its examples.
func switchedOn(t *testing.T, text string) config.Configuration {
	t.Helper()
	var lines []string
	examples := 0
	for line := range strings.Lines(text) {
		trimmed := strings.TrimLeft(line, " ")
		if len(trimmed) > 1 && trimmed[0] == '#' && !strings.ContainsRune(" #\n", rune(trimmed[1])) {
			line = strings.Repeat(" ", len(line)-len(trimmed)) + trimmed[1:]
			examples++
		}
		// An example's own lines are indented behind the #.
		if rest, ok := strings.CutPrefix(trimmed, "#  "); ok {
			line = strings.Repeat(" ", len(line)-len(trimmed)) + "  " + rest
		}
		lines = append(lines, line)
	}
	if examples == 0 {
		t.Fatal("no examples found")
	}
	return parse(t, strings.Join(lines, ""))
}

func TestTheExamplesInTheConfigurationCanBeSwitchedOn(t *testing.T) {
	c, before := switchedOn(t, configMap(t, render(t, base), "mollyguard-config")[configFile]), config.Default()
	// The configuration adds rules and exemptions of its own.
	if len(c.Exempt) != len(before.Exempt)+1 || len(c.Enforcement) != len(before.Enforcement)+1 || len(c.Agents) != 1 || c.Help == "" ||
		!slices.Equal(c.Production.Names, []string{"mollyguard"}) || len(c.Production.Namespaces) != 1 {
		t.Errorf("with its examples the configuration is %+v", c)
	}
}

func TestTheDryRunOverlayAddsOneFlagAndChangesNothingElse(t *testing.T) {
	plain, dryRun := render(t, base), render(t, overlays+"/dry-run")
	for _, object := range plain {
		if object.GetKind() != "Deployment" {
			continue
		}
		containers := object.Object["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)["containers"].([]any)
		container := containers[0].(map[string]any)
		container["args"] = append(container["args"].([]any), dryRunFlag)
	}
	if diff := cmp.Diff(plain, dryRun); diff != "" {
		t.Errorf("base with the flag against the overlay (-want +got):\n%s", diff)
	}
}

func TestTheOwnPoliciesOverlayIsWhatAServerAccepts(t *testing.T) {
	folder := overlays + "/own-policies/policies"
	objects := render(t, overlays+"/own-policies")

	text := configMap(t, objects, "mollyguard-config")[configFile]
	if !strings.Contains(text, policiesFolder) || !mounts(t, objects, policiesFolder) {
		t.Fatalf("%s is not both configured and mounted", policiesFolder)
	}
	here, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	c := parse(t, strings.ReplaceAll(text, policiesFolder, here))
	if !slices.Equal(c.Policies.Directories, []string{here}) || !*c.Policies.Embedded {
		t.Errorf("policies are %+v, want the folder beside the embedded ones", c.Policies)
	}

	want := map[string]string{} // a file that is not listed would not be there
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(folder, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		want[file.Name()] = string(data)
	}
	if diff := cmp.Diff(want, configMap(t, objects, "mollyguard-policies")); diff != "" {
		t.Errorf("the folder against the ConfigMap (-want +got):\n%s", diff)
	}

	binary := mollyguard(t)
	for _, command := range []string{"check", "test"} {
		if output, err := exec.Command(binary, "policy", command, folder).CombinedOutput(); err != nil {
			t.Errorf("mollyguard policy %s: %v\n%s", command, err, output)
		}
	}
	output, err := exec.Command(binary, "policy", "list", "--output=json", folder).Output()
	if err != nil {
		t.Fatal(err)
	}
	var policies []struct{ Name, Title string }
	if err := json.Unmarshal(output, &policies); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(policies, func(p struct{ Name, Title string }) bool {
		return p.Name == "agent-delete" && p.Title == "Agents delete nothing"
	}) {
		t.Errorf("the example policy is not among %+v", policies)
	}
}

func TestTheCertManagerOverlayUsesTheMountedCertificate(t *testing.T) {
	objects := render(t, overlays+"/cert-manager")
	files := parse(t, configMap(t, objects, "mollyguard-config")[configFile]).Certificates.Files
	for _, file := range []string{files.Certificate, files.Key, files.CA} {
		if !mounts(t, objects, filepath.Dir(file)) {
			t.Errorf("%q is in no mounted folder", file)
		}
	}
	unused := config.Default().Certificates.Secret.Name
	for _, secret := range all[corev1.Secret](t, objects, "Secret") {
		if secret.Name == unused {
			t.Errorf("there is still a Secret %s", unused)
		}
	}
	for _, rule := range one[rbacv1.Role](t, objects, "Role").Rules {
		if slices.Contains(rule.Resources, "secrets") && (len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, unused)) {
			t.Errorf("there is still a right to the Secret %s: %+v", unused, rule)
		}
	}
	var names []string
	for _, object := range objects {
		if !strings.HasPrefix(object.GetAPIVersion(), certManagerAPIs) {
			continue
		}
		found, _, err := unstructured.NestedStringSlice(object.Object, "spec", "dnsNames")
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	if !slices.Equal(names, []string{"mollyguard.mollyguard.svc"}) { // NAME.NAMESPACE.svc is what API servers ask for
		t.Errorf("the certificate is for %q", names)
	}
}

// mounts says whether the container has something mounted at path, by a volume
// that is there.
func mounts(t *testing.T, objects []*unstructured.Unstructured, path string) bool {
	t.Helper()
	pod := one[appsv1.Deployment](t, objects, "Deployment").Spec.Template.Spec
	for _, mount := range pod.Containers[0].VolumeMounts {
		if mount.MountPath == path {
			return mount.ReadOnly && slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name })
		}
	}
	return false
}

func TestTheSecretsHaveNoData(t *testing.T) {
	defaults := config.Default()
	got := map[config.Secret]bool{}
	for _, secret := range all[corev1.Secret](t, render(t, base), "Secret") {
		if secret.Data != nil || secret.StringData != nil {
			t.Errorf("applying %s again would overwrite what the server keeps in it", secret.Name)
		}
		got[config.Secret{Namespace: secret.Namespace, Name: secret.Name}] = true
	}
	want := map[config.Secret]bool{defaults.Certificates.Secret: true, defaults.BreakGlass.Keys.Secret: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the server's defaults against the Secrets (-want +got):\n%s", diff)
	}
}

// indexRole is the one that has to reach kinds which are not there yet.
const indexRole = "mollyguard-reader-index"

func TestNoRightIsAWildcardButToKnowWhatIsThere(t *testing.T) {
	objects := render(t, base)
	clusterRoles := all[rbacv1.ClusterRole](t, objects, "ClusterRole")
	var rules []rbacv1.PolicyRule
	for _, role := range clusterRoles {
		if role.Name == indexRole {
			want := []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"list", "watch"}}}
			if diff := cmp.Diff(want, role.Rules); diff != "" {
				t.Errorf("ClusterRole %s (-want +got):\n%s", role.Name, diff)
			}
			continue
		}
		rules = append(rules, role.Rules...)
		for _, rule := range role.Rules {
			if slices.Contains(rule.Resources, "secrets") {
				t.Errorf("ClusterRole %s reaches Secrets everywhere", role.Name)
			}
		}
	}
	rules = append(rules, one[rbacv1.Role](t, objects, "Role").Rules...)
	for _, rule := range rules {
		for _, part := range slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.NonResourceURLs) {
			if strings.Contains(part, "*") {
				t.Errorf("wildcard in %+v", rule)
			}
		}
	}
	for _, binding := range all[rbacv1.ClusterRoleBinding](t, objects, "ClusterRoleBinding") {
		want := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "mollyguard", Namespace: namespace}}
		if diff := cmp.Diff(want, binding.Subjects); diff != "" {
			t.Errorf("ClusterRoleBinding %s (-want +got):\n%s", binding.Name, diff)
		}
	}
}

func TestTheListedIndexReachesNoSecretsAndDoesNotLookForThem(t *testing.T) {
	objects := render(t, overlays+"/listed-index")
	for _, role := range all[rbacv1.ClusterRole](t, objects, "ClusterRole") {
		for _, rule := range role.Rules {
			core := slices.Contains(rule.APIGroups, "") || slices.Contains(rule.APIGroups, "*")
			if core && (slices.Contains(rule.Resources, "secrets") || slices.Contains(rule.Resources, "*")) {
				t.Errorf("ClusterRole %s reaches Secrets: %+v", role.Name, rule)
			}
		}
	}
	c, err := config.Load(overlays + "/listed-index/" + configFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"secrets"}, c.Kubernetes.Index.Exclude); diff != "" {
		t.Errorf("kubernetes.index.exclude (-want +got):\n%s", diff)
	}
}

func TestEverySelectorFitsThePods(t *testing.T) {
	objects := render(t, base)
	deployment := one[appsv1.Deployment](t, objects, "Deployment")
	service := one[corev1.Service](t, objects, "Service")
	want := deployment.Spec.Selector.MatchLabels
	selectors := map[string]map[string]string{
		"Service":             service.Spec.Selector,
		"PodDisruptionBudget": one[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget").Spec.Selector.MatchLabels,
	}
	for _, spread := range deployment.Spec.Template.Spec.TopologySpreadConstraints {
		selectors[spread.TopologyKey] = spread.LabelSelector.MatchLabels
	}
	for name, selector := range selectors {
		if diff := cmp.Diff(want, selector); diff != "" {
			t.Errorf("the Deployment's selector against that of %s (-want +got):\n%s", name, diff)
		}
	}
	for key, value := range want {
		if got := deployment.Spec.Template.Labels[key]; got != value {
			t.Errorf("label %s of the pods is %q, want %q", key, got, value)
		}
	}

	defaults := config.Default()
	if got := defaults.Kubernetes.Webhook.Service; service.Name != got.Name || service.Namespace != got.Namespace || service.Spec.Ports[0].Port != got.Port {
		t.Errorf("the Service is not the one that the webhook configuration names: %+v", got)
	}
	ports := map[string]string{}
	for _, port := range deployment.Spec.Template.Spec.Containers[0].Ports {
		ports[port.Name] = ":" + portText(port.ContainerPort)
	}
	if diff := cmp.Diff(map[string]string{"https": defaults.Server.Address, "status": defaults.Server.StatusAddress, "api": defaults.API.Address}, ports); diff != "" {
		t.Errorf("where the server listens against the container's ports (-want +got):\n%s", diff)
	}
	for _, port := range service.Spec.Ports {
		if ports[port.TargetPort.StrVal] == "" {
			t.Errorf("the Service's port %s leads to %q, which no container has", port.Name, port.TargetPort.StrVal)
		}
	}
}
