// Package receipt pins a decision on a Terraform plan to what it was made of: plan check
// writes a receipt, plan verify compares it with the world right before apply.
//
//	plan check ──► New ── Sign ── Encode ──► file ──► Decode ── CheckSignature ── Check ──► apply
//
// A receipt is JSON for people and programs, and holds no secret: digests, names and
// counts. Its signature, where a key is at hand, is over its canonical form (RFC 8785), so
// that it does not matter how the file is written.
//
// The package is pure: it reads no file, no clock and no repository but by what it is given.
package receipt

import (
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// What a receipt says that it is.
const (
	APIVersion = "mollyguard.dev/v1alpha1"
	Kind       = "PlanReceipt"
)

// Receipt is what was decided on a plan, and what of. Times are UTC, in whole seconds.
// Digests are SHA-256 in lower-case hexadecimal; an empty one is not pinned.
type Receipt struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Made       time.Time `json:"made"`
	Expires    time.Time `json:"expires"`
	Plan       Plan      `json:"plan"`
	State      State     `json:"state"`
	Terraform  Terraform `json:"terraform"`
	// Git is null where there is no repository.
	Git      *Git     `json:"git"`
	Applier  Applier  `json:"applier"`
	Decision Decision `json:"decision"`
	// Grants are the handles of the grants that lifted what the policies deny.
	Grants []string `json:"grants"`
	// Judge is what judged it.
	Judge Judge `json:"judge"`
	// Notes are for people: what could not be looked at when the plan was checked.
	Notes []string `json:"notes"`
	// Signature is a detached JWS, or empty; see Sign.
	Signature string `json:"signature"`
}

// Form says which text of a plan a digest is of.
type Form string

// The forms.
const (
	// File is the plan file, which apply takes.
	File Form = "file"
	// JSON is what terraform show -json writes of it.
	JSON Form = "json"
)

// Plan names a plan.
type Plan struct {
	Digest string `json:"digest"`
	Form   Form   `json:"form"`
	// JSONDigest is of the plan's JSON, whichever form Digest is of.
	JSONDigest string `json:"json_digest"`
	// Values says whose word it is that the JSON is the plan file's, of which only what
	// changes is compared otherwise. New takes an empty one for Given.
	Values Values `json:"values"`
}

// Values says where the JSON that was judged came from.
type Values string

// Where it came from.
const (
	// Shown is what Terraform showed of the plan file when it was checked.
	Shown Values = "shown"
	// Given is what somebody gave, and nobody compared with the plan file.
	Given Values = "given"
)

// Judge is what a plan was judged by.
type Judge struct {
	// Digest is of the policies and of all in the configuration that decides; empty is not
	// pinned.
	Digest string `json:"digest"`
	// Version is Mollyguard's, for people.
	Version string `json:"version"`
}

// State says where a state is at. The state of a new workspace is known and has no lineage.
type State struct {
	Known   bool   `json:"known"`
	Lineage string `json:"lineage"`
	Serial  uint64 `json:"serial"`
}

// Terraform is what plans and applies, and with what.
type Terraform struct {
	Version   string `json:"version"`
	Workspace string `json:"workspace"`
	// Variables, Configuration and Lock are digests of the variables' values, the
	// configuration and the lock file of the providers.
	Variables     string `json:"variables"`
	Configuration string `json:"configuration"`
	Lock          string `json:"lock"`
}

// Git is the work tree that was planned.
type Git struct {
	// Commit is what was checked out.
	Commit string `json:"commit"`
	// Base is the newest commit of the base branch that Commit contains, and Branch the
	// name of that branch. Both are empty where no base branch was known.
	Base   string `json:"base"`
	Branch string `json:"branch"`
	// Dirty says that the tree was not the commit's.
	Dirty bool `json:"dirty"`
	// Folder of the configuration, relative to the top of the repository.
	Folder string `json:"folder"`
}

// Applier is who would apply the plan; see package applier.
type Applier struct {
	Name  string              `json:"name"`
	Kind  operation.ActorKind `json:"kind"`
	Facts map[string]string   `json:"facts"`
}

// Decision sums up the decisions on a plan's operations.
type Decision struct {
	// Outcome is the worst of them.
	Outcome operation.Outcome `json:"outcome"`
	// Denied is how many operations are refused, Lifted how many would be but for the
	// grants.
	Denied int `json:"denied"`
	Lifted int `json:"lifted"`
	// Whole says that the plan as a whole is one of these: for how much it removes, or for
	// how it was made.
	Whole bool `json:"whole"`
	// Destroys is how many of the Managed resources the plan removes; Managed is 0 where
	// that is not known.
	Destroys int `json:"destroys"`
	Managed  int `json:"managed"`
	// Verbs are those of the operations that are or would be refused.
	Verbs []operation.Verb `json:"verbs"`
	// Approvals is the most that any violation asks of a grant; Never says that there is
	// one that no grant lifts.
	Approvals int  `json:"approvals"`
	Never     bool `json:"never"`
	// Targets are at most 64, those of refused operations first, and without the plan
	// itself; IDs are ids of decisions, at most 64. Where anything was refused or lifted
	// there are some.
	Targets []operation.Reference `json:"targets"`
	IDs     []string              `json:"ids"`
}

// New completes what is known of a plan to a receipt that is good for some time: it sets
// the version, kind and times, cuts Targets, IDs and Notes to what a receipt holds and
// leaves out a signature. The error says what cannot be in a receipt. r is not changed.
func New(r Receipt, made time.Time, life time.Duration) (Receipt, error) {
	r.APIVersion, r.Kind, r.Signature = APIVersion, Kind, ""
	if r.Plan.Values == "" {
		r.Plan.Values = Given
	}
	r.Made = made.UTC().Truncate(time.Second)
	r.Expires = r.Made.Add(life.Truncate(time.Second))
	r.Decision.Targets = cut(r.Decision.Targets)
	r.Decision.IDs = cut(r.Decision.IDs)
	r.Notes = cut(r.Notes)
	for i, note := range r.Notes {
		r.Notes[i] = operation.Clip(operation.Printable(note), maxText)
	}
	if err := r.check(); err != nil {
		return Receipt{}, err
	}
	return r, nil
}

// cut returns a copy of the first of a list.
func cut[T any](list []T) []T { return append([]T{}, list[:min(len(list), maxList)]...) }
