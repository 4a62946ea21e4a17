package webhook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// weakening is one way to weaken an object by an update: the first half of deleting
// it, or as good as that.
type weakening struct {
	// name says in words what is weakened.
	name string
	verb operation.Verb
	// resources are the group/resource that it is about ("/pods" for core); none
	// means every object.
	resources []string
	// through are the sub-resources by which it can be done; "" is the object itself.
	through []string
	// meta says that the filter is not about spec (see weakened).
	meta bool
	// filter is a CEL expression for the API server, which is true if the update may
	// weaken in this way. It never fails, and costs little for objects of any size.
	filter func(g generator) string
	// judge finds out whether it does, and has the last word. It reads the new object
	// only if the old one has something to lose: what cannot be read there is unknown
	// then, and not a pass.
	judge func(u *update)
}

// The sub-resources by which objects are weakened.
var (
	itself = []string{""}
	// carriers are updated with a whole object, of which the API server takes over
	// more than the name says: labels, annotations, finalizers or owners.
	carriers = []string{"", "status", "resize", "ephemeralcontainers", "approval", "finalize"}
	scaling  = []string{"", "scale"}
)

// weakenings is all that an update is looked through for, apart from production
// labels (mapper.labelsLost) and emptied data.
func weakenings() []weakening {
	return slices.Concat(scalings, protections, references, storage, traffic, definitions, apis, exemptions, endings)
}

// update is an update under judgement.
type update struct {
	mapper  *mapper
	request *request
	// was and is are the object before and after.
	was, is side
	// changes are what the weakening at hand changes, in words.
	changes []string
}

// side is one of the two objects of an update. Its nodes share one list of faults.
type side struct {
	*object
	faults *faults
}

func newUpdate(m *mapper, r *request) *update {
	return &update{mapper: m, request: r, was: side{&r.oldObject, &faults{}}, is: side{&r.object, &faults{}}}
}

func (s side) spec(names ...string) node {
	return node{text: s.object.spec, path: "spec", faults: s.faults}.at(names...)
}

func (s side) status(names ...string) node {
	return node{text: s.object.status, path: "status", faults: s.faults}.at(names...)
}

// says adds a change to those of the weakening at hand.
func (u *update) says(format string, args ...any) {
	u.changes = append(u.changes, fmt.Sprintf(format, args...))
}

// full is the resource as group/resource.
func (r groupResource) full() string { return r.group + "/" + r.resource }

// leads reports whether it can be done through a sub-resource, or the object itself.
func (w weakening) leads(through string) bool { return slices.Contains(w.through, through) }

func (w weakening) concerns(r *request) bool {
	return w.leads(r.subResource) && (len(w.resources) == 0 || slices.Contains(w.resources, r.resource.full()))
}

// judged asks one weakening, and tells what it does and in which words.
func (u *update) judged(w weakening) (operation.Verb, []string) {
	u.changes, *u.is.faults, *u.was.faults = nil, faults{}, faults{}
	w.judge(u)
	said := u.is.faults.list
	if u.was.faults.unread {
		said = append(said, u.was.faults.list...)
	}
	if len(said) == 0 {
		return w.verb, u.changes
	}
	return operation.Unknown, append(u.changes, said...)
}

// byControlPlane reports whether the cluster's own machinery acts, which is not sent
// either.
func (u *update) byControlPlane() bool {
	return u.mapper.actorKind(u.request.user.name) == operation.Controller
}

// byHand reports whether a person acts, or an agent: not a controller or operator,
// whose daily work some weakenings are.
func (u *update) byHand() bool {
	name := u.request.user.name
	switch u.mapper.actorKind(name) {
	case operation.Controller:
		return false
	case operation.Agent:
		return true
	}
	return !strings.HasPrefix(name, serviceAccounts)
}

// serviceAccounts begins the user names of service accounts
// (k8s.io/apiserver pkg/authentication/serviceaccount).
const serviceAccounts = "system:serviceaccount:"

// maxShown is how much of a value a change shows.
const maxShown = 80

func clipped(text string) string { return operation.Clip(text, maxShown) }

// carriesWhole reports whether an update of a sub-resource is done with a whole object.
func carriesWhole(r *request) bool {
	switch r.subResource {
	case "status", "approval":
		return true
	case "resize", "ephemeralcontainers":
		return r.resource.full() == "/pods"
	}
	return false
}
