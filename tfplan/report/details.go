package report

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// detail is one line on a change. Text may hold anything that is printable.
type detail struct{ label, text string }

func (d detail) String() string { return fmt.Sprintf("%-9s %s", d.label, d.text) }

// details are all that is told of a change.
func (r Row) details() []detail {
	d := r.Decision
	var list []detail
	add := func(label string, texts ...string) {
		for _, text := range some(texts) {
			if text != "" {
				list = append(list, detail{label, shown(text)})
			}
		}
	}
	if d.Production.Is {
		add("because", r.reasons()...)
	}
	add("change", d.Changes...)
	var policies, dependents, volumes []string
	for _, v := range effective(d) {
		policies = append(policies, violationText(v))
	}
	for _, dependent := range d.Dependents {
		dependents = append(dependents, dependentText(dependent))
	}
	for _, v := range d.Volumes {
		volumes = append(volumes, cmp.Or(v.Claim, v.Name)+either(v.ReclaimPolicy == "", "", " ("+v.ReclaimPolicy+")"))
	}
	add("policy", policies...)
	add(either(r.isState(), "in it", "with it"), dependents...)
	add("volume", volumes...)
	add("unknown", d.Unknown...)
	add("error", d.Error)
	add("grant", r.grantTexts()...)
	add("exempt", d.Exempt)
	if r.isState() || !r.isPlan() && !strings.HasPrefix(d.Target.Ref, "terraform://") {
		add("object", d.Target.Ref)
	}
	add("decision", d.ID)
	return list
}

func (r Row) grantTexts() []string {
	d := r.Decision
	var texts []string
	if d.Grant != "" {
		texts = append(texts, "allowed by "+d.Grant)
	}
	if d.GrantPending != "" {
		texts = append(texts, d.GrantPending+" waits for an approval")
	}
	return append(texts, d.GrantRefused...)
}

// violationText names the policy, how bad it is and what lifts it, and then what it says.
func violationText(v operation.Violation) string {
	facts := string(v.Severity)
	switch {
	case v.Enforcement != operation.EnforceDeny:
		facts += ", " + string(v.Enforcement) + " only"
	case v.BreakGlass.Never:
		facts += ", no grant lifts it"
	case v.BreakGlass.Approvals == 1:
		facts += ", 1 approval lifts it"
	case v.BreakGlass.Approvals > 1:
		facts += fmt.Sprintf(", %d approvals lift it", v.BreakGlass.Approvals)
	}
	return fmt.Sprintf("%s (%s): %s", v.Policy, facts, v.Message)
}

func dependentText(d operation.Dependents) string {
	text := counted(d.Count, d.Kind) + " (" + string(d.Via)
	if d.Production > 0 {
		text += fmt.Sprintf(", %d production", d.Production)
	}
	text += ")"
	const maxNames = 5
	names := d.Names[:min(len(d.Names), maxNames)]
	if len(names) == 0 {
		return text
	}
	var list []string
	for _, name := range names {
		list = append(list, shownUpTo(name, 120))
	}
	return text + ": " + strings.Join(list, ", ") + either(d.Count > len(names), ", …", "")
}
