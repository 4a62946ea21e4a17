package webhook

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// notControlPlane keeps the cluster's own machinery away from the webhook.
func (g generator) notControlPlane() admissionregistrationv1.MatchCondition {
	return condition("not-control-plane", "!"+matches("request.userInfo.username", g.ControlPlane))
}

// costly is a condition that is not evaluated for the cluster's own machinery, from which
// nearly all requests come: the API server evaluates every condition of a hook, also
// when one of them is false already (k8s.io/apiserver pkg/admission/plugin/cel
// condition.ForInput), but CEL stops at the first operand of && that is.
func (g generator) costly(name, expression string) admissionregistrationv1.MatchCondition {
	return condition(name, g.notControlPlane().Expression+" && ("+expression+")")
}

// notChurn keeps away what clusters make and delete all day, and nodes unless they are
// wanted (see churn). What that is owns nothing that is production (see judgeOwners).
func (g generator) notChurn() admissionregistrationv1.MatchCondition {
	return g.notAmong(append([]unasked{leases}, churn...))
}

// notChurnButLeases is notChurn where the Leases of our namespace matter. Few write there
// but our own account, which is not sent.
func (g generator) notChurnButLeases() admissionregistrationv1.MatchCondition {
	return g.notAmong(slices.Clone(churn))
}

func (g generator) notAmong(list []unasked) admissionregistrationv1.MatchCondition {
	if !g.Nodes {
		list = append(list, nodes)
	}
	terms := make([]string, len(list))
	for i, u := range list {
		terms[i] = u.filter()
	}
	return condition("not-churn", "!("+strings.Join(terms, " || ")+")")
}

// markedItself is true if the old object's own labels, its name or its
// namespace's name mark it as production, or if there is no old object to tell.
func (g generator) markedItself() string { return g.markedBy(g.Selectors) }

func (g generator) markedBy(selectors []labels.Selector) string {
	terms := []string{"oldObject == null", matchesAny("oldObject", selectors)}
	if len(g.Names) > 0 {
		terms = append(terms, matches(`oldObject.?metadata.?name.orValue("")`, g.Names))
	}
	if len(g.Namespaces) > 0 {
		terms = append(terms, matches(requestNamespace, g.Namespaces))
	}
	return strings.Join(terms, " || ")
}

// mayBeProduction is true for a cluster-scoped object that is marked itself, or
// that takes along what may be: what it holds, the API server does not tell.
func (g generator) mayBeProduction() string {
	if g.WholeCluster {
		return "true"
	}
	return strings.Join([]string{
		`(request.resource.group == "" && request.resource.resource in ["namespaces", "nodes", "persistentvolumes"])`,
		`request.resource.group in ["apiextensions.k8s.io", "apiregistration.k8s.io"]`,
		g.markedBy(slices.Concat(g.Selectors, g.NamespaceSelectors)),
	}, " || ")
}

// weakens is true if an update takes off the last label that marks production,
// empties a ConfigMap or Secret, or may weaken in another way (see weakenings). It
// mirrors mapper.updateVerb, which has the last word; TestTheFilterAndTheMapperAgree
// holds them together.
func (g generator) weakens() string {
	terms := append(g.strips(), "("+emptied()+")")
	return strings.Join(append(terms, g.weakenedBy("")...), " || ")
}

// strips is true if an update takes off the last label that marks production, or an
// object is missing.
func (g generator) strips() []string {
	by := func(selectors []labels.Selector) string {
		return matchesAny(oldObject, selectors) + " && !" + matchesAny(newObject, selectors)
	}
	return []string{
		"object == null || oldObject == null",
		"(" + by(g.Selectors) + ")",
		`(request.resource.group == "" && request.resource.resource == "namespaces" && ` + by(g.NamespaceSelectors) + ")",
	}
}

// The expressions take each step with an optional (.?) and look at the type
// first: a custom resource may hold anything anywhere, and an expression that
// fails would refuse the request. A list of one element and exists stand for the
// variable that CEL does not have.

// hasData is true if a ConfigMap or Secret holds anything. A value that is null
// is an empty one: PUT accepts {"data":{"a":null}}.
func hasData(object string) string {
	holds := func(field string) string {
		return object + `.?` + field + `.orValue({}).exists(k, type(` + object + `.` + field + `[k]) == string && ` + object + `.` + field + `[k] != "")`
	}
	return `(` + holds("data") + ` || ` + holds("binaryData") + `)`
}

// CEL's exists takes time with the square of the size: 20 s for 100,000 keys.
// Large data is sent whenever it changes, and the mapper looks.
const (
	smallData = `size(oldObject.?data.orValue({})) + size(oldObject.?binaryData.orValue({})) + ` +
		`size(object.?data.orValue({})) + size(object.?binaryData.orValue({})) <= 256`
	dataChanged = `(oldObject.?data.orValue({}) != object.?data.orValue({}) || oldObject.?binaryData.orValue({}) != object.?binaryData.orValue({}))`
)

func emptied() string {
	return `request.resource.group == "" && request.resource.resource in ["configmaps", "secrets"] && ` +
		`(` + smallData + ` ? ` + hasData("oldObject") + " && !" + hasData("object") + ` : ` + dataChanged + `)`
}

// matches is a CEL expression that is true if one of the patterns matches the
// whole of what another expression gives.
func matches(expression string, patterns []string) string {
	if len(patterns) == 0 {
		return "false"
	}
	groups := make([]string, len(patterns))
	for i, pattern := range patterns {
		groups[i] = "(?:" + pattern + ")"
	}
	return "(size(" + expression + ") <= " + strconv.Itoa(maxMatched) + " && " + expression + ".matches(" + strconv.Quote("^(?:"+strings.Join(groups, "|")+")$") + "))"
}

// maxMatched is how long a text is that patterns are tried on: names have at most 253
// characters, users rarely more. A pattern costs as much as the text is long, and with a
// user name of 280 KB, which an impersonator may choose, more than the API server lets
// a condition cost. A hook that fails open would not be called then.
const maxMatched = 1024

// matchesAny is a CEL expression that is true if one of the selectors matches
// the labels of an object.
func matchesAny(object string, selectors []labels.Selector) string {
	if len(selectors) == 0 {
		return "false"
	}
	var terms []string
	for _, selector := range selectors {
		requirements, _ := selector.Requirements()
		var all []string
		for _, r := range requirements {
			all = append(all, requirementIn("l", r))
		}
		if term := strings.Join(all, " && "); !slices.Contains(terms, term) {
			terms = append(terms, term)
		}
	}
	return "[" + object + ".?metadata.?labels.orValue({})].exists(l, " + strings.Join(terms, " || ") + ")"
}

func requirementIn(set string, r labels.Requirement) string {
	key := strconv.Quote(r.Key())
	var values []string
	for _, value := range r.ValuesUnsorted() {
		values = append(values, strconv.Quote(value))
	}
	slices.Sort(values)
	in := fmt.Sprintf("%s in %s && %s[%s] in [%s]", key, set, set, key, strings.Join(values, ", "))
	switch r.Operator() {
	case selection.Exists:
		return key + " in " + set
	case selection.DoesNotExist:
		return "!(" + key + " in " + set + ")"
	case selection.NotIn, selection.NotEquals:
		return "!(" + in + ")"
	default: // In, Equals, DoubleEquals; configuration refuses < and >
		return in
	}
}
