package main

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const emptyConfig = "apiVersion: config.mollyguard.dev/v1alpha1\nkind: Configuration\n"

// pipeline is a repository with a remote, and what a CI system does with it.
type pipeline struct {
	t      *testing.T
	home   string
	folder string
	env    []string
}

// newPipeline makes one whose main branch has a folder mollyguard with some files.
func newPipeline(t *testing.T, guard map[string]string) *pipeline {
	t.Helper()
	needPrograms(t, "bash", "sh", "git", "tar", "terraform", "mollyguard")
	home := t.TempDir()
	p := &pipeline{t: t, home: home, folder: filepath.Join(home, "work"), env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "CHECKPOINT_DISABLE=1", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
	}}
	if err := os.MkdirAll(filepath.Join(p.folder, "mollyguard"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFiles(t, p.folder, map[string]string{
		// The state outlives the folders of jobs, as in a backend.
		"main.tf": "terraform {\n  backend \"local\" { path = \"" + filepath.Join(home, "terraform.tfstate") + "\" }\n}\n" +
			"resource \"terraform_data\" \"db\" {\n  input = { env = \"production\" }\n}\n",
		".gitignore": ".terraform\n*.tfstate*\n",
	})
	writeFiles(t, filepath.Join(p.folder, "mollyguard"), guard)
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

// drop commits that the database goes.
func (p *pipeline) drop() {
	p.t.Helper()
	p.run(0, "bash", `sed -i '/^resource/,$d' main.tf && git commit -q -a -m 'Drop it (#3)'`)
}

// deskPipeline is a pipeline that believes the tokens of a server. The paths in its
// configuration are relative.
func deskPipeline(t *testing.T) (*pipeline, deskServer) {
	t.Helper()
	server := startDeskWith(t, time.Now)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/.well-known/jwks.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return newPipeline(t, map[string]string{
		"mollyguard.yaml": emptyConfig + "terraform: {audience: prod-eu}\nbreakGlass:\n  trust:\n  - {issuer: mollyguard/prod-eu, file: keys.json}\n",
		"keys.json":       string(keys), "ca.crt": readIfThere(t, server.ca),
	}), server
}

// grant has Alice ask for the plan of a receipt, and Bob approve. It returns the token.
func grant(t *testing.T, server deskServer, receipt string) string {
	t.Helper()
	out, _, err := server.as(t, server.alice, "request", "--plan", receipt, "--reason", "moved", "--duration", "30m")
	if err != nil {
		t.Fatal(err)
	}
	handle := aHandle.FindString(out)
	if _, _, err := server.as(t, server.bob, "approve", handle); err != nil {
		t.Fatal(err)
	}
	token, _, err := server.as(t, server.alice, "token", handle)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(token)
}

// isUsed fails unless the server has counted the one use of a token.
func isUsed(t *testing.T, server deskServer) {
	t.Helper()
	out, _, err := server.as(t, server.bob, "list", "--all")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "used") {
		t.Errorf("the use was not counted:\n%s", out)
	}
}

type gitlabJobs struct {
	Terraform struct {
		Before []string `yaml:"before_script"`
	} `yaml:".terraform"`
	Plan, Check, Apply struct {
		Script []string
		After  []string `yaml:"after_script"`
	}
}

// job is what GitLab's runner makes of a script.
func (g gitlabJobs) job(script []string) string {
	return "set -eo pipefail\n" + strings.Join(append(g.Terraform.Before, script...), "\n")
}

func (p *pipeline) inGitLab() gitlabJobs {
	p.t.Helper()
	var file gitlabJobs
	readYAML(p.t, "docs/ci/gitlab.yml", &file)
	p.env = append(p.env, "CI_DEFAULT_BRANCH=main", "GITLAB_CI=true", "TF_INPUT=0", "CI_PROJECT_DIR="+p.folder)
	return file
}

func TestTheGitLabPipelineAppliesWhatItChecked(t *testing.T) {
	p := newPipeline(t, map[string]string{"mollyguard.yaml": emptyConfig})
	file := p.inGitLab()
	p.run(0, "bash", file.job(file.Plan.Script))
	p.run(0, "bash", file.job(file.Check.Script))
	p.run(0, "bash", file.job(file.Apply.Script))
	p.run(3, "bash", file.job(file.Apply.Script)) // once
	// The branch that drops it switches the policies off, too.
	writeFiles(t, filepath.Join(p.folder, "mollyguard"), map[string]string{"mollyguard.yaml": emptyConfig + "enforcement:\n- {action: \"off\"}\n"})
	p.drop()
	p.run(0, "bash", file.job(file.Plan.Script))
	if out := p.run(3, "bash", file.job(file.Check.Script)); !strings.Contains(out, "label env=production") {
		t.Errorf("the refusal does not say why:\n%s", out)
	}
	p.run(3, "bash", file.job(file.Apply.Script))
}

func TestAGitLabJobIsRunAgainWithATokenOnTheSamePlan(t *testing.T) {
	p, server := deskPipeline(t)
	file := p.inGitLab()
	for _, job := range [][]string{file.Plan.Script, file.Check.Script, file.Apply.Script} {
		p.run(0, "bash", file.job(job))
	}
	p.drop()
	p.run(0, "bash", "git push -q origin main")
	p.run(0, "bash", file.job(file.Plan.Script))
	p.run(3, "bash", file.job(file.Check.Script))
	p.env = append(p.env, "MOLLYGUARD_TOKEN="+grant(t, server, filepath.Join(p.folder, "receipt.json")),
		"MOLLYGUARD_SERVER="+server.URL, "MOLLYGUARD_API_TOKEN="+readIfThere(t, server.bob))
	p.run(0, "bash", file.job(file.Check.Script))
	p.run(0, "bash", file.job(file.Apply.Script))
	isUsed(t, server)
}

// stubGCloud has buckets and secrets in a folder.
const stubGCloud = `#!/usr/bin/env bash
set -eu
cd "$STUB_CLOUD_FROM"
place() { case $1 in gs://*) printf '%s' "$STUB_CLOUD/${1#gs://}" ;; *) printf '%s' "$1" ;; esac; }
case "$1 $2" in
  "storage cp") to=$(place "$4"); mkdir -p "$(dirname "$to")"; cp "$(place "$3")" "$to" ;;
  "secrets versions") [ "$3 $4" = "access latest" ]; cat "$STUB_CLOUD/${5#--secret=}" ;;
  *) exit 9 ;;
esac
`

// inCloudBuild returns what runs a step of a build.
func (p *pipeline) inCloudBuild() func(want int, id string, substitutions ...string) string {
	p.t.Helper()
	var file struct {
		Substitutions map[string]string
		Steps         []struct{ ID, Script string }
	}
	readYAML(p.t, "docs/ci/cloudbuild.yaml", &file)
	file.Substitutions["_BUCKET"] = "gs://plans"
	p.env = append(p.env, "CLOUD_BUILD=1", "TF_INPUT=0", "STUB_CLOUD="+p.home, "STUB_CLOUD_FROM="+p.folder, "PATH="+p.home+":"+os.Getenv("PATH"))
	writeFiles(p.t, p.home, map[string]string{"gcloud": stubGCloud})
	for name, value := range maps.All(file.Substitutions) {
		p.env = append(p.env, name+"="+value)
	}
	return func(want int, id string, substitutions ...string) string {
		p.t.Helper()
		for _, step := range file.Steps {
			if step.ID == id {
				return p.run(want, "bash", step.Script, substitutions...)
			}
		}
		p.t.Fatalf("there is no step %s", id)
		return ""
	}
}

func TestTheCloudBuildRefusesAPlanThatMainHasLeftBehind(t *testing.T) {
	p := newPipeline(t, map[string]string{"mollyguard.yaml": emptyConfig})
	step := p.inCloudBuild()
	step(0, "plan", "BUILD_ID=1")
	step(0, "check", "BUILD_ID=1")
	p.merge()
	if out := step(3, "apply", "BUILD_ID=1"); !strings.Contains(out, `pull request 2 "Move the database`) && !strings.Contains(out, `pull request #2 "Move the database`) {
		t.Errorf("the refusal does not say whose merge it was:\n%s", out)
	}
}

func TestACloudBuildAppliesThePlanOfARefusedOneWithAToken(t *testing.T) {
	p, server := deskPipeline(t)
	step := p.inCloudBuild()
	for _, id := range []string{"plan", "check", "apply"} {
		step(0, id, "BUILD_ID=1")
	}
	p.drop()
	p.run(0, "bash", "git push -q origin main")
	step(0, "plan", "BUILD_ID=2")
	step(3, "check", "BUILD_ID=2")
	writeFiles(t, p.home, map[string]string{
		"mollyguard-token": grant(t, server, filepath.Join(p.home, "plans/2/receipt.json")), "mollyguard-api-token": readIfThere(t, server.bob),
	})
	p.run(0, "bash", "rm tfplan receipt.json")
	for _, id := range []string{"plan", "check", "apply"} {
		step(0, id, "BUILD_ID=3", "_PLAN=gs://plans/2/tfplan", "_SERVER="+server.URL)
	}
	isUsed(t, server)
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
	p := newPipeline(t, map[string]string{"mollyguard.yaml": emptyConfig})
	script := func(s steps) string {
		for _, step := range s.Steps {
			if run, ok := step.(map[string]any); ok {
				// The folders are the server's.
				return strings.NewReplacer("/etc/mollyguard/tokens/", p.home+"/tokens-", "/etc/mollyguard", p.folder+"/mollyguard").Replace(run["run"].(string))
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
