package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mollyguard/mollyguard/tfplan/report"
)

type checkOptions struct {
	planFlags
	json, receipt string
	outputs       []string
	partial       bool
}

func newPlanCheck(s streams) *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check [flags] (PLAN | PLAN.json | -)",
		Short: "Judge a Terraform plan",
		Long: `Judge a Terraform plan: whatever it would delete, replace, forget or weaken.

PLAN is what terraform plan -out wrote, and Terraform is run to show it as JSON where
there is none (--plan-json). PLAN.json is what terraform show -json printed; it says nothing
of the state that the plan was made for, so a receipt for it pins less; nor of the
workspace, so say --workspace where none is selected in the folder.

--receipt writes what was judged, and by which plan, state, commit and identity, for
mollyguard plan verify right before apply.

-o may be given several times, and FORMAT=FILE writes to a file, as a whole or not at
all. What is written holds no secrets and is as readable as the umask lets it be:
  ` + strings.Join(report.Formats(), ", ") + `

Exit code: 0 all allowed, 3 any denied, 1 any that could not be decided, or a plan that
cannot be read, failed or is incomplete.`,
		Example: `  terraform plan -out tfplan && mollyguard plan check tfplan --receipt receipt.json
  terraform show -json tfplan | mollyguard plan check - -o github -o markdown=comment.md
  MOLLYGUARD_TOKEN=$(mollyguard break-glass token bg-k7m4-q9tx) mollyguard plan check tfplan --receipt receipt.json`,
		Args: exactly(1, "a plan file, its JSON, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.check(cmd.Context(), newConsole(s), args[0])
		},
	}
	o.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.json, "plan-json", "", "`FILE` with the JSON of a plan file, as terraform show -json prints it; compared with that where Terraform is, else its values are taken on trust until plan verify")
	flags.StringVar(&o.receipt, "receipt", "", "write the receipt to this `FILE`")
	flags.StringArrayVarP(&o.outputs, "output", "o", []string{"table"}, "output `FORMAT`, or FORMAT=FILE: "+strings.Join(report.Formats(), ", "))
	flags.BoolVar(&o.partial, "partial", false, "judge a plan that is not the whole (-target, deferred changes) as what it is")
	return cmd
}

// planOutput is one of what -o asks for.
type planOutput struct{ format, path string }

func (o checkOptions) parseOutputs() ([]planOutput, error) {
	var list []planOutput
	onStdout := ""
	for _, text := range o.outputs {
		format, path, toFile := strings.Cut(text, "=")
		switch {
		case !slices.Contains(report.Formats(), format):
			return nil, usageError("", "output format %s is not one of %s", shown(format), strings.Join(report.Formats(), ", "))
		case toFile && path == "":
			return nil, usageError("", "-o %s= names no file", format)
		case !toFile && onStdout != "":
			return nil, usageError("say FORMAT=FILE for one of them", "%s and %s cannot both go to standard output", onStdout, format)
		case !toFile:
			onStdout = format
		}
		list = append(list, planOutput{format, path})
	}
	return list, nil
}

// check judges a plan, tells it, and writes the receipt.
func (o checkOptions) check(ctx context.Context, c console, path string) (err error) {
	outputs, err := o.parseOutputs()
	if err != nil {
		return err
	}
	judge, err := o.planFlags.judge(ctx, c)
	if err != nil {
		return err
	}
	defer judge.close(&err)
	plan, err := planSource{path: path, json: o.json, folder: o.folder, binary: o.binary, progress: judge.progress}.open(ctx, c.streams)
	if err != nil {
		return err
	}
	defer plan.close(&err)
	records, err := openRecords(c.out, outputs)
	if err != nil {
		return err
	}
	defer records.close(&err)
	result, err := judge.judgePlan(ctx, plan, o.partial, records.add)
	if err != nil {
		return planError(path, err)
	}
	if err := records.commit(); err != nil {
		return err
	}
	if o.receipt != "" {
		if err := result.writeReceipt(ctx, o.receipt); err != nil {
			return err
		}
	}
	if err := result.tell(c.out, outputs, o.receipt); err != nil {
		return err
	}
	return result.outcomes.err()
}
