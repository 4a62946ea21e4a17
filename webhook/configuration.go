package webhook

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Path is where the webhook is served. What the API server knows to be in a namespace
// that is marked by its labels it sends to MarkedPath: should the server's own copy of
// those labels say something else, it is old.
const (
	Path       = "/v1/admit"
	MarkedPath = "/v1/admit-marked"
)

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
	// Agents match the users that are agents, whatever sort of account they have.
	Agents []string
	// Own says what is Mollyguard's own, Exempt matches the names of users that are
	// let through beside the control plane.
	Own    Ownership
	Exempt []string
	// Floor says that there is a floor (see Floor), so that the webhook has to be
	// asked before it.
	Floor bool
}

// Configurations are what the API server is told. All of it is needed: which object
// holds a hook decides when it is called, not whether.
type Configurations struct {
	Validating *admissionregistrationv1.ValidatingWebhookConfiguration
	// Mutating holds the hooks for DELETE if there is a floor, else it is nil.
	Mutating *admissionregistrationv1.MutatingWebhookConfiguration
}

// Configuration generates the webhook configurations. They are narrow: what
// cannot concern Mollyguard is not sent, and where a missing answer must not
// stop anybody the API server goes on without one.
//
// An API server asks in this order: mutating webhooks, validating admission policies,
// validating webhooks. With a floor, which is of the second sort, a deletion would be
// refused in one line before the webhook could look for a grant, record the attempt
// and say what would have gone along. So the hooks for DELETE are mutating ones then.
// A deletion has nothing to mutate: they are called alike, for the same requests, and
// answer alike.
//
// Deletions and weakening updates are split into hooks that never overlap, so
// that one request is one call, and that fail closed only where the API server
// itself can tell that production may be at stake:
//
//	cluster      cluster-scoped, marked, or taking others along      fail closed
//	object       namespaced, marked by its own labels or a name      fail closed
//	namespace-N  namespaced, in a namespace marked by its labels     fail closed
//	other-N      everything else                                     fail open
//	own          Mollyguard's own objects                            fail open
//	identity     the use of identities that are let through          fail closed
//	identity-other  what may give that, as far as can be told        fail open
//	scale, evict carry no labels of what they are about              fail closed
//	bind         pods given to a node, with labels                   fail closed
//	labels       sub-resources by which labels and owners change     fail closed
//	isolate      network policies that are made                      fail open
//	cases        break-glass objects                                 fail closed
//
// An UPDATE is sent only if the API server's own CEL filter sees that it weakens
// something. The filters are match conditions (KEP-3716).
func Configuration(opts ConfigurationOptions) Configurations {
	g := generator{ConfigurationOptions: opts}
	c := &admissionregistrationv1.ValidatingWebhookConfiguration{
		TypeMeta:   typeMeta("ValidatingWebhookConfiguration"),
		ObjectMeta: ownMeta(opts.Name),
	}
	marked, unmarked := partition(opts.NamespaceSelectors)
	if opts.WholeCluster || len(marked)+len(unmarked) > maxClasses {
		marked, unmarked = []metav1.LabelSelector{{}}, nil
	}
	for _, operation := range []admissionregistrationv1.OperationType{admissionregistrationv1.Delete, admissionregistrationv1.Update} {
		c.Webhooks = append(c.Webhooks, g.hooks(operation, marked, unmarked)...)
	}
	c.Webhooks = append(c.Webhooks, g.scale(), g.evict(), g.bind(), g.labels(), g.isolate())
	all := Configurations{Validating: c}
	if opts.Floor {
		var deletions []admissionregistrationv1.ValidatingWebhook
		deletions, c.Webhooks = splitDeletions(c.Webhooks)
		all.Mutating = mutating(opts.Name, deletions)
	}
	if opts.Cases { // the floor has nothing to say to these
		c.Webhooks = append(c.Webhooks, g.cases())
	}
	return all
}

// splitDeletions takes the hooks apart: those for DELETE, and all others.
func splitDeletions(hooks []admissionregistrationv1.ValidatingWebhook) (deletions, others []admissionregistrationv1.ValidatingWebhook) {
	for _, hook := range hooks {
		if slices.Contains(hook.Rules[0].Operations, admissionregistrationv1.Delete) {
			deletions = append(deletions, hook)
		} else {
			others = append(others, hook)
		}
	}
	return deletions, others
}

// mutating is a configuration of the same hooks, called earlier. They are never called
// again: what others change after the answer is nothing in a deletion.
func mutating(name string, hooks []admissionregistrationv1.ValidatingWebhook) *admissionregistrationv1.MutatingWebhookConfiguration {
	c := &admissionregistrationv1.MutatingWebhookConfiguration{TypeMeta: typeMeta("MutatingWebhookConfiguration"), ObjectMeta: ownMeta(name)}
	for _, h := range hooks {
		c.Webhooks = append(c.Webhooks, admissionregistrationv1.MutatingWebhook{
			Name: h.Name, ClientConfig: h.ClientConfig, Rules: h.Rules, FailurePolicy: h.FailurePolicy, MatchPolicy: h.MatchPolicy,
			NamespaceSelector: h.NamespaceSelector, ObjectSelector: h.ObjectSelector, SideEffects: h.SideEffects,
			TimeoutSeconds: h.TimeoutSeconds, AdmissionReviewVersions: h.AdmissionReviewVersions, MatchConditions: h.MatchConditions,
			ReinvocationPolicy: new(admissionregistrationv1.NeverReinvocationPolicy),
		})
	}
	return c
}

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: kind}
}

// managedBy is the label of what the server keeps, and removes when it is not wanted.
const managedBy = "app.kubernetes.io/managed-by"

func ownMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: map[string]string{"app.kubernetes.io/name": "mollyguard", managedBy: "mollyguard"}}
}

type generator struct{ ConfigurationOptions }

// hooks are the hooks for DELETE or UPDATE of whole objects.
func (g generator) hooks(operation admissionregistrationv1.OperationType, marked, unmarked []metav1.LabelSelector) []admissionregistrationv1.ValidatingWebhook {
	suffix := "." + strings.ToLower(string(operation))
	weakens := func(conditions ...admissionregistrationv1.MatchCondition) []admissionregistrationv1.MatchCondition {
		if operation == admissionregistrationv1.Update {
			conditions = append(conditions, g.costly("weakens", g.weakens()))
		}
		return conditions
	}
	notMarked := condition("not-marked-itself", "!("+g.markedItself()+")")

	cluster := g.hook("cluster"+suffix, operation, "*", admissionregistrationv1.ClusterScope, g.FailProtected)
	cluster.MatchConditions = weakens(g.notControlPlane(), g.notChurn(), g.notOwn(), condition("may-be-production", g.mayBeProduction()))
	clusterOther := g.hook("cluster-other"+suffix, operation, "*", admissionregistrationv1.ClusterScope, g.FailOther)
	clusterOther.MatchConditions = weakens(g.notControlPlane(), g.notChurn(), g.notOwn(), condition("not-production-itself", "!("+g.mayBeProduction()+")"))
	if operation == admissionregistrationv1.Update { // labels can be changed there as well
		cluster.Rules[0].Resources = append(cluster.Rules[0].Resources, "namespaces/finalize")
	}

	object := g.hook("object"+suffix, operation, "*", admissionregistrationv1.NamespacedScope, g.FailProtected)
	object.MatchConditions = weakens(g.notControlPlane(), g.notChurn(), g.notOwn(), condition("marked-itself", g.markedItself()))

	list := []admissionregistrationv1.ValidatingWebhook{cluster, clusterOther, object}
	if g.WholeCluster {
		list = []admissionregistrationv1.ValidatingWebhook{cluster, object}
	}
	for i, selector := range marked {
		hook := g.hook(fmt.Sprintf("namespace-%d%s", i+1, suffix), operation, "*", admissionregistrationv1.NamespacedScope, g.FailProtected)
		if len(selector.MatchExpressions) > 0 { // else it marks nothing
			hook.ClientConfig = g.clientConfig(MarkedPath)
		}
		hook.NamespaceSelector = &selector
		hook.MatchConditions = weakens(g.notControlPlane(), g.notChurn(), g.notOwn(), notMarked)
		list = append(list, hook)
	}
	for i, selector := range unmarked {
		hook := g.hook(fmt.Sprintf("other-%d%s", i+1, suffix), operation, "*", admissionregistrationv1.NamespacedScope, g.FailOther)
		hook.NamespaceSelector = &selector
		hook.MatchConditions = weakens(g.notControlPlane(), g.notChurn(), g.notOwn(), notMarked)
		list = append(list, hook)
	}
	if operation == admissionregistrationv1.Update {
		list = append(list, g.ownHook(admissionregistrationv1.Create), g.identity(), g.identityOther())
	}
	return append(list, g.ownHook(operation))
}

func (g generator) scale() admissionregistrationv1.ValidatingWebhook {
	hook := g.hook("scale", admissionregistrationv1.Update, "*/scale", admissionregistrationv1.AllScopes, g.FailProtected)
	hook.MatchConditions = []admissionregistrationv1.MatchCondition{g.notControlPlane(), g.costly("scales-to-zero", scaledToZero())}
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
