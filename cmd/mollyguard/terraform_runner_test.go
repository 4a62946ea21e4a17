package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// repositoryRoot is where the templates are.
const repositoryRoot = "../.."

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repositoryRoot, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func needPrograms(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed: NOTHING of the pipelines was run", name)
		}
	}
}

// runner plays what GitHub's runner does with a composite action.
type runner struct {
	t       *testing.T
	action  action
	folder  string
	inputs  map[string]string
	outputs map[string]string // by step.name
	env     []string
	log     bytes.Buffer
}

func (r *runner) value(text string) string {
	return anExpression.ReplaceAllStringFunc(text, func(whole string) string {
		for _, name := range strings.Split(anExpression.FindStringSubmatch(whole)[1], "||") {
			name = strings.TrimSpace(name)
			input, isInput := strings.CutPrefix(name, "inputs.")
			output, isOutput := strings.CutPrefix(name, "steps.")
			value := ""
			switch given, ok := r.inputs[input]; {
			case isInput && ok:
				value = given
			case isInput:
				value = r.action.Inputs[input].Default
			case isOutput:
				value = r.outputs[strings.Replace(output, ".outputs.", ".", 1)]
			case name == "github.base_ref":
				value = "main"
			default:
				r.t.Fatalf("expression %s is not known", name)
			}
			if value != "" {
				return value
			}
		}
		return ""
	})
}

// run runs all steps, and returns the exit code of the last.
func (r *runner) run() int {
	code := 0
	for _, step := range r.action.Runs.Steps {
		if step.If == "inputs.comment == 'true'" && r.value("${{ inputs.comment }}") != "true" || code != 0 && step.If != "always()" {
			continue
		}
		output := filepath.Join(r.folder, "output-"+step.ID)
		cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.Run)
		cmd.Dir = r.folder
		cmd.Env = append(slices.Clone(r.env), "GITHUB_OUTPUT="+output)
		for name, value := range step.Env {
			cmd.Env = append(cmd.Env, name+"="+r.value(value))
		}
		cmd.Stdout, cmd.Stderr = &r.log, &r.log
		code = exitCodeOf(r.t, cmd.Run())
		text, err := os.ReadFile(output)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			r.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			r.outputs[step.ID+"."+name] = value
		}
	}
	return code
}

func exitCodeOf(t *testing.T, err error) int {
	t.Helper()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return failed.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0
}

func writeFiles(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

func readIfThere(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

func entries(t *testing.T, folder string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range list {
		names = append(names, entry.Name())
	}
	return names
}

// checkArguments makes sure that there is such a command, with such flags.
func checkArguments(t *testing.T, arguments []string) {
	t.Helper()
	cmd, rest, err := newRoot("mollyguard", streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard}).Find(arguments)
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	if err != nil {
		t.Errorf("mollyguard %q: %v", arguments, err)
	}
}
