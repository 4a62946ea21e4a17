package main

import (
	"bytes"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

func newConfig(s streams) *cobra.Command {
	var configPath string
	cmd := &cobra.Command{
		Use:   "config [flags]",
		Short: "Check the configuration and print it with its defaults filled in",
		Args:  exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			c, err := loadConfig(configPath)
			if err != nil {
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
