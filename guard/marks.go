package guard

import "k8s.io/apimachinery/pkg/labels"

// Marks tell production by what an object itself shows, before anything is done to
// it. They say the same as the rules that a Guard judges by. Marks may be used
// concurrently.
type Marks struct{ production production }

// NewMarks returns the marks of some rules, or an error that lists every rule that
// does not parse.
func NewMarks(rules ProductionRules) (Marks, error) {
	p, err := newProduction(rules)
	return Marks{p}, err
}

// Object reports whether a Kubernetes object is production by its own labels or name.
// What its namespace makes of it is not looked at.
func (m Marks) Object(_, name string, set map[string]string) bool {
	return m.production.wholeCluster || anyMatches(m.production.selectors, set) || m.production.names.match(name)
}

// Namespace reports whether all in a namespace is production.
func (m Marks) Namespace(name string, set map[string]string) bool {
	return m.production.wholeCluster || anyMatches(m.production.namespaceSelectors, set) || m.production.namespaces.match(name)
}

func anyMatches(selectors []labels.Selector, set map[string]string) bool {
	for _, selector := range selectors {
		if selector.Matches(labels.Set(set)) {
			return true
		}
	}
	return false
}
