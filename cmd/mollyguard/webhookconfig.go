package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/mollyguard/mollyguard/webhook"
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
			options, err := webhookOptions(c)
			if err != nil {
				return err
			}
			if caPath != "" {
				if options.CABundle, err = os.ReadFile(caPath); err != nil {
					return fmt.Errorf("read the CA bundle: %w", err)
				}
				if err := checkBundle(options.CABundle); err != nil {
					return fmt.Errorf("%s: %w", caPath, err)
				}
			}
			return print(s, output, webhook.Configuration(options))
		},
	}
	cmd.Flags().StringVar(&configPath, "config", "", "configuration `FILE` (default: built-in defaults)")
	cmd.Flags().StringVar(&caPath, "ca-file", "", "PEM `FILE` for caBundle")
	cmd.Flags().StringVarP(&output, "output", "o", "yaml", "output `FORMAT`: yaml or json")
	return cmd
}

// checkBundle refuses what an API server could not use, and what must not be
// published.
func checkBundle(bundle []byte) error {
	certificates := 0
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("holds a %s: a CA bundle has certificates only", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("certificate %d: %w", certificates+1, err)
		}
		certificates++
	}
	if certificates == 0 {
		return errors.New("no certificate in there: expected PEM")
	}
	return nil
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
