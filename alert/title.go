package alert

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// words say a verb: done, going on, and tried. What is done it to goes between the
// two parts.
type words struct{ done, going, tried, after string }

func wordsOf(v operation.Verb) words {
	switch v {
	case operation.Delete:
		return words{"deleted", "is deleting", "delete", ""}
	case operation.Evict:
		return words{"evicted", "is evicting", "evict", ""}
	case operation.ScaleToZero:
		return words{"scaled", "is scaling", "scale", " to zero"}
	case operation.Unprotect:
		return words{"unprotected", "is unprotecting", "unprotect", ""}
	case operation.Replace:
		return words{"replaced", "is replacing", "replace", ""}
	case operation.Forget:
		return words{"dropped", "is dropping", "drop", " from Terraform's state"}
	case operation.Empty:
		return words{"emptied", "is emptying", "empty", ""}
	case operation.Update:
		return words{"changed", "is changing", "change", ""}
	}
	return words{"did something unknown to", "is doing something unknown to", "do something unknown to", ""}
}

// sentence says who did it to what.
func (w words) sentence(s state, what string) string {
	switch s {
	case stateDone:
		return w.done + " " + what + w.after
	case stateGoing:
		return w.going + " " + what + w.after
	}
	return "tried to " + w.tried + " " + what + w.after
}

// decisionTitle is the line that a phone shows at night.
func (in *incident) decisionTitle(operations []Operation) string {
	if in.size() == 1 && len(operations) == 1 {
		return line(in.who() + " " + in.one(operations[0], in.Tally[0].State))
	}
	return line(in.who() + " " + in.burst(operations))
}

func (in *incident) who() string {
	who := cmp.Or(in.Actor.Name, "somebody")
	if people := in.Origin.Delegation; len(people) > 0 {
		who += " for " + strings.Join(people, " for ")
	}
	return who
}

// with is the tool.
func (in *incident) with() string {
	switch via := in.Actor.Via; {
	case via == "" || in.Mixed.Via:
		return ""
	case strings.EqualFold(via, "console"):
		return " with the console"
	default:
		return " (" + strings.NewReplacer(" (", ", ", ")", "").Replace(via) + ")"
	}
}

func (in *incident) one(o Operation, s state) string {
	what := strings.TrimSpace(o.Target.Kind + " " + o.Target.Name)
	if o.Target.Namespace != "" {
		what = strings.TrimSpace(o.Target.Kind + " " + o.Target.Namespace + "/" + o.Target.Name)
	}
	what = cmp.Or(what, o.Target.Ref, "something")
	if o.Production {
		what = "production " + what
	}
	text := wordsOf(o.Verb).sentence(s, what) + changed(o) + past([]Operation{o}) + place(o) + in.with()
	switch {
	case s == stateGoing && o.Phase == operation.Started:
		text += " (started " + o.Time.UTC().Format("15:04") + " UTC)"
	case s == stateFailed:
		text += " and failed"
	case s == stateRefused:
		text += " and was refused"
	}
	if o.Outcome == operation.OutcomeUndecided {
		text += ", and mollyguard could not judge it"
	}
	return text + under([]Operation{o})
}

// maxTitleChange is how long the change in a title is, in bytes: the object and the
// place have to fit on the line with it.
const maxTitleChange = 80

// changed is what was changed, which says more than the verb does.
func changed(o Operation) string {
	if len(o.Changes) == 0 {
		return ""
	}
	text := operation.Clip(o.Changes[0], maxTitleChange)
	if more := len(o.Changes) - 1; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return " (" + text + ")"
}

// past says how operations got past the webhook, if they did.
func past(operations []Operation) string {
	count := map[operation.Mediation]int{}
	for _, o := range operations {
		count[o.Mediation]++
	}
	unasked, unanswered := count[operation.Unmediated], count[operation.FailedOpen]
	switch all := len(operations); {
	case unasked+unanswered == 0:
		return ""
	case unasked == all:
		return " without asking the webhook"
	case unanswered == all:
		return " while the webhook did not answer"
	case unasked+unanswered == all:
		return " past the webhook"
	}
	return ", in part past the webhook,"
}

// under names the grant, if it is the same for all.
func under(operations []Operation) string {
	grant := operations[0].Grant
	if grant == "" || slices.ContainsFunc(operations, func(o Operation) bool { return o.Grant != grant }) {
		return ""
	}
	return " under grant " + grant
}

// burst says what many operations are: the verb if they have one in common, and how
// many there are of each kind.
func (in *incident) burst(operations []Operation) string {
	count, came := in.size(), in.total(feature.came)
	is := func(f feature) bool { return f.came() || came == 0 }
	what := fmt.Sprintf("%d resources", count)
	switch production := in.total(func(f feature) bool { return f.Production }); {
	case production == count:
		what = fmt.Sprintf("%d production resources", count)
	case production > 0:
		what = fmt.Sprintf("%d resources, %d of them production,", count, production)
	}
	verb, one := in.verb()
	s := stateRefused
	switch {
	case in.total(func(f feature) bool { return f.State == stateDone }) > 0:
		s = stateDone
	case came > 0:
		s = stateGoing
	}
	text := words{"deleted or changed", "is deleting or changing", "delete or change", ""}.sentence(s, what)
	if one {
		text = wordsOf(verb).sentence(s, what)
	}
	text += past(operations) + " in 1 minute: " + in.kinds(is, !one) + in.places(operations) + in.with()
	switch {
	case came == 0:
		text += ", and all of it failed or was refused"
	case came < count:
		text += fmt.Sprintf(", of which %d failed or were refused", count-came)
	}
	if len(operations) == 0 {
		return text
	}
	return text + under(operations)
}

// verb is the one that all operations have in common, if they do.
func (in *incident) verb() (v operation.Verb, one bool) {
	v = in.Tally[0].Verb
	return v, !slices.ContainsFunc(in.Tally, func(t tally) bool { return t.Verb != v })
}

// titleKinds is how many kinds a title counts: what fits on a line.
const titleKinds = 5

// kinds counts operations by kind, most first.
func (in *incident) kinds(is func(feature) bool, verbs bool) string {
	counts := map[counted]int{}
	for _, t := range in.Tally {
		if !is(t.feature) {
			continue
		}
		of := counted{kind: cmp.Or(t.Kind, unknownKind)}
		if verbs {
			of.verb = t.Verb
		}
		counts[of] += t.Count
	}
	return most(counts)
}

// counted is what operations are counted by; verb is empty if it is the same for all.
type counted struct {
	kind string
	verb operation.Verb
}

func most(counts map[counted]int) string {
	all := slices.SortedFunc(maps.Keys(counts), func(a, b counted) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a.verb, b.verb), cmp.Compare(a.kind, b.kind))
	})
	rest := 0
	var parts []string
	for i, of := range all {
		if i >= titleKinds {
			rest += counts[of]
			continue
		}
		text := Counted(counts[of], of.kind)
		if of.verb != "" {
			text = string(of.verb) + " of " + text
		}
		parts = append(parts, text)
	}
	if rest > 0 {
		parts = append(parts, Counted(rest, otherKind))
	}
	return strings.Join(parts, ", ")
}

// line makes a title of a text: one line that shows what it is, and no longer than
// services take.
func line(text string) string { return clip(operation.Printable(clip(text, 2*maxTitle)), maxTitle) }
