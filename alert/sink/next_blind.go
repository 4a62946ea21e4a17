package sink

import (
	"strings"

	"github.com/mollyguard/mollyguard/alert"
)

// The commands for what is dead: alerts that no sink took, entries that nobody read.
const (
	listDead  = "mollyguard alert dead list"
	retryDead = "mollyguard alert dead retry"
)

// blindAdvice is what lets Mollyguard see again, or people be told.
func blindAdvice(a alert.Alert) []string {
	kind, source := a.Trouble()
	if a.Status == alert.Resolved {
		return seeingAdvice(kind)
	}
	switch _, file := strings.CutPrefix(source, "file:"); {
	case kind == alert.Undelivered:
		return []string{
			"mend the sink, and try it: mollyguard alert test " + shown(source),
			"then send what it did not take: " + retryDead + " --all (or with ids, of " + listDead + ")",
		}
	case kind == alert.Damaged:
		return []string{
			"see what it was: " + listDead + "; look into the decision log for what happened then",
			"if mollyguard was rolled back, nothing else; if not, see whether the disk is sound",
		}
	case kind == alert.Undecodable:
		return []string{
			"look at it: " + listDead + " has why, and its id",
			"when the table is mended, or mollyguard is updated: " + retryDead + " ID",
		}
	case kind == alert.Silence && file:
		return []string{"see whether the file still grows, and whether whoever writes it is up and writes to this one: until then nobody is told of what it would have shown"}
	case kind == alert.Missing && file:
		return []string{"see whether whoever writes the file is up, and whether audit.sources has the right path: until then nobody is told of what it would have shown"}
	case kind == alert.Damaged:
		return []string{"see which incidents they are of: " + listDead + "; and in the decision log what happened"}
	case kind == alert.Gap:
		return []string{"fetch the entries of that time, and judge them: mollyguard audit replay FILE"}
	case kind == alert.Unlabelled:
		return []string{"mend it: until then what has no labels counts as production"}
	case kind == alert.Exhausted:
		return []string{"ask for more of the quota, or let somebody else use less: until then alerts come late"}
	}
	return []string{"mend it: until then nobody is told of what it would have shown"}
}

// seeingAdvice is what is left to do once it is over.
func seeingAdvice(kind alert.TroubleKind) []string {
	switch kind {
	case alert.Undelivered:
		return []string{"nothing: no alert for the sink is dead any more (" + listDead + ")"}
	case alert.Undecodable:
		return []string{"have what was kept judged: " + listDead + ", then " + retryDead + " ID"}
	case alert.Unlabelled, alert.Exhausted, alert.Damaged:
		return []string{"nothing"}
	}
	return []string{"nothing: mollyguard sees again; if a gap is left, fetch those entries and run: mollyguard audit replay"}
}
