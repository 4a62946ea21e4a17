package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// refScheme begins canonical names of Kubernetes objects.
const refScheme = "k8s://"

// parseTargets reads what follows request: a verb of ours and its targets, as
// canonical names or as kubectl takes them.
func parseTargets(verb string, args []string, namespace string) (intent, error) {
	i := intent{verb: operation.Verb(verb), place: place{namespace: namespace}}
	if verbs := destructive(); !slices.Contains(verbs, verb) {
		return intent{}, fmt.Errorf("%s is not one of the verbs %s", shown(verb), strings.Join(verbs, ", "))
	}
	var others []string
	for _, arg := range args {
		if !strings.HasPrefix(arg, refScheme) {
			others = append(others, arg)
			continue
		}
		ref, ok := operation.ParseKubernetesRef(arg)
		switch {
		case !ok || ref.Cluster == "":
			return intent{}, fmt.Errorf("%s is not of the form k8s://CLUSTER/GROUP/RESOURCE[/NAMESPACE]/NAME", shown(arg))
		case i.audience != "" && i.audience != ref.Cluster:
			return intent{}, fmt.Errorf("the targets are in two clusters, %s and %s: a grant is for one", shown(i.audience), shown(ref.Cluster))
		case slices.Contains(i.refs, ref):
			return intent{}, fmt.Errorf("%s is there twice", shown(arg))
		}
		i.audience = ref.Cluster
		i.refs = append(i.refs, ref)
	}
	if len(i.refs) > 0 && len(others) == 0 {
		return i, nil
	}
	return i, i.addArguments(others)
}

// destructive are the verbs that a grant can be for.
func destructive() []string {
	return slices.DeleteFunc(operation.Verb("").Values(), func(verb string) bool {
		return verb == string(operation.Update)
	})
}
