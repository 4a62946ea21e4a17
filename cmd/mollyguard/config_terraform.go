package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
)

// checkTerraform reads the files that plans are judged and verified with, and says of all
// that are not good where the configuration names them.
func checkTerraform(ctx context.Context, path string, c config.Configuration) error {
	var errs []error
	check := func(field, file string, limit int64, read func(data []byte) error) {
		data, err := readRegular(file, limit)
		if err == nil {
			err = read(data)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", config.Where(path, field), field, err))
		}
	}
	for i, file := range c.Terraform.Rules {
		check(fmt.Sprintf("terraform.rules[%d]", i), file, maxRulesFile, func(data []byte) error {
			_, err := tfplan.ReadRules(file, data)
			return err
		})
	}
	for i, file := range c.Terraform.Receipts.PublicKeys {
		check(fmt.Sprintf("terraform.receipts.publicKeys[%d]", i), file, maxPublicKeys, func(data []byte) error {
			if _, err := receipt.ReadKeys(data); err != nil {
				return fmt.Errorf("%s: %w", operation.Printable(file), err)
			}
			return nil
		})
	}
	if len(c.BreakGlass.Trust) > 0 { // files are read, and nobody is asked yet
		_, err := breakglass.NewVerifier(ctx, breakglass.VerifierOptions{Trusted: trustedIssuers(c)})
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: breakGlass.trust: %w", config.Where(path, "breakGlass.trust"), err))
		}
	}
	return errors.Join(errs...)
}
