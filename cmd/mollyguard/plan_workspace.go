package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mollyguard/mollyguard/tfplan/terraform"
)

// dataDir is where Terraform keeps what it knows of the configuration's folder.
// https://developer.hashicorp.com/terraform/cli/config/environment-variables#tf_data_dir
func (o planFlags) dataDir() string {
	data := os.Getenv("TF_DATA_DIR")
	if data == "" {
		data = ".terraform"
	}
	if filepath.IsAbs(data) {
		return data
	}
	return filepath.Join(o.where(), data)
}

// defaultWorkspace is selected where no other is.
const defaultWorkspace = "default"

// maxWorkspace is longer than any backend lets a name be, in bytes.
const maxWorkspace = 256

// selectedWorkspace is the workspace that Terraform would work in: as the command line or
// the environment says, or as it was selected in the folder. Where nothing was set up
// there, Terraform is asked, if there is one; else it is empty.
func (o planFlags) selectedWorkspace(ctx context.Context, tf *terraform.Terraform) (string, error) {
	if o.workspace != "" {
		return o.workspace, nil
	}
	if name := os.Getenv("TF_WORKSPACE"); name != "" {
		return name, nil
	}
	// https://developer.hashicorp.com/terraform/language/state/workspaces: absent for the
	// workspace called default.
	text, err := readRegular(filepath.Join(o.dataDir(), "environment"), maxWorkspace)
	name := strings.TrimSpace(string(text))
	if errors.Is(err, os.ErrNotExist) {
		_, err = os.Stat(o.dataDir())
	}
	switch {
	case err == nil && name == "":
		return defaultWorkspace, nil
	case err == nil:
		return name, nil
	case !errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("read which workspace is selected: %w", err)
	case tf == nil:
		return "", nil
	}
	return tf.Workspace(ctx)
}

// workspace is the plan's: as the plan file says or, for plan JSON, which does not, the one
// that is selected.
func (j *planJudge) workspace(ctx context.Context, plan *openPlan) (string, error) {
	if plan.file == nil || plan.file.Workspace == "" {
		return j.flags.selectedWorkspace(ctx, nil)
	}
	if said := j.flags.workspace; said != "" && said != plan.file.Workspace {
		return "", usageError("", "--workspace is %s, and the plan file is for %s", shown(said), shown(plan.file.Workspace))
	}
	return plan.file.Workspace, nil
}

// unknownWorkspace is what is not known of all that a plan does, if workspaces make
// production and nothing tells the plan's.
const unknownWorkspace = "which workspace it is for (--workspace NAME tells)"

// inUnknown reports whether the plan may be for a workspace that is production.
func (r *judgedPlan) inUnknown() bool {
	return r.workspace == "" && len(r.config.Production.Workspaces) > 0
}
