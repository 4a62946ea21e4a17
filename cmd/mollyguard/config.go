package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/engine"
	"github.com/mollyguard/mollyguard/operation"
)

func newConfig(s streams) *cobra.Command {
	var configPath string
	cmd := &cobra.Command{
		Use:   "config [flags]",
		Short: "Check the configuration and print it with its defaults filled in",
		Long: `Check the configuration, load its policies, its tables for the audit log, its rules for
Terraform plans and the public keys of receipts and tokens as a server or a pipeline would,
and print it with its defaults filled in. Certificate files, secrets and the cluster are
not looked at.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfigUntil(cmd.Context(), configPath)
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
			if err := checkMappings(configPath, c); err != nil {
				return err
			}
			if err := checkTerraform(cmd.Context(), configPath, c); err != nil {
				return err
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

// checkMappings loads the tables for the audit log, whether or not it is watched.
func checkMappings(path string, c config.Configuration) error {
	var errs []error
	for i, table := range c.Audit.Mappings {
		field := fmt.Sprintf("audit.mappings[%d]", i)
		info, err := os.Stat(table)
		if err == nil && info.IsDir() {
			err = fmt.Errorf("%s is a folder: name the files in it", operation.Printable(table))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", config.Where(path, field), field, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	_, err := newMapper(c, nil)
	return err
}
