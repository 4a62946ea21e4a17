package operation

import "strings"

// KubernetesRef returns the canonical name of a Kubernetes object. The empty
// group is written core, as Google's audit log does; a cluster-scoped object has
// no namespace segment. No segment can hold a slash: the API server refuses such
// names (k8s.io/apimachinery api/validation/path).
func KubernetesRef(cluster, group, resource, namespace, name string) string {
	if group == "" {
		group = "core"
	}
	ref := "k8s://" + cluster + "/" + group + "/" + resource + "/"
	if namespace != "" {
		ref += namespace + "/"
	}
	return ref + name
}

// gcpScheme begins canonical names of Google Cloud resources.
const gcpScheme = "gcp://"

// GCPRef returns the canonical name of a Google Cloud resource: gcp:// and its full
// resource name (https://cloud.google.com/asset-inventory/docs/asset-names), with the
// project's id rather than its number, and locations for the zones and regions of a
// GKE cluster. path has no leading slash.
func GCPRef(service, path string) string { return gcpScheme + service + "/" + path }

// ParseGCPRef takes apart what GCPRef made; ok is false for any other text.
func ParseGCPRef(ref string) (service, path string, ok bool) {
	rest, ok := strings.CutPrefix(ref, gcpScheme)
	if !ok {
		return "", "", false
	}
	service, path, ok = strings.Cut(rest, "/")
	return service, path, ok && service != "" && path != "" && !strings.HasSuffix(path, "/")
}

// TerraformRef returns the canonical name of a resource that no other surface has a name
// for: by its address in a state. state is the state's lineage or, where that is not
// known, the workspace's name.
func TerraformRef(state, address string) string { return "terraform://" + state + "/" + address }

// planScheme begins canonical names of Terraform plans.
const planScheme = "plan://sha256:"

// PlanKind is the kind of a reference to a Terraform plan.
const PlanKind = "TerraformPlan"

// StateKind is the kind of a reference to a Terraform state as a whole.
const StateKind = "TerraformState"

// PlanReference names a Terraform plan by the SHA-256 digest of its text, 64 hexadecimal
// digits: of the plan file if there is one, else of its JSON. Another plan, however like
// it, has another name.
func PlanReference(digest string) Reference {
	return Reference{Ref: planScheme + digest, Kind: PlanKind, Name: digest[:min(12, len(digest))]}
}

// ParsePlanRef returns the digest of the plan that a PlanReference names; ok is false
// for any other text.
func ParsePlanRef(ref string) (digest string, ok bool) {
	digest, ok = strings.CutPrefix(ref, planScheme)
	isHex := strings.Trim(digest, "0123456789abcdef") == ""
	return digest, ok && isHex && len(digest) == 64
}

// KubernetesCredential is where in userInfo.extra the API server puts the id of the
// credential in use (KEP-4193; k8s.io/apiserver pkg/authentication/user).
const KubernetesCredential = "authentication.kubernetes.io/credential-id"

// KubernetesName is a canonical Kubernetes name in its parts. Group is empty for
// core, Namespace for a cluster-scoped object.
type KubernetesName struct{ Cluster, Group, Resource, Namespace, Name string }

// ParseKubernetesRef takes apart what KubernetesRef made; ok is false for any
// other text.
func ParseKubernetesRef(ref string) (n KubernetesName, ok bool) {
	path, ok := strings.CutPrefix(ref, "k8s://")
	parts := strings.Split(path, "/")
	if !ok || len(parts) < 4 || len(parts) > 5 {
		return KubernetesName{}, false
	}
	n = KubernetesName{Cluster: parts[0], Group: parts[1], Resource: parts[2], Name: parts[len(parts)-1]}
	if len(parts) == 5 {
		n.Namespace = parts[3]
	}
	if n.Group == "core" {
		n.Group = ""
	}
	again := KubernetesRef(n.Cluster, n.Group, n.Resource, n.Namespace, n.Name)
	return n, again == ref && n.Resource != "" && n.Name != ""
}
