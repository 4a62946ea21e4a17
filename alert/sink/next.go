package sink

import (
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

// next is what the reader can do now, ending with the configuration's help.
func next(a alert.Alert) []string {
	lines := advice(a)
	for help := range strings.SplitSeq(a.Help, "\n") {
		if len(lines) == maxList {
			break
		}
		lines = append(lines, some(help)...)
	}
	return lines
}

func advice(a alert.Alert) []string {
	switch a.Kind {
	case alert.Violation:
		return append(guardAdvice(a), violationAdvice(a)...)
	case alert.Notice:
		return []string{"nothing, if this is what the grant was approved for"}
	case alert.Attempt:
		return []string{"nothing was changed: ask " + actor(a) + " what they were about to do"}
	case alert.Blind:
		return blindAdvice(a)
	case alert.BreakGlass:
		return []string{"see what is asked for before you approve it: the same command with show for approve"}
	case alert.Test:
		return []string{"nothing: this is a test, and the way to here works"}
	default:
		return nil
	}
}

// actor is the person to ask.
func actor(a alert.Alert) string {
	if people := a.Origin.Delegation; len(people) > 0 {
		return shown(people[len(people)-1])
	}
	if a.Actor.Name != "" {
		return shown(a.Actor.Name)
	}
	return "whoever did it"
}

func violationAdvice(a alert.Alert) []string {
	was := func(phases ...operation.Phase) func(alert.Operation) bool {
		return func(o alert.Operation) bool { return slices.Contains(phases, o.Phase) }
	}
	undone := func(o alert.Operation) bool { return !was(operation.Failed, operation.Refused)(o) }
	if len(a.Operations) > 0 && !slices.ContainsFunc(a.Operations, undone) {
		return []string{"look what is left of it: it began, and ended with an error", "ask " + actor(a) + " whether this was meant, and on this target"}
	}
	stop := ""
	if slices.ContainsFunc(a.Operations, was(operation.Requested, operation.Started)) {
		stop = "stop what is still running, "
	}
	return []string{
		"ask " + actor(a) + " whether this was meant, and on this target",
		"if it was not: " + stop + "take the access away, restore",
	}
}

// guardAdvice is what to do first where Mollyguard itself is not what it was.
func guardAdvice(a alert.Alert) []string {
	var lines []string
	has := func(is func(alert.Operation) bool) bool { return slices.ContainsFunc(a.Operations, is) }
	if has(func(o alert.Operation) bool { return slices.Contains(o.Policies, alert.PolicyGuardWeakened) }) {
		lines = append(lines, "put it back first: until then mollyguard sees or guards less; then ask")
	}
	if has(func(o alert.Operation) bool { return o.Mediation == operation.Unmediated }) {
		lines = append(lines, "see whether the webhook is there, and whom it leaves out, in that cluster: kubectl get validatingwebhookconfiguration -o yaml")
	}
	if has(func(o alert.Operation) bool { return o.Mediation == operation.FailedOpen }) {
		lines = append(lines, "see whether mollyguard's server is up in that cluster: kubectl -n mollyguard get pods; and why it may be passed: kubectl get validatingwebhookconfiguration -o yaml")
	}
	return lines
}
