package receipt

import (
	"fmt"
	"time"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/git"
)

// values compares the JSON that was judged with what Terraform shows of the plan file, unless
// Terraform showed it when the plan was checked.
func (c *comparison) values(want, got Plan) {
	const hint = "check the plan again where Terraform is, without --plan-json"
	switch {
	case want.Values == Shown:
	case got.JSONDigest == "":
		c.unknown(FieldValues, want.JSONDigest, "what terraform show -json says of the plan",
			"run plan verify where Terraform is, in the configuration's folder, after terraform init; --skip values takes the values on trust")
	case want.JSONDigest != got.JSONDigest:
		c.mismatch(Mismatch{
			Field: FieldValues, Want: want.JSONDigest, Got: got.JSONDigest, Hint: hint,
			Sentence: fmt.Sprintf("the JSON that was judged is not what terraform show -json says of the plan file: its digest is %s, not %s",
				short(got.JSONDigest), short(want.JSONDigest)),
		})
	}
}

// judge compares what judged the plan with what would judge it here.
func (c *comparison) judge() {
	want, got := c.r.Judge, c.now.Judge
	switch {
	case want.Digest == "":
		c.say("by which policies and which configuration the plan was judged is not pinned")
	case got == "":
		c.unknown(FieldJudge, want.Digest, "what judges plans here", "give plan verify the configuration that plan check was given")
	case want.Digest == got:
	case c.skips(FieldJudge):
		c.say("the plan was judged by other policies or another configuration than those here, and that was to be let pass")
	default:
		c.mismatch(Mismatch{
			Field: FieldJudge, Want: want.Digest, Got: got,
			Sentence: fmt.Sprintf("the plan was judged by other policies or another configuration (%s, by mollyguard %s; here it is %s)",
				short(want.Digest), shown(want.Version), short(got)),
			Hint: "give plan check and plan verify the same --config, policies and version of mollyguard, and check the plan again",
		})
	}
}

// maxFetchAge is how old a fetch may be before it is worth a word: pipelines fetch as they
// begin, and few take longer.
const maxFetchAge = time.Hour

// Stale says that the head of a remote's branch may not be what the remote has by now, since
// it was fetched long ago; or nothing.
func Stale(base git.Base, fetched, now time.Time) string {
	age := now.Sub(fetched)
	if base.Local || fetched.IsZero() || age <= maxFetchAge {
		return ""
	}
	return fmt.Sprintf("the head of %s is as it was fetched %s ago: what was merged since is not seen; git fetch origin tells",
		operation.Printable(base.Branch), span(age))
}
