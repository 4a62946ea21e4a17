package webhook

import (
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// kruiseProtection is a label by which OpenKruise refuses deletions: Always, or
// Cascading while something is left inside
// (https://openkruise.io/docs/user-manuals/deletionprotection).
const kruiseProtection = "policy.kruise.io/delete-protection"

// protections are what other tools read as "do not delete this".
var protections = []weakening{
	{
		name: "a protecting label or annotation is lost", verb: operation.Unprotect, through: carriers, meta: true,
		filter: func(generator) string {
			kruise := []string{"metadata", "labels", kruiseProtection}
			terms := []string{allOf(present(oldObject, kruise...), changedMeta(kruise...))}
			for _, key := range []string{helmPolicy, argoOptions, connectorPolicy} {
				path := []string{"metadata", "annotations", key}
				terms = append(terms, allOf(present(oldObject, path...), changedMeta(path...)))
			}
			return anyOf(terms...)
		},
		judge: judgeProtection,
	},
	{
		name: "what stands behind an object is no longer kept", verb: operation.Unprotect, through: itself,
		filter: func(generator) string {
			provider := func(spec string) string {
				return "[" + at(spec, "{}", "forProvider") + "].exists(p, type(p) == map && " + equals("p", "true", "deletionProtection") + ")"
			}
			return anyOf(
				allOf(
					anyOf(present(oldSpec, "managementPolicies"), allOf(present(oldSpec, "deletionPolicy"), at(oldSpec, absent, "deletionPolicy")+` != "Delete"`)),
					anyOf(changed("deletionPolicy"), changed("managementPolicies")),
				),
				loses(func(spec string) string { return equals(spec, "true", "deletionProtection") }),
				loses(provider),
			)
		},
		judge: judgeBehind,
	},
}

// ranks say how much a protection protects, by label or annotation and value.
var ranks = []struct {
	key   string
	label bool
	rank  func(value string) int
	means string
}{
	{kruiseProtection, true, func(value string) int { return slices.Index([]string{"Cascading", "Always"}, value) }, "OpenKruise refused to delete it"},
	{helmPolicy, false, func(value string) int {
		return slices.Index([]string{"keep"}, strings.ToLower(strings.TrimSpace(value)))
	}, "Helm left it in place"},
	{connectorPolicy, false, func(value string) int { return slices.Index([]string{"abandon"}, value) }, "Config Connector left the cloud resource in place"},
}

func judgeProtection(u *update) {
	for _, r := range ranks {
		what, before, after := "annotation", u.was.marks, u.is.marks
		if r.label {
			what, before, after = "label", u.was.labels, u.is.labels
		}
		if r.rank(after[r.key]) < r.rank(before[r.key]) {
			u.says("%s %s=%s %s: %s", what, r.key, clipped(before[r.key]), becoming(after[r.key]), r.means)
		}
	}
	before, after := argo(u.was.marks[argoOptions]), argo(u.is.marks[argoOptions])
	for _, option := range []string{"Prune", "Delete"} {
		if after[option] < before[option] {
			u.says("annotation %s=%s %s: Argo CD did not delete it without being told (%s)",
				argoOptions, clipped(u.was.marks[argoOptions]), becoming(u.is.marks[argoOptions]), option)
		}
	}
}

func becoming(value string) string {
	if value == "" {
		return "removed"
	}
	return "changed to " + clipped(value)
}

// argo ranks the options of Argo CD that keep an object: false keeps it, confirm
// keeps it until somebody says so.
func argo(options string) map[string]int {
	ranks := map[string]int{}
	for option := range strings.SplitSeq(options, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(option), "=")
		if rank := slices.Index([]string{"", "confirm", "false"}, value); rank > 0 {
			ranks[name] = max(ranks[name], rank)
		}
	}
	return ranks
}

// judgeBehind is about objects that stand for something outside of the cluster:
// Crossplane's managed resources, Config Connector's, snapshots of volumes, and
// whatever else uses the same words.
func judgeBehind(u *update) {
	if u.was.keptBehind() && !u.was.spec().faulty() && !u.is.keptBehind() {
		for _, field := range []string{"deletionPolicy", "managementPolicies"} {
			if was, is := u.was.spec(field), u.is.spec(field); !is.same(was) {
				u.says("spec.%s %s → %s: what the object stands for goes with it", field, was.brief(), is.brief())
			}
		}
	}
	for _, path := range [][]string{{"deletionProtection"}, {"forProvider", "deletionProtection"}} {
		if u.was.spec(path...).yes() && !u.is.spec(path...).yes() {
			u.says("spec.%s true → %s", strings.Join(path, "."), u.is.spec(path...).brief())
		}
	}
}

// keptBehind reports whether an object says that what it stands for stays when the
// object goes. managementPolicies count before deletionPolicy unless they are the
// default, "*" (https://docs.crossplane.io/latest/managed-resources/managed-resources/).
// WipeOut is KubeDB's, and takes the backups as well.
func (s side) keptBehind() bool {
	fields := s.spec().pick("deletionPolicy", "managementPolicies")
	policy, management := fields[0], fields[1].texts()
	if fields[1].there() && !slices.Equal(management, []string{"*"}) {
		return !slices.Contains(management, "Delete") && !slices.Contains(management, "*")
	}
	return policy.there() && !slices.Contains([]string{"Delete", "WipeOut"}, policy.str())
}
