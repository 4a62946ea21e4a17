package webhook

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// maxWarning is where the API server cuts a warning short
// (k8s.io/apiserver pkg/warning: 256 characters each).
const maxWarning = 256

// maxMessage keeps a refusal readable, and the response far below what the API
// server would read, however long the names in it are.
const maxMessage = 4 << 10

// usualMessage is longer than most are, so that it is written in one piece of memory.
const usualMessage = 1 << 10

// describe names an object the way kubectl users read it: Kind namespace/name.
func describe(r operation.Reference) string {
	name := r.Name
	if r.Namespace != "" {
		name = r.Namespace + "/" + name
	}
	return operation.Printable(strings.TrimSpace(r.Kind + " " + name))
}

// headline is the short, stable sentence: what, why, and what became of it, such
// as "refused".
func headline(d operation.Decision, verdict string) string {
	target := describe(d.Target)
	if d.Error != "" {
		if target == "" {
			return fmt.Sprintf("request %s, because mollyguard could not decide: %s", verdict, operation.Printable(d.Error))
		}
		return fmt.Sprintf("%s of %s %s, because mollyguard could not decide: %s", noun(d.Verb), target, verdict, operation.Printable(d.Error))
	}
	if d.Production.Is {
		target += " " + relation(d) + " production (" + because(d.Production.Because) + ")"
	}
	return target + ": " + noun(d.Verb) + " " + verdict
}

// relation says whether the target itself is production, or only what depends on it.
func relation(d operation.Decision) string {
	depends := slices.ContainsFunc(d.Dependents, func(d operation.Dependents) bool { return d.Production > 0 })
	if !d.Production.Target && (depends || slices.ContainsFunc(d.Volumes, func(v operation.Volume) bool { return v.Production })) {
		return "touches"
	}
	return "is"
}

// maxReasons is how many reasons a headline has, and maxReason how long one may be: a
// namespace is production by each kind in it, and the table has them all.
const (
	maxReasons = 3
	maxReason  = 300
)

func because(reasons []string) string {
	var list []string
	for _, reason := range reasons[:min(len(reasons), maxReasons)] {
		list = append(list, operation.Clip(operation.Printable(reason), maxReason))
	}
	if more := len(reasons) - maxReasons; more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(list, "; ")
}

func noun(v operation.Verb) string {
	if v == operation.Unknown {
		return "unknown operation"
	}
	return string(v)
}

// Advice is what people are told to do about a refusal.
type Advice struct {
	// Help is whom to ask and where to read, of one or more lines.
	Help string
	// BreakGlass says that grants can be asked for; Server is the URL of the API to
	// ask at, or empty for the cluster.
	BreakGlass bool
	Server     string
}

// maxActor is how much of a user's name is shown: certificates may hold any.
const maxActor = 256

// Message is the refusal that a user reads in a terminal: what, why it is
// production, what would go with it, and what to do next.
func Message(d operation.Decision, advice Advice) string {
	var b strings.Builder
	b.Grow(usualMessage)
	b.WriteString(headline(d, "refused") + "\n")
	line := func(label, text string) {
		b.WriteString("\n  ")
		pad(&b, label, 10)
		b.WriteString(text)
	}
	for i, change := range d.Changes {
		line(first(i, "change"), operation.Printable(change))
	}
	for i, v := range denying(d) {
		line(first(i, "policy"), v.Policy+" ("+string(v.Severity)+"): "+operation.Printable(v.Message))
	}
	for i, text := range dependentsTable(d.Dependents) {
		line(first(i, "with it"), text)
	}
	for i, text := range volumeLines(d.Volumes, d.Time) {
		line(first(i, "volumes"), text)
	}
	for i, text := range d.GrantRefused {
		line(first(i, "grant"), operation.Printable(text))
	}
	// Who it was, the decision's id and what to do next are last, and must not be what is
	// cut off.
	said := b.Len()
	if d.Actor.Name != "" {
		line("actor", operation.Clip(operation.Printable(d.Actor.Name), maxActor))
	}
	if d.ID != "" {
		line("decision", d.ID)
	}
	for i, text := range next(d, advice) {
		line(first(i, "next"), text)
	}
	text := b.String()
	rest := operation.Clip(text[said:], maxMessage/2) + "\n"
	return operation.Clip(text[:said], maxMessage-len(rest)) + rest
}

// next is what the reader can do now.
func next(d operation.Decision, advice Advice) []string {
	var lines []string
	meant := "check that this is the cluster and the object you mean (" + operation.Clip(operation.Printable(d.Target.Ref), maxReference) + ")"
	switch {
	case d.Outcome == operation.OutcomeUndecided:
		lines = append(lines, "try again; if it stays so, tell the owners of mollyguard on this cluster: its log has more")
	case slices.ContainsFunc(denying(d), func(v operation.Violation) bool { return v.BreakGlass.Never }):
		lines = append(lines, meant, "nobody gets through this policy: if it is wrong, talk to its owners")
	case advice.BreakGlass && d.GrantPending != "":
		lines = append(lines, meant, "if it is, "+d.GrantPending+" waits for somebody else, who runs this; run yours again then:", "  kubectl mollyguard approve "+d.GrantPending+advice.at())
	case advice.BreakGlass:
		lines = append(lines, meant, "if it is, ask for a grant, which somebody else has to approve, and run this again then:", "  "+requestCommand(d, advice))
	default:
		lines = append(lines, meant, "if it is, ask the owners of mollyguard on this cluster to let this one through, and give them the decision's id")
	}
	for _, text := range strings.Split(strings.TrimSpace(advice.Help), "\n") {
		if text = strings.TrimSpace(text); text != "" {
			lines = append(lines, operation.Printable(text))
		}
	}
	return lines
}

// What follows a refusal is at most maxMessage/2: an actor of maxActor, a reference of
// maxReference, and a command with one of maxQuoted (each ' is four bytes in a shell)
// leave 500 bytes for labels, words and the URL of a server. A reference is a cluster, a
// group (253), a resource (63), a namespace (63) and a name (253), so that only a name
// full of quotes is too long.
const (
	maxReference = 256
	maxQuoted    = 1 << 10
)

// requestCommand is ready to be pasted into a shell. What would not survive that, or is
// too long to be shown as a whole, is left to the decision's id.
func requestCommand(d operation.Decision, advice Advice) string {
	command := "kubectl mollyguard request "
	if ref := shellQuoted(d.Target.Ref); ref == operation.Printable(ref) && len(ref) <= maxQuoted {
		verbs := string(d.Verb)
		for _, verb := range d.Also {
			verbs += "," + string(verb)
		}
		command += verbs + " " + ref
	} else {
		command += "--for " + d.ID
	}
	return command + advice.at() + " --reason 'why'"
}

// at is the flag that leads a command to the right desk.
func (a Advice) at() string {
	if a.Server == "" {
		return ""
	}
	return " --server " + shellQuoted(a.Server)
}

// plain are texts that a shell takes as they are.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

func shellQuoted(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// first shows a label once for the lines below it.
func first(i int, label string) string {
	if i > 0 {
		return ""
	}
	return label
}

func denying(d operation.Decision) []operation.Violation {
	var list []operation.Violation
	for _, v := range d.Violations {
		if v.Enforcement == operation.EnforceDeny {
			list = append(list, v)
		}
	}
	return list
}

// Warnings are the lines that kubectl prints before its own answer, one for each
// violation that is not enforced but announced.
func Warnings(d operation.Decision) []string {
	var list []string
	if d.Outcome == operation.OutcomeWarn && d.Error != "" {
		list = append(list, headline(d, "would be refused")+" (decision "+d.ID+")")
	}
	switch {
	case d.Grant == "":
	case d.DryRun:
		list = append(list, fmt.Sprintf("mollyguard: grant %s would allow this (dry run: nothing of it was used up)", d.Grant))
	default:
		list = append(list, fmt.Sprintf("mollyguard: allowed by grant %s (decision %s)", d.Grant, d.ID))
	}
	for _, v := range d.Violations {
		if v.Enforcement == operation.EnforceWarn && d.Exempt == "" {
			list = append(list, fmt.Sprintf("mollyguard %s: %s: %s (decision %s)", v.Policy, headline(d, "would be refused"), operation.Printable(v.Message), d.ID))
		}
	}
	for i, text := range list {
		list[i] = operation.Clip(text, maxWarning)
	}
	return list
}
