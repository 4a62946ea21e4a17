package breakglass_test

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// model is what is true of some cases: who said what when, and who may what now.
// It knows nothing of how a desk finds out.
type model struct {
	now    time.Time
	quorum int
	frozen bool
	lost   map[string]bool // who may not approve any more
	cases  []*modelCase
}

// somebody is one name of a person or a machine.
type somebody struct {
	name    string
	person  string // whose name it is
	machine bool
}

// everybody are the names that act in the model. The last three can approve
// nothing, whoever lets them.
var everybody = []somebody{
	{alice, "alice", false}, {"ALICE@example.com", "alice", false}, {"alice@corp.example.com", "alice", false},
	{bob, "bob", false}, {"bob.admin", "bob", false},
	{carol, "carol", false}, {"dave@example.com", "dave", false},
	{robot, robot, true}, {"copilot", "copilot", true}, {"b\u043eb@example.com", "looks like bob", true},
}

func named(name string) somebody {
	return everybody[slices.IndexFunc(everybody, func(s somebody) bool { return s.name == name })]
}

// modelCase are the facts of one request.
type modelCase struct {
	id                 string
	requester, subject string
	targets            []operation.Reference
	objects            int
	created, notBefore time.Time
	duration           time.Duration
	approvals          []modelApproval
	stopped            bool
	begins, ends       time.Time // of the grant, once there is one
	uses               []modelUse
}

type modelApproval struct {
	name string
	at   time.Time
}

type modelUse struct {
	target operation.Reference
	verb   operation.Verb
	at     time.Time
	state  breakglass.UseState
}

const (
	modelWindow = time.Hour // to approve
	modelLeeway = 30 * time.Second
	modelRepeat = time.Minute
	// modelFate is when nothing of a use can be on its way any more: a repeat after a
	// minute, a minute for the API server, and 30 seconds for the clocks.
	modelFate = 150 * time.Second
)

// couldApprove says whether a name's approval of a time would count now.
func (m *model) couldApprove(c *modelCase, name string, at time.Time) bool {
	who := named(name)
	return !who.machine && !m.lost[name] &&
		who.person != named(c.requester).person && who.person != named(c.subject).person &&
		!at.Before(c.created.Add(-modelLeeway)) && !at.After(c.created.Add(modelWindow)) && !at.After(m.now.Add(modelLeeway))
}

// counting are the approvals that count now, one a person, oldest first.
func (m *model) counting(c *modelCase) []modelApproval {
	all := slices.Clone(c.approvals)
	slices.SortFunc(all, func(a, b modelApproval) int { return cmp.Or(a.at.Compare(b.at), strings.Compare(a.name, b.name)) })
	var counting []modelApproval
	people := map[string]bool{}
	for _, a := range all {
		if person := named(a.name).person; m.couldApprove(c, a.name, a.at) && !people[person] {
			people[person] = true
			counting = append(counting, a)
		}
	}
	return counting
}

// approved says whether enough people stand behind it now, and nothing before it.
func (m *model) approved(c *modelCase) bool {
	return !m.frozen && !c.stopped && len(m.counting(c)) >= m.quorum
}

// window is when it can be used, if it were granted now.
func (m *model) window(c *modelCase) (begins, ends time.Time) {
	begins = c.notBefore
	if last := m.counting(c)[m.quorum-1].at; last.After(begins) {
		begins = last
	}
	return begins, begins.Add(c.duration)
}

func (c *modelCase) granted() bool { return !c.ends.IsZero() }

func (c *modelCase) used() int {
	count := 0
	for _, u := range c.uses {
		if u.state != breakglass.Released {
			count++
		}
	}
	return count
}

// again says whether an operation is a use that was made within the last minute.
func (m *model) again(c *modelCase, op *operation.Operation) bool {
	return slices.ContainsFunc(c.uses, func(u modelUse) bool {
		return u.state != breakglass.Released && u.target == op.Target.Reference && u.verb == op.Verb && m.now.Sub(u.at) <= modelRepeat
	})
}

// left says whether a use is left for an operation.
func (m *model) left(c *modelCase, op *operation.Operation) bool {
	return c.used() < c.objects || m.again(c, op)
}

// opens says whether an operation may pass now. With slack, clocks may be apart;
// without, it is so by every clock.
func (m *model) opens(c *modelCase, op *operation.Operation, slack time.Duration) bool {
	covered := op.Actor.Name == c.subject && op.Verb == operation.Delete && slices.ContainsFunc(c.targets, func(t operation.Reference) bool {
		return t.Name == op.Target.Name && (t.UID == "" || t.UID == op.Target.UID)
	})
	if !covered || !m.approved(c) || !m.left(c, op) {
		return false
	}
	begins, ends := c.begins, c.ends
	if !c.granted() {
		begins, ends = m.window(c)
	}
	return !m.now.Before(begins.Add(-slack)) && m.now.Before(ends.Add(slack))
}
