package identity

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/mollyguard/mollyguard/operation"
)

// Members says who is meant, by regular expressions that match a whole name of a
// user or of one of their groups. The zero value is nobody.
type Members struct{ Users, Groups []string }

// StaticOptions says who may do what.
type StaticOptions struct {
	Requesters, Approvers, Revokers Members
	// Current returns an actor as they are known now, or false if they are known no
	// more; see Users.Current. Nil means that actors stay what they were: an
	// issuer of ID tokens cannot be asked about anybody who is not there.
	Current func(actor operation.Actor) (operation.Actor, bool, error)
}

// Static is an Authorizer by lists, for a server without a cluster.
type Static struct {
	members map[string]members
	current func(operation.Actor) (operation.Actor, bool, error)
}

var _ Authorizer = (*Static)(nil)

type members struct{ users, groups []*regexp.Regexp }

// NewStatic returns a Static, or an error that names each pattern that is none.
func NewStatic(o StaticOptions) (*Static, error) {
	s := &Static{members: map[string]members{}, current: o.Current}
	var errs []error
	for _, one := range []struct {
		verb    string
		members Members
	}{{VerbRequest, o.Requesters}, {VerbApprove, o.Approvers}, {VerbRevoke, o.Revokers}} {
		users, usersErr := compile(one.members.Users)
		groups, groupsErr := compile(one.members.Groups)
		if err := errors.Join(usersErr, groupsErr); err != nil {
			errs = append(errs, fmt.Errorf("who may %s: %w", one.verb, err))
		}
		s.members[one.verb] = members{users, groups}
	}
	if s.current == nil {
		s.current = func(actor operation.Actor) (operation.Actor, bool, error) { return actor, true, nil }
	}
	return s, errors.Join(errs...)
}

func compile(patterns []string) ([]*regexp.Regexp, error) {
	var list []*regexp.Regexp
	var errs []error
	for _, pattern := range patterns {
		// Alone first: "a)|(b" is no pattern, but would be one between brackets.
		if _, err := regexp.Compile(pattern); err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, regexp.MustCompile(`^(?:`+pattern+`)$`))
	}
	return list, errors.Join(errs...)
}

// Allowed implements Authorizer.
func (s *Static) Allowed(_ context.Context, actor operation.Actor, verb string) (allowed bool, why string, err error) {
	members, ok := s.members[verb]
	if !ok {
		return false, "", fmt.Errorf("nobody says who may %s", verb)
	}
	shown := operation.Printable(actor.Name)
	actor, known, err := s.current(actor)
	switch {
	case err != nil:
		return false, "", err
	case !known:
		return false, shown + " is not a user here any more", nil
	case !members.include(actor):
		return false, fmt.Sprintf("%s may not %s", shown, verb), nil
	}
	return true, "", nil
}

func (m members) include(actor operation.Actor) bool {
	return matches(m.users, actor.Name) ||
		slices.ContainsFunc(actor.Groups, func(group string) bool { return matches(m.groups, group) })
}

func matches(patterns []*regexp.Regexp, text string) bool {
	return slices.ContainsFunc(patterns, func(p *regexp.Regexp) bool { return p.MatchString(text) })
}

// MayImpersonate implements Authorizer: without a cluster there is no
// impersonation.
func (*Static) MayImpersonate(context.Context, operation.Actor, operation.Actor) (bool, error) {
	return false, nil
}
