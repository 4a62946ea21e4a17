package sink

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

// maxList is how many lines a label has: who needs more opens the entry.
const maxList = 10

// row is a label and what is said under it, each line printable and of one line.
type row struct {
	label string
	lines []string
}

// rows are what is known, what matters most first. There are none without lines.
func rows(a alert.Alert) []row {
	all := []row{
		{"says", list(a.Text)},
		{"because", each(a, func(o alert.Operation) []string { return o.Because })},
		{"with it", each(a, withIt)},
		{"who", who(a)},
		{"by", by(a)},
		{"reason", some(a.Origin.Reason)},
		{"what", what(a)},
		{"policy", each(a, func(o alert.Operation) []string { return o.Policies })},
		{"", each(a, func(o alert.Operation) []string { return o.Messages })},
		{"unknown", each(a, unknown)},
		{"unjudged", each(a, func(o alert.Operation) []string { return some(o.Error) })},
		{"exempt", each(a, func(o alert.Operation) []string { return some(o.Exempt) })},
		{"grant", grant(a)},
	}
	return slices.DeleteFunc(all, func(r row) bool { return len(r.lines) == 0 })
}

// closing is where there is more, in about room bytes: a link that is cut leads nowhere,
// so one that is too long is left out.
func closing(a alert.Alert, room int) []row {
	fits := func(link string) bool {
		room -= len(link)
		return link != "" && room >= 0
	}
	incident := fmt.Sprintf("%s, revision %d, of %s", shown(a.ID), a.Revision, shown(a.Cluster))
	all := []row{{"incident", []string{incident}}}
	room -= len(incident)
	if runbook := webURL(a.Runbook); fits(runbook) {
		all = append([]row{{"runbook", []string{runbook}}}, all...)
	}
	if entries := slices.DeleteFunc(links(a, maxLinks), func(link string) bool { return !fits(link) }); len(entries) > 0 {
		all = append([]row{{"entry", entries}}, all...)
	}
	return all
}

// maxLinks is how many links are shown: the first leads to the others.
const maxLinks = 3

// shown makes one line of a text from outside.
func shown(text string) string {
	return operation.Clip(operation.Printable(operation.Clip(strings.TrimSpace(text), maxLine)), maxLine)
}

func some(text string) []string {
	if text = shown(text); text == "" {
		return nil
	}
	return []string{text}
}

// list shows texts once each, and at most maxList of them.
func list(texts []string) []string {
	var lines []string
	for _, text := range texts {
		if text = shown(text); text != "" && !slices.Contains(lines, text) {
			lines = append(lines, text)
		}
	}
	if more := len(lines) - maxList; more > 0 {
		lines = append(lines[:maxList], fmt.Sprintf("and %d more", more))
	}
	return lines
}

// each lists what all operations say.
func each(a alert.Alert, of func(alert.Operation) []string) []string {
	var texts []string
	for _, o := range a.Operations {
		texts = append(texts, of(o)...)
	}
	return list(texts)
}

func who(a alert.Alert) []string {
	if a.Actor.Name == "" {
		return nil
	}
	line := a.Actor.Name
	if a.Actor.Kind != "" {
		line += " (" + string(a.Actor.Kind) + ")"
	}
	lines := []string{line}
	if len(a.Origin.Delegation) > 0 {
		lines = append(lines, "used by "+strings.Join(a.Origin.Delegation, ", for "))
	}
	return list(lines)
}

// by is the tool and the address.
func by(a alert.Alert) []string {
	var parts []string
	tool := a.Actor.Via
	if tool == "" {
		tool = a.Origin.UserAgent
	}
	if tool != "" {
		parts = append(parts, tool)
	}
	if a.Origin.IP != "" {
		parts = append(parts, "from "+a.Origin.IP)
	}
	return some(strings.Join(parts, ", "))
}

// unknown is what is not known, and was not said already: mostly it is because of that
// that something counts as production.
func unknown(o alert.Operation) []string {
	said := func(text string) bool {
		return slices.ContainsFunc(o.Because, func(because string) bool { return because == text || strings.HasPrefix(because, text+",") })
	}
	return slices.DeleteFunc(slices.Clone(o.Unknown), said)
}

// maxWhole is how many operations are listed with all that there is of them.
const maxWhole = 3

// what lists the operations, of which the alert has the worst only. Their canonical
// names are below them, to be copied into a request for a grant.
func what(a alert.Alert) []string {
	var lines []string
	listed := a.Operations[:min(len(a.Operations), alert.MaxOperations)]
	for _, o := range listed {
		lines = append(lines, operationLine(o))
		if o.Target.Ref != "" {
			lines = append(lines, "  "+shown(o.Target.Ref))
		}
		for _, change := range o.Changes[:min(len(o.Changes), 3)] {
			lines = append(lines, "  "+shown(change))
		}
		if o.Decision != "" && len(listed) <= maxWhole {
			lines = append(lines, "  decision "+shown(o.Decision))
		}
	}
	// Without operations, what there are many of is in the text.
	if more := max(a.Count, len(a.Operations)) - len(listed); len(listed) > 0 && more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return lines
}

func operationLine(o alert.Operation) string {
	verb := string(o.Verb)
	if o.Verb == operation.Unknown {
		verb = "unknown operation"
	}
	line := o.Time.UTC().Format(time.DateTime) + "Z " + verb + " of " + named(o.Target)
	if where := whereabouts(o); where != "" {
		line += " in " + where
	}
	if o.Phase != "" {
		line += ", " + string(o.Phase)
	}
	switch o.Mediation {
	case operation.Unmediated:
		line += ", past the webhook: it was not asked"
	case operation.FailedOpen:
		line += ", past the webhook: it did not answer"
	}
	return shown(line)
}

// whereabouts are the cluster, project and location, as far as they are known.
func whereabouts(o alert.Operation) string {
	var parts []string
	if object, ok := operation.ParseKubernetesRef(o.Target.Ref); ok {
		parts = append(parts, "cluster "+object.Cluster)
	}
	if o.Project != "" {
		parts = append(parts, "project "+o.Project)
	}
	if o.Location != "" {
		parts = append(parts, o.Location)
	}
	return strings.Join(parts, ", ")
}

// named is an object as people know it, or as canonically as it is known.
func named(r operation.Reference) string {
	if r.Name == "" {
		return cmp.Or(r.Ref, strings.TrimSpace(r.Kind+" "+r.Namespace), "what the entry does not name")
	}
	name := r.Name
	if r.Namespace != "" {
		name = r.Namespace + "/" + name
	}
	return strings.TrimSpace(r.Kind + " " + name)
}

// grant says which grants cover the operations, and why others do not.
func grant(a alert.Alert) []string {
	if len(a.Operations) == 0 {
		return nil
	}
	covered := 0
	var handles []string
	for _, o := range a.Operations {
		if o.Grant != "" {
			covered++
			handles = append(handles, o.Grant)
		}
	}
	lines := list(handles)
	switch {
	case covered == 0:
		lines = []string{"no grant"}
	case covered < len(a.Operations):
		lines = append(lines, fmt.Sprintf("no grant for %d of the %d listed", len(a.Operations)-covered, len(a.Operations)))
	}
	return append(lines, each(a, func(o alert.Operation) []string { return o.GrantRefused })...)
}

// links are where the entries are found, each once.
func links(a alert.Alert, most int) []string {
	var found []string
	for _, o := range a.Operations {
		if link := webURL(o.Link); link != "" && !slices.Contains(found, link) && len(found) < most {
			found = append(found, link)
		}
	}
	return found
}

// maxURL is how long a link may be, in bytes: a query of the log explorer has some
// hundred.
const maxURL = 2 << 10

// webURL returns a link that can be clicked on safely, or an empty text: what is no
// link to a site, and what a sink's format would take apart, is none.
func webURL(text string) string {
	if len(text) > maxURL {
		return ""
	}
	to, err := url.Parse(text)
	if err != nil || to.Scheme != "https" && to.Scheme != "http" || to.Host == "" || to.User != nil {
		return ""
	}
	escaped := strings.NewReplacer("<", "%3C", ">", "%3E", "|", "%7C", `"`, "%22", "`", "%60", " ", "%20").Replace(to.String())
	if operation.Printable(escaped) != escaped {
		return ""
	}
	return escaped
}
