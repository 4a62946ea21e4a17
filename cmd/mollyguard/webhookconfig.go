package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/webhook"
)

func newWebhookConfig(s streams) *cobra.Command {
	var configPath, caPath, output string
	var floor bool
	var static staticFiles
	cmd := &cobra.Command{
		Use:   "webhook-config [flags]",
		Short: "Print the webhook configuration, or with --floor all that the server applies",
		Long: `Print the ValidatingWebhookConfiguration that the server applies and keeps where
there is no floor (kubernetes.floor.manage is false, or the definition of the kind
Floor is not installed).

With --floor, print all that it applies where there is one: the webhook for deletions
as a MutatingWebhookConfiguration, so that it is asked first, the webhook for all else,
and the admission policies by which the API server refuses when no server answers. What
these know of the cluster, an object of kind Floor, only the running server knows; by
its service account it is taken to be called after its Service.

Without --ca-file there is no caBundle in it: the running server fills it in.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := static.check(cmd); err != nil {
				return err
			}
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
			if static.dir != "" {
				return static.write(s, c, options)
			}
			if !floor {
				return print(s, output, webhook.Configuration(options).Validating)
			}
			options.Floor = true
			return printAll(s, output, applied(c, options))
		},
	}
	cmd.Flags().StringVar(&configPath, "config", "", "configuration `FILE` (default: built-in defaults)")
	cmd.Flags().StringVar(&caPath, "ca-file", "", "PEM `FILE` for caBundle")
	cmd.Flags().BoolVar(&floor, "floor", false, "print all that is applied with a floor, not the webhook configuration without one")
	cmd.Flags().StringVarP(&output, "output", "o", "yaml", "output `FORMAT`: yaml or json")
	static.flags(cmd)
	return cmd
}

// applied is what the server applies with a floor, but for what it learns while it runs.
func applied(c config.Configuration, options webhook.ConfigurationOptions) []any {
	self := "system:serviceaccount:" + options.ServiceNamespace + ":" + options.ServiceName
	configurations := webhook.Configuration(options)
	list := []any{configurations.Mutating, configurations.Validating}
	for _, p := range webhook.Floor(floorOptions(c, options, nil, self)) {
		list = append(list, p.Policy, p.Binding)
	}
	return list
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

// printAll writes objects for machines: YAML documents, or a List.
func printAll(s streams, format string, objects []any) error {
	if format != "yaml" {
		return print(s, format, map[string]any{"apiVersion": "v1", "kind": "List", "items": objects})
	}
	for i, object := range objects {
		if i > 0 {
			if _, err := io.WriteString(s.out, "---\n"); err != nil {
				return err
			}
		}
		if err := print(s, format, object); err != nil {
			return err
		}
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
