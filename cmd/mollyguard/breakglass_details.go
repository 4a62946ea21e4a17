package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// lines are labelled lines of text, each label once.
type lines struct {
	b     strings.Builder
	label string
}

// add writes a line; an empty text is left out.
func (l *lines) add(label, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if text == "" {
		return
	}
	if label == l.label {
		label = ""
	} else {
		l.label = label
	}
	fmt.Fprintf(&l.b, "%-10s %s\n", label, text)
}

func (l *lines) write(w io.Writer) error {
	_, err := io.WriteString(w, l.b.String())
	return err
}

// details prints all about a case. here is what the cluster is called where it
// has not said its name.
func (c clock) details(w io.Writer, v breakglass.View, here string) error {
	var l lines
	l.add("handle", "%s", shown(v.ID()))
	l.add("state", "%s", c.state(v.Standing))
	l.add("why", "%s", operation.Printable(c.local(v.Standing.Why)))
	if !v.Standing.Until.IsZero() {
		l.add("until", "%s", c.at(v.Standing.Until))
	}
	l.add("approvals", "%s", approvals(v))
	c.asked(&l, v.Case, here)
	for _, verdict := range v.Verdicts {
		l.add("verdicts", "%s", c.verdict(verdict))
	}
	if v.Grant != nil {
		c.grant(&l, *v.Grant, v.Standing)
	}
	for _, use := range v.Uses {
		if isPlan(v.Scope()) {
			l.add("uses", "applied by %s, %s, by decision %s", shown(use.Actor), c.at(use.At), shown(use.Decision))
			continue
		}
		l.add("uses", "%s of %s by %s, %s: %s", shown(string(use.Verb)), describe(use.Target), shown(use.Actor), c.at(use.At), shown(string(use.State)))
	}
	return l.write(w)
}

// grant says what a grant is good for, or was if the case has ended: then nothing
// lies ahead of it, and nothing is left.
func (c clock) grant(l *lines, g breakglass.Grant, s breakglass.Standing) {
	switch {
	case s.State.Ended():
		l.add("grant", "was issued by %s, from %s to %s", shown(g.Issuer), c.stamp(g.NotBefore), c.stamp(g.Expires))
	case s.State == "": // nobody has counted
		l.add("grant", "from %s to %s", c.at(g.NotBefore), c.at(g.Expires))
		l.add("grant", "issued by %s", shown(g.Issuer))
	case isPlan(g.Scope):
		l.add("grant", "from %s to %s", c.at(g.NotBefore), c.at(g.Expires))
		l.add("grant", "issued by %s, to apply the plan once", shown(g.Issuer))
	default:
		l.add("grant", "from %s to %s", c.at(g.NotBefore), c.at(g.Expires))
		l.add("grant", "issued by %s, %d of %d objects left", shown(g.Issuer), s.Left, g.Scope.Objects)
	}
	if g.Credential != "" {
		l.add("grant", "with the credential %s only", shown(g.Credential))
	}
}

// asked says who wants what, where, and why: what whoever approves has to read.
func (c clock) asked(l *lines, v breakglass.Case, here string) {
	l.add("requester", "%s", shown(requester(v)))
	if subject := v.Subject(); subject != requester(v) {
		l.add("for", "%s", shown(subject))
	}
	scope := v.Scope()
	if isPlan(scope) {
		opensPlan(l, scope, v.Request)
	} else {
		opens(l, scope)
	}
	cluster := shown(scope.Audience)
	if cluster == "" {
		cluster = here
	}
	l.add("cluster", "%s", cluster)
	if r := v.Request; r != nil {
		l.add("reason", "%s", operation.Printable(r.Reason))
		l.add("ticket", "%s", operation.Printable(r.Ticket))
		l.add("how long", "%s", span(r.Duration))
		if !r.NotBefore.IsZero() {
			l.add("not before", "%s", c.at(r.NotBefore))
		}
		l.add("asked", "%s", c.at(r.Created))
		l.add("decision", "%s", shown(r.Decision))
	} else if g := v.Grant; g != nil {
		l.add("reason", "%s", operation.Printable(g.Reason))
		l.add("ticket", "%s", operation.Printable(g.Ticket))
	}
}

// opens says what may be done to which objects.
func opens(l *lines, scope breakglass.Scope) {
	l.add("verb", "%s", verbs(scope.Verbs))
	for _, target := range scope.Targets {
		text := describe(target)
		if target.UID == "" && !inCloud(target) { // none of them has one
			text += " (whatever has this name: no uid)"
		}
		l.add("targets", "%s", text)
	}
	l.add("objects", "%d", scope.Objects)
}

func (c clock) verdict(v breakglass.Verdict) string {
	text := fmt.Sprintf("%s by %s, %s", shown(string(v.Kind)), shown(v.By.Name), c.at(v.At))
	if v.Reason != "" {
		text += ": " + operation.Printable(v.Reason)
	}
	return text
}

// approvals counts those that hold. What of them would count in a case that has
// ended is not asked any more: there, those that were given are told.
func approvals(v breakglass.View) string {
	s := v.Standing
	text, approvers := fmt.Sprintf("%d of %d", len(s.Approvers), s.Needed), s.Approvers
	switch {
	case s.State == "":
		return ""
	case s.State.Ended():
		approvers = whoApproved(v.Case)
		text = fmt.Sprintf("%d given", len(approvers))
	}
	names := make([]string, len(approvers))
	for i, name := range approvers {
		names[i] = shown(name)
	}
	if len(names) > 0 {
		text += ": " + strings.Join(names, ", ")
	}
	return text
}

// whoApproved are the names of those who approved; of a grant that came as a token, its
// issuer says so.
func whoApproved(c breakglass.Case) []string {
	if c.Request == nil && c.Grant != nil {
		return c.Grant.Approvers
	}
	var names []string
	for _, v := range c.Verdicts {
		if v.Kind == breakglass.Approve {
			names = append(names, v.By.Name)
		}
	}
	return names
}
