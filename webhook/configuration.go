package webhook

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// Path is where the webhook is served.
const Path = "/v1/admit"

// maxClasses is how many hooks the split by namespace labels may make for one
// operation. Selectors that would need more get one fail-closed hook instead.
const maxClasses = 8

// ConfigurationOptions says what the API server should send, and where.
type ConfigurationOptions struct {
	// Name is the object's name.
	Name string
	// URL is where the server is, or empty for the Service.
	URL string
	// CallSecret, if not empty, ends the path, so that the server knows the API
	// server by it.
	CallSecret                    string
	ServiceNamespace, ServiceName string
	ServicePort                   int32
	CABundle                      []byte
	// Cases says that the cluster keeps break-glass objects, which are guarded too.
	Cases                         bool
	TimeoutSeconds                int32
	FailProtected, FailOther      admissionregistrationv1.FailurePolicyType
	WholeCluster, Nodes           bool
	Selectors, NamespaceSelectors []labels.Selector
	Namespaces, Names             []string
	ControlPlane                  []string
}

// Configuration generates the ValidatingWebhookConfiguration. It is narrow: what
// cannot concern Mollyguard is not sent, and where a missing answer must not
// stop anybody the API server goes on without one.
//
// Deletions and weakening updates are split into hooks that never overlap, so
// that one request is one call, and that fail closed only where the API server
// itself can tell that production may be at stake:
//
//	cluster      cluster-scoped, marked, or taking others along      fail closed
//	object       namespaced, marked by its own labels or a name      fail closed
//	namespace-N  namespaced, in a namespace marked by its labels     fail closed
//	other-N      everything else                                     fail open
//	scale, evict carry no labels of what they are about              fail closed
//	cases        break-glass objects                                 fail closed
//
// An UPDATE is sent only if the API server's own CEL filter sees that it weakens
// something. The filters are match conditions (KEP-3716).
func Configuration(opts ConfigurationOptions) *admissionregistrationv1.ValidatingWebhookConfiguration {
	g := generator{ConfigurationOptions: opts}
	c := &admissionregistrationv1.ValidatingWebhookConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "ValidatingWebhookConfiguration"},
		ObjectMeta: metav1.ObjectMeta{
			Name:   opts.Name,
			Labels: map[string]string{"app.kubernetes.io/name": "mollyguard", "app.kubernetes.io/managed-by": "mollyguard"},
		},
	}
	marked, unmarked := partition(opts.NamespaceSelectors)
	if opts.WholeCluster || len(marked)+len(unmarked) > maxClasses {
		marked, unmarked = []metav1.LabelSelector{{}}, nil
	}
	for _, operation := range []admissionregistrationv1.OperationType{admissionregistrationv1.Delete, admissionregistrationv1.Update} {
		c.Webhooks = append(c.Webhooks, g.hooks(operation, marked, unmarked)...)
	}
	c.Webhooks = append(c.Webhooks, g.scale(), g.evict())
	if opts.Cases {
		c.Webhooks = append(c.Webhooks, g.cases())
	}
	return c
}

type generator struct{ ConfigurationOptions }

// hooks are the hooks for DELETE or UPDATE of whole objects.
func (g generator) hooks(operation admissionregistrationv1.OperationType, marked, unmarked []metav1.LabelSelector) []admissionregistrationv1.ValidatingWebhook {
	suffix := "." + strings.ToLower(string(operation))
	weakens := func(conditions ...admissionregistrationv1.MatchCondition) []admissionregistrationv1.MatchCondition {
		if operation == admissionregistrationv1.Update {
			conditions = append(conditions, condition("weakens", g.weakens()))
		}
		return conditions
	}
	notMarked := condition("not-marked-itself", "!("+g.markedItself()+")")

	cluster := g.hook("cluster"+suffix, operation, "*", admissionregistrationv1.ClusterScope, g.FailProtected)
	cluster.MatchConditions = weakens(g.notControlPlane(), g.notChurn(), condition("may-be-production", g.mayBeProduction()))
	clusterOther := g.hook("cluster-other"+suffix, operation, "*", admissionregistrationv1.ClusterScope, g.FailOther)
	clusterOther.MatchConditions = weakens(g.notControlPlane(), g.notChurn(), condition("not-production-itself", "!("+g.mayBeProduction()+")"))
	if operation == admissionregistrationv1.Update { // labels can be changed there as well
		cluster.Rules[0].Resources = append(cluster.Rules[0].Resources, "namespaces/finalize")
	}

	object := g.hook("object"+suffix, operation, "*", admissionregistrationv1.NamespacedScope, g.FailProtected)
	object.MatchConditions = weakens(g.notControlPlane(), g.notChurn(), condition("marked-itself", g.markedItself()))

	list := []admissionregistrationv1.ValidatingWebhook{cluster, clusterOther, object}
	if g.WholeCluster {
		list = []admissionregistrationv1.ValidatingWebhook{cluster, object}
	}
	for i, selector := range marked {
		hook := g.hook(fmt.Sprintf("namespace-%d%s", i+1, suffix), operation, "*", admissionregistrationv1.NamespacedScope, g.FailProtected)
		hook.NamespaceSelector = &selector
		hook.MatchConditions = weakens(g.notControlPlane(), g.notChurn(), notMarked)
		list = append(list, hook)
	}
	for i, selector := range unmarked {
		hook := g.hook(fmt.Sprintf("other-%d%s", i+1, suffix), operation, "*", admissionregistrationv1.NamespacedScope, g.FailOther)
		hook.NamespaceSelector = &selector
		hook.MatchConditions = weakens(g.notControlPlane(), g.notChurn(), notMarked)
		list = append(list, hook)
	}
	return list
}

func (g generator) scale() admissionregistrationv1.ValidatingWebhook {
	hook := g.hook("scale", admissionregistrationv1.Update, "*/scale", admissionregistrationv1.AllScopes, g.FailProtected)
	hook.MatchConditions = []admissionregistrationv1.MatchCondition{g.notControlPlane(), condition("scales-to-zero", scaledToZero())}
	return hook
}

func (g generator) evict() admissionregistrationv1.ValidatingWebhook {
	hook := g.hook("evict", admissionregistrationv1.Create, "pods/eviction", admissionregistrationv1.NamespacedScope, g.FailProtected)
	hook.Rules[0].APIGroups = []string{""}
	hook.MatchConditions = []admissionregistrationv1.MatchCondition{g.notControlPlane(), condition("not-kube-system", `request.namespace != "kube-system"`)}
	if g.URL == "" { // our own pods can be drained when none of them answers any more
		hook.MatchConditions = append(hook.MatchConditions, condition("not-ourselves", "request.namespace != "+strconv.Quote(g.ServiceNamespace)))
	}
	return hook
}

// cases has no conditions, and fails closed whatever is configured: an approval
// that nobody has looked at must not be there.
func (g generator) cases() admissionregistrationv1.ValidatingWebhook {
	hook := g.hook("cases", admissionregistrationv1.OperationAll, "", admissionregistrationv1.ClusterScope, admissionregistrationv1.Fail)
	hook.ClientConfig = g.clientConfig(CasesPath)
	hook.Rules[0].APIGroups = []string{"mollyguard.dev"}
	hook.Rules[0].Operations = []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update, admissionregistrationv1.Delete}
	hook.Rules[0].Resources = []string{
		"breakglassrequests", "breakglassrequests/status", "breakglassverdicts", "breakglassuses", "grants", "grants/status",
	}
	return hook
}

func (g generator) hook(name string, operation admissionregistrationv1.OperationType, resource string, scope admissionregistrationv1.ScopeType, failure admissionregistrationv1.FailurePolicyType) admissionregistrationv1.ValidatingWebhook {
	return admissionregistrationv1.ValidatingWebhook{
		Name:         name + ".mollyguard.dev",
		ClientConfig: g.clientConfig(Path),
		Rules: []admissionregistrationv1.RuleWithOperations{{
			Operations: []admissionregistrationv1.OperationType{operation},
			Rule:       admissionregistrationv1.Rule{APIGroups: []string{"*"}, APIVersions: []string{"*"}, Resources: []string{resource}, Scope: &scope},
		}},
		FailurePolicy:           &failure,
		MatchPolicy:             new(admissionregistrationv1.Equivalent),
		NamespaceSelector:       &metav1.LabelSelector{},
		ObjectSelector:          &metav1.LabelSelector{},
		SideEffects:             new(admissionregistrationv1.SideEffectClassNoneOnDryRun),
		TimeoutSeconds:          new(g.TimeoutSeconds),
		AdmissionReviewVersions: []string{"v1"},
	}
}

func (g generator) clientConfig(path string) admissionregistrationv1.WebhookClientConfig {
	if g.CallSecret != "" {
		path += "/" + g.CallSecret
	}
	c := admissionregistrationv1.WebhookClientConfig{CABundle: slices.Clone(g.CABundle)}
	if g.URL != "" {
		c.URL = new(strings.TrimSuffix(g.URL, "/") + path)
		return c
	}
	c.Service = &admissionregistrationv1.ServiceReference{
		Namespace: g.ServiceNamespace, Name: g.ServiceName, Port: new(g.ServicePort), Path: new(path),
	}
	return c
}

func condition(name, expression string) admissionregistrationv1.MatchCondition {
	return admissionregistrationv1.MatchCondition{Name: name, Expression: expression}
}

// notControlPlane keeps the cluster's own machinery away from the webhook.
func (g generator) notControlPlane() admissionregistrationv1.MatchCondition {
	return condition("not-control-plane", "!"+matches("request.userInfo.username", g.ControlPlane))
}

// notChurn keeps away what clusters make and delete all day and nobody mourns,
// and the pods of kube-system. Reviews and certificate requests are there so
// that authentication and new nodes never wait for us.
func (g generator) notChurn() admissionregistrationv1.MatchCondition {
	churn := []string{
		`(request.resource.group == "coordination.k8s.io" && request.resource.resource == "leases")`,
		`(request.resource.group in ["", "events.k8s.io"] && request.resource.resource == "events")`,
		`(request.resource.group == "" && request.resource.resource == "endpoints")`,
		`(request.resource.group == "discovery.k8s.io" && request.resource.resource == "endpointslices")`,
		`request.resource.group in ["authentication.k8s.io", "authorization.k8s.io"]`,
		`(request.resource.group == "certificates.k8s.io" && request.resource.resource == "certificatesigningrequests")`,
		`(request.resource.group == "" && request.resource.resource == "pods" && request.namespace == "kube-system")`,
	}
	if !g.Nodes {
		churn = append(churn, `(request.resource.group == "" && request.resource.resource == "nodes")`)
	}
	return condition("not-churn", "!("+strings.Join(churn, " || ")+")")
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
		terms = append(terms, matches("request.namespace", g.Namespaces))
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
// scales to zero, or empties a ConfigMap or Secret. It mirrors mapper.updateVerb,
// which has the last word; TestTheFilterAndTheMapperAgree holds them together.
func (g generator) weakens() string {
	strips := func(selectors []labels.Selector) string {
		return matchesAny("oldObject", selectors) + " && !" + matchesAny("object", selectors)
	}
	return strings.Join([]string{
		"object == null || oldObject == null",
		"(" + strips(g.Selectors) + ")",
		`(request.resource.group == "" && request.resource.resource == "namespaces" && ` + strips(g.NamespaceSelectors) + ")",
		"(" + scaledToZero() + ")",
		"(" + emptied() + ")",
	}, " || ")
}

// The expressions take each step with an optional (.?) and look at the type
// first: a custom resource may hold anything anywhere, and an expression that
// fails would refuse the request. A list of one element and exists stand for the
// variable that CEL does not have.

// hasReplicas is true if an object has spec.replicas of at least one.
func hasReplicas(object string) string {
	return `[` + object + `.?spec.orValue(0)].exists(s, type(s) == map && ` +
		`[s.?replicas.orValue(0)].exists(r, (type(r) == int || type(r) == double) && r >= 1))`
}

// hasData is true if a ConfigMap or Secret holds anything. A value that is null
// is an empty one: PUT accepts {"data":{"a":null}}.
func hasData(object string) string {
	holds := func(field string) string {
		return object + `.?` + field + `.orValue({}).exists(k, type(` + object + `.` + field + `[k]) == string && ` + object + `.` + field + `[k] != "")`
	}
	return `(` + holds("data") + ` || ` + holds("binaryData") + `)`
}

func scaledToZero() string { return hasReplicas("oldObject") + " && !" + hasReplicas("object") }

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
	return expression + ".matches(" + strconv.Quote("^(?:"+strings.Join(groups, "|")+")$") + ")"
}

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

// partition splits all label sets into classes that do not overlap: those that
// one of the selectors matches, and the rest.
func partition(selectors []labels.Selector) (marked, unmarked []metav1.LabelSelector) {
	rest := [][]metav1.LabelSelectorRequirement{nil}
	for _, selector := range selectors {
		requirements, _ := selector.Requirements()
		var outside [][]metav1.LabelSelectorRequirement
		for _, class := range rest {
			// In this class: r1 && r2 && … is inside; outside are !r1, r1 && !r2, …
			inside := slices.Clone(class)
			for _, r := range requirements {
				outside = append(outside, append(slices.Clone(inside), requirement(r, true)))
				inside = append(inside, requirement(r, false))
			}
			marked = append(marked, metav1.LabelSelector{MatchExpressions: inside})
		}
		rest = outside
		if len(rest) > maxClasses { // given up by the caller; keeps this loop small
			break
		}
	}
	for _, class := range rest {
		unmarked = append(unmarked, metav1.LabelSelector{MatchExpressions: class})
	}
	return marked, unmarked
}

func requirement(r labels.Requirement, negate bool) metav1.LabelSelectorRequirement {
	opposite := map[metav1.LabelSelectorOperator]metav1.LabelSelectorOperator{
		metav1.LabelSelectorOpIn:           metav1.LabelSelectorOpNotIn,
		metav1.LabelSelectorOpNotIn:        metav1.LabelSelectorOpIn,
		metav1.LabelSelectorOpExists:       metav1.LabelSelectorOpDoesNotExist,
		metav1.LabelSelectorOpDoesNotExist: metav1.LabelSelectorOpExists,
	}
	operator := metav1.LabelSelectorOpIn
	switch r.Operator() {
	case selection.Exists:
		operator = metav1.LabelSelectorOpExists
	case selection.DoesNotExist:
		operator = metav1.LabelSelectorOpDoesNotExist
	case selection.NotIn, selection.NotEquals:
		operator = metav1.LabelSelectorOpNotIn
	}
	if negate {
		operator = opposite[operator]
	}
	values := slices.Clone(r.ValuesUnsorted())
	slices.Sort(values)
	if len(values) == 0 {
		values = nil
	}
	return metav1.LabelSelectorRequirement{Key: r.Key(), Operator: operator, Values: values}
}
