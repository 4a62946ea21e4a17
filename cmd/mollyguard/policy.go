package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/engine"
)

func newPolicy(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Check, test and list policies",
		// Without this cobra prints the help for a misspelt command, with exit code 0.
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError(cmd.CommandPath()+" --help lists the commands", "unknown command %q for %q", args[0], cmd.CommandPath())
			}
			return nil
		},
		RunE:                  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		DisableFlagsInUseLine: true,
	}
	cmd.AddCommand(newPolicyCheck(s), newPolicyTest(s), newPolicyList(s))
	return cmd
}

type policyOptions struct {
	config   string
	embedded bool
	issuing  bool
}

func (o *policyOptions) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.config, "config", "", "configuration `FILE` whose policies.config, or breakGlass.policies.config, the policies see")
	cmd.Flags().BoolVar(&o.issuing, "issuing", false, "issuing policy: what judges requests for grants, not operations")
	cmd.Flags().BoolVar(&o.embedded, "embedded", true, "judge the folder together with the embedded policies, as a server does by default")
}

// compile builds the set that a server with this folder would use. No folder
// means the one that the configuration says.
func (o *policyOptions) compile(ctx context.Context, directories []string) (*engine.Set, error) {
	c := config.Default()
	if o.config != "" {
		var err error
		if c, err = config.Load(o.config); err != nil {
			return nil, err
		}
	}
	if len(directories) > 0 {
		directories = slices.Compact(slices.Sorted(slices.Values(directories)))
		c.Policies.Directories, c.Policies.Embedded = directories, &o.embedded
		c.BreakGlass.Policies.Directories, c.BreakGlass.Policies.Embedded = directories, &o.embedded
		for _, directory := range directories {
			if info, err := os.Stat(directory); err != nil {
				return nil, err
			} else if !info.IsDir() {
				return nil, usageError("name the folder that the file is in", "%s is not a folder", directory)
			}
		}
	}
	if o.issuing {
		return engine.Compile(ctx, issuingSources(c), issuingOptions(c))
	}
	return engine.Compile(ctx, sources(c), engineOptions(c))
}

func newPolicyCheck(s streams) *cobra.Command {
	var o policyOptions
	cmd := &cobra.Command{
		Use:   "check [flags] DIR…",
		Short: "Say whether a server would put the policies in a folder to use",
		Long: `Say whether a server would put the policies in a folder to use: they are parsed,
compiled strictly against the input schema, tested, and judged on their canaries.

Every problem is printed with file and line, and the exit code is 1.`,
		Args: atLeastOneFolder,
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := o.compile(cmd.Context(), args)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.out, "ok: %d policies, digest %s\n", len(set.Policies()), set.Digest())
			return err
		},
	}
	o.flags(cmd)
	return cmd
}

func newPolicyTest(s streams) *cobra.Command {
	var o policyOptions
	cmd := &cobra.Command{
		Use:   "test [flags] DIR…",
		Short: "Run the tests and canaries of the policies in a folder",
		Args:  atLeastOneFolder,
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := o.compile(cmd.Context(), args)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.out, "ok: %d tests and %d canaries passed\n", set.Tests(), set.Canaries())
			return err
		},
	}
	o.flags(cmd)
	return cmd
}

func newPolicyList(s streams) *cobra.Command {
	var o policyOptions
	var output string
	cmd := &cobra.Command{
		Use:   "list [flags] [DIR…]",
		Short: "List policies with severity and title",
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := o.compile(cmd.Context(), args)
			if err != nil {
				return err
			}
			switch output {
			case "table":
				w := tabwriter.NewWriter(s.out, 0, 0, 3, ' ', 0)
				fmt.Fprintln(w, "NAME\tSEVERITY\tTITLE\tFILE")
				for _, p := range set.Policies() {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Name, p.Severity, p.Title, p.File)
				}
				return w.Flush()
			case "json":
				encoder := json.NewEncoder(s.out)
				encoder.SetIndent("", "  ")
				return encoder.Encode(set.Policies())
			}
			return print(s, output, set.Policies())
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "table", "output `FORMAT`: table, yaml or json")
	return cmd
}

func atLeastOneFolder(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError("usage: "+cmd.UseLine(), "name at least one folder with policies")
	}
	return nil
}
