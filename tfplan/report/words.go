package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// maxText caps one text from outside, in bytes: an address with a long key, a message
// with some names in it. What is longer is nothing that people read.
const maxText = 1000

// shown makes one printable line of a text from outside.
func shown(text string) string { return shownUpTo(text, maxText) }

// shownUpTo clips before and after, so that a text of megabytes is not escaped as a whole.
func shownUpTo(text string, limit int) string {
	return operation.Clip(operation.Printable(operation.Clip(strings.TrimSpace(text), limit)), limit)
}

func (r Row) isPlan() bool { return r.Decision.Target.Kind == operation.PlanKind }

func (r Row) isState() bool { return r.Decision.Target.Kind == operation.StateKind }

// address is where the change is in the configuration.
func (r Row) address() string {
	switch {
	case r.isPlan():
		return "the plan as a whole"
	case r.isState():
		return "the state"
	}
	return cmp.Or(shown(r.Decision.Address), shown(r.Decision.Target.Ref), "(no address)")
}

// action is what Terraform would call the change.
func (r Row) action() string {
	if r.Created {
		return "create"
	}
	var words []string
	for _, verb := range append([]operation.Verb{r.Decision.Verb}, r.Decision.Also...) {
		if word := r.actionWord(verb); !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return strings.Join(words, ", ")
}

// actionWord is in the past tense for drift: what somebody did, not what apply would do.
// Of a plan or a state as a whole, what is weakened is how it is worked on.
func (r Row) actionWord(verb operation.Verb) string {
	if verb == operation.Unprotect && r.isPlan() {
		return "skip safeguards"
	}
	if verb == operation.Unprotect && r.isState() {
		return "edited"
	}
	done := r.Decision.Phase == operation.Finished
	switch verb {
	case operation.Delete:
		return either(done, "was destroyed", "destroy")
	case operation.Replace:
		return either(done, "was replaced", "replace")
	case operation.Forget:
		return either(done, "was forgotten", "forget")
	case operation.Unprotect, operation.ScaleToZero, operation.Empty, operation.Update:
		return either(done, "was updated", "update in place")
	}
	if slices.Contains(verb.Values(), string(verb)) {
		return string(verb)
	}
	return string(operation.Unknown)
}

func either(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

func outcomeWord(o operation.Outcome) string {
	switch o {
	case operation.OutcomeDeny:
		return "denied"
	case operation.OutcomeWarn:
		return "warned"
	case operation.OutcomeAlert:
		return "alerted"
	case operation.OutcomeAllow:
		return "allowed"
	}
	return "undecided"
}

// outcome is the answer in a word, and what it is owed to.
func (r Row) outcome() string {
	word := outcomeWord(r.Decision.Outcome)
	switch {
	case r.Decision.Refused():
	case r.Decision.Grant != "":
		word += " by grant"
	case r.Decision.Exempt != "":
		word += ", exempt"
	}
	return word
}

// headline is the short sentence on a change.
func (r Row) headline() string { return r.address() + ": " + r.verdict() }

// verdict is the action and what became of it, such as "destroy denied".
func (r Row) verdict() string {
	return r.action() + either(r.Decision.Outcome == operation.OutcomeDeny, " ", ", ") + r.outcome()
}

// because says in a line why it is production, or is empty.
func (r Row) because() string {
	if !r.Decision.Production.Is {
		return ""
	}
	var texts []string
	for _, reason := range r.reasons() {
		texts = append(texts, shown(reason))
	}
	return cmp.Or(strings.Join(some(texts), "; "), "production")
}

// reasons say why it is production. What a state holds does not go with it: a command that
// works on the state may touch none of it.
func (r Row) reasons() []string {
	reasons := slices.Clone(r.Decision.Production.Because)
	for i, reason := range reasons {
		if holds, is := strings.CutSuffix(reason, " would go with it"); is && r.isState() {
			reasons[i] = holds + " in it"
		}
	}
	return reasons
}

// goesWith says in a line what is deleted with the target, or is empty. What only loses
// something by it is left to the details.
func (r Row) goesWith() string {
	if r.isState() {
		return ""
	}
	var texts []string
	for _, d := range r.Decision.Dependents {
		if d.Via == operation.Contained || d.Via == operation.Instance || d.Via == operation.Owned {
			texts = append(texts, counted(d.Count, d.Kind))
		}
	}
	if n := len(r.Decision.Volumes); n > 0 {
		texts = append(texts, counted(n, "volume"))
	}
	return strings.Join(some(texts), ", ")
}

// counted names a number of things of a kind. Terraform's types have no plural.
func counted(n int, kind string) string {
	kind = shownUpTo(kind, 80)
	if n != 1 && !strings.Contains(kind, "_") {
		kind = operation.Plural(kind)
	}
	return strconv.Itoa(n) + " " + cmp.Or(kind, "more")
}

// maxList is how many of a list of details are told.
const maxList = 10

// some cuts a list short, and says by how much.
func some(texts []string) []string {
	if more := len(texts) - maxList; more > 0 {
		return append(texts[:maxList:maxList], fmt.Sprintf("and %d more", more))
	}
	return texts
}

// moduleOf is the module part of an address, such as module.a["b.c"].module.d, or empty
// for the root module. An index is a string in quotes, as HCL writes it, or a number.
func moduleOf(address string) string {
	end := 0
	for rest := address; strings.HasPrefix(rest, "module."); {
		n := len("module.") + step(rest[len("module."):])
		if n >= len(rest) {
			return address // a whole module
		}
		end = len(address) - len(rest) + n
		rest = rest[n+1:]
	}
	return address[:end]
}

// step is the length of the name and index that an address begins with.
func step(address string) int {
	quoted := false
	for i := 0; i < len(address); i++ {
		switch {
		case quoted && address[i] == '\\':
			i++
		case address[i] == '"':
			quoted = !quoted
		case address[i] == '.' && !quoted:
			return i
		}
	}
	return len(address)
}
