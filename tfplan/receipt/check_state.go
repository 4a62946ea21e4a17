package receipt

import "fmt"

func (c *comparison) state() {
	want, got := c.r.State, c.now.State
	if !want.Known {
		c.say("the state is not pinned: whether somebody applied since the plan was made cannot be told")
		return
	}
	if c.elsewhere() {
		c.say("the state was not compared: it is another workspace's")
		return
	}
	if !got.Known {
		c.unknown(FieldState, want.String(), "the state", "give plan verify the output of terraform state pull")
		return
	}
	m := Mismatch{Field: FieldState, Want: want.String(), Got: got.String(), Hint: Again}
	switch {
	case want == got:
		return
	case want.Lineage == "":
		m.Sentence = fmt.Sprintf("the state was empty when the plan was checked, and is not any more (serial %d): somebody applied in between", got.Serial)
	case got.Lineage == "":
		m.Sentence = "the state is empty, and was not when the plan was checked: it is another state, or somebody removed it"
		m.Hint = "check backend and workspace before anything else; every resource would be planned as new"
	case want.Lineage != got.Lineage:
		m.Sentence = fmt.Sprintf("it is another state altogether: its lineage is %s, not %s", shown(got.Lineage), shown(want.Lineage))
		m.Hint = "check backend, workspace and folder: this plan belongs to another state"
	case want.Serial < got.Serial:
		m.Sentence = fmt.Sprintf("the state has moved on, from serial %d to %d: somebody applied, or changed it, since the plan was made", want.Serial, got.Serial)
	default:
		m.Sentence = fmt.Sprintf("the state was rolled back, from serial %d to %d: somebody pushed an older one", want.Serial, got.Serial)
		m.Hint = "find out who restored it and why before anybody applies; then plan and check again"
	}
	c.mismatch(m)
}

// String is how a state is shown.
func (s State) String() string {
	switch {
	case !s.Known:
		return "not known"
	case s.Lineage == "":
		return "empty"
	}
	return fmt.Sprintf("lineage %s, serial %d", s.Lineage, s.Serial)
}
