package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/report"
)

// records are where decisions go line by line, as they are made: there may be more of them
// than a report keeps.
type records struct {
	lines []*bufio.Writer
	files []*wholeFile
}

// openRecords opens what of the outputs is json.
func openRecords(stdout io.Writer, outputs []planOutput) (r *records, err error) {
	r = &records{}
	for _, output := range outputs {
		if output.format != report.JSON {
			continue
		}
		to := stdout
		if output.path != "" {
			file, err := createWhole(output.path)
			if err != nil {
				r.close(&err)
				return nil, err
			}
			r.files = append(r.files, file)
			to = file
		}
		r.lines = append(r.lines, bufio.NewWriter(to))
	}
	return r, nil
}

func (r *records) add(d operation.Decision) error {
	for _, lines := range r.lines {
		if err := report.WriteRecord(lines, d); err != nil {
			return err
		}
	}
	return nil
}

// commit puts the files in their places. Until then, what was there stays.
func (r *records) commit() error {
	for len(r.lines) > 0 {
		lines := r.lines[0]
		r.lines = r.lines[1:]
		if err := lines.Flush(); err != nil {
			return err
		}
	}
	for len(r.files) > 0 {
		file := r.files[0]
		r.files = r.files[1:]
		if err := file.commit(); err != nil {
			return err
		}
	}
	return nil
}

// close drops the files, unless they are in their places. On standard output is what was
// decided so far.
func (r *records) close(err *error) {
	for _, lines := range r.lines {
		*err = errors.Join(*err, lines.Flush())
	}
	for _, file := range r.files {
		*err = errors.Join(*err, file.drop())
	}
}

// tell writes the report in all formats that are asked for, but for records.
func (r *judgedPlan) tell(stdout io.Writer, outputs []planOutput, receipt string) error {
	told := r.report(receipt)
	for _, output := range outputs {
		write := func(w io.Writer) error { return report.Write(w, output.format, told) }
		var err error
		switch {
		case output.format == report.JSON:
		case output.path == "":
			err = write(stdout)
		default:
			err = writeFile(output.path, write)
		}
		if err != nil {
			return fmt.Errorf("write the report as %s: %w", output.format, err)
		}
	}
	return nil
}

// report is what is told of the plan.
func (r *judgedPlan) report(receipt string) report.Report {
	told := report.Report{
		Plan: report.Summary{
			File: r.plan.name, Digest: r.plan.digest(), TerraformVersion: r.head.TerraformVersion, Workspace: r.workspace,
			Managed: r.head.Managed, Destroys: r.head.Destroys, Share: r.head.Share(), Changes: r.head.Changes, Outcome: r.kept.Outcome(),
		},
		Rows: r.kept.Rows(), Left: r.kept.Left(), Help: r.config.Help, Notes: r.notes,
		Marker: r.root + " " + r.workspace, Policies: r.policies(),
	}
	if r.outcomes.denied > 0 && r.outcomes.undecided == 0 && !r.sum.Never {
		told.Next = r.next(receipt)
	}
	return told
}

// next are the commands that lead on where a plan was refused.
func (r *judgedPlan) next(receipt string) []string {
	ask := func(receipt string) string {
		return fmt.Sprintf("mollyguard break-glass request --plan %s --reason 'why'%s", quoted(receipt), r.server())
	}
	if r.grants != nil && r.grants.elsewhere != "" {
		return []string{r.meant(), "# the token at hand is not for here, so look for the right one, or the right --config, before you ask for another: " + r.grants.elsewhere}
	}
	if receipt == "" {
		receipt = "receipt.json"
		return []string{r.meant(), r.again(receipt), ask(receipt)}
	}
	return []string{
		r.meant(),
		ask(receipt),
		fmt.Sprintf("export %s=$(mollyguard break-glass token HANDLE%s)", planTokenVariable, r.server()),
		r.again(receipt),
		fmt.Sprintf("mollyguard plan verify --plan %s%s --receipt %s%s", quoted(r.plan.name), r.flags.again(), quoted(receipt), r.server()),
	}
}

// meant is what to look at before anybody is asked: most plans that destroy too much are of
// another place than was meant.
func (r *judgedPlan) meant() string {
	workspace := "this is the workspace"
	if r.workspace != "" {
		workspace += " (" + operation.Printable(r.workspace) + ")"
	}
	return "# first make sure that " + workspace + ", state and branch that you mean"
}

// again is the command that checks the same plan again.
func (r *judgedPlan) again(receipt string) string {
	command := "mollyguard plan check " + quoted(r.plan.name) + r.flags.again()
	if r.plan.json != "" {
		command += " --plan-json " + quoted(r.plan.json)
	}
	if !r.head.Complete {
		command += " --partial"
	}
	return command + " --receipt " + quoted(receipt)
}

// server is how commands name the server that grants are asked for at.
func (r *judgedPlan) server() string {
	if url := r.config.API.URL; url != "" {
		return " --server " + quoted(url)
	}
	return " --server URL"
}

// policies say what the policies are about.
func (r *judgedPlan) policies() map[string]report.Policy {
	told := map[string]report.Policy{}
	for _, p := range r.engine.Current().Policies() {
		told[p.Name] = report.Policy{Title: p.Title, Runbook: p.Runbook}
	}
	return told
}
