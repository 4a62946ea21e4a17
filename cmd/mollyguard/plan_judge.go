package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/engine"
	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan"
	"github.com/mollyguard/mollyguard/tfplan/applier"
	"github.com/mollyguard/mollyguard/tfplan/git"
	"github.com/mollyguard/mollyguard/tfplan/report"
)

// planJudge is what plans are judged with: the policies, the rules of what resources are,
// and who applies.
type planJudge struct {
	console
	flags   planFlags
	config  config.Configuration
	engine  *engine.Engine
	guard   *guard.Guard
	mapping tfplan.MapperOptions
	applier applier.Applier
	// progress is told while plans are read and judged.
	progress *progress
	// grants lift denials of the plan at hand; nil without a token.
	grants *planGrants
	log    *ledger.Log // nil if decisions are kept nowhere
	// agents are the patterns for appliers that are autonomous agents.
	agents []*regexp.Regexp
	// unsafe is what the command line leaves out, where there is one.
	unsafe []operation.Hazard
}

// judge puts together what plans are judged with.
func (o planFlags) judge(ctx context.Context, c console) (j *planJudge, err error) {
	j = &planJudge{console: c, flags: o, applier: applier.Detect(applier.Options{Override: o.applier}), progress: &progress{console: c}}
	defer func() {
		if err != nil {
			j.close(&err)
		}
	}()
	if j.config, err = loadConfigUntil(ctx, o.config); err != nil {
		return j, err
	}
	for _, problem := range j.applier.Problems {
		c.say("warning: %s", operation.Printable(problem))
	}
	if j.grants, err = o.grants(ctx, j.config, c); err != nil {
		return j, err
	}
	if j.agents, err = parsePatterns(j.config.Agents); err != nil {
		return j, err
	}
	if j.mapping, err = planMapping(j.config, j.applier); err != nil {
		return j, err
	}
	replaced, err := replacedTypes(j.mapping.Rules)
	if err != nil {
		return j, err
	}
	if len(replaced) > 0 {
		c.say("warning: own rules (terraform.rules) replace the built-in ones for %s: what those know does not count", operation.Printable(strings.Join(replaced, ", ")))
	}
	p := parts{recorder: discard{}, now: c.now}
	// Standard output is for the report: only a file keeps decisions.
	if path := j.config.DecisionLog.Path; path != "-" {
		if j.log, err = ledger.OpenLog(path); err != nil {
			return j, err
		}
		p.recorder = j.log
	}
	if j.grants != nil {
		p.breakGlass = j.grants
	}
	a, err := assemble(ctx, j.config, p)
	if err != nil {
		return j, err
	}
	j.engine, j.guard = a.engine, a.guard
	return j, nil
}

func (j *planJudge) close(err *error) {
	j.progress.end()
	if j.log != nil {
		*err = errors.Join(*err, j.log.Close())
	}
}

// judgedPlan is a plan with what was decided on it.
type judgedPlan struct {
	*planJudge
	plan      *openPlan
	mapper    *tfplan.Mapper
	workspace string
	// root tells this configuration from others of the same repository: its folder there.
	root     string
	head     tfplan.Head
	kept     report.Collector
	outcomes outcomes
	sum      planSum
	// notes are on the plan, for every report; asides only for who checks it, and applies.
	notes, asides []string
}

// each is called for every decision.
type each func(d operation.Decision) error

// judgePlan judges all that a plan does.
func (j *planJudge) judgePlan(ctx context.Context, plan *openPlan, partial bool, each each) (*judgedPlan, error) {
	defer j.progress.end()
	result := &judgedPlan{planJudge: j, plan: plan, head: plan.document.Head()}
	if err := result.whole(partial); err != nil {
		return nil, err
	}
	var err error
	mapping := j.mapping
	mapping.Appliers = slices.Concat(mapping.Appliers, planIdentities(result.head))
	if result.mapper, err = tfplan.NewMapper(mapping); err != nil {
		return nil, err
	}
	if result.workspace, err = j.workspace(ctx, plan); err != nil {
		return nil, err
	}
	if result.root, err = j.flags.root(ctx); err != nil {
		return nil, err
	}
	reference := operation.PlanReference(plan.digest())
	if j.grants != nil {
		j.grants.plan = reference
	}
	whole := tfplan.Whole{
		Plan: reference, State: result.state(), Workspace: result.workspace, Head: result.head,
		Actor:       operation.Actor{Identity: operation.Identity{Name: j.applier.Name, Kind: j.kind(), Via: j.via(result.head)}},
		Source:      operation.Source{UID: plan.digest(), Log: plan.name},
		MaxDestroys: *j.config.Terraform.MaxDestroys, MaxShare: *j.config.Terraform.MaxShare,
		Unsafe: result.hazards(),
	}
	judged := 0
	for op, err := range tfplan.Operations(ctx, plan.document, result.mapper, whole) {
		if err != nil {
			return nil, err
		}
		if result.inUnknown() {
			op.Unknown = append(op.Unknown, unknownWorkspace)
		}
		judged++
		j.progress.judged(judged)
		decision := j.guard.Decide(ctx, op)
		result.outcomes.add(decision)
		result.sum.add(decision)
		result.kept.Add(report.Row{Decision: decision, Created: op.Target.Created})
		if err := each(decision); err != nil {
			return nil, err
		}
	}
	j.progress.end()
	result.remark(judged)
	return result, nil
}

// remark says what the decisions rest on.
func (r *judgedPlan) remark(judged int) {
	if judged > 0 && r.inUnknown() {
		r.asides = append(r.asides, "nothing tells which workspace the plan is for, so all of it counts as production: say --workspace NAME")
	}
	if r.plan.json != "" && !r.plan.shown {
		r.asides = append(r.asides, "the values in --plan-json are taken on trust ("+r.plan.notShown+"): "+
			"plan verify compares them with what terraform show -json says of the plan file")
	}
	if judged > 0 && len(r.config.Production.Ancestors) > 0 {
		r.asides = append(r.asides, "plans do not say in which folder or organization a project is, so production.ancestors makes nothing in them production: name the projects, too (production.projects)")
	}
	for _, aside := range r.asides {
		r.say("note: %s", aside)
	}
}

// whole is an error for a plan that is not all that there is to it.
func (r *judgedPlan) whole(partial bool) error {
	switch {
	case r.head.Errored:
		return &tfplan.BadPlanError{
			What: "planning failed half-way: what the rest of the configuration would do is not in this plan",
			Hint: "mend the error that terraform plan printed, and plan again",
		}
	case !r.head.Complete && !partial:
		return &tfplan.BadPlanError{
			What: fmt.Sprintf("the plan is incomplete (%s): what it leaves out is not judged", r.left()),
			Hint: "plan without -target; where the rest is meant to follow later: --partial",
		}
	case !r.head.Complete:
		r.notes = append(r.notes, "the plan is incomplete: what it leaves out is not judged")
	case r.head.CompleteAssumed:
		r.notes = append(r.notes, "the plan does not say whether it is complete, as Terraform does since 1.8: what -target left out is not judged")
	}
	return nil
}

// left is what a plan that is not the whole leaves out.
func (r *judgedPlan) left() string {
	switch n := r.head.Deferred; n {
	case 0:
		return "-target or -exclude"
	case 1:
		return "one change is deferred"
	default:
		return fmt.Sprintf("%d changes are deferred", n)
	}
}

func (r *judgedPlan) hazards() []operation.Hazard {
	if r.head.Complete {
		return r.unsafe
	}
	return append(slices.Clone(r.unsafe), operation.Incomplete)
}

// state is what the state is called in references.
func (r *judgedPlan) state() string {
	if r.plan.file != nil && r.plan.file.Lineage != "" {
		return r.plan.file.Lineage
	}
	if r.workspace != "" {
		return r.workspace
	}
	return "default"
}

// kind is what the applier is, as the configuration says of agents.
func (j *planJudge) kind() operation.ActorKind {
	if matchesAny(j.agents, j.applier.Name) {
		return operation.Agent
	}
	return j.applier.Kind
}

func matchesAny(patterns []*regexp.Regexp, text string) bool {
	return slices.ContainsFunc(patterns, func(p *regexp.Regexp) bool { return p.MatchString(text) })
}

func (j *planJudge) via(head tfplan.Head) string {
	via := "terraform/" + operation.Printable(head.TerraformVersion)
	if j.applier.Via != "" {
		via += " in " + j.applier.Via
	}
	return via
}

// root is the folder of the configuration in its repository, with slashes and "." for the
// top; outside of one, as it was said.
func (o planFlags) root(ctx context.Context) (string, error) {
	repository, err := git.Open(ctx, o.where())
	switch {
	case errors.Is(err, git.ErrNone):
		return o.where(), nil
	case err != nil:
		return "", gitError(err)
	}
	return path.Join(repository.Folder, "."), nil
}
