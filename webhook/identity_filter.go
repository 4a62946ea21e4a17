package webhook

import (
	"regexp"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

// identity is the hook for what gives somebody the use of an identity that is let
// through. It fails closed: it is rarely needed, and what slips by lasts.
func (g generator) identity() admissionregistrationv1.ValidatingWebhook {
	hook := g.hook("identity", admissionregistrationv1.Create, "serviceaccounts/token", admissionregistrationv1.AllScopes, g.FailProtected)
	rule := func(group string, resources ...string) admissionregistrationv1.RuleWithOperations {
		rule := *hook.Rules[0].DeepCopy()
		rule.Operations = append(rule.Operations, admissionregistrationv1.Update)
		rule.APIGroups, rule.Resources = []string{group}, resources
		return rule
	}
	hook.Rules[0].APIGroups = []string{""}
	hook.Rules = append(hook.Rules,
		rule("", append([]string{"secrets"}, workloads()[""]...)...),
		rule("apps", workloads()["apps"]...), rule("batch", workloads()["batch"]...),
		rule(rbacGroup, "roles", "clusterroles"))
	hook.MatchConditions = []admissionregistrationv1.MatchCondition{
		g.notControlPlane(), g.notOwn(), g.costly("lets-through", g.letsThrough()),
	}
	return hook
}

// letsThrough is true if a request may give somebody the use of an identity that is
// let through. mapper.ofIdentity has the last word.
func (g generator) letsThrough() string {
	return strings.Join([]string{
		`(` + requestSubResource + ` == "token" && ` + matches(`("`+serviceAccounts+`" + `+requestNamespace+` + ":" + `+requestName+`)`, g.exempt(true)) + `)`,
		`(` + requestSubResource + ` == "" && object != null && request.resource.resource == "secrets" && ` + g.secretFilter() + `)`,
		`(` + requestSubResource + ` == "" && object != null && request.resource.group == "` + rbacGroup + `" && ` + roleFilter() + `)`,
		`(` + requestSubResource + ` == "" && object != null && !(request.resource.resource in ["secrets", "roles", "clusterroles"]) && ` + g.workloadFilter() + `)`,
	}, " || ")
}

// exempt are patterns for the names of users that are let through; of what runs in
// kube-system those that no pod runs as.
func (g generator) exempt(controlPlane bool) []string {
	patterns := slices.Clone(g.Exempt)
	if g.Own.Account != "" {
		patterns = append(patterns, regexp.QuoteMeta(g.Own.Account))
	}
	if controlPlane {
		return append(patterns, g.ControlPlane...)
	}
	return append(patterns, controllerAccount())
}

func (g generator) secretFilter() string {
	name := func(object string) string {
		return object + `.?metadata.?annotations["` + accountAnnotation + `"].orValue("")`
	}
	return `object.?type.orValue("") == "` + accountToken + `" && ` +
		matches(`("`+serviceAccounts+`" + `+requestNamespace+` + ":" + `+name("object")+`)`, g.exempt(true)) +
		` && (oldObject == null || ` + name("object") + ` != ` + name("oldObject") + `)`
}

// roleFilter is true if a role's rules changed and one of them may be about
// impersonation or tokens. Without rules they are null.
func roleFilter() string {
	return `[object.?rules.orValue(null)].exists(rules, rules != null && rules.exists(rule, ` +
		`rule.?verbs.orValue([]).exists(v, v == "impersonate" || v.startsWith("impersonate:")) || ` +
		`rule.?resources.orValue([]).exists(x, x == "` + tokenResource + `" || x == "*/token" || x == "` + everything + `" && "create" in rule.?verbs.orValue([]) && ` +
		`rule.?apiGroups.orValue([]).exists(g, g in ["", "` + everything + `"]))))` +
		` && (oldObject == null || object.?rules.orValue(null) != oldObject.?rules.orValue(null))`
}

func (g generator) workloadFilter() string {
	account := func(object string) string {
		return `(request.resource.resource == "pods" ? ` + object + `.?spec.?serviceAccountName.orValue("") : ` +
			`request.resource.resource == "cronjobs" ? ` + object + `.?spec.?jobTemplate.?spec.?template.?spec.?serviceAccountName.orValue("") : ` +
			object + `.?spec.?template.?spec.?serviceAccountName.orValue(""))`
	}
	return `(oldObject == null || ` + account("object") + ` != ` + account("oldObject") + `) && ` +
		`[` + account("object") + `].exists(name, ` +
		matches(`("`+serviceAccounts+`" + `+requestNamespace+` + ":" + (name == "" ? "default" : name))`, g.exempt(false)) + `)`
}
