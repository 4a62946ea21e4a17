package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// intent is what somebody wants to do in a cluster, as far as their words tell:
// types are as they were typed, and selectors stand for objects that are not
// named.
type intent struct {
	verb operation.Verb
	// also are further verbs, where they are named.
	also []operation.Verb
	// refs are the objects whose canonical names were given, all in the cluster that
	// is called audience.
	refs     []operation.KubernetesName
	audience string
	// cloud are cloud resources, by their canonical names.
	cloud []operation.Reference
	// names are the others that are named.
	names []typedName
	// types are for the selectors, or for all.
	types []string
	// selector and fieldSelector are as kubectl takes them; all says that there are
	// none.
	selector, fieldSelector string
	all, allNamespaces      bool
	// files hold more objects; "-" is standard input.
	files []string
	place
}

// typedName is one object: the type may be short, singular or a kind.
type typedName struct{ resource, name string }

// place says which cluster and namespace somebody means; what is empty is as in
// the kubeconfig.
type place struct{ kubeconfig, context, cluster, namespace string }

// namingError says that a target is not named as it has to be: hint tells how.
type namingError struct {
	error
	hint string
}

func misnamed(format string, args ...any) error {
	return misnamedBut("--help shows how targets are named", format, args...)
}

// misnamedBut is misnamed where it can be told what was meant.
func misnamedBut(hint, format string, args ...any) error {
	return namingError{fmt.Errorf(format, args...), hint}
}

// namingHint is a hint for who did not know how to name something, and for nobody
// else.
func namingHint(err error) string {
	named, _ := errors.AsType[namingError](err)
	return named.hint
}

// onlyRefs reports whether no cluster has to be asked what is meant.
func (i intent) onlyRefs() bool {
	return len(i.names) == 0 && len(i.types) == 0 && len(i.files) == 0
}

// addArguments reads TYPE NAME…, TYPE,TYPE NAME… and TYPE/NAME…, as kubectl does
// (k8s.io/cli-runtime pkg/resource ResourceTypeOrNameArgs).
func (i *intent) addArguments(args []string) error {
	selecting := i.selector != "" || i.fieldSelector != "" || i.all
	slashed := func(arg string) bool { return strings.Contains(arg, "/") }
	switch {
	case len(args) == 0 && len(i.files) > 0:
		if selecting {
			return errors.New("a file names its objects: leave the selector out")
		}
		return nil
	case len(args) == 0:
		return misnamed("no object is named")
	case slices.ContainsFunc(args, slashed):
		if err := i.addSlashed(args); err != nil {
			return err
		}
	default:
		types := strings.Split(args[0], ",")
		if slices.Contains(types, "") {
			return misnamed("%s is not a list of types", shown(args[0]))
		}
		if slices.Contains(types, "all") {
			return errors.New("all is several types: name the ones that are meant, as in deployments,services")
		}
		if len(args) == 1 {
			i.types = types
		}
		for _, resource := range types {
			for _, name := range args[1:] {
				i.names = append(i.names, typedName{resource, name})
			}
		}
	}
	return i.check(selecting)
}

func (i *intent) addSlashed(args []string) error {
	for _, arg := range args {
		resource, name, _ := strings.Cut(arg, "/")
		if resource == "" || name == "" || strings.Contains(name, "/") || strings.Contains(resource, ",") {
			return misnamed("%s is not TYPE/NAME: either all objects are written so, or none", shown(arg))
		}
		i.names = append(i.names, typedName{resource, name})
	}
	return nil
}

func (i *intent) check(selecting bool) error {
	for _, n := range i.names {
		if n.name == "" {
			return fmt.Errorf("an object of type %s is named with an empty name", shown(n.resource))
		}
	}
	switch {
	case len(i.names) > 0 && selecting:
		return errors.New("objects are named and selected: kubectl takes one of both")
	case len(i.names) > 0 && i.allNamespaces:
		return errors.New("an object cannot be named in all namespaces: say --namespace")
	case len(i.types) > 0 && !selecting:
		return misnamed("no name is given for %s", shown(strings.Join(i.types, ",")))
	case i.all && (i.selector != "" || i.fieldSelector != ""):
		return errors.New("--all and a selector cannot both be meant")
	}
	return nil
}
