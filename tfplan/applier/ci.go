package applier

import "strings"

// system is a CI system as it tells of itself in the environment of its jobs.
type system struct {
	name string
	// marker is the variable that says that it is this system, with value or, if that is
	// empty, with any.
	// or is another, which people set by themselves.
	marker, value, or string
	// identity are the variables whose values, joined, name the workload: the same
	// whenever it runs, and another for what has other rights.
	identity []string
	// facts are more that must be the same at plan and apply, by fact.
	facts map[string]string
	// names are variables with names that policies could know the workload by.
	names []string
}

// systems are looked for in this order: first those that run terraform by themselves and
// may themselves run in another.
//
// Who presses the button is a fact only where one run of the pipeline plans and applies:
// in GitLab and Atlantis the apply is another person's click, as it should be.
//
//   - https://docs.github.com/actions/reference/workflows-and-actions/variables
//   - https://docs.gitlab.com/ci/variables/predefined_variables/
//   - https://www.runatlantis.io/docs/custom-workflows
//   - https://developer.hashicorp.com/terraform/cloud-docs/run/run-environment
//   - https://cloud.google.com/build/docs/configuring-builds/substitute-variable-values
//   - https://buildkite.com/docs/pipelines/configure/environment-variables
//   - https://circleci.com/docs/reference/variables/
//   - https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables
//   - https://learn.microsoft.com/azure/devops/pipelines/build/variables
//   - https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/
//   - https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
func systems() []system {
	return []system{
		{
			name: "Atlantis", marker: "ATLANTIS_TERRAFORM_VERSION",
			identity: []string{"BASE_REPO_OWNER", "BASE_REPO_NAME", "PULL_NUM", "REPO_REL_DIR", "PROJECT_NAME"},
			facts:    map[string]string{"ci head": "HEAD_BRANCH_NAME", "ci base": "BASE_BRANCH_NAME"},
		},
		{
			name: "HCP Terraform", marker: "TFC_RUN_ID",
			identity: []string{"TFC_WORKSPACE_SLUG"},
			facts:    map[string]string{"ci project": "TFC_PROJECT_NAME", "ci ref": "TFC_CONFIGURATION_VERSION_GIT_BRANCH"},
		},
		{
			name: "GitHub Actions", marker: "GITHUB_ACTIONS", value: "true",
			identity: []string{"GITHUB_SERVER_URL", "GITHUB_WORKFLOW_REF"},
			facts: map[string]string{
				"ci repository": "GITHUB_REPOSITORY", "ci ref": "GITHUB_REF",
				// Who started the run: whoever approves or repeats its jobs does not change it.
				FactCIActor: "GITHUB_ACTOR",
			},
		},
		{
			name: "GitLab CI", marker: "GITLAB_CI", value: "true",
			identity: []string{"CI_SERVER_URL", "CI_PROJECT_PATH", "CI_CONFIG_PATH"},
			facts: map[string]string{
				"ci repository": "CI_PROJECT_PATH", "ci ref": "CI_COMMIT_REF_NAME", "ci ref protected": "CI_COMMIT_REF_PROTECTED",
				"ci source": "CI_PIPELINE_SOURCE",
			},
		},
		{
			// Each step has an output; the rest are substitutions that a step must map.
			name: "Cloud Build", marker: "BUILDER_OUTPUT", or: "CLOUD_BUILD",
			identity: []string{"PROJECT_ID", "TRIGGER_NAME"},
			facts:    map[string]string{"ci repository": "REPO_FULL_NAME", "ci ref": "BRANCH_NAME"},
			names:    []string{"SERVICE_ACCOUNT_EMAIL"},
		},
		{
			name: "Buildkite", marker: "BUILDKITE", value: "true",
			identity: []string{"BUILDKITE_ORGANIZATION_SLUG", "BUILDKITE_PIPELINE_SLUG"},
			facts:    map[string]string{"ci ref": "BUILDKITE_BRANCH", "ci queue": "BUILDKITE_AGENT_META_DATA_QUEUE"},
		},
		{
			name: "CircleCI", marker: "CIRCLECI", value: "true",
			identity: []string{"CIRCLE_PROJECT_USERNAME", "CIRCLE_PROJECT_REPONAME"},
			facts:    map[string]string{"ci ref": "CIRCLE_BRANCH"},
		},
		{
			name: "Azure Pipelines", marker: "TF_BUILD", value: "true",
			identity: []string{"SYSTEM_COLLECTIONURI", "SYSTEM_TEAMPROJECT", "BUILD_DEFINITIONNAME"},
			facts:    map[string]string{"ci ref": "BUILD_SOURCEBRANCH"},
		},
		{
			name: "Bitbucket Pipelines", marker: "BITBUCKET_BUILD_NUMBER",
			identity: []string{"BITBUCKET_REPO_FULL_NAME", "BITBUCKET_DEPLOYMENT_ENVIRONMENT"},
			facts:    map[string]string{"ci ref": "BITBUCKET_BRANCH"},
		},
		{
			name: "Jenkins", marker: "JENKINS_URL",
			identity: []string{"JENKINS_URL", "JOB_NAME"},
			facts:    map[string]string{"ci ref": "BRANCH_NAME"},
		},
	}
}

// ci finds the CI system. One that is not known by name is still one.
func (f *finding) ci() {
	for _, s := range systems() {
		marker := f.env(s.marker)
		if s.or != "" && marker == "" {
			marker = f.env(s.or)
		}
		if marker != "" && (s.value == "" || strings.EqualFold(marker, s.value)) {
			f.inside(s)
			return
		}
	}
	// The build's ARN ends in an id of the run.
	if project, _, ok := strings.Cut(f.env("CODEBUILD_BUILD_ARN"), ":build/"); ok {
		name, _, _ := strings.Cut(strings.TrimPrefix(f.env("CODEBUILD_BUILD_ARN"), project+":build/"), ":")
		f.via = "CodeBuild"
		f.fact(FactCI, f.via)
		f.fact(FactCIIdentity, project+":project/"+name)
		f.is(project + ":project/" + name)
		return
	}
	if strings.EqualFold(f.env("CI"), "true") {
		f.via = "CI"
		f.fact(FactCI, "of a kind that is not known")
	}
}

// inside keeps what a CI system says of a job.
func (f *finding) inside(s system) {
	f.via = s.name
	f.fact(FactCI, s.name)
	var parts []string
	for _, name := range s.identity {
		if value := strings.Trim(f.env(name), "/"); value != "" {
			parts = append(parts, strings.TrimPrefix(value, "https://"))
		}
	}
	identity := strings.Join(parts, "/")
	f.fact(FactCIIdentity, identity)
	for fact, name := range s.facts {
		f.fact(fact, f.env(name))
	}
	for _, name := range s.names {
		f.called(f.env(name))
	}
	if identity == "" {
		identity = s.name
	}
	f.is(identity)
}
