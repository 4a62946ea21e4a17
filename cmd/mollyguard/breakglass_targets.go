package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// refScheme begins canonical names of Kubernetes objects.
const refScheme = "k8s://"

// parseTargets reads what follows request: a verb of ours and its targets, as
// canonical names or as kubectl takes them.
func parseTargets(verb string, args []string, namespace string) (intent, error) {
	// Several, for a command that does several things at once: scale-to-zero,unprotect.
	verb, also, _ := strings.Cut(verb, ",")
	i := intent{verb: operation.Verb(verb), place: place{namespace: namespace}}
	for _, one := range append([]string{verb}, strings.FieldsFunc(also, func(r rune) bool { return r == ',' })...) {
		if verbs := destructive(); !slices.Contains(verbs, one) {
			return intent{}, fmt.Errorf("%s is not one of the verbs %s", shown(one), strings.Join(verbs, ", "))
		}
		if one != verb && !slices.Contains(i.also, operation.Verb(one)) {
			i.also = append(i.also, operation.Verb(one))
		}
	}
	var others []string
	for _, arg := range args {
		if strings.HasPrefix(arg, cloudScheme) {
			if err := i.addCloud(arg); err != nil {
				return intent{}, err
			}
			continue
		}
		if service, path, ok := assetName(arg); ok {
			return intent{}, misnamedBut("write "+shown(operation.GCPRef(service, path)), "%s is not a canonical name", shown(arg))
		}
		if !strings.HasPrefix(arg, refScheme) {
			others = append(others, arg)
			continue
		}
		ref, ok := operation.ParseKubernetesRef(arg)
		switch {
		case !ok || ref.Cluster == "":
			return intent{}, misnamed("%s is not of the form k8s://CLUSTER/GROUP/RESOURCE[/NAMESPACE]/NAME", shown(arg))
		case i.audience != "" && i.audience != ref.Cluster:
			return intent{}, fmt.Errorf("the targets are in two clusters, %s and %s: a grant is for one", shown(i.audience), shown(ref.Cluster))
		case slices.Contains(i.refs, ref):
			return intent{}, fmt.Errorf("%s is there twice", shown(arg))
		}
		i.audience = ref.Cluster
		i.refs = append(i.refs, ref)
	}
	if len(i.cloud) > 0 && len(i.refs)+len(others) > 0 {
		return intent{}, errors.New("cloud resources and objects of a cluster are asked for one after the other: a grant is for one place")
	}
	if len(i.refs)+len(i.cloud) > 0 && len(others) == 0 {
		return i, nil
	}
	return i, i.addArguments(others)
}

// cloudScheme begins canonical names of cloud resources.
const cloudScheme = "gcp://"

func (i *intent) addCloud(arg string) error {
	_, path, ok := operation.ParseGCPRef(arg)
	if !ok {
		return misnamed("%s is not of the form gcp://SERVICE/PATH, as an alert shows it", shown(arg))
	}
	target := operation.Reference{Ref: arg, Name: path[strings.LastIndex(path, "/")+1:]}
	if slices.Contains(i.cloud, target) {
		return fmt.Errorf("%s is there twice", shown(arg))
	}
	i.cloud = append(i.cloud, target)
	return nil
}

// assetName takes apart what Google calls a resource elsewhere, //SERVICE/PATH
// (https://cloud.google.com/asset-inventory/docs/asset-names).
func assetName(arg string) (service, path string, ok bool) {
	rest, ok := strings.CutPrefix(arg, "//")
	if !ok {
		return "", "", false
	}
	return operation.ParseGCPRef(cloudScheme + rest)
}

// dotless are the API groups without a dot in their name. All others are domains
// (https://kubernetes.io/docs/reference/kubernetes-api/; k8s.io/apiextensions-apiserver
// pkg/apis/apiextensions/validation wants a dot in a CustomResourceDefinition's).
var dotless = []string{"", "apps", "autoscaling", "batch", "extensions", "policy"} // the first is core

// otherForms are how people call the resources that they name most: in canonical
// names only the plural is written.
var otherForms = map[string]string{
	"pod": "pods", "po": "pods", "deployment": "deployments", "deploy": "deployments", "namespace": "namespaces", "ns": "namespaces",
	"service": "services", "svc": "services", "statefulset": "statefulsets", "sts": "statefulsets", "daemonset": "daemonsets", "ds": "daemonsets",
	"configmap": "configmaps", "cm": "configmaps", "secret": "secrets", "job": "jobs", "cronjob": "cronjobs", "cj": "cronjobs",
	"ingress": "ingresses", "ing": "ingresses", "node": "nodes", "no": "nodes", "replicaset": "replicasets", "rs": "replicasets",
	"persistentvolumeclaim": "persistentvolumeclaims", "pvc": "persistentvolumeclaims", "persistentvolume": "persistentvolumes", "pv": "persistentvolumes",
	"horizontalpodautoscaler": "horizontalpodautoscalers", "hpa": "horizontalpodautoscalers",
	"poddisruptionbudget": "poddisruptionbudgets", "pdb": "poddisruptionbudgets",
	"customresourcedefinition": "customresourcedefinitions", "crd": "customresourcedefinitions",
}

// guessAt looks at a canonical name where no cluster can be asked. An error says
// that there can be no such type; doubt is what to tell the user about one that
// there may be.
func guessAt(ref operation.KubernetesName) (doubt string, err error) {
	text := shown(operation.KubernetesRef(ref.Cluster, ref.Group, ref.Resource, ref.Namespace, ref.Name))
	if !strings.Contains(ref.Group, ".") && !slices.Contains(dotless, ref.Group) {
		return "", misnamed("%s: there is no API group %s: expected k8s://CLUSTER/GROUP/RESOURCE[/NAMESPACE]/NAME, where the GROUP of a Pod is core and that of a Deployment is apps",
			text, shown(ref.Group))
	}
	lower := strings.ToLower(ref.Resource)
	plural, known := otherForms[lower]
	switch {
	case known:
		return fmt.Sprintf("%s: the resource is written %s: the grant would be for nothing", text, plural), nil
	case lower != ref.Resource:
		return fmt.Sprintf("%s: a resource has no capitals: the grant would be for nothing; kubectl api-resources shows how it is written", text), nil
	}
	return "", nil
}

// destructive are the verbs that a grant can be for.
func destructive() []string {
	return slices.DeleteFunc(operation.Verb("").Values(), func(verb string) bool {
		return verb == string(operation.Update)
	})
}

// fromCloud fills in the scope for cloud resources, which the server that watches the
// audit log keeps grants for. Their names are all that there is: no uid tells one from
// another that is made under its name.
func fromCloud(ctx context.Context, desk connection, i intent, p *breakglass.Proposal) error {
	if desk.server == nil {
		return usageError("say --server URL", "grants for cloud resources are with the server that watches the audit log, not in a cluster")
	}
	caller, err := desk.server.WhoAmI(ctx)
	if err != nil {
		return err
	}
	p.Scope.Surface, p.Scope.Audience = operation.GCP, caller.Audience
	p.Scope.Verbs, p.Scope.Targets = append([]operation.Verb{i.verb}, i.also...), i.cloud
	return nil
}
