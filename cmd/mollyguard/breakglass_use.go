package main

import (
	"github.com/spf13/cobra"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

func newUse(c console) *cobra.Command {
	var o connectOptions
	var out output
	var file string
	cmd := &cobra.Command{
		Use:   "use [flags] (- | --token-file FILE | TOKEN)",
		Short: "Bring a token that was issued elsewhere",
		Long: `Bring a token that was issued elsewhere: the grant in it is kept here, and verified
again at every use. It opens nothing for anybody but its subject.

"-" reads the token from standard input. On the command line, shells remember it
and other users of the machine see it.`,
		Example: "  kubectl mollyguard token bg-k7m4-q9tx --server https://mollyguard.example.com | kubectl mollyguard use - --context prod-us",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			token, err := presentedToken(c, cmd, args, file)
			if err != nil {
				return err
			}
			o.complete(cmd)
			desk, err := o.connect(c, place{})
			if err != nil {
				return err
			}
			v, err := desk.Import(cmd.Context(), token)
			if err != nil {
				return deskError(err, "")
			}
			return c.writeCase(out, v)
		},
	}
	o.flags(cmd)
	out.flag(cmd)
	cmd.Flags().StringVar(&file, "token-file", "", "`FILE` with the token")
	return cmd
}

func presentedToken(c console, cmd *cobra.Command, args []string, file string) (operation.Secret, error) {
	switch {
	case file != "" && len(args) == 0:
		return readSecretFile(file, breakglass.MaxToken)
	case file != "" || len(args) != 1:
		// The arguments may be tokens: they are not shown.
		return operation.Secret{}, usageError("usage: "+cmd.UseLine(), "%s takes one token: \"-\" for standard input, or --token-file", cmd.CommandPath())
	case args[0] == "-":
		return readSecret(c.in, breakglass.MaxToken)
	}
	token := operation.NewSecret(args[0])
	c.say("warning: shells remember what is on the command line: pipe the token in, and say \"-\"")
	return token, nil
}
