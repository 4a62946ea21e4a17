package alert

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/mollyguard/mollyguard/operation"
)

// Route sends some alerts to some sinks. An empty list fits everything.
type Route struct {
	Severities []operation.Severity
	// Surfaces and Projects fit only alerts that have any. Projects are patterns for
	// whole ids (https://pkg.go.dev/regexp/syntax).
	Surfaces []operation.Surface
	Projects []string
	Kinds    []Kind
	// Sinks are the names of those that are told; one at least.
	Sinks []string
}

type route struct {
	Route
	projects []*regexp.Regexp
}

// newRoute reports all that is wrong with a route; field is where it is written.
func newRoute(field string, r Route, sinks []string) (route, error) {
	errs := []error{
		known(field+".severities", r.Severities, operation.Severity("").Values()),
		known(field+".surfaces", r.Surfaces, operation.Surface("").Values()),
		known(field+".kinds", r.Kinds, Kind("").Values()),
		known(field+".sinks", r.Sinks, sinks),
	}
	if len(r.Sinks) == 0 {
		errs = append(errs, fmt.Errorf("%s.sinks: none, so nobody would be told", field))
	}
	compiled := route{Route: r}
	for i, text := range r.Projects {
		pattern, err := operation.ParsePattern(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.projects[%d]: %w", field, i, err))
			continue
		}
		compiled.projects = append(compiled.projects, pattern)
	}
	return compiled, errors.Join(errs...)
}

func known[T ~string](field string, list []T, values []string) error {
	var errs []error
	for i, text := range list {
		if !slices.Contains(values, string(text)) {
			errs = append(errs, fmt.Errorf("%s[%d]: there is no %q, only %q", field, i, string(text), values))
		}
	}
	return errors.Join(errs...)
}

// subject is what routes look at.
type subject struct {
	kind     Kind
	severity operation.Severity
	surface  operation.Surface
	project  string
}

func (r route) fits(s subject) bool {
	return (len(r.Severities) == 0 || slices.Contains(r.Severities, s.severity)) &&
		(len(r.Kinds) == 0 || slices.Contains(r.Kinds, s.kind)) &&
		(len(r.Surfaces) == 0 || slices.Contains(r.Surfaces, s.surface)) &&
		(len(r.Projects) == 0 || slices.ContainsFunc(r.projects, func(p *regexp.Regexp) bool { return p.MatchString(s.project) }))
}

// sinksFor returns who is told: those of every route that fits, or all if none does.
// except is a sink that is not told, however; empty for none.
func (b *Book) sinksFor(s subject, except string) []string {
	var chosen []string
	for _, r := range b.routes {
		if r.fits(s) {
			chosen = append(chosen, r.Sinks...)
		}
	}
	isExcept := func(name string) bool { return name == except }
	chosen = slices.DeleteFunc(chosen, isExcept)
	if len(chosen) == 0 {
		chosen = slices.DeleteFunc(b.Sinks(), isExcept)
	}
	slices.Sort(chosen)
	return slices.Compact(chosen)
}
