package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// shown is a name for people. One with other characters than printable ASCII is
// quoted, so that nothing moves the cursor and no letter is taken for another.
func shown(name string) string {
	if strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r >= unicode.MaxASCII }) < 0 {
		return name
	}
	return strconv.QuoteToASCII(name)
}

// describeTarget names an object as kubectl users read it.
func describeTarget(kind, namespace, name string) string {
	if namespace != "" {
		name = namespace + "/" + name
	}
	return strings.TrimSpace(kind + " " + name)
}

// describe names a target, by its kind or else by its resource. A cloud resource has its
// whole canonical name: another project may have one that is called the same, and it is
// the one of the wrong tab that gets deleted.
func describe(target operation.Reference) string {
	if inCloud(target) {
		return shown(target.Ref)
	}
	if _, ok := operation.ParsePlanRef(target.Ref); ok {
		return "plan sha256:" + shown(target.Name)
	}
	kind := target.Kind
	if ref, ok := operation.ParseKubernetesRef(target.Ref); ok && kind == "" {
		kind = ref.Resource
	}
	return shown(describeTarget(kind, target.Namespace, target.Name))
}

// inCloud reports whether a target is a cloud resource.
func inCloud(target operation.Reference) bool {
	_, _, ok := operation.ParseGCPRef(target.Ref)
	return ok
}

// clock is what times are shown by: now, and the user's zone.
type clock struct {
	now  func() time.Time
	zone *time.Location
}

// at shows a time in the user's zone, and how far away it is.
func (c clock) at(t time.Time) string {
	return fmt.Sprintf("%s (%s)", c.stamp(t), c.relative(t))
}

// stamp shows a time in the user's zone.
func (c clock) stamp(t time.Time) string { return t.In(c.zone).Format("2006-01-02 15:04:05 MST") }

// relative shows how far away a time is: in 12 min, 3 h ago.
func (c clock) relative(t time.Time) string {
	away := t.Sub(c.now())
	switch {
	case away >= time.Second:
		return "in " + span(away)
	case away <= -time.Second:
		return span(-away) + " ago"
	}
	return "now"
}

// clockTime shows when something ends, as short as it can be told.
func (c clock) clockTime(t time.Time) string {
	local, today := t.In(c.zone), c.now().In(c.zone)
	if local.Format(time.DateOnly) == today.Format(time.DateOnly) {
		return local.Format("15:04 MST")
	}
	return local.Format("2006-01-02 15:04 MST")
}

// aTimestamp is how the server writes a time into its sentences: RFC 3339, in UTC.
var aTimestamp = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// local rewrites the times in a sentence of the server into the user's zone: it
// does not know in which one its readers are.
func (c clock) local(text string) string {
	return aTimestamp.ReplaceAllStringFunc(text, func(stamp string) string {
		t, err := time.Parse(time.RFC3339, stamp)
		if err != nil { // the 40th of a month
			return stamp
		}
		return c.stamp(t)
	})
}

// span shows a length of time in the largest unit that it fills, and in the next
// one too while there are few of the first: 1 h 5 min, 12 min, 3 d. It is rounded,
// so that half an hour is not 29 min as soon as it has begun.
func span(d time.Duration) string {
	// few is where a unit alone is near enough: 9 min is not 9 min 50 s, but nobody
	// minds whether 11 min are 11 min 20 s.
	const few = 10
	units := []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	for i, unit := range units {
		next := unit
		if i+1 < len(units) && d/unit.length < few {
			next = units[i+1]
		}
		rounded := d.Round(next.length)
		count, rest := rounded/unit.length, rounded%unit.length/next.length
		switch {
		case count == 0:
			continue
		case count >= few || rest == 0:
			return fmt.Sprintf("%d %s", count, unit.name)
		}
		return fmt.Sprintf("%d %s %d %s", count, unit.name, rest, next.name)
	}
	return "0 s"
}

// table prints cases as kubectl prints objects.
func (c clock) table(w io.Writer, views []breakglass.View) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "HANDLE\tSTATE\tREQUESTER\tWHAT\tCLUSTER\tUNTIL\tAGE")
	for _, v := range views {
		until, age := "-", "-"
		if !v.Standing.Until.IsZero() {
			until = c.relative(v.Standing.Until)
		}
		if made := madeAt(v.Case); !made.IsZero() {
			age = duration.HumanDuration(max(c.now().Sub(made), 0))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			shown(v.ID()), c.state(v.Standing), whoFor(v.Case), what(v.Scope()), orDash(shown(v.Scope().Audience)), until, age)
	}
	return t.Flush()
}

// state is how a state reads; there is none until the server has weighed a case.
//
// A cluster shows what the server wrote when it last swept, which is every few
// moments. Until it does so again, a state whose time has run out is not what the
// status says: a grant is ending, and can be used no longer than the leeway for
// clocks that disagree; a request that lacks approvals gets none any more.
func (c clock) state(s breakglass.Standing) string {
	over := !s.Until.IsZero() && s.Until.Before(c.now())
	switch {
	case over && s.State == breakglass.Active:
		return "ending"
	case over && s.State == breakglass.Pending && len(s.Approvers) < s.Needed:
		return string(breakglass.Expired)
	}
	return orDash(shown(string(s.State)))
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// madeAt is when a case began. Of a grant that came as a token it is only known
// from when on it holds.
func madeAt(c breakglass.Case) time.Time {
	switch {
	case c.Request != nil:
		return c.Request.Created
	case c.Grant != nil:
		return c.Grant.NotBefore
	}
	return time.Time{}
}

// requester is who asked; of a grant that came as a token, who may use it.
func requester(c breakglass.Case) string {
	if c.Request != nil {
		return c.Request.Requester.Name
	}
	return orDash(c.Subject())
}

// whoFor is the requester, and who may use the grant if that is somebody else.
func whoFor(c breakglass.Case) string {
	text := shown(requester(c))
	if subject := c.Subject(); subject != "" && subject != requester(c) {
		text += " for " + shown(subject)
	}
	return text
}

// what says in a few words what is asked for.
func what(s breakglass.Scope) string {
	if len(s.Targets) == 0 {
		return "-"
	}
	if isPlan(s) {
		short := s
		short.Targets = s.Targets[:min(2, len(s.Targets))]
		text := planned(short)
		if more := len(s.Targets) - len(short.Targets); more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		return text
	}
	text := verbs(s.Verbs) + " " + describe(s.Targets[0])
	if more := len(s.Targets) - 1; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// whole is what, with each cloud resource that is asked for.
func whole(s breakglass.Scope) string {
	if isPlan(s) {
		return planned(s)
	}
	if !slices.ContainsFunc(s.Targets, inCloud) {
		return what(s)
	}
	texts := make([]string, len(s.Targets))
	for i, target := range s.Targets {
		texts[i] = describe(target)
	}
	return verbs(s.Verbs) + " " + strings.Join(texts, ", ")
}

func verbs(list []operation.Verb) string {
	texts := make([]string, len(list))
	for i, verb := range list {
		texts[i] = shown(string(verb))
	}
	return strings.Join(texts, ",")
}
