package webhook

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

// policyRule is a rule of a Role or ClusterRole (k8s.io/api rbac/v1).
type policyRule struct {
	Verbs         []string `json:"verbs"`
	APIGroups     []string `json:"apiGroups"`
	Resources     []string `json:"resources"`
	ResourceNames []string `json:"resourceNames"`
}

// tokenResource is where tokens of service accounts are asked for.
const tokenResource = "serviceaccounts/token"

// everything is the resource that covers all others, and those below them
// (k8s.io/kubernetes pkg/apis/rbac/v1, ResourceMatches).
const everything = "*"

// groupPasses is how operations name the group that the static floor lets through.
const groupPasses = "group " + BypassGroup

// maxAllowances is how many findings of one role are told.
const maxAllowances = 3

// roleAllows is about a role that newly lets somebody act as an identity that is let
// through, or get a token of one. The verb "*" is not looked at, but for tokens by name:
// who has that for everything has the whole cluster, and ClusterRoles with it are in
// every cluster from the start.
func (m *mapper) roleAllows(r *request) (name, change string) {
	namespace := ""
	if r.resource.resource == "roles" {
		namespace = r.namespace
	}
	before := map[string]bool{}
	for _, found := range m.allowances(namespace, r.oldObject.raw, false) {
		before[found.text] = true
	}
	found := slices.DeleteFunc(m.allowances(namespace, r.object.raw, false), func(a allowance) bool { return before[a.text] })
	if len(found) > 0 {
		name = found[0].exemption
	}
	return name, "whoever has the role may " + listed(found)
}

// listed are findings in words, each once.
func listed(found []allowance) string {
	var texts []string
	for _, a := range found {
		if !slices.Contains(texts, a.text) {
			texts = append(texts, a.text)
		}
	}
	if more := len(texts) - maxAllowances; more > 0 {
		texts = append(texts[:maxAllowances], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}

// allowance is what a rule allows, in words, and the exemption that it opens.
type allowance struct{ text, exemption string }

// allowances is what a role allows where it counts: in a namespace, or everywhere.
// starred says that the verb "*" is looked at too.
func (m *mapper) allowances(namespace string, text []byte, starred bool) []allowance {
	var role struct {
		Rules []policyRule `json:"rules"`
	}
	if len(text) == 0 || json.Unmarshal(text, &role, jsontext.AllowDuplicateNames(true)) != nil {
		return nil
	}
	var list []allowance
	for _, rule := range role.Rules {
		if starred && slices.Contains(rule.Verbs, "*") {
			rule.Verbs = append(rule.Verbs, "create", "impersonate")
		}
		for _, resource := range rule.Resources {
			if exemption := m.allowed(namespace, rule, resource); exemption != "" {
				list = append(list, allowance{said(rule, resource), exemption})
			}
		}
	}
	return list
}

func said(rule policyRule, resource string) string {
	verb := "create"
	if i := slices.IndexFunc(rule.Verbs, isImpersonation); i >= 0 && !isToken(resource) {
		verb = rule.Verbs[i]
	}
	text := operation.Printable(verb + " " + resource)
	if len(rule.ResourceNames) > 0 {
		text += " " + operation.Clip(operation.Printable(strings.Join(rule.ResourceNames, ", ")), maxPathBytes)
	}
	return text
}

// about reports whether a rule is about one of these API groups.
func (p policyRule) about(groups ...string) bool {
	return slices.ContainsFunc(p.APIGroups, func(group string) bool { return group == "*" || slices.Contains(groups, group) })
}

// impersonationGroup is where constrained impersonation has its resources.
const impersonationGroup = "authentication.k8s.io"

// isImpersonation reports whether a verb lets somebody impersonate others. Those with
// a colon are of constrained impersonation (KEP-5284).
func isImpersonation(verb string) bool {
	return verb == "impersonate" || strings.HasPrefix(verb, "impersonate:")
}

func isToken(resource string) bool { return resource == tokenResource || resource == "*/token" }

// allowed is the exemption that a rule for one resource opens, or empty. Users, groups
// and nodes are in no namespace: a Role cannot name them.
func (m *mapper) allowed(namespace string, rule policyRule, resource string) string {
	impersonates := slices.ContainsFunc(rule.Verbs, isImpersonation) && rule.about("", impersonationGroup)
	tokens := rule.about("") && (isToken(resource) && (slices.Contains(rule.Verbs, "create") || slices.Contains(rule.Verbs, "*")) ||
		resource == everything && slices.Contains(rule.Verbs, "create"))
	anywhere := namespace == ""
	var prefixes []string
	if tokens || impersonates && (resource == "serviceaccounts" || resource == everything) {
		prefixes = append(prefixes, accountUser(namespace, ""))
	}
	if impersonates && anywhere && (resource == "users" || resource == everything) {
		prefixes = append(prefixes, "")
	}
	if impersonates && anywhere && (resource == "nodes" || resource == everything) {
		prefixes = append(prefixes, "system:node:")
	}
	for _, prefix := range prefixes {
		inAny := anywhere && prefix == accountUser("", "") // an account of any namespace
		if exemption := m.opened(prefix, inAny, rule.ResourceNames); exemption != "" {
			return exemption
		}
	}
	if impersonates && anywhere && (resource == "groups" || resource == everything) && (len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, BypassGroup)) {
		return groupPasses
	}
	return ""
}

// opened is the exemption of a user whose name is the prefix and one of the names, or
// anything if there are none.
func (m *mapper) opened(prefix string, inAny bool, names []string) string {
	if inAny { // the names leave the namespace open
		prefix, names = serviceAccounts, nil
	}
	for _, name := range names {
		if exemption := m.passes(prefix + name); exemption != "" {
			return exemption
		}
	}
	if len(names) > 0 {
		return ""
	}
	for _, e := range m.exempt {
		if slices.ContainsFunc(e.Actors, func(pattern *regexp.Regexp) bool { return mayBegin(pattern, prefix) }) {
			return e.Name
		}
	}
	if m.own.Account != "" && strings.HasPrefix(m.own.Account, prefix) {
		return ownPasses
	}
	return ""
}

// mayBegin reports whether a pattern for whole names may match one that begins with a
// prefix. It errs on the side of may.
func mayBegin(pattern *regexp.Regexp, prefix string) bool {
	text := strings.TrimSuffix(strings.TrimPrefix(pattern.String(), "^(?:"), ")$")
	inner, err := regexp.Compile(text)
	if err != nil { // it was not made by operation.ParsePattern
		return true
	}
	literal, _ := inner.LiteralPrefix()
	return strings.HasPrefix(literal, prefix) || strings.HasPrefix(prefix, literal)
}
