package sink

import (
	"fmt"
	"strings"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

func withIt(o alert.Operation) []string {
	var lines []string
	for _, d := range o.Dependents {
		line := alert.Counted(d.Count, d.Kind)
		if d.Production > 0 {
			line += fmt.Sprintf(" (%d production)", d.Production)
		}
		if how := stays(d.Via); how != "" {
			line += " " + how
		}
		if len(d.Names) > 0 {
			line += ": " + strings.Join(d.Names, ", ")
		}
		lines = append(lines, line)
	}
	return lines
}

// stays says how something depends on a target that is not gone with it.
func stays(via operation.Via) string {
	switch via {
	case operation.Bound:
		return "bound to it"
	case operation.Mounted:
		return "using it"
	case operation.Selected:
		return "behind it"
	case operation.Scheduled:
		return "on it"
	case operation.Uses:
		return "naming it"
	case operation.Scaled:
		return "scaled by it"
	case operation.Backs:
		return "in the cloud"
	default: // Contained, Instance, Owned
		return ""
	}
}
