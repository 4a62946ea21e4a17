package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// demoPlan tells the fourth part: a Terraform plan, in the pipeline that would apply it.
// No server is asked, and no Terraform is needed.
type demoPlan struct {
	out io.Writer
	// folder is where the pipeline works, log where its decisions go.
	folder, log string
}

// demoApplier is who applies. The child's environment has nothing else, so that it makes no
// difference who tells the story, and where.
const demoApplier = "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT=terraform@prod-1.iam.gserviceaccount.com"

// tell has this program judge the plan, as a pipeline would.
func (d demoPlan) tell(ctx context.Context) error {
	plan, err := recordings.ReadFile("demo/plan.json")
	if err != nil {
		return err
	}
	config := fmt.Sprintf("apiVersion: config.mollyguard.dev/v1alpha1\nkind: Configuration\ndecisionLog: {path: %q}\n", d.log)
	for name, data := range map[string][]byte{"plan.json": plan, "mollyguard.yaml": []byte(config)} {
		if err := os.WriteFile(filepath.Join(d.folder, name), data, 0o600); err != nil {
			return err
		}
	}
	// As terraform init leaves it behind: else nothing tells which workspace is selected.
	if err := os.Mkdir(filepath.Join(d.folder, ".terraform"), 0o700); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	arguments := []string{"plan", "check", "plan.json", "--config", "mollyguard.yaml"}
	printScene(d.out, 17, "A month later: a review build has changed the Terraform state, and the next plan takes two clusters along.\n"+
		"Terraform asks no webhook, and who reads a plan? (This one was written by hand, after the incident's.)",
		"mollyguard "+strings.Join(arguments, " ")+` && terraform apply; echo "exit $?"`)
	command := exec.CommandContext(ctx, self, arguments...)
	command.Dir, command.Env, command.Stdout, command.Stderr = d.folder, []string{demoApplier}, d.out, d.out
	if err := command.Run(); err != nil && command.ProcessState == nil {
		return fmt.Errorf("check the plan of the incident: %w", err)
	}
	if code := command.ProcessState.ExitCode(); code != exitDenied {
		return fmt.Errorf("the plan of the incident was not refused: exit code %d", code)
	}
	_, err = fmt.Fprintf(d.out, "exit %d\n", exitDenied)
	return err
}
