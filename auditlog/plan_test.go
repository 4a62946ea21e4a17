package auditlog_test

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"
)

// plan is a stream of entries, and what happens to the watcher while it reads them.
type plan struct {
	queued  bool
	entries []event
	lives   []life
}

// event is an entry of the stream.
type event struct {
	kind kindOfEvent
	// of is the number of the event that a duplicate or an end is of.
	of int
}

type kindOfEvent string

const (
	ignored   kindOfEvent = "ignored"
	judged    kindOfEvent = "judged"
	illegible kindOfEvent = "illegible"
	duplicate kindOfEvent = "duplicate"
	started   kindOfEvent = "started"
	finished  kindOfEvent = "finished"
	failed    kindOfEvent = "failed"
)

// life is one run of the watcher.
type life struct {
	// dies is at which call it dies, how is where.
	dies int
	how  death
	// failures says which writes fail.
	failures []bool
}

type death string

const (
	deciding   death = "deciding"
	committing death = "committing"
	committed  death = "committed"
)

func drawPlan(t *rapid.T) plan {
	p := plan{queued: rapid.Bool().Draw(t, "queued")}
	n := rapid.IntRange(1, 40).Draw(t, "entries")
	for i := range n {
		e := event{kind: rapid.SampledFrom([]kindOfEvent{ignored, judged, judged, illegible, duplicate, started, started, finished, failed}).Draw(t, "kind")}
		switch e.kind {
		case duplicate:
			if i == 0 {
				e.kind = ignored
				break
			}
			e.of = rapid.IntRange(0, i-1).Draw(t, "of")
		case finished, failed:
			open := p.open()
			if len(open) == 0 {
				e.kind = ignored
				break
			}
			e.of = rapid.SampledFrom(open).Draw(t, "of")
		}
		p.entries = append(p.entries, e)
	}
	p.lives = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) life {
		return life{
			dies: rapid.IntRange(0, 20).Draw(t, "dies"), how: rapid.SampledFrom([]death{deciding, committing, committed}).Draw(t, "how"),
			failures: rapid.SliceOfN(rapid.Bool(), 0, 10).Draw(t, "failures"),
		}
	}), 0, 6).Draw(t, "lives")
	return p
}

// open are operations that have no end yet.
func (p plan) open() (open []int) {
	for i, e := range p.entries {
		ended := slices.ContainsFunc(p.entries, func(o event) bool { return (o.kind == finished || o.kind == failed) && o.of == i })
		if e.kind == started && !ended {
			open = append(open, i)
		}
	}
	return open
}

// who does each thing as somebody else, so that there is an incident of each.
func who(i int) func(tree) {
	return func(e tree) {
		e["protoPayload"].(tree)["authenticationInfo"] = tree{"principalEmail": fmt.Sprint(i, "@example.com")}
	}
}

// made makes the entries.
func (p plan) made() (entries [][]byte) {
	for i, e := range p.entries {
		id := fmt.Sprint("op-", e.of)
		switch e.kind {
		case ignored:
			entries = append(entries, boring(i))
		case judged:
			entries = append(entries, deletion(fmt.Sprint(i), who(i)))
		case illegible:
			entries = append(entries, unreadable(i))
		case duplicate:
			entries = append(entries, entries[e.of])
		case started:
			entries = append(entries, deletion(fmt.Sprint(i), who(i), starts(fmt.Sprint("op-", i))))
		case finished:
			entries = append(entries, deletion(fmt.Sprint(e.of), ends(id)))
		case failed:
			entries = append(entries, deletion(fmt.Sprint(e.of), ends(id), fails))
		}
	}
	return entries
}

// told is what people are told of the first n entries, and how many of them cannot be
// read.
func (p plan) told(n int) (lines []string, illegibles int) {
	phases := map[int]string{}
	for i, e := range p.entries[:n] {
		switch e.kind {
		case judged:
			phases[i] = string(finished)
		case started:
			phases[i] = string(started)
		case finished, failed:
			phases[e.of] = string(e.kind)
		case illegible:
			illegibles++
		}
	}
	for i, phase := range phases {
		lines = append(lines, fmt.Sprintf("violation %d@example.com delete %d %s", i, i, phase))
	}
	slices.Sort(lines)
	return lines, illegibles
}
