package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/mollyguard/mollyguard/tfplan/command"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
	"github.com/mollyguard/mollyguard/tfplan/terraform"
)

// terraformOptions are what mollyguard terraform is told itself.
type terraformOptions struct {
	planFlags
	server  connectOptions
	receipt string
	planOut string
	partial bool
	skip    []string
	// own are the words that said all this, but for the token: commands that lead on
	// repeat them.
	own []string
}

func newTerraform(s streams) *cobra.Command {
	var o terraformOptions
	cmd := &cobra.Command{
		Use:   "terraform [flags] COMMAND [ARGS]",
		Short: "Run Terraform, and judge what it would destroy before it does",
		Long: `Run Terraform or OpenTofu, and judge what it would destroy before it does.

Flags of mollyguard have two dashes and come first. Everything from Terraform's command
on, or from -chdir, is Terraform's.

apply and destroy make a plan, judge it like mollyguard plan check, ask whether to go on
unless -auto-approve is there, make sure like mollyguard plan verify that nothing has
moved since, and apply a private copy of that very plan. apply PLAN does so with a plan
that is there; with --receipt it must be the one that was checked, too.

What works on the state by itself is judged first, too: state rm, mv, push and
replace-provider, import, taint, untaint, force-unlock, workspace delete, test, and init
with -migrate-state, -force-copy or -reconfigure; any other init asks nothing where there
is a state, so that it does not move. Commands that only read run as they
are. A command that mollyguard does not know is refused.

Exit code: Terraform's; 3 where mollyguard refused, 1 where it could not tell, 2 usage.`,
		Example: `  mollyguard terraform --config mollyguard.yaml apply -var-file=prod.tfvars
  mollyguard terraform --receipt receipt.json apply tfplan
  mollyguard terraform state rm module.old`,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			rest, help, err := o.take(cmd.Flags(), args)
			if err != nil {
				return usageError(cmd.CommandPath()+" --help shows the flags", "%w", err)
			}
			if help {
				return cmd.Help()
			}
			o.server.complete(cmd)
			return o.run(cmd.Context(), newConsole(s), rest, takesValue(cmd.Flags()))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.config, "config", "", "configuration `FILE` (default: built-in defaults)")
	flags.StringVar(&o.binary, "terraform", "", "`BINARY` of Terraform or OpenTofu (default: terraform or tofu)")
	flags.StringVar(&o.applier, "applier", "", "`NAME` of who applies (default: what the environment tells)")
	flags.StringVar(&o.base, "base", "", "`BRANCH` that the plan is for (default: terraform.baseBranch)")
	flags.StringVar(&o.planFlags.tokenFile, "token-file", "", "`FILE` with the token of a grant for this plan (default: $"+planTokenVariable+")")
	o.server.serverFlags(cmd, "have the use of a grant counted by the server at this https `URL`")
	flags.StringVar(&o.receipt, "receipt", "", "`FILE` with the receipt of a plan that was checked; without a plan, where the receipt of a refused one goes (default: .mollyguard/receipt.json)")
	flags.StringVar(&o.planOut, "plan-out", "", "`FILE` to keep a plan in that was refused (default: .mollyguard/tfplan)")
	flags.BoolVar(&o.partial, "partial", false, "judge a plan that is not the whole (-target, deferred changes) as what it is")
	flags.StringSliceVar(&o.skip, "skip", nil, "do not insist on knowing `WHAT`: "+skippable())
	return cmd
}

// take reads mollyguard's own flags, which come first, and returns what is Terraform's.
func (o *terraformOptions) take(flags *pflag.FlagSet, args []string) (rest []string, help bool, err error) {
	var own []string
	for len(args) > 0 && strings.HasPrefix(args[0], "--") {
		name, _, hasValue := strings.Cut(args[0][2:], "=")
		if name == "" {
			args = args[1:] // what follows is Terraform's
			break
		}
		if name == "help" {
			return nil, true, nil
		}
		flag := flags.Lookup(name)
		if flag == nil {
			return nil, false, fmt.Errorf("unknown flag: --%s", name)
		}
		n := 1
		if !hasValue && flag.NoOptDefVal == "" {
			n = 2
		}
		if n > len(args) {
			return nil, false, fmt.Errorf("flag needs an argument: --%s", name)
		}
		own = append(own, args[:n]...)
		if name != "token-file" {
			o.own = append(o.own, args[:n]...)
		}
		args = args[n:]
	}
	return args, false, flags.Parse(own)
}

// wrapped is one command of Terraform that is being looked after.
type wrapped struct {
	terraformOptions
	console
	invocation *command.Invocation
	// line is what was typed after mollyguard's own flags.
	line []string
	tf   *terraform.Terraform
	// private is a folder for this run alone.
	private string
}

func (o terraformOptions) run(ctx context.Context, c console, args []string, own map[string]bool) (err error) {
	invocation, err := command.Parse(args, os.Getenv, own)
	if bad, ok := errors.AsType[*command.Error](err); ok {
		return usageError(bad.Hint, "terraform: %w", err)
	}
	if err != nil {
		return err
	}
	if _, err := receipt.ParseSkip(o.skip); err != nil {
		return usageError("", "--skip: %w", err)
	}
	o.folder = invocation.Chdir
	w := &wrapped{terraformOptions: o, console: c, invocation: invocation, line: args}
	if w.tf, err = o.find(""); err != nil {
		return err
	}
	ctx, stop := untilHangup(ctx)
	defer stop()
	if invocation.Work == command.Harmless {
		return w.harmless(ctx)
	}
	if w.private, err = os.MkdirTemp("", "mollyguard-*"); err != nil { // mode 0700
		return fmt.Errorf("make a folder for the plan: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(w.private)) }()
	if invocation.Work == command.Applies {
		return w.apply(ctx)
	}
	return w.edit(ctx)
}

// harmless runs a command that needs no judging.
func (w *wrapped) harmless(ctx context.Context) error {
	for _, path := range w.invocation.PlanOut {
		if err := planPlace(w.fromFolder(path)); err != nil {
			return err
		}
	}
	if w.invocation.Name == "init" {
		return w.init(ctx)
	}
	return w.terraform(ctx, w.invocation.Line()...)
}

// hangup is what ends us when a terminal goes away, unless that was ruled out (nohup).
func hangup() []os.Signal {
	if signal.Ignored(syscall.SIGHUP) {
		return nil
	}
	return []os.Signal{syscall.SIGHUP}
}

// untilHangup is a context that ends with the terminal, so that nothing is left behind.
func untilHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	if signals := hangup(); len(signals) > 0 {
		return signal.NotifyContext(ctx, signals...)
	}
	return context.WithCancel(ctx)
}

// takesValue tells of all flags whether they take a value.
func takesValue(flags *pflag.FlagSet) map[string]bool {
	takes := map[string]bool{}
	flags.VisitAll(func(flag *pflag.Flag) { takes[flag.Name] = flag.NoOptDefVal == "" })
	return takes
}

// find finds Terraform, to be run with nothing from TF_CLI_ARGS, which was read already.
// workspace is another than the selected one, or empty.
func (o terraformOptions) find(workspace string) (*terraform.Terraform, error) {
	env := slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "TF_CLI_ARGS") })
	if workspace != "" {
		env = append(env, "TF_WORKSPACE="+workspace)
	}
	tf, err := terraform.Find(terraform.Options{Binary: o.binary, Folder: o.folder, Env: env})
	if err != nil {
		return nil, &exitError{code: exitUndecided, err: err, hint: "--terraform names the binary"}
	}
	return tf, nil
}

// terraform runs a command of Terraform, whose exit code is ours. Signals that ask us to
// stop are from then on Terraform's: it decides how it ends, and when.
func (w *wrapped) terraform(ctx context.Context, args ...string) error {
	signals := make(chan os.Signal, maxSignals)
	signal.Notify(signals, append([]os.Signal{os.Interrupt, syscall.SIGTERM}, hangup()...)...)
	defer signal.Stop(signals)
	if ctx.Err() != nil { // somebody had us stop before it began
		return &exitError{code: exitUndecided, err: fmt.Errorf("terraform %s was not run: %w", w.invocation.Name, context.Cause(ctx))}
	}
	exit, err := w.tf.Run(context.WithoutCancel(ctx), terraform.Streams{In: w.in, Out: w.out, Err: w.err, Signals: signals}, args...)
	if err != nil {
		return &exitError{code: exitUndecided, err: err}
	}
	if exit != 0 {
		return &exitError{code: exit}
	}
	return nil
}

// maxSignals is how many signals may wait: Terraform takes two, and more say nothing new.
const maxSignals = 4

// isTerminal reports whether somebody sits at the other end.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
