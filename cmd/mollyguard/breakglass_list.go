package main

import (
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mollyguard/mollyguard/api"
	"github.com/mollyguard/mollyguard/breakglass"
)

func newList(c console) *cobra.Command {
	var o connectOptions
	var out output
	var all bool
	cmd := &cobra.Command{
		Use:   "list [flags]",
		Short: "List requests and grants",
		Long:  "List requests and grants that something can still come of, newest first.",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			desk, err := o.open(cmd, c, out)
			if err != nil {
				return err
			}
			views, err := desk.List(cmd.Context())
			if err != nil {
				return deskError(err, "")
			}
			if !all {
				views = slices.DeleteFunc(views, func(v breakglass.View) bool { return v.Standing.State.Ended() })
			}
			return c.writeList(out, views)
		},
	}
	o.flags(cmd)
	out.flag(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "list those that have ended as well")
	return cmd
}

// caseList is how the API sends a list.
type caseList struct {
	Cases []api.Case `json:"cases"`
}

func (c console) writeList(o output, views []breakglass.View) error {
	list := caseList{Cases: make([]api.Case, len(views))}
	for i, v := range views {
		list.Cases[i] = api.CaseOf(v)
	}
	return o.write(c.streams, func(w io.Writer) error {
		if len(views) == 0 {
			c.say("there is nothing")
			return nil
		}
		return c.table(w, views)
	}, list)
}
