package webhook

import (
	"slices"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
)

// floor writes the floor's expressions.
type floor struct{ FloorOptions }

// filters are those of the webhook configuration, which hold here as well.
func (f floor) filters() generator { return generator{f.ConfigurationOptions} }

const (
	userName     = "request.userInfo.username"
	onNamespaces = `(request.resource.group == "" && request.resource.resource == "namespaces")`
	onFloors     = `(request.resource.group == "` + v1alpha1.Group + `" && request.resource.resource == "floors")`
	onDelete     = `request.operation == "DELETE"`
)

// who keeps away those whom the floor has nothing to say to. The server changes and
// removes the records of break glass, and writes the Floor.
func (f floor) who() []admissionregistrationv1.MatchCondition {
	list := []admissionregistrationv1.MatchCondition{
		f.filters().notControlPlane(),
		condition("not-the-server", "!("+userName+" == "+strconv.Quote(f.Self)+` && request.resource.group == "`+v1alpha1.Group+`")`),
	}
	if exempt := f.exempt(); exempt != "" {
		list = append(list, condition("not-exempt", "!("+exempt+")"))
	}
	return list
}

// exit keeps webhook configurations away. Unlike webhooks, admission policies are asked
// about those, and a floor for the whole cluster, or for a name that one of them has,
// would hold shut the door by which somebody gets rid of hooks that nobody answers.
func exit() admissionregistrationv1.MatchCondition {
	return condition("not-the-emergency-exit", `request.resource.group != "`+admissionregistrationv1.GroupName+`"`)
}

// concerns is true for a deletion, for an update that takes the last production label
// off, and for one of a Floor.
func (f floor) concerns() string {
	return onDelete + " || " + onFloors + " || object == null || oldObject == null || " + f.strips()
}

// strips mirrors the part of weakens that is about labels.
func (f floor) strips() string {
	strips := func(selectors []labels.Selector) string {
		return matchesAny("oldObject", selectors) + " && !" + matchesAny("object", selectors)
	}
	return "(" + strips(f.Selectors) + " || " + onNamespaces + " && " + strips(f.NamespaceSelectors) + ")"
}

// common are the variables of both policies. They are evaluated when they are used.
func (f floor) common() []admissionregistrationv1.Variable {
	return []admissionregistrationv1.Variable{
		{Name: "name", Expression: `oldObject.?metadata.?name.orValue(request.?name.orValue(""))`},
		{Name: "inNamespace", Expression: onNamespaces + ` ? "" : string(oldObject.?metadata.?namespace.orValue(request.?namespace.orValue("")))`},
		// A Namespace counts as its own, as in the rules of enforcement.
		{Name: "scope", Expression: onNamespaces + ` ? string(variables.name) : variables.inNamespace`},
		{Name: "what", Expression: `request.kind.kind + " " + (variables.inNamespace == "" ? "" : variables.inNamespace + "/") + string(variables.name)`},
		{Name: "ref", Expression: strconv.Quote("k8s://"+f.Cluster+"/") + ` + (request.resource.group == "" ? "core" : request.resource.group) + "/" + request.resource.resource + "/" + ` +
			`(variables.inNamespace == "" ? "" : variables.inNamespace + "/") + string(variables.name)`},
		{Name: "verb", Expression: onDelete + ` ? "` + string(operation.Delete) + `" : "` + string(operation.Unprotect) + `"`},
		// As in the records of break glass: the first of the ids (KEP-4193).
		{Name: "credential", Expression: `has(request.userInfo.extra) && "` + operation.KubernetesCredential + `" in request.userInfo.extra` +
			` ? request.userInfo.extra["` + operation.KubernetesCredential + `"][0] : ""`},
		{Name: "own", Expression: f.filters().own()},
		{Name: "granted", Expression: `params.spec.?grants.orValue([]).exists(g, g.user == ` + userName + ` && variables.verb in g.verbs` +
			` && g.?credential.orValue("") in ["", variables.credential] && (` + f.covered() + `))`},
		{Name: "next", Expression: f.next()},
	}
}

// covered is true if a grant is for the object: for it by name, and by uid if it has
// one, or for our namespace by name, which covers all that is Mollyguard's own.
func (f floor) covered() string {
	object := `g.ref == variables.ref && g.?uid.orValue("") in ["", string(oldObject.?metadata.?uid.orValue(""))]`
	if f.Own.Namespace == "" {
		return object
	}
	return object + " || variables.own && g.ref == " + strconv.Quote(operation.KubernetesRef(f.Cluster, "", "namespaces", "", f.Own.Namespace))
}

// next is what somebody can do now, ready to be pasted into a shell. What would not
// survive that is not written.
func (f floor) next() string {
	owners := `"Ask the owners of mollyguard on this cluster to let this one through"`
	if !f.Advice.BreakGlass {
		return owners
	}
	return `variables.ref.matches(` + strconv.Quote(plain.String()) + `) ? ` +
		`"Ask for a grant, which somebody else has to approve, and run this again then: kubectl mollyguard request " + variables.verb + " " + variables.ref + ` +
		strconv.Quote(f.Advice.at()+" --reason 'why'") + ` : ` + owners
}

// more are the variables of the policy that looks at labels.
func (f floor) more() []admissionregistrationv1.Variable {
	return []admissionregistrationv1.Variable{
		{Name: "labels", Expression: `oldObject.?metadata.?labels.orValue({})`},
		{Name: "namespaceLabels", Expression: `namespaceObject == null ? {} : namespaceObject.?metadata.?labels.orValue({})`},
		{Name: "because", Expression: f.because()},
	}
}

// because is why an object is production by itself, in words, or empty. It says what
// guard.ProductionRules would, the first reason only.
func (f floor) because() string {
	var b strings.Builder
	reason := func(condition, text string) { b.WriteString("(" + condition + ") ? (" + text + ") : ") }
	reason("oldObject == null", `"the request does not carry the object, and unknown counts as production"`)
	for _, s := range f.Selectors {
		reason(selected("variables.labels", s), `"label " + `+saidBy("variables.labels", s))
	}
	for _, s := range f.NamespaceSelectors {
		reason(onNamespaces+" && "+selected("variables.labels", s), `"label " + `+saidBy("variables.labels", s))
		reason(`variables.inNamespace != "" && `+selected("variables.namespaceLabels", s), `"namespace " + variables.inNamespace + " has label " + `+saidBy("variables.namespaceLabels", s))
	}
	if len(f.Namespaces) > 0 {
		reason(`variables.scope != "" && `+matches("variables.scope", f.Namespaces), `"namespace " + variables.scope + " is production by name"`)
	}
	if len(f.Names) > 0 {
		reason(matches("string(variables.name)", f.Names), `"name " + string(variables.name) + " is production by name"`)
	}
	if f.WholeCluster {
		reason("true", strconv.Quote("the whole cluster is production ("+f.Cluster+")"))
	}
	return b.String() + `""`
}

func (f floor) validations() []admissionregistrationv1.Validation {
	list := f.stated(floorMessage)
	if v := f.validation(policyGuard, "!("+onDelete+") && "+onFloors, `" is written by mollyguard only: unprotect refused. "`); v != nil {
		v.Message = floorMessage
		list = append(list, *v)
	}
	return list
}

// stated refuses what the request itself states, and says so where the longer message
// cannot be had.
func (f floor) stated(message string) []admissionregistrationv1.Validation {
	var list []admissionregistrationv1.Validation
	add := func(policy, concerns, text string) {
		if v := f.validation(policy, concerns, text); v != nil {
			v.Message = message
			list = append(list, *v)
		}
	}
	add(policyGuard, onDelete+" && variables.own", `" is part of mollyguard, which guards production with it: delete refused. "`)
	add(policyDelete, onDelete+` && variables.because != "" && !`+hasEnded(), `" is production (" + variables.because + "): delete refused. "`)
	add(policyUnprotect, "!("+onDelete+") && "+f.strips(), `" is production (" + variables.because + "), and would have no label any more that says so: unprotect refused. "`)
	return list
}

func (f floor) parentValidations() []admissionregistrationv1.Validation {
	var list []admissionregistrationv1.Validation
	add := func(policy, concerns, held, what string) {
		v := f.validation(policy, concerns+` && !(params.spec.complete && !(`+held+`))`,
			`(`+held+` ? " holds production`+what+`" : " may hold production`+what+`, mollyguard does not know all that does") + ": delete refused. "`)
		if v != nil {
			v.Message = parentsMessage
			list = append(list, *v)
		}
	}
	add(policyNamespace, onNamespaces, `variables.name in params.spec.?namespaces.orValue([])`, ", which would go with it")
	add(policyDefinition, "!"+onNamespaces, `variables.name in params.spec.?definitions.orValue([])`, " instances, which would go with it")
	return list
}

// validation refuses what concerns a policy that denies, unless there is a grant. It
// is nil if the policy never denies.
func (f floor) validation(policy, concerns, text string) *admissionregistrationv1.Validation {
	denies := f.denies(policy)
	if denies == "false" {
		return nil
	}
	expression := "!(" + concerns + ") || variables.granted"
	if denies != "true" {
		expression = "!(" + concerns + ") || !(" + denies + ") || variables.granted"
	}
	return &admissionregistrationv1.Validation{
		Expression:        expression,
		MessageExpression: "variables.what + " + text + " + variables.next",
		Reason:            new(metav1.StatusReasonForbidden),
	}
}

// selected is true if a selector matches a set of labels.
func selected(set string, s labels.Selector) string {
	requirements, _ := s.Requirements()
	var all []string
	for _, r := range requirements {
		all = append(all, requirementIn(set, r))
	}
	return strings.Join(all, " && ")
}

// saidBy gives the labels that make a selector match, such as env=production. It fails
// where the selector does not match.
func saidBy(set string, s labels.Selector) string {
	requirements, _ := s.Requirements()
	var parts []string
	for _, r := range requirements {
		absent := []selection.Operator{selection.DoesNotExist, selection.NotIn, selection.NotEquals}
		if slices.Contains(absent, r.Operator()) {
			parts = append(parts, strconv.Quote(r.String()))
		} else {
			parts = append(parts, strconv.Quote(r.Key()+"=")+" + string("+set+"["+strconv.Quote(r.Key())+"])")
		}
	}
	return strings.Join(parts, ` + "," + `)
}
