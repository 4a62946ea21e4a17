package breakglass

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/mollyguard/mollyguard/operation"
)

// People says which names are one person. Two approvals of one person are one,
// and nobody approves for themselves under another name.
type People struct{ byName map[string]string }

// NewPeople takes one list of names for each person that has several.
func NewPeople(identities [][]string) (People, error) {
	p := People{byName: map[string]string{}}
	for _, names := range identities {
		for _, name := range names {
			if other, ok := p.byName[fold(name)]; ok && other != fold(names[0]) {
				return People{}, fmt.Errorf("%q is listed for two people", name)
			}
			p.byName[fold(name)] = fold(names[0])
		}
	}
	return p, nil
}

// person is the same for all names of one person. Names that differ in case or in
// how their characters are composed are taken for one person's: whether they are
// is for the directory to say, and an approval too few is the safe mistake.
func (p People) person(name string) string {
	folded := fold(name)
	if person, ok := p.byName[folded]; ok {
		return person
	}
	return folded
}

func fold(name string) string {
	// Twice, since a lower-case letter may compose differently.
	return norm.NFKC.String(strings.ToLower(norm.NFKC.String(strings.TrimSpace(name))))
}

// known is an actor of a record, of the kind that they are now.
func (d *Desk) known(actor operation.Actor) operation.Actor {
	if actor.Kind == operation.Human {
		actor.Kind = d.kindOf(actor.Name)
	}
	return actor
}

// mayJudge says why somebody's approval can never count, whoever allows it: only
// people approve, and only under names that cannot be taken for another's.
func mayJudge(by operation.Actor) error {
	if by.Kind != operation.Human {
		return fmt.Errorf("%s is of kind %q: only people approve", operation.Printable(by.Name), by.Kind)
	}
	if strings.HasPrefix(by.Name, "system:") {
		return fmt.Errorf("%s is not a person's name: only people approve", operation.Printable(by.Name))
	}
	if slices.ContainsFunc([]rune(by.Name), func(r rune) bool { return r > unicode.MaxASCII || r <= ' ' || r == unicode.MaxASCII }) {
		return fmt.Errorf("the name %+q has characters beside plain ASCII, which could be taken for another's", by.Name)
	}
	return nil
}
