package report

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// DefaultKept is how many rows a report has in detail: more than anybody reads, and with
// some kilobytes each a few megabytes however large the plan is.
const DefaultKept = 1000

// Collector keeps the worst decisions on a plan and counts the others, in memory that
// does not grow with the plan. Which ones it keeps depends on the decisions and, for such
// as are equal in all that is shown, on their order. The zero Collector keeps
// DefaultKept. It is not for use by several goroutines at once.
type Collector struct {
	// Keep is how many rows are kept beside that of the plan as a whole; 0 stands for
	// DefaultKept. It must not change once a row was added.
	Keep int

	plan *Row
	kept worstRows
	left map[operation.Outcome]int
	// added numbers the rows, so that of equal ones the first is kept.
	added int
	worst operation.Outcome
}

// Add takes in one decision.
func (c *Collector) Add(row Row) {
	if c.worst == "" || outcomeRank(row.Decision.Outcome) > outcomeRank(c.worst) {
		c.worst = known(row.Decision.Outcome)
	}
	if row.isPlan() && c.plan == nil {
		plan := row // row itself would be on the heap, each time
		c.plan = &plan
		return
	}
	c.added++
	next := numbered{row, rankOf(row), c.added}
	dropped := row.Decision.Outcome
	switch {
	case len(c.kept) < cmp.Or(c.Keep, DefaultKept):
		heap.Push(&c.kept, next.kept())
		return
	case next.compare(c.kept[0]) < 0:
		dropped = c.kept[0].Decision.Outcome
		c.kept[0] = next.kept()
		heap.Fix(&c.kept, 0)
	}
	if c.left == nil {
		c.left = map[operation.Outcome]int{}
	}
	c.left[known(dropped)]++
}

// Rows are the decisions that were kept, the worst first.
func (c *Collector) Rows() []Row {
	kept := slices.Clone(c.kept)
	slices.SortFunc(kept, (*numbered).compare)
	var rows []Row
	if c.plan != nil {
		rows = append(rows, *c.plan)
	}
	for _, n := range kept {
		rows = append(rows, n.Row)
	}
	slices.SortStableFunc(rows, compare)
	return rows
}

// Left counts the decisions that were not kept, by their outcome.
func (c *Collector) Left() map[operation.Outcome]int {
	left := map[operation.Outcome]int{}
	for outcome, n := range c.left {
		left[outcome] = n
	}
	return left
}

// Outcome is the worst of all that was added: allow if there was nothing.
func (c *Collector) Outcome() operation.Outcome { return cmp.Or(c.worst, operation.OutcomeAllow) }

type numbered struct {
	Row
	rank   rank
	number int
}

// kept is n for as long as it is kept; most rows are only compared, and cost nothing.
func (n numbered) kept() *numbered { return &n }

func (n *numbered) compare(other *numbered) int {
	return cmp.Or(n.rank.compare(other.rank), compareNames(n.Decision, other.Decision), cmp.Compare(n.number, other.number))
}

// worstRows is a heap whose first element is the mildest row.
type worstRows []*numbered

func (h worstRows) Len() int           { return len(h) }
func (h worstRows) Less(i, j int) bool { return h[i].compare(h[j]) > 0 }
func (h worstRows) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *worstRows) Push(row any)      { *h = append(*h, row.(*numbered)) }

// Pop is what heap.Interface asks for; rows are only ever replaced.
func (h *worstRows) Pop() any {
	last := len(*h) - 1
	row := (*h)[last]
	*h = (*h)[:last]
	return row
}

// compare sorts what to read first to the front: by outcome, the plan as a whole before
// its changes, by severity, by whether it is production, and by address.
func compare(a, b Row) int {
	return cmp.Or(rankOf(a).compare(rankOf(b)), compareNames(a.Decision, b.Decision))
}

// rank is how bad a decision is.
type rank struct {
	outcome    int
	plan       bool
	severity   int
	production bool
}

func rankOf(r Row) rank {
	return rank{outcomeRank(r.Decision.Outcome), r.isPlan(), severityRank(r.Decision), r.Decision.Production.Is}
}

// compare sorts the worse to the front.
func (r rank) compare(other rank) int {
	return cmp.Or(
		cmp.Compare(other.outcome, r.outcome), trueFirst(r.plan, other.plan),
		cmp.Compare(other.severity, r.severity), trueFirst(r.production, other.production),
	)
}

func compareNames(a, b operation.Decision) int {
	if order := strings.Compare(a.Address, b.Address); order != 0 {
		return order
	}
	return cmp.Or(strings.Compare(a.Target.Ref, b.Target.Ref), strings.Compare(string(a.Verb), string(b.Verb)))
}

func trueFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// outcomeRank orders outcomes: the worse, the higher. One that is not known ranks as
// undecided.
func outcomeRank(o operation.Outcome) int {
	switch o {
	case operation.OutcomeAllow:
		return 0
	case operation.OutcomeAlert:
		return 1
	case operation.OutcomeWarn:
		return 2
	case operation.OutcomeDeny:
		return 4
	}
	return 3
}

// severityRank is that of the worst violation, or -1 if there is none.
func severityRank(d operation.Decision) int {
	worst := -1
	for _, v := range d.Violations {
		if v.Enforcement != operation.EnforceOff {
			worst = max(worst, v.Severity.Rank())
		}
	}
	return worst
}

// effective are the violations that do something.
func effective(d operation.Decision) []operation.Violation {
	var list []operation.Violation
	for _, v := range d.Violations {
		if v.Enforcement != operation.EnforceOff {
			list = append(list, v)
		}
	}
	return list
}
