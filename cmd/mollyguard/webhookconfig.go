package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

func newWebhookConfig(s streams) *cobra.Command {
	var configPath, caPath, output string
	cmd := &cobra.Command{
		Use:   "webhook-config [flags]",
		Short: "Print the ValidatingWebhookConfiguration that the server applies",
		Long: `Print the ValidatingWebhookConfiguration that the server applies and keeps.

Without --ca-file there is no caBundle in it: the running server fills it in.`,
		Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			c, err := loadConfig(configPath)
			if err != nil {
				return err
			}
			var bundle []byte
			if caPath != "" {
				if bundle, err = os.ReadFile(caPath); err != nil {
					return fmt.Errorf("read the CA bundle: %w", err)
				}
			}
			object, err := webhookConfiguration(c, bundle)
			if err != nil {
				return err
			}
			return print(s, output, object)
		},
	}
	cmd.Flags().StringVar(&configPath, "config", "", "configuration `FILE` (default: built-in defaults)")
	cmd.Flags().StringVar(&caPath, "ca-file", "", "PEM `FILE` for caBundle")
	cmd.Flags().StringVarP(&output, "output", "o", "yaml", "output `FORMAT`: yaml or json")
	return cmd
}

// print writes an object for machines.
func print(s streams, format string, object any) error {
	data, err := yaml.Marshal(object)
	if err != nil {
		return err
	}
	switch format {
	case "yaml":
	case "json":
		if data, err = yaml.YAMLToJSON(data); err != nil {
			return err
		}
		data = append(data, '\n')
	default:
		return usageError("", "output format %q is not yaml or json", format)
	}
	_, err = s.out.Write(data)
	return err
}
