package webhook

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook/index"
)

// mapper turns reviews into operations. It is pure: what has to be looked up in
// the cluster is named in needs and filled in by the caller.
type mapper struct {
	cluster              string
	controlPlane, agents []*regexp.Regexp
	// selectors and namespaceSelectors say which labels mark production; an
	// update that takes the last such label off unprotects.
	selectors, namespaceSelectors []labels.Selector
	// own is what guards itself, and exempt are those whom it lets through.
	own    Ownership
	exempt []Exempt
}

// needs says what of the target is not in the review.
type needs struct {
	// namespace is the namespace whose labels are needed, or empty.
	namespace string
	// object says that the target's own labels are needed: reviews of
	// sub-resources do not carry them.
	object bool
	// owners are the owner references that an update adds. Whoever adds them, one that
	// is not there, or is on its way out, has the garbage collector delete the target:
	// if the operation does not say unprotect, it has to when one of them is gone.
	owners []ObjectRef
	// orphan says that a deletion leaves in place what the target owns.
	orphan bool
	// brings are the labels that a binding puts over those of its pod: if they take the
	// last that marks production, the operation has to say unprotect.
	brings labels.Set
	// role is what a binding gives: what the role allows has to be looked up.
	role boundRole
}

// operation maps a review. ours is false for what Mollyguard has no say in:
// CONNECT, and updates of a status and the like that weaken nothing.
func (m *mapper) operation(r *request) (op operation.Operation, need needs, ours bool) {
	op = operation.Operation{
		Surface: operation.Kubernetes,
		Phase:   operation.Requested,
		Actor:   m.actor(r),
		DryRun:  r.dryRun,
		Source:  operation.Source{UID: r.uid},
	}
	op.Presented = presented(append(slices.Clone(r.user.presented), r.oldObject.presented, r.object.presented))
	if r.operation == "CONNECT" {
		op.Verb = operation.Update
		op.Target = m.target(r, &r.oldObject)
		return op, needs{}, false
	}
	op.Verb, op.Also, op.Changes = m.verb(r)
	if r.operation == "UPDATE" && r.subResource != "scale" && r.object.present && r.oldObject.present {
		need.owners = newUpdate(m, r).ownersAdded() // judgeOwners says if there are too many, or one can't be read
		need.owners = need.owners[:min(len(need.owners), maxOwners)]
	}
	if op.Verb == operation.Update && carriesWhole(r) && len(need.owners) == 0 {
		op.Target = m.target(r, &r.oldObject)
		return op, needs{}, false
	}
	need.orphan = r.operation == "DELETE" && r.orphaning()

	before := &r.oldObject
	need.object = r.subResource == "eviction" || r.subResource == "scale" || isBinding(r)
	if isBinding(r) {
		need.brings = r.object.labels
	}
	if r.operation == "CREATE" && !need.object {
		before = &r.object
	}
	if !before.present && !need.object {
		op.Unknown = append(op.Unknown, "the labels of the object (the request does not carry it)")
	}
	for _, field := range before.odd {
		op.Unknown = append(op.Unknown, field+" (not as Kubernetes defines it)")
	}
	op.Target = m.target(r, before)
	op.Target.Controlled, op.Target.Ended = controlled(before), r.resource.ended(before)
	need.namespace = op.Target.Namespace
	if destructive(&op) {
		op.Unknown = append(op.Unknown, r.relations(&index.Question{})...)
		op.Dependents = m.behind(r)
	}
	return op, need, true
}

// verb says what a request does, and in words what it changes where the verb
// alone does not say it.
func (m *mapper) verb(r *request) (verb operation.Verb, also []operation.Verb, changes []string) {
	switch {
	case r.operation == "DELETE" && r.subResource == "":
		return operation.Delete, nil, nil
	case r.operation == "CREATE" && r.resource.group == "" && r.resource.resource == "pods" && r.subResource == "eviction":
		return operation.Evict, nil, nil
	case isBinding(r):
		return operation.Update, nil, nil // unless it brings labels
	case r.operation == "CREATE" && r.subResource == "" && r.resource.full() == networkPolicies:
		return m.isolationVerb(r)
	case r.operation == "CREATE" && r.subResource == "":
		return operation.Update, nil, nil // destroys nothing
	case r.operation == "UPDATE" && (r.subResource == "" || r.subResource == "scale" || isNamespace(r) && r.subResource == "finalize" || carriesWhole(r)):
		if !r.object.present || !r.oldObject.present {
			return operation.Unknown, nil, []string{"an update without " + missing(r)}
		}
		return m.updateVerb(r)
	}
	what := strings.ToLower(r.operation)
	if what == "" { // a review that could not be read to its end
		return operation.Unknown, nil, nil
	}
	if r.subResource != "" {
		what += " of " + r.resource.resource + "/" + r.subResource
	}
	return operation.Unknown, nil, []string{what}
}

// maxPresentedText is more than a token is long (breakglass.MaxToken): a longer text
// is refused as one, whatever it is.
const maxPresentedText = 8 << 10

// presented wraps what was presented, each text once.
func presented(texts []string) []operation.Secret {
	var list []operation.Secret
	for _, text := range texts {
		secret := operation.NewSecret(text[:min(len(text), maxPresentedText)])
		if text != "" && !slices.ContainsFunc(list, secret.Equal) && len(list) < maxPresented {
			list = append(list, secret)
		}
	}
	return list
}

func missing(r *request) string {
	if !r.object.present {
		return "the new object"
	}
	return "the old object"
}

// worst lists what an update can do, worst first.
var worst = []operation.Verb{operation.Unknown, operation.Empty, operation.ScaleToZero, operation.Unprotect}

// maxChanges is how many changes are told: a definition may have any number of
// versions, and an object any number of owners.
const maxChanges = 16

// updateVerb finds weakening: all that one update does, the worst first.
func (m *mapper) updateVerb(r *request) (verb operation.Verb, also []operation.Verb, changes []string) {
	var found []operation.Verb
	worse := func(v operation.Verb, change string) {
		if !slices.Contains(found, v) {
			found = append(found, v)
		}
		if len(changes) < maxChanges {
			changes = append(changes, change)
		}
	}
	if r.subResource != "scale" { // a Scale carries no labels of its own
		for _, change := range m.labelsLost(r) {
			worse(operation.Unprotect, change)
		}
	}
	if r.resource.group == "" && r.subResource == "" && (r.resource.resource == "configmaps" || r.resource.resource == "secrets") &&
		r.oldObject.values > 0 && r.object.values == 0 {
		worse(operation.Empty, "all data removed, entries: "+strconv.Itoa(r.oldObject.values))
	}
	u := newUpdate(m, r)
	for _, w := range weakenings() {
		if !w.concerns(r) {
			continue
		}
		verb, changes := u.judged(w)
		for _, change := range changes {
			worse(verb, change)
		}
	}
	if len(found) == 0 {
		return operation.Update, nil, nil
	}
	slices.SortFunc(found, func(a, b operation.Verb) int { return slices.Index(worst, a) - slices.Index(worst, b) })
	if len(found) > 1 {
		also = found[1:]
	}
	return found[0], also, changes
}

// labelsLost tells which labels made the old object production if the new one
// has none that does. A namespace is marked for itself by one list of selectors
// and for what is in it by another; losing either counts.
func (m *mapper) labelsLost(r *request) []string {
	lost := lostBy(m.selectors, r.oldObject.labels, r.object.labels)
	if isNamespace(r) {
		for _, change := range lostBy(m.namespaceSelectors, r.oldObject.labels, r.object.labels) {
			if !slices.Contains(lost, change) {
				lost = append(lost, change)
			}
		}
	}
	return lost
}

func isNamespace(r *request) bool {
	return r.resource.group == "" && r.resource.resource == "namespaces"
}

func lostBy(selectors []labels.Selector, before, after labels.Set) []string {
	var lost []string
	for _, selector := range selectors {
		if selector.Matches(after) {
			return nil
		}
		if !selector.Matches(before) {
			continue
		}
		requirements, _ := selector.Requirements()
		for _, requirement := range requirements {
			change := labelChange(requirement.Key(), before, after)
			if change != "" && !slices.Contains(lost, change) {
				lost = append(lost, change)
			}
		}
	}
	return lost
}

func labelChange(key string, before, after labels.Set) string {
	was, had := before[key]
	is, has := after[key]
	switch {
	case had && !has:
		return fmt.Sprintf("label %s=%s removed", key, was)
	case had && was != is:
		return fmt.Sprintf("label %s=%s changed to %s", key, was, strconv.Quote(is))
	case !had && has:
		return fmt.Sprintf("label %s=%s added", key, is)
	}
	return ""
}
