package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/mollyguard/mollyguard/breakglass"
)

// breakGlass are the commands for the way through. As a kubectl plugin those for
// people also stand at the top, as the refusals write them.
func breakGlass(program string, s streams) []*cobra.Command {
	c := newConsole(s)
	cmd := group(&cobra.Command{
		Use:   "break-glass",
		Short: "Ask for, approve and use grants",
		Long: `Ask for, approve and use grants: leave to do one destructive thing, once.

The commands speak to the cluster of your kubeconfig with your own rights, or to
the API of a server with --server URL.`,
	})
	cmd.AddCommand(deskCommands(c)...)
	cmd.AddCommand(newKeys(c), newUsers(s))
	list := []*cobra.Command{cmd}
	if strings.HasPrefix(program, "kubectl") {
		list = append(list, deskCommands(c)...)
	}
	return list
}

func deskCommands(c console) []*cobra.Command {
	return []*cobra.Command{
		newRequest(c), newApprove(c), newDeny(c), newRevoke(c), newList(c), newShow(c), newUse(c), newToken(c), newLogin(c),
	}
}

// group makes a command of one that only has others below it.
func group(cmd *cobra.Command) *cobra.Command {
	// Without this cobra prints the help for a misspelt command, with exit code 0.
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError(cmd.CommandPath()+" --help lists the commands", "unknown command %q for %q", args[0], cmd.CommandPath())
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.DisableFlagsInUseLine = true
	return cmd
}

// sibling is how another command beside this one is called.
func sibling(cmd *cobra.Command, name string) string { return cmd.Parent().CommandPath() + " " + name }

// handleArgument is the one argument of commands about a case.
func handleArgument(cmd *cobra.Command, args []string) error {
	if err := exactly(1, "a handle")(cmd, args); err != nil {
		return err
	}
	if !breakglass.IsHandle(args[0]) {
		return usageError("list shows the handles", "%s is not a handle such as bg-k7m4-q9tx", shown(args[0]))
	}
	return nil
}
