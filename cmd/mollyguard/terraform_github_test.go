package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type githubStep struct {
	Run, Uses, If string
	With, Env     map[string]string
}

type githubJob struct {
	If    string
	Steps []githubStep
}

func readWorkflow(t *testing.T) (jobs map[string]githubJob, a action) {
	t.Helper()
	var file struct{ Jobs map[string]githubJob }
	readYAML(t, "docs/ci/github.yml", &file)
	readYAML(t, "action.yml", &a)
	return file.Jobs, a
}

func TestTheCommandsOfTheGitHubWorkflowAreThere(t *testing.T) {
	jobs, a := readWorkflow(t)
	if diff := cmp.Diff([]string{"apply", "check", "plan", "preview"}, slices.Sorted(maps.Keys(jobs))); diff != "" {
		t.Fatalf("jobs (-want +got):\n%s", diff)
	}
	uses, commands := 0, 0
	for _, job := range jobs {
		for _, step := range job.Steps {
			if strings.Contains(step.Run, "${{") {
				t.Errorf("an expression is in the script %s", step.Run)
			}
			for line := range strings.Lines(step.Run) {
				if words := strings.Fields(line); len(words) > 0 && strings.HasSuffix(words[0], "/mollyguard") {
					commands++
					checkArguments(t, words[1:])
				}
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
	if commands != 1 || uses != 2 {
		t.Errorf("%d commands and %d uses of the action, want 1 and 2", commands, uses)
	}
}

// workflow plays what GitHub does with the jobs of one run: each begins in an empty folder,
// and only artifacts go from one to the other.
type workflow struct {
	*pipeline
	jobs   map[string]githubJob
	action action
	// values are of expressions, artifacts is a folder, and branch what is checked out.
	values            map[string]string
	artifacts, branch string
}

func (w *workflow) value(text string) string {
	return anExpression.ReplaceAllStringFunc(text, func(whole string) string {
		return w.values[anExpression.FindStringSubmatch(whole)[1]]
	})
}

// job runs a job to its end, and returns the first exit code that is not 0.
func (w *workflow) job(name string) (failed int, log string) {
	w.t.Helper()
	work := w.t.TempDir()
	if err := os.Remove(work); err != nil {
		w.t.Fatal(err)
	}
	temp := w.t.TempDir()
	w.values["runner.temp"] = temp
	env := append(slices.Clone(w.env), "GITHUB_WORKSPACE="+work, "RUNNER_TEMP="+temp, "GITHUB_EVENT_PATH="+filepath.Join(w.home, "event.json"),
		"GITHUB_STEP_SUMMARY="+filepath.Join(temp, "summary"), "GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=o/r", "GITHUB_ACTOR=a")
	for _, step := range w.jobs[name].Steps {
		if failed != 0 && step.If == "" {
			continue
		}
		code, out := w.step(step, work, env)
		log += out
		if failed == 0 {
			failed = code
		}
	}
	return failed, log
}

func (w *workflow) step(step githubStep, work string, env []string) (int, string) {
	w.t.Helper()
	script := step.Run
	artifact := w.artifacts + "/" + step.With["name"]
	switch name, _, _ := strings.Cut(step.Uses, "@"); name {
	case "":
	case "actions/checkout":
		script = "git clone -q -b " + w.branch + " '" + w.home + "/origin.git' '" + work + "'"
		work = w.home
	case "hashicorp/setup-terraform":
		return 0, ""
	case "actions/upload-artifact":
		script = "mkdir -p '" + artifact + "' && cp " + step.With["path"] + " '" + artifact + "'"
	case "actions/download-artifact":
		script = "cp '" + artifact + "'/* ."
	case "mollyguard/mollyguard":
		r := &runner{t: w.t, action: w.action, folder: work, inputs: map[string]string{"binary": "mollyguard", "github-token": "x"}, outputs: map[string]string{}, env: env}
		for input, text := range step.With {
			r.inputs[input] = w.value(text)
		}
		return r.run(), r.log.String()
	default:
		w.t.Fatalf("%s is not known", step.Uses)
	}
	cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = work, env
	for key, text := range step.Env {
		cmd.Env = append(cmd.Env, key+"="+w.value(text))
	}
	out, err := cmd.CombinedOutput()
	return exitCodeOf(w.t, err), string(out)
}

// must runs a job that ends with a code.
func (w *workflow) must(want int, job string) {
	w.t.Helper()
	if code, log := w.job(job); code != want {
		w.t.Fatalf("%s: exit code %d, want %d\n%s", job, code, want, log)
	}
}

// inGitHub begins a run of the workflow.
func (p *pipeline) inGitHub(branch string) *workflow {
	p.t.Helper()
	needPrograms(p.t, "jq")
	jobs, a := readWorkflow(p.t)
	writeFiles(p.t, p.home, map[string]string{"event.json": "{}"})
	return &workflow{pipeline: p, jobs: jobs, action: a, values: map[string]string{}, artifacts: p.t.TempDir(), branch: branch}
}

func TestAGitHubPreviewIsJudgedByWhatMainSays(t *testing.T) {
	p := newPipeline(t, map[string]string{"mollyguard.yaml": emptyConfig})
	p.run(0, "bash", "terraform init && terraform apply -auto-approve")
	writeFiles(t, filepath.Join(p.folder, "mollyguard"), map[string]string{"mollyguard.yaml": emptyConfig + "enforcement:\n- {action: \"off\"}\n"})
	p.drop()
	p.run(0, "bash", "git push -q origin HEAD:topic")
	w := p.inGitHub("topic")
	if code, log := w.job("preview"); code != 3 || !strings.Contains(log, "production") {
		t.Errorf("exit code %d, want 3:\n%s", code, log)
	}
}

func TestAGitHubJobIsRunAgainWithATokenOnTheSamePlan(t *testing.T) {
	p, server := deskPipeline(t)
	program, err := exec.LookPath("mollyguard")
	if err != nil {
		t.Fatal(err)
	}
	// What go install would leave behind.
	if err := os.MkdirAll(filepath.Join(p.home, "go/bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(p.home, "go/bin/mollyguard")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(p.home, "stubs"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFiles(t, filepath.Join(p.home, "stubs"), map[string]string{"go": "#!/bin/sh\n[ \"$1\" = install ]\n"})
	p.env = append(p.env, "PATH="+filepath.Join(p.home, "stubs")+":"+os.Getenv("PATH"))
	first := p.inGitHub("main")
	for _, job := range []string{"plan", "check", "apply"} {
		first.must(0, job)
	}
	p.drop()
	p.run(0, "bash", "git push -q origin main")
	second := p.inGitHub("main")
	second.must(0, "plan")
	second.must(3, "check")
	second.values["secrets.MOLLYGUARD_TOKEN"] = grant(t, server, filepath.Join(second.artifacts, "receipt/receipt.json"))
	second.values["secrets.MOLLYGUARD_API_TOKEN"] = readIfThere(t, server.bob)
	second.values["vars.MOLLYGUARD_SERVER"] = server.URL
	second.must(0, "check")
	second.must(0, "apply")
	isUsed(t, server)
}
