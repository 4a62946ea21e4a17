package applier

import (
	"testing"

	"github.com/mollyguard/mollyguard/operation"
)

func TestACISystemIsKnownByWhatItTellsItsJobs(t *testing.T) {
	for _, tt := range []detection{
		{
			"GitHub Actions", machine{env: map[string]string{
				"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "octo/infra", "GITHUB_REF": "refs/heads/main",
				"GITHUB_WORKFLOW_REF": "octo/infra/.github/workflows/apply.yml@refs/heads/main", "GITHUB_ACTOR": "bob", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_TOKEN": "VERYSECRET",
			}},
			Applier{Name: "github.com/octo/infra/.github/workflows/apply.yml@refs/heads/main", Kind: operation.Service, Via: "GitHub Actions", Facts: map[string]string{
				"ci": "GitHub Actions", "ci identity": "github.com/octo/infra/.github/workflows/apply.yml@refs/heads/main",
				"ci repository": "octo/infra", "ci ref": "refs/heads/main", "ci actor": "bob",
			}}, nil,
		},
		{
			"GitLab, whoever clicks", machine{env: map[string]string{
				"CI": "true", "GITLAB_CI": "true", "CI_SERVER_URL": "https://gitlab.example.com", "CI_PROJECT_PATH": "octo/infra", "CI_COMMIT_REF_NAME": "main",
				"CI_PIPELINE_SOURCE": "push", "GITLAB_USER_LOGIN": "bob", "CI_JOB_TOKEN": "VERYSECRET", "CI_COMMIT_REF_PROTECTED": "true",
			}},
			Applier{Name: "gitlab.example.com/octo/infra", Kind: operation.Service, Via: "GitLab CI", Facts: map[string]string{
				"ci": "GitLab CI", "ci identity": "gitlab.example.com/octo/infra", "ci repository": "octo/infra", "ci ref": "main", "ci ref protected": "true", "ci source": "push",
			}}, nil,
		},
		{
			"Atlantis, whoever comments", machine{env: map[string]string{
				"ATLANTIS_TERRAFORM_VERSION": "1.14.0", "BASE_REPO_OWNER": "octo", "BASE_REPO_NAME": "infra", "PULL_NUM": "12", "REPO_REL_DIR": ".", "USER_NAME": "bob",
				"HEAD_BRANCH_NAME": "feature", "BASE_BRANCH_NAME": "main",
			}},
			Applier{Name: "octo/infra/12/.", Kind: operation.Service, Via: "Atlantis", Facts: map[string]string{
				"ci": "Atlantis", "ci identity": "octo/infra/12/.", "ci head": "feature", "ci base": "main",
			}}, nil,
		},
		{
			"Cloud Build", machine{env: map[string]string{"BUILDER_OUTPUT": "/builder/outputs", "PROJECT_ID": "prod", "TRIGGER_NAME": "apply", "SERVICE_ACCOUNT_EMAIL": "tf@prod.iam.gserviceaccount.com"}},
			Applier{Name: "prod/apply", Kind: operation.Service, Via: "Cloud Build", Facts: map[string]string{"ci": "Cloud Build", "ci identity": "prod/apply"}},
			[]string{"tf@prod.iam.gserviceaccount.com"},
		},
		{
			"Cloud Build that says no more", machine{env: map[string]string{"CLOUD_BUILD": "1"}},
			Applier{Name: "Cloud Build", Kind: operation.Service, Via: "Cloud Build", Facts: map[string]string{"ci": "Cloud Build"}}, nil,
		},
		{
			"HCP Terraform", machine{env: map[string]string{"TFC_RUN_ID": "run-1", "TFC_WORKSPACE_SLUG": "octo/prod"}},
			Applier{Name: "octo/prod", Kind: operation.Service, Via: "HCP Terraform", Facts: map[string]string{"ci": "HCP Terraform", "ci identity": "octo/prod"}}, nil,
		},
		{
			"CodeBuild, without the run", machine{env: map[string]string{"CODEBUILD_BUILD_ARN": "arn:aws:codebuild:eu-west-1:123456789012:build/apply:b1e6661e"}},
			Applier{Name: "arn:aws:codebuild:eu-west-1:123456789012:project/apply", Kind: operation.Service, Via: "CodeBuild", Facts: map[string]string{
				"ci": "CodeBuild", "ci identity": "arn:aws:codebuild:eu-west-1:123456789012:project/apply",
			}}, nil,
		},
		{
			"a CI system that is not known", machine{env: map[string]string{"CI": "true"}},
			Applier{Name: "alice@CI", Kind: operation.Service, Via: "CI", Facts: map[string]string{"ci": "of a kind that is not known"}}, nil,
		},
	} {
		t.Run(tt.name, tt.check)
	}
}
