package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/tfplan"
)

// action is what is looked at of action.yml.
type action struct {
	Inputs map[string]struct {
		Default  string `yaml:"default"`
		Required bool   `yaml:"required"`
	} `yaml:"inputs"`
	Outputs map[string]struct {
		Value string `yaml:"value"`
	} `yaml:"outputs"`
	Runs struct {
		Using string       `yaml:"using"`
		Steps []actionStep `yaml:"steps"`
	} `yaml:"runs"`
}

type actionStep struct {
	ID, If, Shell, Run string
	Env                map[string]string
}

var anExpression = regexp.MustCompile(`\$\{\{\s*(.*?)\s*\}\}`)

func TestTheActionHasNothingOfItsInputsInItsScripts(t *testing.T) {
	needPrograms(t, "bash")
	var a action
	readYAML(t, "action.yml", &a)
	if a.Runs.Using != "composite" {
		t.Errorf("it is %q", a.Runs.Using)
	}
	used := map[string]bool{}
	for _, step := range a.Runs.Steps {
		if step.Shell != "bash" || strings.Contains(step.Run, "${{") {
			t.Errorf("step %s is run by %q, or has an expression in its script", step.ID, step.Shell)
		}
		syntax := exec.Command("bash", "-n")
		syntax.Stdin = strings.NewReader(step.Run)
		if out, err := syntax.CombinedOutput(); err != nil {
			t.Errorf("step %s: %v\n%s", step.ID, err, out)
		}
		for _, text := range append(slices.Collect(maps.Values(step.Env)), step.If) {
			for _, name := range regexp.MustCompile(`inputs\.([a-z-]+)`).FindAllStringSubmatch(text, -1) {
				used[name[1]] = true
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(a.Inputs)), slices.Sorted(maps.Keys(used))); diff != "" {
		t.Errorf("inputs that are there, and that are used (-there +used):\n%s", diff)
	}
}

// The stubs note what they are called with. mollyguard writes a comment, and ends as it is
// told; gh has the comments of two pages.
const stubMollyguard = `#!/usr/bin/env bash
printf '%s\n' "$@" > "$STUBS/arguments"
pwd > "$STUBS/where"
for word in "$@"; do
  case $word in markdown=*) printf '%s\n\nbody of $(touch pwned)\n' '<!-- mollyguard:plan:infra:1 -->' > "${word#markdown=}" ;; esac
done
exit "$STUB_CODE"
`

const stubGH = `#!/usr/bin/env bash
if [ -n "$STUB_GH_FAILS" ]; then echo "HTTP 403" >&2; exit 1; fi
printf '%s\n' "$*" >> "$STUBS/calls"
while [ $# -gt 1 ]; do
  if [ "$1" = --input ]; then cp "$2" "$STUBS/body"; exit 0; fi
  shift
done
cat "$STUBS/comments"
`

func TestTheActionUpdatesItsCommentAndKeepsTheExitCode(t *testing.T) {
	needPrograms(t, "bash", "jq")
	const (
		marked   = `{"id": %, "user": {"type": "$"}, "body": "<!-- mollyguard:plan:infra:1 -->\n\nold"}`
		get      = "api --paginate repos/o/r/issues/7/comments?per_page=100\n"
		post     = "api --silent --method POST repos/o/r/issues/7/comments --input BODY\n"
		patch    = "api --silent --method PATCH repos/o/r/issues/comments/33 --input BODY\n"
		anothers = `{"id": 22, "user": {"type": "Bot"}, "body": "<!-- mollyguard:plan:other:2 -->"}`
	)
	comment := func(id, kind string) string {
		return strings.NewReplacer("%", id, "$", kind).Replace(marked)
	}
	for _, tt := range []struct {
		name, code, event, comments, ghFails string
		inputs                               map[string]string
		want                                 int
		calls, log                           string
	}{
		{
			"the first comment", "3", `{"pull_request": {"number": 7}}`, `[` + anothers + `]`, "",
			nil, 3, get + post, "",
		},
		{
			"the comment is updated, on whichever page it is, and nobody's who only copied the marker", "0", `{"pull_request": {"number": 7}}`,
			`[` + comment("11", "User") + `,` + anothers + `] [` + comment("33", "Bot") + `]`, "",
			nil, 0, get + patch, "",
		},
		{
			"GitHub takes no comment", "3", `{"pull_request": {"number": 7}}`, `[]`, "yes",
			nil, 3, "", "::warning::mollyguard: the pull request has no comment: ",
		},
		{"no pull request", "1", `{"ref": "refs/heads/main"}`, `[]`, "", nil, 1, "", ""},
		{"no comment is wanted", "3", `{"pull_request": {"number": 7}}`, `[]`, "", map[string]string{"comment": "false"}, 3, "", ""},
		{"no such program", "0", `{}`, `[]`, "", map[string]string{"binary": "/nowhere/mollyguard"}, 1, "", "::error::mollyguard: the input binary names no program"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &runner{t: t, folder: t.TempDir(), inputs: map[string]string{}, outputs: map[string]string{}}
			readYAML(t, "action.yml", &r.action)
			writeFiles(t, r.folder, map[string]string{"mollyguard": stubMollyguard, "gh": stubGH, "comments": tt.comments, "event.json": tt.event})
			r.inputs["binary"], r.inputs["github-token"] = filepath.Join(r.folder, "mollyguard"), "x"
			r.inputs["plan"], r.inputs["working-directory"] = "$(touch pwned) tfplan", "in fra"
			r.inputs["token"], r.inputs["partial"], r.inputs["sarif"] = "secret", "true", "out.sarif"
			r.inputs["config"] = "not/the branch's/c.yaml"
			if err := os.MkdirAll(filepath.Join(r.folder, "not/the branch's"), 0o700); err != nil {
				t.Fatal(err)
			}
			maps.Copy(r.inputs, tt.inputs)
			r.env = []string{
				"PATH=" + r.folder + ":" + os.Getenv("PATH"), "STUBS=" + r.folder, "STUB_CODE=" + tt.code, "STUB_GH_FAILS=" + tt.ghFails,
				"RUNNER_TEMP=" + r.folder, "GITHUB_EVENT_PATH=" + filepath.Join(r.folder, "event.json"), "GITHUB_REPOSITORY=o/r",
				"GITHUB_STEP_SUMMARY=" + filepath.Join(r.folder, "summary"),
			}
			if code := r.run(); code != tt.want {
				t.Errorf("exit code %d, want %d\n%s", code, tt.want, &r.log)
			}
			calls := regexp.MustCompile(`--input .*`).ReplaceAllString(readIfThere(t, filepath.Join(r.folder, "calls")), "--input BODY")
			if diff := cmp.Diff(tt.calls, calls); diff != "" {
				t.Errorf("calls of gh (-want +got):\n%s", diff)
			}
			if !strings.Contains(r.log.String(), tt.log) {
				t.Errorf("the log has no %q:\n%s", tt.log, &r.log)
			}
			if tt.calls != "" {
				var body struct{ Body string }
				if err := json.Unmarshal([]byte(readIfThere(t, filepath.Join(r.folder, "body"))), &body); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff("<!-- mollyguard:plan:infra:1 -->\n\nbody of $(touch pwned)\n", body.Body); diff != "" {
					t.Errorf("comment (-want +got):\n%s", diff)
				}
			}
			if readIfThere(t, filepath.Join(r.folder, "pwned")) != "" || slices.ContainsFunc(entries(t, r.folder), func(n string) bool { return n == "pwned" }) {
				t.Error("an input was run")
			}
			if tt.inputs["binary"] != "" {
				return
			}
			arguments := strings.Split(strings.TrimSuffix(readIfThere(t, filepath.Join(r.folder, "arguments")), "\n"), "\n")
			comment := regexp.MustCompile(`^markdown=.*`)
			for i, word := range arguments {
				arguments[i] = comment.ReplaceAllString(word, "markdown=FILE")
			}
			at := func(name string) string { return filepath.Join(r.folder, name) }
			want := []string{
				"plan", "check", "--dir", at("in fra"), "--receipt", at("mollyguard-receipt.json"), "-o", "github", "-o", "markdown=FILE",
				"--base", "main", "-o", "sarif=" + at("out.sarif"), "--partial", "--config", at("not/the branch's/c.yaml"), "--", at("in fra/$(touch pwned) tfplan"),
			}
			if diff := cmp.Diff(want, arguments); diff != "" {
				t.Errorf("arguments of mollyguard (-want +got):\n%s", diff)
			}
			checkArguments(t, arguments)
			if diff := cmp.Diff(at("not/the branch's")+"\n", readIfThere(t, at("where"))); diff != "" {
				t.Errorf("where mollyguard runs, from which paths in the configuration count (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheRulesInTheDocumentationAreRead(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repositoryRoot, "docs/terraform.md"))
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```yaml\n(# acme.yaml\n.*?)```").FindSubmatch(text)
	if example == nil {
		t.Fatal("there is no example")
	}
	rules, err := tfplan.ReadRules("acme.yaml", example[1])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tfplan.NewMapper(tfplan.MapperOptions{Rules: []tfplan.Rules{rules}}); err != nil {
		t.Fatal(err)
	}
	for _, when := range tfplan.When("").Values() {
		if !bytes.Contains(text, []byte("`"+when+"`")) {
			t.Errorf("when: %s is not told", when)
		}
	}
}

var (
	aFencedBlock = regexp.MustCompile("(?ms)^```(?:shell|sh|console)\n(.*?)^```")
	// aCommand is a command up to where the shell, or a comment, has another word.
	aCommand = regexp.MustCompile(`\bmollyguard ((?:plan|terraform|break-glass) [^&|>)#;\n]*)`)
	aWord    = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)
)

func TestTheCommandsInTheDocumentationAreThere(t *testing.T) {
	count := 0
	for _, name := range []string{"docs/terraform.md", "docs/break-glass.md", "docs/ci/github.yml", "docs/ci/gitlab.yml", "docs/ci/cloudbuild.yaml", "docs/ci/atlantis.yaml"} {
		text, err := os.ReadFile(filepath.Join(repositoryRoot, name))
		if err != nil {
			t.Fatal(err)
		}
		var blocks []string
		if strings.HasSuffix(name, ".md") {
			for _, block := range aFencedBlock.FindAllSubmatch(text, -1) {
				blocks = append(blocks, string(block[1]))
			}
		} else {
			for line := range strings.Lines(string(text)) {
				if comment, is := strings.CutPrefix(line, "#   mollyguard "); is {
					blocks = append(blocks, "mollyguard "+comment)
				}
			}
		}
		for _, block := range blocks {
			for _, command := range aCommand.FindAllStringSubmatch(strings.ReplaceAll(block, "\\\n", " "), -1) {
				if strings.Contains(command[1], "…") {
					continue
				}
				words := aWord.FindAllString(strings.ReplaceAll(command[1], "HANDLE", "bg-k7m4-q9tx"), -1)
				for i, word := range words {
					words[i] = strings.Trim(word, `'"`)
				}
				count++
				checkArguments(t, words)
			}
		}
	}
	if count < 25 {
		t.Errorf("only %d commands were found", count)
	}
}
