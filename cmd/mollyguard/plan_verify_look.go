package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
	"github.com/mollyguard/mollyguard/tfplan/terraform"
)

// planNow is what apply would be given.
//
// Where the receipt does not say that Terraform showed what was judged, it is shown now.
func (o verifyOptions) planNow(ctx context.Context, c console, tf *terraform.Terraform, r receipt.Receipt) (now receipt.Plan, err error) {
	plan := &openPlan{name: o.plan}
	defer plan.close(&err)
	file, err := plan.take(ctx, c.streams, o.plan)
	if err != nil {
		return now, planError(o.plan, err)
	}
	isFile, err := isPlanFile(file)
	if err != nil {
		return now, planError(o.plan, err)
	}
	if !isFile {
		plan.document, err = openDocument(ctx, file)
	} else {
		plan.file, err = openPlanFile(ctx, file)
	}
	if err != nil {
		return now, planError(o.plan, err)
	}
	now = planDigests(plan)
	if !isFile || tf == nil || r.Plan.Form == receipt.File && r.Plan.Values == receipt.Shown {
		return now, nil
	}
	now.JSONDigest, err = shownDigest(ctx, tf, file)
	if err != nil && ctx.Err() == nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		c.say("warning: %s", operation.Printable(first))
		return now, nil
	}
	return now, err
}

// stateNow is what the backend has: as somebody pulled it, or Terraform does now.
func (o verifyOptions) stateNow(ctx context.Context, c console, tf *terraform.Terraform, r receipt.Receipt) (s receipt.State, err error) {
	var file *os.File
	switch {
	case o.state != "":
		file, err = takeFile(ctx, c.streams, o.state, tfplan.MaxState, "terraform state pull writes it")
		if err != nil {
			err = planError(o.state, err)
		}
	case !r.State.Known || tf == nil:
		return s, nil
	default:
		file, err = temporary(func(w io.Writer) error { return tf.PullState(ctx, w, tfplan.MaxState) })
	}
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	head, err := tfplan.ReadState(ctx, file)
	if err != nil {
		name := o.state
		if name == "" {
			name = "terraform state pull"
		}
		return s, planError(name, err)
	}
	return receipt.State{Known: true, Lineage: head.Lineage, Serial: head.Serial}, nil
}

// use takes the one use of the grant that lifted what the policies deny.
func (o verifyOptions) use(ctx context.Context, c console, conf config.Configuration, r receipt.Receipt) error {
	if len(r.Grants) == 0 || len(r.Decision.IDs) == 0 { // plan check writes no such receipt
		return &exitError{
			code: exitDenied, err: errors.New("--receipt: a grant lifted something, and which one, or what, is not said: somebody edited it"), hint: receipt.Again,
		}
	}
	grants, err := o.grants(ctx, conf, c)
	if err != nil {
		return err
	}
	if grants == nil {
		return &exitError{
			code: exitDenied, err: fmt.Errorf("the plan was let through by %s, and its token is not here", strings.Join(r.Grants, ", ")),
			hint: "set " + planTokenVariable + ", or say --token-file FILE",
		}
	}
	grant, err := grants.grant(ctx)
	if err == nil && grant.ID != r.Grants[0] {
		err = &breakglass.Refusal{Reason: fmt.Sprintf("it is of %s, and the plan was let through by %s", grant.ID, strings.Join(r.Grants, ", "))}
	}
	if err == nil {
		err = grant.CoversPlan(needs(r))
	}
	if refusal, ok := errors.AsType[*breakglass.Refusal](err); ok {
		return &exitError{code: exitDenied, err: fmt.Errorf("the token is not good: %s", printableLines(refusal.Reason))}
	}
	if err != nil {
		return fmt.Errorf("verify the token: %w", err)
	}
	if o.server == "" {
		c.say("warning: no server is named that counts the use of %s (--server): that the plan is applied once rests on the state's serial alone", grant.ID)
		return nil
	}
	client, err := o.client()
	if err != nil {
		return err
	}
	_, err = client.UsePlan(ctx, operation.Actor{}, grants.token, operation.PlanReference(r.Plan.Digest), attemptID(r))
	return spent(deskError(err, grant.ID))
}

// usedAlready is how a server says that the one use of a grant was taken.
var usedAlready = regexp.MustCompile(`\bused (?:already|up)\b`)

// spent says what to do where the use of a token was taken before: to ask for another for the
// same plan would most likely be in vain.
func spent(err error) error {
	if exit, ok := errors.AsType[*exitError](err); ok && exit.code == exitDenied && usedAlready.MatchString(exit.Error()) {
		return &exitError{code: exit.code, err: exit.err, hint: "a token is for one apply, and that was begun: " +
			"if it got anywhere the state has moved on, and this plan is of no use any more; make a new plan, check it and ask for a token for that"}
	}
	return err
}

// beforehand are the notes of a receipt, but for those that say the same as what was not
// compared now: there, they begin with the same words.
func beforehand(notes, loose []string) []string {
	list := []string{}
	for _, note := range notes {
		what, _, _ := strings.Cut(note, ":")
		if !slices.ContainsFunc(loose, func(l string) bool { return strings.HasPrefix(l, what+":") }) {
			list = append(list, note)
		}
	}
	return list
}

// print tells the answer.
func (o verifyOptions) print(c console, answer verdict) error {
	for _, note := range answer.Notes {
		c.say("note: when it was checked: %s", operation.Printable(note))
	}
	for _, loose := range answer.Loose {
		c.say("note: %s", operation.Printable(loose))
	}
	return output(o.output).write(c.streams, func(w io.Writer) error {
		var b strings.Builder
		if answer.Verified {
			fmt.Fprintf(&b, "verified: this is the plan that was checked, and nothing has moved since\n")
		}
		for i, m := range answer.Mismatches {
			if i == 0 {
				b.WriteString("refused: do not apply this plan\n")
			}
			fmt.Fprintf(&b, "\n  %s: %s\n", m.Field, operation.Printable(m.Sentence))
			if m.Hint != "" {
				fmt.Fprintf(&b, "  → %s\n", operation.Printable(m.Hint))
			}
		}
		_, err := io.WriteString(w, b.String())
		return err
	}, answer)
}
