package receipt

import (
	"fmt"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/git"
)

func (c *comparison) git() {
	if c.r.Git == nil {
		c.say("no commit is pinned: whether something was merged since the plan was made cannot be told")
		return
	}
	want := *c.r.Git
	c.dirty(want)
	if c.now.Git == nil {
		c.unknown(FieldGit, want.Commit, "the commit", "run plan verify in the repository, with git installed")
		return
	}
	got := *c.now.Git
	if got.Head != want.Commit {
		c.mismatch(Mismatch{
			Field: FieldGit, Want: want.Commit, Got: got.Head,
			Sentence: fmt.Sprintf("another commit is checked out than the one that was planned: %s, not %s", short(got.Head), short(want.Commit)),
			Hint:     "check out the commit that was planned, or plan and check this one",
		})
	}
	c.base(want, got)
}

func (c *comparison) dirty(want Git) {
	switch {
	case !want.Dirty:
	case c.skips(FieldDirty):
		c.say("the plan was made of a tree with changes that were not committed, and that was to be let pass")
	default:
		c.mismatch(Mismatch{
			Field: FieldDirty, Want: "a clean tree", Got: "changes that were not committed",
			Sentence: fmt.Sprintf("the plan was made of a tree with changes that were not committed: nobody can tell what commit %s has to do with it", short(want.Commit)),
			Hint:     "commit or undo the changes, then plan and check again",
		})
	}
}

// base compares the head of the base branch. It may be at what the plan's tree contains, or
// at the plan's own commit, if that was merged as it was.
func (c *comparison) base(want Git, got GitNow) {
	if want.Base == "" {
		c.say("no base branch is pinned: whether something was merged since the plan was made cannot be told")
		return
	}
	m := Mismatch{Field: FieldGit, Want: want.Base, Got: got.Base.Hash, Hint: "merge or rebase onto " + want.Branch + ", plan again and check that"}
	if want.Commit == want.Base {
		m.Hint = Again
	}
	switch {
	case got.Base.Hash == "":
		c.unknown(FieldGit, want.Base, "the head of "+want.Branch, "git fetch origin "+want.Branch+" before plan verify")
		return
	case got.Base.Branch != want.Branch:
		m.Want, m.Got = want.Branch, got.Base.Branch
		m.Sentence = fmt.Sprintf("the plan was checked against branch %s, and is compared with %s", want.Branch, got.Base.Branch)
		m.Hint = "give plan verify the base branch that plan check was given"
	case got.Base.Hash == want.Base, got.Base.Hash == want.Commit:
		if stale := Stale(got.Base, got.Fetched, c.now.Time); stale != "" {
			c.say("%s", stale)
		}
		if got.Base.Local {
			c.say("the head of %s is the local branch's: the remote's is not known here", want.Branch)
		}
		return
	case got.Moves.Rewritten:
		m.Sentence = fmt.Sprintf("%s was rewritten since the plan was made: it is at %s and no longer contains %s", got.Base.Ref, short(got.Base.Hash), short(want.Base))
		m.Hint = "find out who pushed with force, then plan and check again"
	default:
		m.Sentence = fmt.Sprintf("%s has moved on since the plan was made, from %s to %s: %s", got.Base.Ref, short(want.Base), short(got.Base.Hash), moved(got))
	}
	c.mismatch(m)
}

// maxTold is how many steps of a branch a sentence tells.
const maxTold = 3

// moved tells what moved a branch.
func moved(now GitNow) string {
	steps := now.Moves.Commits
	if len(steps) == 0 {
		if now.MovesUnknown != "" {
			return "by what cannot be told (" + now.MovesUnknown + ")"
		}
		return "by what is not known"
	}
	var told []string
	for _, step := range steps[:min(len(steps), maxTold)] {
		told = append(told, tell(step))
	}
	text := "by " + strings.Join(told, ", ")
	if more := len(steps) - len(told) + now.Moves.More; more > 0 {
		text += ", and " + count(more, "commit") + " before"
	}
	return text
}

func tell(step git.Commit) string {
	name := "commit " + short(step.Hash)
	if step.PullRequest != "" {
		name = "pull request " + step.PullRequest
	}
	return fmt.Sprintf("%s %q of %s", name, operation.Clip(step.Subject, maxShown), step.Author)
}
