package main

import (
	"bytes"
	"fmt"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/mollyguard/mollyguard/engine"
)

func newConfig(s streams) *cobra.Command {
	var configPath string
	cmd := &cobra.Command{
		Use:   "config [flags]",
		Short: "Check the configuration and print it with its defaults filled in",
		Long: `Check the configuration, load its policies as a server would, and print it with its
defaults filled in. Certificate files and the cluster are not looked at.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(configPath)
			if err != nil {
				return err
			}
			set, err := engine.Compile(cmd.Context(), sources(c), engineOptions(c))
			if err != nil {
				return err
			}
			if err := checkPolicyNames(c, set); err != nil {
				return err
			}
			if _, err := people(c); err != nil {
				return err
			}
			if _, err := engine.Compile(cmd.Context(), issuingSources(c), issuingOptions(c)); err != nil {
				return fmt.Errorf("issuing policy: %w", err)
			}
			var b bytes.Buffer
			encoder := yaml.NewEncoder(&b)
			encoder.SetIndent(2)
			if err := encoder.Encode(c); err != nil {
				return err
			}
			_, err = s.out.Write(b.Bytes())
			return err
		},
	}
	cmd.Flags().StringVar(&configPath, "config", "", "configuration `FILE` (default: built-in defaults)")
	return cmd
}
