package breakglass_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// TestAllowedMeansThatEverythingHolds lets a few people and machines do anything
// in any order, and holds two desks on one store against a model of the facts. A
// pass means: a quorum of distinct people who may approve now and are not the
// requester, now inside both windows, not stopped, a use left or the same use
// within a minute, the subject, the verb, the object. And what is plainly so by
// the model passes.
func TestAllowedMeansThatEverythingHolds(t *testing.T) {
	people, err := breakglass.NewPeople([][]string{{alice, "alice@corp.example.com"}, {bob, "bob.admin"}})
	if err != nil {
		t.Fatal(err)
	}
	var m *runner
	o := newOffice(t, func(options *breakglass.DeskOptions) {
		options.People = people
		options.KindOf = func(name string) operation.ActorKind {
			if name == "copilot" {
				return operation.Agent
			}
			return operation.Human
		}
		options.Fate = func(context.Context, breakglass.Use) (bool, error) { return m.gone, m.fateErr }
	})
	o.rules = func(q breakglass.Question) (breakglass.Answer, error) {
		answer := breakglass.Answer{Approvals: m.quorum}
		if m.frozen && q.Stage != breakglass.StageApprove {
			answer.Refused = []string{"frozen"}
		}
		return answer, nil
	}
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		// One store for all runs, which are years apart: the first sweep of each
		// removes what the one before left.
		runs++
		m = &runner{
			model:  model{now: opening.AddDate(runs, 0, 0), quorum: 1, lost: map[string]bool{}},
			office: o, desks: []*breakglass.Desk{o.another(nil), o.another(nil)},
		}
		m.clock.set(m.now)
		m.rights.lock.Lock()
		clear(m.rights.taken)
		m.rights.lock.Unlock()
		if err := m.Sweep(o.Context()); err != nil {
			t.Fatal(err)
		}
		m.ask(t)
		t.Repeat(map[string]func(*rapid.T){
			"":         m.observe,
			"ask":      m.ask,
			"approve":  m.approve,
			"approve2": m.approve, // more often than the rest
			"record":   m.record,
			"stop":     m.stop,
			"rights":   m.change,
			"policy":   m.policy,
			"wait":     m.wait,
			"try":      m.try,
			"try2":     m.try,
			"try3":     m.try,
			"hold":     m.hold,
			"take":     m.takeHeld,
			"sweep":    m.sweep,
			"restart":  m.restart,
		})
	})
}

// runner does what is drawn, at desks and in the model.
type runner struct {
	model
	*office
	desks   []*breakglass.Desk
	held    []heldPass
	gone    bool
	fateErr error
}

// heldPass is what somebody has found and not taken yet.
type heldPass struct {
	pass breakglass.Pass
	op   *operation.Operation
}

var things = []operation.Reference{web, deployment("web", "u-2"), deployment("api", "u-7"), deployment("db", "u-8")}

func (m *runner) desk(t *rapid.T) *breakglass.Desk {
	return m.desks[rapid.IntRange(0, len(m.desks)-1).Draw(t, "desk")]
}

func (m *runner) someCase(t *rapid.T) *modelCase {
	if len(m.cases) == 0 {
		t.Skip("nothing was asked for")
	}
	return m.cases[rapid.IntRange(0, len(m.cases)-1).Draw(t, "case")]
}

func (m *runner) somebody(t *rapid.T) string {
	return rapid.SampledFrom(everybody).Draw(t, "who").name
}

// approver is more often than not somebody who may be one.
func (m *runner) approver(t *rapid.T) string {
	if rapid.IntRange(0, 2).Draw(t, "anybody") == 0 {
		return m.somebody(t)
	}
	return rapid.SampledFrom([]string{bob, carol, "dave@example.com"}).Draw(t, "approver")
}

// actor is somebody as the surface shows them: it takes some machines for people.
func actor(name string) operation.Actor {
	if name == robot {
		return machine(name, operation.Service)
	}
	return person(name)
}

func (m *runner) ask(t *rapid.T) {
	if len(m.cases) == 4 {
		t.Skip("enough was asked for")
	}
	c := &modelCase{
		requester: rapid.SampledFrom([]string{alice, alice, "alice@corp.example.com", bob, robot}).Draw(t, "requester"),
		targets:   rapid.SampledFrom([][]operation.Reference{things[:1], {deployment("web", "")}, {web, things[2]}}).Draw(t, "targets"),
		objects:   rapid.IntRange(1, 2).Draw(t, "objects"),
		created:   m.now,
		duration:  rapid.SampledFrom([]time.Duration{time.Minute, 5 * time.Minute, 2 * time.Hour}).Draw(t, "duration"),
	}
	c.subject = c.requester
	p := proposal(c.targets...)
	p.Scope.Objects, p.Duration = c.objects, c.duration
	if c.requester == alice && rapid.Bool().Draw(t, "for the robot") {
		c.subject, p.Subject = robot, robot
	}
	if rapid.IntRange(0, 3).Draw(t, "later") == 0 {
		c.notBefore = m.now.Add(rapid.SampledFrom([]time.Duration{time.Minute, 90 * time.Minute}).Draw(t, "not before"))
		p.NotBefore = c.notBefore
	}
	view, err := m.desk(t).Request(m.Context(), actor(c.requester), p)
	if (err == nil) == m.frozen {
		t.Fatalf("frozen %v, and the answer is %s", m.frozen, outcome(err))
	}
	if err == nil {
		c.id = view.ID()
		m.cases = append(m.cases, c)
	}
}

func (m *runner) approve(t *rapid.T) {
	c, name := m.someCase(t), m.approver(t)
	_, err := m.desk(t).Judge(m.Context(), actor(name), c.id, breakglass.Approve, "")
	m.decided(t, err)
	could := m.couldApprove(c, name, m.now) && !c.stopped
	over := m.now.After(c.created.Add(modelWindow)) || c.granted() && (!m.now.Before(c.ends) || c.used() >= c.objects)
	switch {
	case err == nil && !could:
		t.Fatalf("%s approved %s", name, c.id)
	case err != nil && could && !over:
		t.Fatalf("%s could not approve %s: %v", name, c.id, err)
	case err == nil:
		c.say(name, m.now)
	}
}

// say adds an approval; there is one of a name.
func (c *modelCase) say(name string, at time.Time) {
	if !slices.ContainsFunc(c.approvals, func(a modelApproval) bool { return a.name == name }) {
		c.approvals = append(c.approvals, modelApproval{name, at})
	}
}

// record puts an approval into the store that no desk has seen.
func (m *runner) record(t *rapid.T) {
	c, name := m.someCase(t), m.approver(t)
	at := m.now.Add(rapid.SampledFrom([]time.Duration{0, 30 * time.Second, time.Minute, -30 * time.Minute, -2 * time.Hour}).Draw(t, "at"))
	err := m.store.CreateVerdict(m.Context(), breakglass.Verdict{
		Request: c.id, Kind: breakglass.Approve, By: person(name), At: at, Door: breakglass.DoorKubernetes,
	})
	if err != nil && !errors.Is(err, breakglass.ErrExists) {
		t.Fatal(err)
	}
	c.say(name, at)
}

func (m *runner) stop(t *rapid.T) {
	if rapid.IntRange(0, 2).Draw(t, "really") > 0 {
		t.Skip("else little is left to try")
	}
	c, name := m.someCase(t), m.somebody(t)
	kind := rapid.SampledFrom([]breakglass.VerdictKind{breakglass.Deny, breakglass.Revoke}).Draw(t, "kind")
	_, err := m.desk(t).Judge(m.Context(), actor(name), c.id, kind, "")
	m.decided(t, err)
	may := name == c.requester || name == c.subject || kind == breakglass.Revoke || !m.lost[name]
	over := m.now.After(c.created.Add(modelWindow))
	if c.granted() {
		over = !m.now.Before(c.ends)
	}
	switch {
	case err == nil && (!may || c.stopped):
		t.Fatalf("%s: %s by %s, who may not", c.id, kind, name)
	case err != nil && may && !c.stopped && !over:
		t.Fatalf("%s: no %s by %s: %v", c.id, kind, name, err)
	case err == nil:
		c.stopped = true
	}
}

func (m *runner) decided(t *rapid.T, err error) {
	if err != nil && !errors.As(err, new(*breakglass.Refusal)) {
		t.Fatalf("undecided: %v", err)
	}
}

func (m *runner) change(t *rapid.T) {
	name := m.somebody(t)
	m.lost[name] = !m.lost[name]
	m.rights.take(breakglass.RightApprove, name, m.lost[name])
}

func (m *runner) policy(t *rapid.T) {
	m.quorum = rapid.SampledFrom([]int{1, 1, 2, 2, 3}).Draw(t, "quorum")
	m.frozen = rapid.IntRange(0, 7).Draw(t, "frozen") == 0
}

func (m *runner) wait(t *rapid.T) {
	m.now = m.now.Add(rapid.SampledFrom([]time.Duration{
		time.Second, 29 * time.Second, 30 * time.Second, 31 * time.Second, time.Minute, 61 * time.Second,
		150 * time.Second, 150 * time.Second, 10 * time.Minute, time.Hour,
	}).Draw(t, "for"))
	m.clock.set(m.now)
}

// operation is more often than not one that was asked for.
func (m *runner) operation(t *rapid.T) *operation.Operation {
	if rapid.IntRange(0, 3).Draw(t, "anything") > 0 {
		c := m.someCase(t)
		op := deletion(rapid.SampledFrom(c.targets).Draw(t, "target of it"))
		op.Actor = actor(c.subject)
		if op.Target.UID == "" {
			op.Target.UID = rapid.SampledFrom([]string{"u-1", "u-2"}).Draw(t, "uid")
		}
		return op
	}
	op := deletion(rapid.SampledFrom(things).Draw(t, "target"))
	op.Actor = actor(rapid.SampledFrom([]string{alice, "alice@corp.example.com", "ALICE@example.com", bob, robot}).Draw(t, "actor"))
	op.Verb = rapid.SampledFrom([]operation.Verb{operation.Delete, operation.Evict}).Draw(t, "verb")
	return op
}

// find finds, and holds what was found against the model.
func (m *runner) find(t *rapid.T) (breakglass.Finding, *operation.Operation) {
	op := m.operation(t)
	found, err := m.desk(t).Find(m.Context(), op, operation.High)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range m.cases {
		i := slices.IndexFunc(found.Passes, func(p breakglass.Pass) bool { return p.Grant.ID == c.id })
		switch {
		case i >= 0 && !m.opens(c, op, modelLeeway):
			t.Fatalf("%s opens %s of %s for %s, and must not: %+v", c.id, op.Verb, op.Target.Ref, op.Actor.Name, c)
		case i < 0 && m.opens(c, op, 0):
			t.Fatalf("%s does not open %s of %s for %s: %v", c.id, op.Verb, op.Target.Ref, op.Actor.Name, found.Refused)
		case i >= 0 && found.Passes[i].Grant.Approvals != len(m.counting(c)):
			t.Fatalf("%s has %d approvals, not %d", c.id, found.Passes[i].Grant.Approvals, len(m.counting(c)))
		}
	}
	if len(found.Passes) > len(m.cases) {
		t.Fatalf("passes of nothing that was asked for: %+v", found.Passes)
	}
	m.observe(t) // it may have issued some
	return found, op
}

func (m *runner) try(t *rapid.T) {
	if found, op := m.find(t); len(found.Passes) > 0 {
		m.take(t, heldPass{found.Passes[0], op})
	}
}

// hold finds now what is taken later, at another desk's pace.
func (m *runner) hold(t *rapid.T) {
	if found, op := m.find(t); len(found.Passes) > 0 {
		m.held = append(m.held, heldPass{found.Passes[0], op})
	}
}

func (m *runner) takeHeld(t *rapid.T) {
	if len(m.held) == 0 {
		t.Skip("nothing is held")
	}
	held := m.held[0]
	m.held = m.held[1:]
	m.take(t, held)
}

func (m *runner) take(t *rapid.T, held heldPass) {
	c := m.cases[slices.IndexFunc(m.cases, func(c *modelCase) bool { return c.id == held.pass.Grant.ID })]
	err := held.pass.Take(m.Context(), "")
	m.decided(t, err)
	if may := !c.stopped && m.left(c, held.op) && m.now.Before(c.ends.Add(modelLeeway)); may != (err == nil) {
		t.Fatalf("%s may be taken is %v, and the answer is %s", c.id, may, outcome(err))
	}
	if err == nil && !m.again(c, held.op) {
		c.uses = append(c.uses, modelUse{held.op.Target.Reference, held.op.Verb, m.now, breakglass.Reserved})
	}
}

func (m *runner) sweep(t *rapid.T) {
	m.gone = rapid.Bool().Draw(t, "gone")
	m.fateErr = rapid.SampledFrom([]error{nil, nil, breakglass.ErrNotFound, errDown}).Draw(t, "fate")
	failed := false
	for _, c := range m.cases {
		for i := range c.uses {
			u := &c.uses[i]
			switch {
			case u.state != breakglass.Reserved || m.now.Sub(u.at) < modelFate:
			case m.fateErr == errDown:
				failed = true
			case m.fateErr == nil && !m.gone:
				u.state = breakglass.Released
			default:
				u.state = breakglass.Confirmed
			}
		}
	}
	if err := m.desk(t).Sweep(m.Context()); (err != nil) != failed {
		t.Fatalf("sweep: %v", err)
	}
	for _, c := range m.cases {
		m.look(t, c)
		if m.approved(c) && !c.granted() {
			if _, ends := m.window(c); m.now.Before(ends) {
				t.Fatalf("%s is approved, and no sweep issues it", c.id)
			}
		}
	}
}

func (m *runner) restart(t *rapid.T) {
	m.desks[rapid.IntRange(0, len(m.desks)-1).Draw(t, "desk")] = m.another(nil)
}

// observe looks at all cases: what was granted was granted rightly, and what is
// kept of uses is what was taken.
func (m *runner) observe(t *rapid.T) {
	for _, c := range m.cases {
		m.look(t, c)
	}
}

func (m *runner) look(t *rapid.T, c *modelCase) {
	view, err := m.View(m.Context(), c.id)
	if err != nil {
		t.Fatal(err)
	}
	if view.Grant != nil && !c.granted() {
		if !m.approved(c) {
			t.Fatalf("%s was issued, and is not approved: %+v", c.id, c)
		}
		if c.begins, c.ends = m.window(c); !view.Grant.NotBefore.Equal(c.begins) || !view.Grant.Expires.Equal(c.ends) {
			t.Fatalf("%s is from %v to %v, not from %v to %v", c.id, view.Grant.NotBefore, view.Grant.Expires, c.begins, c.ends)
		}
	}
	var uses []modelUse
	for _, u := range view.Uses {
		uses = append(uses, modelUse{u.Target, u.Verb, u.At, u.State})
	}
	if !slices.Equal(uses, c.uses) || c.used() > c.objects {
		t.Fatalf("%s: uses are %v, not %v of %d", c.id, uses, c.uses, c.objects)
	}
	if view.Standing.State == breakglass.Active && !(m.approved(c) && c.granted() && c.used() < c.objects) {
		t.Fatalf("%s is called active: %+v", c.id, c)
	}
}
