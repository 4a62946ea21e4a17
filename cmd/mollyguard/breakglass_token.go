package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newToken(c console) *cobra.Command {
	var o connectOptions
	cmd := &cobra.Command{
		Use:   "token [flags] HANDLE",
		Short: "Print the token of your approved grant",
		Long: `Print the token of your approved grant, to use it where the server that issued it
is trusted. Only a server signs tokens: name it with --server.`,
		Args: handleArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.complete(cmd)
			desk, err := o.connect(c, place{})
			if err != nil {
				return err
			}
			token, err := desk.Token(cmd.Context(), args[0])
			if err != nil {
				return deskError(err, args[0])
			}
			_, err = fmt.Fprintln(c.out, token.Reveal())
			return err
		},
	}
	o.flags(cmd)
	return cmd
}
