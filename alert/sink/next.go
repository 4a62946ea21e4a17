package sink

import (
	"strings"

	"github.com/mollyguard/mollyguard/alert"
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
	actor := "whoever did it"
	if a.Actor.Name != "" {
		actor = shown(a.Actor.Name)
	}
	if people := a.Origin.Delegation; len(people) > 0 {
		actor = shown(people[len(people)-1])
	}
	switch a.Kind {
	case alert.Violation:
		return []string{
			"ask " + actor + " whether this was meant, and on this target",
			"if it was not: stop what is still running, take the access away, restore",
		}
	case alert.Notice:
		return []string{"nothing, if this is what the grant was approved for"}
	case alert.Attempt:
		return []string{"nothing was changed: ask " + actor + " what they were about to do"}
	case alert.Blind:
		if a.Status == alert.Resolved {
			return []string{"nothing: mollyguard sees again; if a gap is left, fetch those entries and run: mollyguard audit replay"}
		}
		return []string{"mend it: until then nobody is told of what it would have shown"}
	case alert.BreakGlass:
		return []string{"see what is asked for before you approve it: the same command with show for approve"}
	case alert.Test:
		return []string{"nothing: this is a test, and the way to here works"}
	default:
		return nil
	}
}
