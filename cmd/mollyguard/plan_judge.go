package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/engine"
	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan"
	"github.com/mollyguard/mollyguard/tfplan/applier"
	"github.com/mollyguard/mollyguard/tfplan/report"
	"github.com/mollyguard/mollyguard/webhook"
)

// planJudge is what plans are judged with: the policies, the rules of what resources are,
// and who applies.
type planJudge struct {
	console
	flags   planFlags
	config  config.Configuration
	engine  *engine.Engine
	guard   *guard.Guard
	mapper  *tfplan.Mapper
	applier applier.Applier
	// grants lift denials of the plan at hand; nil without a token.
	grants *planGrants
	log    *ledger.Log // nil if decisions are kept nowhere
	// agents are the patterns for appliers that are autonomous agents.
	agents []*regexp.Regexp
}

// judge puts together what plans are judged with.
func (o planFlags) judge(ctx context.Context, c console) (j *planJudge, err error) {
	j = &planJudge{console: c, flags: o, applier: applier.Detect(applier.Options{Override: o.applier})}
	defer func() {
		if err != nil {
			j.close(&err)
		}
	}()
	if j.config, err = loadConfig(o.config); err != nil {
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
	if j.mapper, err = newPlanMapper(j.config, j.applier); err != nil {
		return j, err
	}
	lookup, err := webhook.NewFileLookup(nil)
	if err != nil {
		return j, err
	}
	p := parts{lookup: lookup, recorder: discard{}, now: c.now}
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
	if j.log != nil {
		*err = errors.Join(*err, j.log.Close())
	}
}

func newPlanMapper(c config.Configuration, who applier.Applier) (*tfplan.Mapper, error) {
	rules, err := tfplan.EmbeddedRules()
	if err != nil {
		return nil, err
	}
	for i, path := range c.Terraform.Rules {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("terraform.rules[%d]: %w", i, err)
		}
		more, err := tfplan.ReadRules(path, data)
		if err != nil {
			return nil, err
		}
		rules = append(rules, more)
	}
	selectors, _, err := productionSelectors(c)
	if err != nil {
		return nil, err
	}
	cluster, err := planClusters(c)
	if err != nil {
		return nil, err
	}
	return tfplan.NewMapper(tfplan.MapperOptions{
		Rules: rules, Cluster: cluster, Appliers: append(who.Names(), c.Terraform.Appliers...),
		Marked: func(set map[string]string) bool {
			return slices.ContainsFunc(selectors, func(s labels.Selector) bool { return s.Matches(labels.Set(set)) })
		},
	})
}

// planClusters says which cluster the objects of Kubernetes providers are in.
func planClusters(c config.Configuration) (func(address string, provider map[string]string) string, error) {
	type place struct {
		name                       string
		addresses, contexts, hosts []*regexp.Regexp
	}
	fits := func(patterns []*regexp.Regexp, text string) bool {
		return len(patterns) == 0 || matchesAny(patterns, text)
	}
	var places []place
	for _, cluster := range c.Terraform.Clusters {
		p := place{name: cluster.Name}
		var errs [3]error
		p.addresses, errs[0] = parsePatterns(cluster.Addresses)
		p.contexts, errs[1] = parsePatterns(cluster.Contexts)
		p.hosts, errs[2] = parsePatterns(cluster.Hosts)
		if err := errors.Join(errs[:]...); err != nil {
			return nil, err
		}
		places = append(places, p)
	}
	return func(address string, provider map[string]string) string {
		for _, p := range places {
			if fits(p.addresses, address) && fits(p.contexts, provider["config_context"]) && fits(p.hosts, provider["host"]) {
				return p.name
			}
		}
		return c.Cluster
	}, nil
}

// judgedPlan is a plan with what was decided on it.
type judgedPlan struct {
	*planJudge
	plan      *openPlan
	workspace string
	head      tfplan.Head
	kept      report.Collector
	outcomes  outcomes
	sum       planSum
	notes     []string
}

// each is called for every decision.
type each func(d operation.Decision) error

// judgePlan judges all that a plan does.
func (j *planJudge) judgePlan(ctx context.Context, plan *openPlan, partial bool, each each) (*judgedPlan, error) {
	result := &judgedPlan{planJudge: j, plan: plan, head: plan.document.Head()}
	if err := result.whole(partial); err != nil {
		return nil, err
	}
	var err error
	if result.workspace, err = j.workspace(ctx, plan); err != nil {
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
	for op, err := range tfplan.Operations(ctx, plan.document, j.mapper, whole) {
		if err != nil {
			return nil, err
		}
		decision := j.guard.Decide(ctx, op)
		result.outcomes.add(decision)
		result.sum.add(decision)
		result.kept.Add(report.Row{Decision: decision, Created: op.Target.Created})
		if err := each(decision); err != nil {
			return nil, err
		}
	}
	return result, nil
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
			What: fmt.Sprintf("the plan is incomplete (-target, -exclude, or %d deferred changes): what it leaves out is not judged", r.head.Deferred),
			Hint: "plan without -target; where the rest is meant to follow later: --partial",
		}
	case !r.head.Complete:
		r.notes = append(r.notes, "the plan is incomplete: what it leaves out is not judged")
	}
	return nil
}

func (r *judgedPlan) hazards() []operation.Hazard {
	if r.head.Complete {
		return nil
	}
	return []operation.Hazard{operation.Incomplete}
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

// workspace is the plan's: as the plan file says or, for plan JSON, which does not, the one
// that is selected.
func (j *planJudge) workspace(ctx context.Context, plan *openPlan) (string, error) {
	if plan.file == nil || plan.file.Workspace == "" {
		return j.flags.selectedWorkspace(ctx, nil)
	}
	if said := j.flags.workspace; said != "" && said != plan.file.Workspace {
		return "", usageError("", "--workspace is %s, and the plan file is for %s", shown(said), shown(plan.file.Workspace))
	}
	return plan.file.Workspace, nil
}
