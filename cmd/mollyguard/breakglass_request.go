package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
)

// requestOptions are the flags of request.
type requestOptions struct {
	connectOptions
	output                  output
	command, plan           string
	reason, ticket, subject string
	namespace, notBefore    string
	duration                time.Duration
	objects                 int
	wait                    bool
}

func newRequest(c console) *cobra.Command {
	var o requestOptions
	cmd := &cobra.Command{
		Use:   "request [flags] (VERB TARGET… | --for COMMAND | --for DECISION | --plan RECEIPT) --reason TEXT",
		Short: "Ask for a grant, which somebody else has to approve",
		Long: `Ask for a grant, which somebody else has to approve.

VERB is one of ` + strings.Join(destructive(), ", ") + `.
TARGET is a canonical name, k8s://CLUSTER/GROUP/RESOURCE[/NAMESPACE]/NAME, or as
kubectl takes it: TYPE NAME…, or TYPE/NAME…. A cloud resource is named as an alert
shows it, gcp://SERVICE/PATH, and asked for at the server that watches the audit log.

--for takes what you typed instead, a kubectl delete, scale or label, or the id of
the decision that refused it. No shell reads the command: quotes are understood,
variables and patterns are refused. Selectors are looked up now, and the grant is
for the objects that are there now.

--plan takes the receipt of a Terraform plan that mollyguard plan check refused. The
grant is for that very plan, and for applying it once.`,
		Example: `  kubectl mollyguard request delete k8s://prod-eu/core/namespaces/shop --reason 'shop moved to prod-us'
  kubectl mollyguard request scale-to-zero deploy/web --namespace shop --reason 'leaks connections'
  kubectl mollyguard request --for 'kubectl --namespace shop delete pods -l app=web' --reason 'stuck' --wait
  kubectl mollyguard request delete gcp://container.googleapis.com/projects/prod-shop/locations/europe-west1/clusters/prod-old \
    --reason 'moved to prod-us' --server https://watcher:9443
  mollyguard break-glass request --plan tfplan.receipt.json --reason 'shop moved to prod-us' --server https://watcher:9443`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.complete(cmd)
			return o.run(cmd, c, args)
		},
	}
	o.flags(cmd)
	o.output.flag(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.command, "for", "", "a kubectl `COMMAND` as you typed it, or the id of a decision")
	flags.StringVar(&o.plan, "plan", "", "`RECEIPT` of a Terraform plan that was refused, a file, or - for standard input")
	flags.StringVar(&o.reason, "reason", "", "`TEXT` for those who approve (required)")
	flags.StringVar(&o.ticket, "ticket", "", "`ID` of the ticket or incident")
	flags.StringVar(&o.subject, "subject", "", "`NAME` of the service account that will use the grant, system:serviceaccount:NAMESPACE:NAME (default: you)")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "`NAMESPACE` of targets that name none (default: the kubeconfig's)")
	flags.DurationVar(&o.duration, "duration", 0, "`TIME` for which the grant can be used, such as 30m (default: the server's, or 30m in a cluster)")
	flags.StringVar(&o.notBefore, "not-before", "", "`TIME` from which on it can be used, RFC 3339 or 'YYYY-MM-DD HH:MM' in your zone (default: as soon as it is approved)")
	flags.IntVar(&o.objects, "objects", 0, "to how many of the targets it can be used, `N` (default: all of them)")
	flags.BoolVar(&o.wait, "wait", false, "wait until it is approved, denied or expired")
	return cmd
}

func (o requestOptions) run(cmd *cobra.Command, c console, args []string) error {
	if err := o.missing(args); err != nil {
		return err
	}
	p, err := o.proposal(c.clock)
	if err != nil {
		return err
	}
	decision := isDecision(o.command)
	var i intent
	var refused receipt.Receipt
	switch {
	case o.plan != "":
		if refused, err = o.receipt(c, args); err != nil {
			return err
		}
	case !decision:
		if i, err = o.intent(args); err != nil {
			return err
		}
		if err := o.at(i.place); err != nil {
			return err
		}
	}
	desk, err := o.connect(c, i.place)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	blind := false
	switch {
	case o.plan != "":
		err = fromPlan(ctx, desk, refused, &p)
	case decision:
		err = o.fromDecision(ctx, desk, args, &p)
	default:
		blind, err = o.fromIntent(ctx, c, desk, i, &p)
	}
	if err == nil && o.plan == "" {
		err = checkObjects(&p.Scope)
	}
	if err != nil {
		return deskError(err, "")
	}
	v, err := desk.Request(ctx, p)
	if err != nil {
		return deskError(err, "")
	}
	c.say("%s asks for %s", v.ID(), whole(v.Scope()))
	if blind {
		c.say("warning: nothing was looked up: the grant would be for whatever has this name; with --context NAME it would be for what is there now")
	}
	c.say("somebody who may approve has to: %s %s%s", sibling(cmd, "approve"), v.ID(), o.where())
	if o.wait {
		again := sibling(cmd, "show --wait "+v.ID()) + o.where()
		if v, err = c.wait(ctx, desk, v.ID(), again); err != nil {
			return err
		}
		c.approved(v, o.command, sibling(cmd, "token "+v.ID())+o.where())
	}
	return c.writeCase(o.output, v)
}

// missing says all that a request cannot do without and lacks.
func (o requestOptions) missing(args []string) error {
	var errs []error
	var hints []string
	if o.command == "" && o.plan == "" && len(args) < 2 {
		errs = append(errs, errors.New("what is asked for is missing"))
		hints = append(hints, "VERB TARGET, or --for 'kubectl …'")
	}
	if strings.TrimSpace(o.reason) == "" {
		errs = append(errs, errors.New("the reason is missing: whoever approves reads it"))
		hints = append(hints, "--reason 'why'")
	}
	if len(errs) == 0 {
		return nil
	}
	return usageError("say "+strings.Join(hints, ", and "), "%w", errors.Join(errs...))
}

// checkObjects fills in to how many objects a grant can be used. A target with a
// uid is one object; of one without there may be others after it.
func checkObjects(s *breakglass.Scope) error {
	unknown := slices.ContainsFunc(s.Targets, func(target operation.Reference) bool { return target.UID == "" })
	switch n := len(s.Targets); {
	case s.Objects == 0:
		s.Objects = n
	case s.Objects > n && !unknown:
		return usageError("", "--objects: %d is more than there are targets, which is %d: each of them is one object", s.Objects, n)
	}
	return nil
}

// approved tells what to do with an approved grant. token is the command that fetches
// its token, which only a plan needs.
func (c console) approved(v breakglass.View, command, token string) {
	switch {
	case v.Standing.State == breakglass.Scheduled:
		c.say("%s is approved, and can be used from %s on", v.ID(), c.at(v.Standing.Until))
	case isPlan(v.Scope()):
		c.say("%s is approved: give its token to whoever applies the plan, as MOLLYGUARD_TOKEN:\n  %s", v.ID(), token)
	case command == "" || isDecision(command):
		c.say("%s is approved: run your command again", v.ID())
	default:
		c.say("%s is approved: run your command again:\n  %s", v.ID(), operation.Printable(command))
	}
}

// isDecision reports whether a text is a decision's id.
func isDecision(text string) bool {
	_, err := ulid.ParseStrict(text)
	return err == nil
}

// proposal is what the flags say, all but the scope.
func (o requestOptions) proposal(c clock) (breakglass.Proposal, error) {
	p := breakglass.Proposal{Subject: o.subject, Reason: strings.TrimSpace(o.reason), Ticket: o.ticket, Duration: o.duration}
	p.Scope.Objects = o.objects
	var err error
	switch {
	case o.duration < 0 || o.duration > 0 && o.duration < breakglass.MinDuration:
		return p, usageError("", "--duration: %v is below %v", o.duration, breakglass.MinDuration)
	case o.objects < 0 || o.objects > breakglass.MaxObjects:
		return p, usageError("", "--objects: %d is not between 1 and %d", o.objects, breakglass.MaxObjects)
	case o.notBefore != "":
		// A time is written to the minute: this one is not over yet.
		if p.NotBefore, err = c.parse(o.notBefore); err == nil && !p.NotBefore.Add(time.Minute).After(c.now()) {
			err = usageError("", "--not-before: %s is in the past", c.at(p.NotBefore))
		}
	}
	if err == nil {
		err = o.output.check()
	}
	return p, err
}

// parse reads a time as people write it.
func (c clock) parse(text string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", text, c.zone)
	if err != nil {
		return at, usageError("", "--not-before: %s is neither a time such as 2026-11-21T03:00:00Z nor one such as '2026-11-21 03:00'", shown(text))
	}
	return at, nil
}

// intent reads what is asked for.
func (o requestOptions) intent(args []string) (intent, error) {
	switch {
	case o.command != "" && len(args) > 0:
		return intent{}, usageError("", "--for says what is asked for: leave %s out", shown(strings.Join(args, " ")))
	case o.command == "":
		i, err := parseTargets(args[0], args[1:], o.namespace)
		if err != nil {
			return i, usageError(namingHint(err), "%w", err)
		}
		return i, nil
	}
	i, err := parseKubectl(o.command)
	switch {
	case err != nil:
		return i, usageError(namingHint(err), "--for: %w", err)
	case i.namespace == "":
		i.namespace = o.namespace
	case o.namespace != "" && o.namespace != i.namespace:
		return i, usageError("", "--namespace is %s here and %s in the command", shown(o.namespace), shown(i.namespace))
	}
	return i, nil
}

// fromIntent fills in the scope from what somebody wants to do. It is blind if no
// cluster was asked what is there.
func (o requestOptions) fromIntent(ctx context.Context, c console, desk connection, i intent, p *breakglass.Proposal) (blind bool, err error) {
	if len(i.cloud) > 0 {
		return false, fromCloud(ctx, desk, i, p)
	}
	p.Scope.Surface, p.Scope.Verbs, p.Scope.Audience = operation.Kubernetes, append([]operation.Verb{i.verb}, i.also...), i.audience
	cluster := i.audience
	if desk.server != nil {
		caller, err := desk.server.WhoAmI(ctx)
		if err != nil {
			return false, err
		}
		if cluster == "" {
			cluster = caller.Audience
		}
		p.Scope.Audience = cluster
		if o.kubeconfig == "" && o.context == "" {
			return true, unseen(c, i, p)
		}
	}
	r, err := o.resolver(c, i.place, cluster)
	if err != nil {
		return false, err
	}
	p.Scope.Targets, err = r.resolve(ctx, i)
	return false, err
}

// unseen takes canonical names as they are, where there is no cluster to look.
func unseen(c console, i intent, p *breakglass.Proposal) error {
	if !i.onlyRefs() {
		return usageError("say --context NAME, or name the objects as k8s://CLUSTER/GROUP/RESOURCE[/NAMESPACE]/NAME",
			"with a server it is not known in which cluster to look the objects up")
	}
	for _, ref := range i.refs {
		doubt, err := guessAt(ref)
		if err != nil {
			return usageError(namingHint(err), "%w", err)
		}
		if doubt != "" {
			c.say("warning: %s", doubt)
		}
		p.Scope.Targets = append(p.Scope.Targets, operation.Reference{
			Ref:       operation.KubernetesRef(ref.Cluster, ref.Group, ref.Resource, ref.Namespace, ref.Name),
			Namespace: ref.Namespace, Name: ref.Name,
		})
	}
	return nil
}
