package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/mollyguard/mollyguard/api"
	"github.com/mollyguard/mollyguard/breakglass"
)

func newShow(c console) *cobra.Command {
	var o connectOptions
	var out output
	var wait bool
	cmd := &cobra.Command{
		Use:   "show [flags] HANDLE",
		Short: "Show all about a request or a grant",
		Args:  handleArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			desk, err := o.open(cmd, c, out)
			if err != nil {
				return err
			}
			var v breakglass.View
			if wait {
				v, err = c.wait(cmd.Context(), desk, args[0], sibling(cmd, "show --wait "+args[0]))
			} else {
				v, err = desk.View(cmd.Context(), args[0])
			}
			if err != nil {
				return deskError(err, args[0])
			}
			return out.write(c.streams, func(w io.Writer) error { return c.details(w, v, desk.here) }, api.CaseOf(v))
		},
	}
	o.flags(cmd)
	out.flag(cmd)
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it is approved, denied or expired")
	return cmd
}
