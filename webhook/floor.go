package webhook

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
)

// The policies that the floor answers for, as the embedded policies call them: where
// one of them only warns, the floor does not refuse.
const (
	policyDelete      = "production-delete"
	policyUnprotect   = "production-unprotect"
	policyNamespace   = "namespace-holds-production"
	policyDefinition  = "definition-holds-production"
	policyGuard       = "guard-weakened"
	floorParamKind    = "Floor"
	floorSuffix       = "-floor"
	parentsSuffix     = "-floor-parents"
	floorMessage      = "refused by the floor of mollyguard: this is production, or mollyguard itself"
	parentsMessage    = "refused by the floor of mollyguard: it holds production, or that is not known"
	definitionsGroup  = "apiextensions.k8s.io"
	definitionsPlural = "customresourcedefinitions"
)

// FloorOptions says what the floor is made from.
type FloorOptions struct {
	// ConfigurationOptions say what production is, who the control plane is, and where
	// Mollyguard itself is. Their Name is that of the Floor, and begins the names of the
	// policies.
	ConfigurationOptions
	// Cluster is the cluster's name in references.
	Cluster string
	// Self is the user name of the server.
	Self string
	// Advice is what people are told to do.
	Advice Advice
	// Enforcement are the ordered rules, DryRun says that nothing is to be refused.
	Enforcement []guard.EnforcementRule
	DryRun      bool
	// Exempt are let through.
	Exempt []guard.Exemption
}

// FloorPolicy is a policy and what binds it.
type FloorPolicy struct {
	Policy  *admissionregistrationv1.ValidatingAdmissionPolicy
	Binding *admissionregistrationv1.ValidatingAdmissionPolicyBinding
}

// Floor generates the policies that refuse in the API server's own process, and so
// hold when no server of ours answers (KEP-3488). What they know beside the request is
// in an object of kind Floor, their parameter. There are two of them:
//
//	NAME-floor          DELETE of what labels, names, its namespace or the whole cluster
//	                    make production, and of what is Mollyguard's own; UPDATE that
//	                    takes the last production label off, or changes a Floor
//	NAME-floor-parents  DELETE of namespaces and definitions that hold production
//
// They differ in what happens when the parameter is missing. An API server that finds
// no parameter, or no such kind, fails the whole policy before it looks at match
// conditions (k8s.io/apiserver pkg/admission/plugin/policy/validating, Dispatch): for
// everybody, its own controllers included. The first policy sees all that is deleted
// or changed, so it must be passed over then; the cluster would stand still otherwise.
// The second one sees requests that controllers never make, and refuses them.
// Expressions of the first are written such that they cannot fail. That a Floor is made
// is no business of theirs: without their own they are asked nothing, or refuse the
// server too, and they read no other. The webhook is asked about it.
//
// A policy whose rules of enforcement never deny is left out.
func Floor(opts FloorOptions) []FloorPolicy {
	f := floor{opts}
	var list []FloorPolicy
	if validations := f.validations(); len(validations) > 0 {
		list = append(list, f.policy(opts.Name+floorSuffix, admissionregistrationv1.Ignore, admissionregistrationv1.AllowAction, admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: constraints(
				floorRule(admissionregistrationv1.Delete, "*", "*"),
				floorRule(admissionregistrationv1.Update, "*", "*", "*/status", "namespaces/finalize"),
			),
			MatchConditions: append(f.who(), f.filters().notChurn(), exit(), f.filters().costly("concerns", f.concerns())),
			Variables:       append(f.common(), f.more()...),
			Validations:     validations,
		}))
	}
	if validations := f.parentValidations(); len(validations) > 0 {
		list = append(list, f.policy(opts.Name+parentsSuffix, admissionregistrationv1.Fail, admissionregistrationv1.DenyAction, admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: constraints(
				floorRule(admissionregistrationv1.Delete, "", "namespaces"),
				floorRule(admissionregistrationv1.Delete, definitionsGroup, definitionsPlural),
			),
			MatchConditions: f.who(),
			Variables:       f.common(),
			Validations:     validations,
		}))
	}
	return list
}

// FloorObject is the parameter of the policies, for a webhook configuration's name.
func FloorObject(name string, spec v1alpha1.FloorSpec) *v1alpha1.Floor {
	return &v1alpha1.Floor{ObjectMeta: ownMeta(name), Spec: spec}
}

// FloorNames are the names of the policies that Floor makes, and of their bindings,
// for a webhook configuration's name.
func FloorNames(name string) []string { return []string{name + floorSuffix, name + parentsSuffix} }

// WithoutFloor are the objects that are not wanted where there is no floor, or by which
// one was before, for a webhook configuration's name: bindings first, since a policy
// without one refuses nothing. The Floor itself does no harm.
func WithoutFloor(name string) []client.Object {
	var list []client.Object
	for _, policy := range FloorNames(name) {
		list = append(list, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: ownMeta(policy)},
			&admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: ownMeta(policy)})
	}
	return append(list, &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: ownMeta(name)})
}

// policy completes a spec with what an API server would fill in: what is there can be
// compared with what should be.
func (f floor) policy(name string, failure admissionregistrationv1.FailurePolicyType, missing admissionregistrationv1.ParameterNotFoundActionType, spec admissionregistrationv1.ValidatingAdmissionPolicySpec) FloorPolicy {
	spec.FailurePolicy = &failure
	spec.ParamKind = &admissionregistrationv1.ParamKind{APIVersion: v1alpha1.GroupVersion().String(), Kind: floorParamKind}
	actions := []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}
	if f.DryRun {
		actions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Warn, admissionregistrationv1.Audit}
	}
	return FloorPolicy{
		Policy: &admissionregistrationv1.ValidatingAdmissionPolicy{
			TypeMeta: typeMeta("ValidatingAdmissionPolicy"), ObjectMeta: ownMeta(name), Spec: spec,
		},
		Binding: &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
			TypeMeta: typeMeta("ValidatingAdmissionPolicyBinding"), ObjectMeta: ownMeta(name),
			Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName:        name,
				ParamRef:          &admissionregistrationv1.ParamRef{Name: f.Name, ParameterNotFoundAction: &missing},
				ValidationActions: actions,
			},
		},
	}
}

func constraints(rules ...admissionregistrationv1.NamedRuleWithOperations) *admissionregistrationv1.MatchResources {
	return &admissionregistrationv1.MatchResources{
		ResourceRules: rules, MatchPolicy: new(admissionregistrationv1.Equivalent),
		NamespaceSelector: &metav1.LabelSelector{}, ObjectSelector: &metav1.LabelSelector{},
	}
}

func floorRule(operation admissionregistrationv1.OperationType, group string, resources ...string) admissionregistrationv1.NamedRuleWithOperations {
	return admissionregistrationv1.NamedRuleWithOperations{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{operation},
		Rule: admissionregistrationv1.Rule{
			APIGroups: []string{group}, APIVersions: []string{"*"}, Resources: resources, Scope: new(admissionregistrationv1.AllScopes),
		},
	}}
}
