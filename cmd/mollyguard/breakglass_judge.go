package main

import (
	"github.com/spf13/cobra"

	"github.com/mollyguard/mollyguard/breakglass"
)

func newApprove(c console) *cobra.Command {
	return newJudge(c, breakglass.Approve, "Approve somebody's request",
		`Approve somebody's request. What it is about is shown first: read it.

Nobody approves their own request, and only people approve.`)
}

func newDeny(c console) *cobra.Command {
	return newJudge(c, breakglass.Deny, "Deny a request, which ends it", "")
}

func newRevoke(c console) *cobra.Command {
	return newJudge(c, breakglass.Revoke, "Take back a grant, or one's own request", "")
}

func newJudge(c console, kind breakglass.VerdictKind, short, long string) *cobra.Command {
	var o connectOptions
	var out output
	var reason string
	cmd := &cobra.Command{
		Use:   string(kind) + " [flags] HANDLE",
		Short: short,
		Long:  long,
		Args:  handleArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			o.complete(cmd)
			desk, err := o.connect(c, place{})
			if err != nil {
				return err
			}
			if kind == breakglass.Approve {
				v, err := desk.View(cmd.Context(), args[0])
				if err != nil {
					return deskError(err, args[0])
				}
				var l lines
				c.asked(&l, v.Case, desk.here)
				if err := l.write(c.err); err != nil {
					return err
				}
			}
			v, err := desk.Judge(cmd.Context(), args[0], kind, reason)
			if err != nil {
				return deskError(err, args[0])
			}
			return c.writeCase(out, v)
		},
	}
	o.flags(cmd)
	out.flag(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` for the record")
	return cmd
}
