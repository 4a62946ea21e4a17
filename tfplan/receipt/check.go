package receipt

import (
	"fmt"
	"slices"
	"time"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/git"
)

// Field names what is compared.
type Field string

// The fields, in the order in which they are compared.
const (
	FieldDecision      Field = "decision"
	FieldTime          Field = "time"
	FieldPlan          Field = "plan"
	FieldValues        Field = "values"
	FieldJudge         Field = "judge"
	FieldWorkspace     Field = "workspace"
	FieldState         Field = "state"
	FieldGit           Field = "git"
	FieldDirty         Field = "dirty"
	FieldApplier       Field = "applier"
	FieldTerraform     Field = "terraform"
	FieldVariables     Field = "variables"
	FieldConfiguration Field = "configuration"
	FieldLock          Field = "lock"
)

// Skippable lists the fields that Now.Skip may name.
func Skippable() []Field {
	return []Field{FieldState, FieldGit, FieldDirty, FieldApplier, FieldWorkspace, FieldValues, FieldJudge}
}

// ParseSkip reads the fields to skip, as people name them.
func ParseSkip(names []string) ([]Field, error) {
	var fields []Field
	for _, name := range names {
		if !slices.Contains(Skippable(), Field(name)) {
			return nil, fmt.Errorf("%q cannot be skipped: only %v can", shown(operation.Printable(name)), Skippable())
		}
		fields = append(fields, Field(name))
	}
	return fields, nil
}

// Now is the world right before apply. What is empty is not known.
type Now struct {
	Time time.Time
	// Plan is what apply would be given. Where the receipt took its values on trust, or has
	// no more than its JSON, JSONDigest is of what Terraform shows of the file.
	Plan Plan
	// Judge is the digest of the policies and the configuration that hold where it is
	// applied.
	Judge string
	// State is what the backend has.
	State State
	// Terraform is the binary that would apply, and the workspace. The digests may be
	// left out: the plan file holds what they are of, and its digest says that it is the
	// same.
	Terraform Terraform
	// Git is the repository; see LookNow.
	Git *GitNow
	// Applier is who would apply.
	Applier *Applier
	// Skip are fields that need not be known. What is known is compared all the same; only
	// FieldDirty and FieldJudge let something pass that is known.
	Skip []Field
}

// GitNow is where a repository is at.
type GitNow struct {
	// Head is the commit that is checked out.
	Head string
	// Base is the head of the base branch, as it was last fetched; its Hash is empty where
	// the receipt names no base branch.
	Base git.Base
	// Moves are what brought the base branch from where the receipt has it to Base, and
	// MovesUnknown says why that cannot be told.
	Moves        git.Moves
	MovesUnknown string
	// Fetched is when the remote was last fetched from; zero if nothing tells.
	Fetched time.Time
}

// Mismatch is one way in which the world is not the one that was decided on.
type Mismatch struct {
	Field Field
	// Want is the receipt's, Got the world's; either may be empty.
	Want, Got string
	// Sentence is for people, and Hint says what to do.
	Sentence, Hint string
}

// Again is the hint that fits most mismatches.
const Again = "make a new plan and check that: this one must not be applied"

// Check compares a receipt with the world and returns every mismatch: if there is one, the
// plan must not be applied. It takes the receipt's word; CheckSignature says whether that
// is good.
func Check(r Receipt, now Now) []Mismatch { return compare(r, now).found }

// Loose returns, in sentences, what Check could not compare and let pass: what the receipt
// does not pin and what was skipped. It is to be said wherever a plan is let through.
func Loose(r Receipt, now Now) []string { return compare(r, now).loose }

// comparison is what was found so far.
type comparison struct {
	r     Receipt
	now   Now
	found []Mismatch
	loose []string
}

func compare(r Receipt, now Now) *comparison {
	c := &comparison{r: r, now: now}
	c.decision()
	c.time()
	c.plan()
	c.judge()
	c.workspace() // the state of another workspace is another, and that is not the news
	c.state()
	c.git()
	c.applier()
	c.terraform()
	return c
}

func (c *comparison) mismatch(m Mismatch) { c.found = append(c.found, m) }

func (c *comparison) say(format string, args ...any) {
	c.loose = append(c.loose, fmt.Sprintf(format, args...))
}

func (c *comparison) skips(field Field) bool { return slices.Contains(c.now.Skip, field) }

// unknown keeps that something that the receipt pins is not known now.
func (c *comparison) unknown(field Field, want, what, hint string) {
	if c.skips(field) {
		c.say("%s was not compared: it is not known, and was to be skipped", what)
		return
	}
	c.mismatch(Mismatch{Field: field, Want: want, Sentence: what + " is not known now, and the receipt pins it", Hint: hint})
}

func (c *comparison) decision() {
	d := c.r.Decision
	m := Mismatch{Field: FieldDecision, Want: string(operation.OutcomeAllow), Got: string(d.Outcome)}
	switch d.Outcome {
	case operation.OutcomeAllow, operation.OutcomeWarn, operation.OutcomeAlert:
		if d.Denied == 0 {
			return
		}
		fallthrough // Encode and Decode let no such receipt pass
	case operation.OutcomeDeny:
		m.Sentence = "the plan was refused when it was checked: " + count(d.Denied, "operation") + " denied"
		m.Hint = "ask for a token with mollyguard break-glass request --plan RECEIPT, and check the plan again with it"
		if d.Never {
			m.Hint = "no token lifts all of it: change the configuration, plan and check again"
		}
	default:
		m.Sentence = "the plan could not be judged when it was checked, so it was never allowed"
		m.Hint = "see the output of plan check for the reason, then check the plan again"
	}
	c.mismatch(m)
}

// maxSkew is how far the clocks of the machines that check and apply may be apart.
const maxSkew = 2 * time.Minute

func (c *comparison) time() {
	now := c.now.Time.UTC().Truncate(time.Second)
	made, expires := c.r.Made, c.r.Expires
	m := Mismatch{Field: FieldTime, Got: now.Format(time.RFC3339)}
	if !now.Before(expires) {
		m.Want = "before " + expires.Format(time.RFC3339)
		m.Sentence = fmt.Sprintf("the receipt has expired: it was good until %s, %s ago", expires.Format(time.RFC3339), span(now.Sub(expires)))
		m.Hint = Again
		c.mismatch(m)
	}
	if made.After(now.Add(maxSkew)) {
		m.Want = "after " + made.Format(time.RFC3339)
		m.Sentence = fmt.Sprintf("the receipt was made in the future: at %s, in %s", made.Format(time.RFC3339), span(made.Sub(now)))
		m.Hint = "set the clocks of the machines that check and apply; else somebody wrote the receipt by hand"
		c.mismatch(m)
	}
}

func (c *comparison) plan() {
	want, got := c.r.Plan, c.now.Plan
	const hint = "apply the very plan that was checked; if it was made again, check the new one"
	if got.Digest == "" {
		c.mismatch(Mismatch{Field: FieldPlan, Want: want.Digest, Sentence: "the plan that would be applied is not known", Hint: "say which plan would be applied"})
		return
	}
	if want.Form == got.Form {
		if want.Digest != got.Digest {
			what := map[Form]string{File: "plan file", JSON: "plan, by its JSON,"}[want.Form]
			c.mismatch(Mismatch{
				Field: FieldPlan, Want: want.Digest, Got: got.Digest, Hint: hint,
				Sentence: fmt.Sprintf("it is another %s than the one that was checked: %s, not %s", what, short(got.Digest), short(want.Digest)),
			})
		} else if want.Form == JSON {
			c.say("only the plan's JSON is pinned, not the file that apply takes")
		} else {
			c.values(want, got)
		}
		return
	}
	// One is of the file, the other of the JSON: what both have of the JSON must do.
	switch {
	case want.json() == "" || got.json() == "":
		c.mismatch(Mismatch{
			Field: FieldPlan, Want: want.Digest, Got: got.Digest,
			Sentence: fmt.Sprintf("the receipt pins the plan's %s, and what was given now is its %s: that they belong together cannot be told", want.Form, got.Form),
			Hint:     "give plan verify what plan check was given",
		})
	case want.json() != got.json():
		c.mismatch(Mismatch{
			Field: FieldPlan, Want: want.json(), Got: got.json(), Hint: hint,
			Sentence: fmt.Sprintf("it is another plan than the one that was checked, by its JSON: %s, not %s", short(got.json()), short(want.json())),
		})
	default:
		c.say("only the plan's JSON was compared, not the file that apply takes")
	}
}

// json returns the digest of the plan's JSON, or an empty text.
func (p Plan) json() string {
	if p.Form == JSON {
		return p.Digest
	}
	return p.JSONDigest
}
