package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes, the same for every command.
const (
	exitAllowed   = 0
	exitUndecided = 1
	exitUsage     = 2
	exitDenied    = 3
)

// exitError ends the program with a code. A nil err prints nothing: the product
// on stdout has said it all.
type exitError struct {
	code int
	err  error
	hint string
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageError is the user's mistake on the command line.
func usageError(hint, format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...), hint: hint}
}

// streams are what a command reads and writes: stdout is the product, stderr the
// talk.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// logger writes what a running server has to say, one JSON object per line.
func (s streams) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(s.err, nil))
}

// run is the program. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot(args[0], streams{in: stdin, out: stdout, err: stderr})
	root.SetArgs(args[1:])
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitAllowed
	}
	exit := &exitError{code: exitUndecided, err: err}
	if !errors.As(err, &exit) && strings.HasPrefix(err.Error(), "unknown command") { // cobra has no type for it
		exit.code, exit.hint = exitUsage, root.CommandPath()+" --help lists the commands"
	}
	if exit.err != nil {
		for line := range strings.Lines(exit.err.Error()) {
			fmt.Fprintf(stderr, "mollyguard: error: %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
	if exit.hint != "" {
		fmt.Fprintf(stderr, "mollyguard: hint: %s\n", exit.hint)
	}
	return exit.code
}

func newRoot(program string, s streams) *cobra.Command {
	name := "mollyguard"
	if strings.HasPrefix(filepath.Base(program), "kubectl-mollyguard") {
		name = "kubectl mollyguard"
	}
	root := &cobra.Command{
		Use:   "mollyguard",
		Short: "Refuse destructive operations on production",
		Long: `Mollyguard refuses destructive operations on production.

Exit codes: 0 allowed or ok, 1 an error or could not decide, 2 usage, 3 denied.`,
		Version:       version(),
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: name},
		SilenceErrors: true,
		SilenceUsage:  true,
		// They are part of the error's text, over several lines.
		DisableSuggestions: true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError(cmd.CommandPath()+" --help shows the flags", "%w", err)
	})
	root.AddCommand(newServe(s), newReview(s), newPolicy(s), newWebhookConfig(s), newUninstall(s), newPlan(s), newTerraform(s), newConfig(s), newAudit(s), newAlert(s), newDemo(s))
	root.AddCommand(breakGlass(name, s)...)
	return root
}

// exactly is cobra.ExactArgs with a usage error that says what is wanted.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return usageError("usage: "+cmd.UseLine(), "%s takes %s, found %d arguments", cmd.CommandPath(), what, len(args))
	}
}

// version is the module version that Go recorded in the binary.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
