package tfplan

import (
	"bytes"
	"unicode"
)

// byteOrderMark is what some Windows tools write before UTF-8.
const byteOrderMark = "\uFEFF"

// showHint is how to come by plan JSON.
const showHint = "terraform plan -out=tfplan && terraform show -json tfplan > plan.json (or tofu)"

// IsFile reports whether a text that begins with first is a plan file, or any other zip.
func IsFile(first []byte) bool { return bytes.HasPrefix(first, []byte("PK\x03\x04")) }

// foreignText says what a text is that cannot be JSON of a plan by how it begins, or nil.
func foreignText(start []byte) error {
	text := bytes.TrimLeftFunc(bytes.TrimPrefix(start, []byte(byteOrderMark)), unicode.IsSpace)
	switch {
	case len(text) == 0 && len(start) < chunk:
		return badPlan(showHint, "the plan is empty")
	case bytes.HasPrefix(text, []byte("{")):
		return nil
	case IsFile(text), bytes.HasPrefix(text, []byte("PK\x05\x06")):
		return badPlan(showHint, "this is a plan file (a zip), not its JSON")
	case bytes.HasPrefix(start, []byte{0xff, 0xfe}), bytes.HasPrefix(start, []byte{0xfe, 0xff}):
		return badPlan("in PowerShell: terraform show -json tfplan | Out-File -Encoding utf8 plan.json",
			"the plan is in UTF-16, as PowerShell's > writes it, and must be in UTF-8")
	case bytes.HasPrefix(text, []byte("[command]")):
		return badPlan("set terraform_wrapper: false for hashicorp/setup-terraform",
			"this is not JSON alone: a wrapper around terraform wrote its command line before it")
	case bytes.HasPrefix(text, []byte("tfplan")):
		return badPlan("plan with Terraform 1.0 or newer, or OpenTofu", "this is a plan file of a Terraform before 0.12")
	case bytes.HasPrefix(text, []byte("<")):
		return badPlan(showHint, "this is HTML or XML, not the JSON of a plan: perhaps a page that asks to log in")
	case bytes.HasPrefix(text, []byte("[")):
		return badPlan(showHint, "this is a JSON list, not a Terraform plan")
	}
	for _, phrase := range []string{
		"Terraform will perform", "OpenTofu will perform", "Terraform used the selected providers",
		"OpenTofu used the selected providers", "Your infrastructure matches the configuration", "Refreshing state...",
	} {
		if bytes.Contains(text, []byte(phrase)) {
			return badPlan(showHint, "this is what terraform plan prints for people, not the JSON of a plan")
		}
	}
	// What it is instead may be secret, so none of it is shown.
	return badPlan(showHint, "this is not JSON: it does not begin with a brace")
}

// foreignJSON says what JSON is that has these names at its top level, perhaps among
// others, and is no plan, or nil where it cannot tell.
func foreignJSON(has map[string]bool) error {
	switch {
	case has["@level"] || has["@message"]:
		return badPlan(showHint, "this is the log that terraform plan -json writes, not the JSON of a plan")
	case has["encrypted_data"] || has["encryption_version"]:
		return badPlan("run tofu show -json with the encryption's configuration and check its output",
			"this is a plan file or state that OpenTofu has encrypted: it cannot be read here")
	case has["lineage"] || has["version"] && has["serial"]:
		return badPlan(showHint, "this is a Terraform state, not a plan")
	case has["remote_plan_format"]:
		return badPlan("take the run's JSON output from its API: /api/v2/plans/PLAN/json-output",
			"this only says where HCP Terraform keeps a plan, it is not the plan")
	case has["plan_format_version"]:
		return badPlan("take json-output of the plan, not json-output-redacted",
			"this is a redacted plan of HCP Terraform, without the values that must be judged")
	case has["provider_schemas"]:
		return badPlan(showHint, "this is what terraform providers schema -json writes, not a plan")
	case has["valid"] && has["error_count"]:
		return badPlan(showHint, "this is what terraform validate -json writes, not a plan")
	case has["changeSummary"], has["steps"] && has["config"], has["deployment"]:
		return badPlan("only plans of Terraform and OpenTofu are understood", "this is from Pulumi, not a Terraform plan")
	case has["ChangeSetName"], has["ChangeSetId"], has["StackId"], has["AWSTemplateFormatVersion"]:
		return badPlan("only plans of Terraform and OpenTofu are understood", "this is from CloudFormation, not a Terraform plan")
	case has["apiVersion"] && has["kind"]:
		return badPlan(showHint, "this is a Kubernetes object, not a Terraform plan")
	}
	return nil
}

// foreignWhole is foreignJSON for one with a format_version and these names and no others.
func foreignWhole(has map[string]bool) error {
	switch {
	case has["values"]:
		return badPlan(showHint, "this is a state as terraform show -json writes it without a plan file, not a plan")
	case len(has) == 1:
		return badPlan(showHint, "this is what terraform show -json writes where there is no state: name the plan file")
	}
	return foreignJSON(has)
}
