package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pipeline is a repository with a remote, and what a CI system does with it.
type pipeline struct {
	t      *testing.T
	home   string
	folder string
	env    []string
}

func newPipeline(t *testing.T) *pipeline {
	t.Helper()
	needPrograms(t, "bash", "sh", "git", "terraform", "mollyguard")
	home := t.TempDir()
	p := &pipeline{t: t, home: home, folder: filepath.Join(home, "work"), env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "CHECKPOINT_DISABLE=1", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
	}}
	if err := os.Mkdir(p.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	writeFiles(t, p.folder, map[string]string{
		"main.tf":         "resource \"terraform_data\" \"db\" {\n  input = { env = \"production\" }\n}\n",
		"mollyguard.yaml": "apiVersion: config.mollyguard.dev/v1alpha1\nkind: Configuration\n",
		".gitignore":      ".terraform\n*.tfstate*\n",
	})
	p.run(0, "bash", "git init -q -b main . && git add . && git commit -q -m 'begin (#1)' && git clone -q --bare . ../origin.git && git remote add origin ../origin.git && git fetch -q origin")
	return p
}

// run runs a script, which must end with a code.
func (p *pipeline) run(want int, shell, script string, env ...string) string {
	p.t.Helper()
	cmd := exec.Command(shell, "-c", script)
	cmd.Dir, cmd.Env = p.folder, append(p.env, env...)
	out, err := cmd.CombinedOutput()
	if code := exitCodeOf(p.t, err); code != want {
		p.t.Fatalf("exit code %d, want %d: %s\n%s", code, want, script, out)
	}
	return string(out)
}

// merge has somebody else merge to main.
func (p *pipeline) merge() {
	p.t.Helper()
	p.run(0, "bash", "git clone -q ../origin.git ../theirs && cd ../theirs && git commit -q --allow-empty -m 'Move the database (#2)' && git push -q origin main")
}

func TestTheGitLabPipelineAppliesWhatItChecked(t *testing.T) {
	var file struct {
		Terraform struct {
			Before []string `yaml:"before_script"`
		} `yaml:".terraform"`
		Plan, Check, Apply struct{ Script []string }
	}
	readYAML(t, "docs/ci/gitlab.yml", &file)
	job := func(script []string) string {
		return "set -eo pipefail\n" + strings.Join(append(file.Terraform.Before, script...), "\n")
	}
	p := newPipeline(t)
	p.env = append(p.env, "CI_DEFAULT_BRANCH=main", "GITLAB_CI=true", "TF_INPUT=0")
	p.run(0, "bash", job(file.Plan.Script))
	p.run(0, "bash", job(file.Check.Script))
	p.run(0, "bash", job(file.Apply.Script))
	p.run(3, "bash", job(file.Apply.Script)) // once
	p.run(0, "bash", "printf '# nothing\\n' > main.tf && git commit -q -a -m 'Drop it (#3)' && git push -q origin main")
	p.run(0, "bash", job(file.Plan.Script))
	if out := p.run(3, "bash", job(file.Check.Script)); !strings.Contains(out, "label env=production") {
		t.Errorf("the refusal does not say why:\n%s", out)
	}
	p.run(3, "bash", job(file.Apply.Script))
}

func TestTheCloudBuildRefusesAPlanThatMainHasLeftBehind(t *testing.T) {
	var file struct {
		Steps []struct{ ID, Script string }
	}
	readYAML(t, "docs/ci/cloudbuild.yaml", &file)
	p := newPipeline(t)
	p.env = append(p.env, "_BASE=main", "CLOUD_BUILD=1", "TF_INPUT=0")
	for _, step := range file.Steps {
		want := 0
		if step.ID == "apply" {
			p.merge()
			want = 3
		}
		out := p.run(want, "bash", step.Script)
		if step.ID == "apply" && !strings.Contains(out, `pull request 2 "Move the database (#2)"`) && !strings.Contains(out, `pull request #2 "Move the database`) {
			t.Errorf("the refusal does not say whose merge it was:\n%s", out)
		}
	}
}

func TestTheAtlantisWorkflowChecksAndVerifies(t *testing.T) {
	type steps struct{ Steps []any }
	var file struct {
		Workflows map[string]struct {
			Plan, Apply, Import steps
			StateRm             steps `yaml:"state_rm"`
		}
	}
	readYAML(t, "docs/ci/atlantis.yaml", &file)
	workflow := file.Workflows["mollyguard"]
	p := newPipeline(t)
	script := func(s steps) string {
		for _, step := range s.Steps {
			if run, ok := step.(map[string]any); ok {
				// The folders are the server's.
				return strings.NewReplacer("/etc/mollyguard/tokens/", p.home+"/tokens-", "/etc/mollyguard", p.folder).Replace(run["run"].(string))
			}
		}
		t.Fatalf("no step is run: %v", s)
		return ""
	}
	p.env = append(p.env,
		"ATLANTIS_TERRAFORM_VERSION=1.0.0-absent", "WORKSPACE=default", "BASE_BRANCH_NAME=main", "BASE_REPO_OWNER=o", "BASE_REPO_NAME=r", "PULL_NUM=7",
		"HEAD_BRANCH_NAME=topic", "REPO_REL_DIR=.", "PLANFILE="+filepath.Join(p.folder, "default.tfplan"),
	)
	p.run(0, "sh", "terraform init && terraform plan -out=$PLANFILE")
	p.run(0, "sh", script(workflow.Plan))
	p.run(0, "sh", script(workflow.Apply))
	// A token that nobody can believe changes nothing, but the plan is judged again.
	writeFiles(t, p.home, map[string]string{"tokens-o-r-7": "no token"})
	p.run(2, "sh", script(workflow.Apply))
	if err := os.Remove(filepath.Join(p.home, "tokens-o-r-7")); err != nil {
		t.Fatal(err)
	}
	p.merge()
	p.run(0, "sh", "git fetch -q origin")
	p.run(3, "sh", script(workflow.Apply))
	p.run(3, "sh", script(workflow.Import))
	p.run(3, "sh", script(workflow.StateRm))
}

func TestTheCommandsOfTheGitHubWorkflowAreThere(t *testing.T) {
	var file struct {
		Jobs map[string]struct {
			Steps []struct {
				Run  string
				Uses string
				With map[string]any
			}
		}
	}
	readYAML(t, "docs/ci/github.yml", &file)
	var a action
	readYAML(t, "action.yml", &a)
	commands, uses := 0, 0
	for _, job := range file.Jobs {
		for _, step := range job.Steps {
			if strings.Contains(step.Run, "${{") {
				t.Errorf("an expression is in the script %s", step.Run)
			}
			if words := strings.Fields(step.Run); len(words) > 0 && strings.HasSuffix(words[0], "/mollyguard") {
				commands++
				checkArguments(t, words[1:])
			}
			if !strings.HasPrefix(step.Uses, "mollyguard/mollyguard@") {
				continue
			}
			uses++
			for name := range step.With {
				if _, ok := a.Inputs[name]; !ok {
					t.Errorf("the action has no input %s", name)
				}
			}
		}
	}
	if commands != 1 || uses != 1 {
		t.Errorf("%d commands and %d uses, want one of each", commands, uses)
	}
}
