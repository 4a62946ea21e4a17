package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/mollyguard/mollyguard/operation"
)

// keptHazards says how a plan was made that is kept. No plan file tells whether what is
// really there was looked at: with -refresh=false it has the same bytes.
type keptHazards struct {
	// Plan is the SHA-256 digest of the plan file: of another, nothing is said.
	Plan    string             `json:"plan"`
	Hazards []operation.Hazard `json:"hazards"`
}

// hazardsBeside names the file that is kept with a plan file.
func hazardsBeside(plan string) string { return plan + ".hazards.json" }

// maxHazards caps that file: a digest and a word for each of the hazards.
const maxHazards = 4 << 10

// keepHazards writes what was left out when a plan was made beside the plan. What a plan
// was there before that is of another, and goes.
func keepHazards(plan, digest string, hazards []operation.Hazard) error {
	kept := keptHazards{Plan: digest}
	for _, h := range hazards {
		if h != operation.NoLock { // it is what apply leaves out, and not of the plan
			kept.Hazards = append(kept.Hazards, h)
		}
	}
	if len(kept.Hazards) == 0 {
		if err := os.Remove(hazardsBeside(plan)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return writePrivate(hazardsBeside(plan), func(to io.Writer) error {
		_, err := to.Write(text)
		return err
	})
}

// hazards are the safeguards that the command line leaves out and, of a plan file that was
// kept, those that were left out when it was made.
func (w *wrapped) hazards(digest string) ([]operation.Hazard, error) {
	list := slices.Clone(w.invocation.Hazards)
	if w.invocation.PlanFile == "" {
		return list, nil
	}
	path := hazardsBeside(w.fromFolder(w.invocation.PlanFile))
	text, err := readRegular(path, maxHazards)
	if errors.Is(err, os.ErrNotExist) {
		return list, nil
	}
	var kept keptHazards
	if err == nil {
		err = json.Unmarshal(text, &kept, json.RejectUnknownMembers(true))
	}
	if err != nil {
		return nil, &exitError{
			code: exitUndecided, err: fmt.Errorf("read how the plan was made: %s: %w", shown(path), err), hint: "plan anew",
		}
	}
	if kept.Plan != digest {
		return list, nil
	}
	for _, h := range kept.Hazards {
		if !slices.Contains(h.Values(), string(h)) {
			return nil, &exitError{
				code: exitUndecided, err: fmt.Errorf("read how the plan was made: %s: %s is no hazard that is known", shown(path), shown(string(h))), hint: "plan anew",
			}
		}
		if !slices.Contains(list, h) {
			list = append(list, h)
		}
	}
	return list, nil
}
