package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/mollyguard/mollyguard/operation"
)

// planTokenVariable holds the token of a grant for a plan. MOLLYGUARD_API_TOKEN, which is
// another thing, says to a server who somebody is.
const planTokenVariable = "MOLLYGUARD_TOKEN"

func newPlan(s streams) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "plan",
		Short: "Judge Terraform plans, and hold them to what was judged",
		Long: `Judge Terraform plans, and hold them to what was judged.

check reads a plan and judges everything in it that would destroy or weaken
something. verify says right before apply whether the plan is still the one that
was checked, and the world still the one that it was made for.`,
	})
	cmd.AddCommand(newPlanCheck(s), newPlanVerify(s))
	return cmd
}

// planFlags are what check and verify have in common.
type planFlags struct {
	config string
	// folder is the configuration's, and the repository's.
	folder, binary string
	workspace      string
	applier        string
	base           string
	tokenFile      string
}

func (o *planFlags) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.config, "config", "", "configuration `FILE` (default: built-in defaults)")
	flags.StringVar(&o.folder, "dir", "", "the configuration's `FOLDER` (default: the current one); other paths are not relative to it")
	flags.StringVar(&o.binary, "terraform", "", "`BINARY` of Terraform or OpenTofu (default: terraform or tofu)")
	flags.StringVar(&o.workspace, "workspace", "", "`NAME` of the Terraform workspace (default: the plan file's, $TF_WORKSPACE, or what is selected in --dir)")
	flags.StringVar(&o.applier, "applier", "", "`NAME` of who applies (default: what the environment tells)")
	flags.StringVar(&o.base, "base", "", "`BRANCH` that the plan is for (default: terraform.baseBranch)")
	flags.StringVar(&o.tokenFile, "token-file", "", "`FILE` with the token of a grant for this plan (default: $"+planTokenVariable+")")
}

// again are the flags that a command for the same plan needs again.
func (o planFlags) again() string {
	var text strings.Builder
	for _, flag := range []struct{ name, value string }{
		{"config", o.config}, {"dir", o.folder}, {"terraform", o.binary}, {"workspace", o.workspace},
		{"applier", o.applier}, {"base", o.base},
	} {
		if flag.value != "" {
			text.WriteString(" --" + flag.name + " " + quoted(operation.Printable(flag.value)))
		}
	}
	return text.String()
}
