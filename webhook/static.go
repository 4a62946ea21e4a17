package webhook

import (
	"slices"
	"strconv"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// StaticSuffix ends the names of what API servers load from files, and nothing else
	// may be called so (KEP-5793; k8s.io/apiserver pkg/admission/plugin/manifest,
	// StaticConfigSuffix).
	StaticSuffix = ".static.k8s.io"
	// BypassGroup is the group whose members the static floor lets through, if no other
	// is given. Nobody is in it unless somebody puts them there.
	BypassGroup = "mollyguard:static-floor"

	exitSuffix    = "-exit"
	staticMessage = "refused by a file of this API server: this is production, or mollyguard itself"
	keptMessage   = "refused by a file of this API server: mollyguard keeps this"
)

// StaticOptions says what the static floor is made from.
type StaticOptions struct {
	// FloorOptions are those of the floor. An empty Self means that no server has an
	// account in the cluster.
	FloorOptions
	// BypassGroup is the group whose members are let through, or empty for nobody.
	BypassGroup string
	// CloseExit has webhook configurations and policies of Mollyguard guarded as well,
	// which leaves no emergency exit in the API.
	CloseExit bool
}

// StaticFloor generates the policies that an API server loads from files
// (staticManifestsDir, KEP-5793): before anything that is in etcd, and out of reach of
// everybody who has only the API. Their names end in StaticSuffix.
//
//	NAME-floor  DELETE of what labels, names, its namespace or the whole cluster make
//	            production, and of what is Mollyguard's own; UPDATE that takes the last
//	            production label off
//	NAME-exit   with CloseExit: DELETE and UPDATE of the objects that the server keeps
//
// Files may not name a parameter, so these policies know neither grants nor parents.
// What lets somebody through is a group: a right in RBAC would do, if it were not that
// every administrator's rule for all verbs of all resources gave it to them.
//
// Without parameters nothing can be missing, so that they fail closed; expressions are
// written such that they cannot fail, and the control plane is kept away before any
// other condition counts. A policy whose rules of enforcement never deny is left out.
func StaticFloor(opts StaticOptions) []FloorPolicy {
	s := static{floor{opts.FloorOptions}, opts.BypassGroup}
	var list []FloorPolicy
	if validations := s.stated(staticMessage); len(validations) > 0 {
		list = append(list, s.policy(opts.Name+floorSuffix, admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: constraints(
				floorRule(admissionregistrationv1.Delete, "*", "*"),
				floorRule(admissionregistrationv1.Update, "*", "*", "*/status", "namespaces/finalize"),
			),
			MatchConditions: append(s.who(), s.filters().notChurn(), exit(), notFloors(), condition("concerns", s.concernsStatic())),
			Variables:       append(s.variables(), s.more()...),
			Validations:     validations,
		}))
	}
	if kept := s.kept(); opts.CloseExit && kept != nil {
		list = append(list, s.policy(opts.Name+exitSuffix, admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: constraints(
				floorRule(admissionregistrationv1.Delete, admissionregistrationv1.GroupName, keptResources()...),
				floorRule(admissionregistrationv1.Update, admissionregistrationv1.GroupName, keptResources()...),
			),
			MatchConditions: append(s.who(), condition("not-the-keeper", "!("+userName+" == "+strconv.Quote(s.Self)+")")),
			Variables:       s.variables("own"),
			Validations:     []admissionregistrationv1.Validation{*kept},
		}))
	}
	return list
}

// static writes the expressions of the static floor.
type static struct {
	floor
	group string
}

// notFloors leaves the Floor to the floor in the API, which it belongs to: it goes with
// that when Mollyguard is uninstalled.
func notFloors() admissionregistrationv1.MatchCondition {
	return condition("not-the-floor-object", "!"+onFloors)
}

func (s static) concernsStatic() string {
	return onDelete + " || object == null || oldObject == null || " + s.strips()
}

// variables are those of the floor, but for those without, and for what only a grant is
// looked up by. Who is in the group is granted everything.
func (s static) variables(without ...string) []admissionregistrationv1.Variable {
	without = append(without, "ref", "verb", "credential")
	var list []admissionregistrationv1.Variable
	for _, v := range s.common() {
		if slices.Contains(without, v.Name) {
			continue
		}
		switch v.Name {
		case "granted":
			v.Expression = "false"
			if s.group != "" {
				v.Expression = "has(request.userInfo.groups) && " + strconv.Quote(s.group) + " in request.userInfo.groups"
			}
		case "next":
			v.Expression = strconv.Quote(s.nextStep())
		}
		list = append(list, v)
	}
	return list
}

// nextStep is what somebody can do now.
func (s static) nextStep() string {
	whom := "everybody"
	if s.group != "" {
		whom = "all but the group " + s.group
	}
	return "A file of this API server refuses it to " + whom + ", whatever was granted: ask the owners of mollyguard on this cluster"
}

// keptResources are the kinds of what the server keeps.
func keptResources() []string {
	return []string{"mutatingwebhookconfigurations", "validatingwebhookconfigurations", "validatingadmissionpolicies", "validatingadmissionpolicybindings"}
}

// kept refuses to delete what the server keeps, and to change what it says: who only
// applies it again, or puts an annotation on it, changes nothing. It is nil if that is
// never denied.
func (s static) kept() *admissionregistrationv1.Validation {
	names := append([]string{s.Name}, FloorNames(s.Name)...)
	changed := `object == null || oldObject == null || object.?spec != oldObject.?spec || object.?webhooks != oldObject.?webhooks`
	v := s.validation(policyGuard, `variables.name in `+celTexts(names)+` && (`+onDelete+` || `+changed+`)`,
		`" is part of mollyguard, which guards production with it: " + (`+onDelete+` ? "delete" : "change") + " refused. "`)
	if v != nil {
		v.Message = keptMessage
	}
	return v
}

// policy is a policy without a parameter, and what binds it.
func (s static) policy(name string, spec admissionregistrationv1.ValidatingAdmissionPolicySpec) FloorPolicy {
	name += StaticSuffix
	spec.FailurePolicy = new(admissionregistrationv1.Fail)
	actions := []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}
	if s.DryRun {
		actions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Warn, admissionregistrationv1.Audit}
	}
	return FloorPolicy{
		Policy: &admissionregistrationv1.ValidatingAdmissionPolicy{
			TypeMeta: typeMeta("ValidatingAdmissionPolicy"), ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec,
		},
		Binding: &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
			TypeMeta: typeMeta("ValidatingAdmissionPolicyBinding"), ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: name, ValidationActions: actions},
		},
	}
}
