package webhook

import (
	"regexp"
	"slices"
	"strconv"
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
	hook.Rules = append(hook.Rules, certificateRules(hook.Rules[0])...)
	hook.MatchConditions = []admissionregistrationv1.MatchCondition{
		g.notControlPlane(), g.notOwn(), g.costly("lets-through", g.letsThrough()),
	}
	return hook
}

// identityOther is the hook for what only may give somebody the use of an identity that
// is let through: bindings, which don't show what their role allows, and certificates of
// signers that Kubernetes does not define. With these, charts are installed and meshes
// give their workloads names, so it must not fail closed.
func (g generator) identityOther() admissionregistrationv1.ValidatingWebhook {
	hook := g.hook("identity-other", admissionregistrationv1.Create, clusterRoleBindings, admissionregistrationv1.AllScopes, g.FailOther)
	hook.Rules[0].Operations = append(hook.Rules[0].Operations, admissionregistrationv1.Update)
	hook.Rules[0].APIGroups = []string{rbacGroup}
	hook.Rules[0].Resources = append(hook.Rules[0].Resources, roleBindings)
	hook.Rules = append(hook.Rules, certificateRules(hook.Rules[0])...)
	hook.MatchConditions = []admissionregistrationv1.MatchCondition{
		g.notControlPlane(), g.notOwn(), g.costly("may-let-through", strings.Join([]string{
			`(request.resource.group == "` + rbacGroup + `" && object != null && ` + g.bindingFilter() + `)`,
			`(request.resource.resource == "` + certificateRequests + `" && object != null && ` +
				certificateFilter(`!`+signer+`.startsWith("`+kubernetesSigners+`")`) + `)`,
		}, " || ")),
	}
	return hook
}

// certificateRules are like another rule, for certificates that are asked for, and that
// are approved.
func certificateRules(like admissionregistrationv1.RuleWithOperations) []admissionregistrationv1.RuleWithOperations {
	asked, approval := *like.DeepCopy(), *like.DeepCopy()
	asked.APIGroups, approval.APIGroups = []string{certificatesGroup}, []string{certificatesGroup}
	asked.Operations, asked.Resources = []admissionregistrationv1.OperationType{admissionregistrationv1.Create}, []string{certificateRequests}
	approval.Operations, approval.Resources = []admissionregistrationv1.OperationType{admissionregistrationv1.Update}, []string{certificateRequests + "/approval"}
	return []admissionregistrationv1.RuleWithOperations{asked, approval}
}

// letsThrough is true if a request may give somebody the use of an identity that is
// let through. mapper.ofIdentity has the last word.
func (g generator) letsThrough() string {
	return strings.Join([]string{
		`(` + requestSubResource + ` == "token" && ` + matches(`("`+serviceAccounts+`" + `+requestNamespace+` + ":" + `+requestName+`)`, g.exempt(true)) + `)`,
		`(` + requestSubResource + ` == "" && object != null && request.resource.resource == "secrets" && ` + g.secretFilter() + `)`,
		`(` + requestSubResource + ` == "" && object != null && request.resource.group == "` + rbacGroup + `" && ` + roleFilter() + `)`,
		`(` + requestSubResource + ` == "" && object != null && !(request.resource.resource in ["secrets", "roles", "clusterroles", "` + certificateRequests + `"]) && ` + g.workloadFilter() + `)`,
		`(request.resource.resource == "` + certificateRequests + `" && object != null && ` +
			certificateFilter(`(`+signer+` in ["`+clientSigner+`", "`+legacySigner+`"] || `+signer+` == "`+kubeletSigner+`" && !(`+byKubelet()+`))`) + `)`,
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

// askedFor is the certificate request as it was made, and signer whose certificate it is.
const (
	askedFor = `(oldObject == null ? object : oldObject)`
	signer   = askedFor + `.?spec.?signerName.orValue("")`
)

// certificateFilter is true if a certificate is asked for or approved, of certain signers,
// and may be a client's.
func certificateFilter(signers string) string {
	isApproved := func(object string) string {
		return object + `.?status.?conditions.orValue([]).exists(c, c.?type.orValue("") == "` + approved + `")`
	}
	uses := func(usages ...string) string {
		return askedFor + `.?spec.?usages.orValue([]).exists(u, u in ` + celTexts(usages) + `)`
	}
	return signers + ` && (!` + uses(serverAuth) + ` || ` + uses(clientAuth, anyUsage) + `)` +
		` && (oldObject == null || ` + isApproved("object") + ` && !` + isApproved("oldObject") + `)`
}

// byKubelet is true if a kubelet asked for a certificate, as far as its user says.
func byKubelet() string {
	const (
		requester = `(oldObject == null ? request.userInfo.username : oldObject.?spec.?username.orValue(""))`
		groups    = `(oldObject == null ? request.userInfo.?groups.orValue([]) : oldObject.?spec.?groups.orValue([]))`
	)
	return matches(requester, kubeletRequesters()) + ` || ` + groups + `.exists(g, g == "` + bootstrappers + `" || g.startsWith("` + bootstrappers + `:"))`
}

// bindingFilter is true if a binding has subjects that it did not have, and may be of a
// role by which somebody can act as one who is let through: in a namespace with such
// service accounts, or everywhere.
func (g generator) bindingFilter() string {
	return `(oldObject == null || object.?subjects.orValue([]) != oldObject.?subjects.orValue([])) && ` +
		`(request.resource.resource == "` + clusterRoleBindings + `" ? !(object.?roleRef.?name.orValue("") in ` + celTexts(commonRoles()) + `) : ` + g.holdsAccounts() + `)`
}

// holdsAccounts is true if a service account of the request's namespace may be let
// through. It goes by how the patterns begin, as opened does.
func (g generator) holdsAccounts() string {
	const account = `("` + serviceAccounts + `" + ` + requestNamespace + ` + ":")`
	terms := []string{}
	for _, pattern := range g.exempt(true) {
		begin := "" // of a pattern that is none, all may begin so
		if compiled, err := regexp.Compile(pattern); err == nil {
			begin, _ = compiled.LiteralPrefix()
		}
		term := account + `.startsWith(` + strconv.Quote(begin) + `) || ` + strconv.Quote(begin) + `.startsWith(` + account + `)`
		if !slices.Contains(terms, term) {
			terms = append(terms, term)
		}
	}
	if len(terms) == 0 {
		return "false"
	}
	return "(" + strings.Join(terms, " || ") + ")"
}
