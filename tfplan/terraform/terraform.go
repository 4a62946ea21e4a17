// Package terraform runs Terraform, or OpenTofu, which takes the same commands
// (https://developer.hashicorp.com/terraform/cli/commands).
//
// What it runs for its own sake (show, state pull, workspace show and list, version) reads
// only: what TF_WORKSPACE names must be there, since Terraform makes what is not. It asks
// nobody anything, takes no arguments from the environment, and what it prints and how
// long it takes is capped. What it runs for people (Run) is never killed.
package terraform

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// maxTalk caps what is kept of an error message: 8 KiB is a screen and a half, and
	// the end says what went wrong.
	maxTalk = 8 << 10
	// maxAnswer caps answers that are one line, or the version's few.
	maxAnswer = 64 << 10
	// maxList caps a list of names: 10,000 of them with 90 characters each.
	maxList = 1 << 20
	// readTime is how long a command that only reads may take: a slow backend needs a
	// minute for the largest state that is read, and a plan file with all its providers
	// as long.
	readTime = 5 * time.Minute
	// waitDelay is how long such a command may take to stop once it was told to.
	waitDelay = 10 * time.Second
)

// ErrNone says that there is neither terraform nor tofu.
var ErrNone = errors.New("neither terraform nor tofu is on the PATH")

// Options say which Terraform to run, and where.
type Options struct {
	// Binary is its path or name; empty for terraform or, where there is none, tofu.
	Binary string
	// Folder is the configuration's, as of -chdir; empty for the current one.
	Folder string
	// Env is the environment, as os.Environ has it; nil for os.Environ.
	Env []string
	// ReadTime is how long a command that only reads may take, WaitDelay how long it may
	// then take to stop before it is killed; 0 for five minutes and ten seconds.
	ReadTime, WaitDelay time.Duration
}

// Terraform is a binary and the folder that it works in. It may be used concurrently.
type Terraform struct {
	binary, folder      string
	env                 []string
	readTime, waitDelay time.Duration
}

// Find looks the binary up. Where none is named and none is there the error is ErrNone.
func Find(o Options) (*Terraform, error) {
	t := &Terraform{
		folder: o.Folder, env: o.Env,
		readTime: cmp.Or(o.ReadTime, readTime), waitDelay: cmp.Or(o.WaitDelay, waitDelay),
	}
	if t.env == nil {
		t.env = os.Environ()
	}
	names := []string{o.Binary}
	if o.Binary == "" {
		names = []string{"terraform", "tofu"}
	}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil {
			t.binary, err = filepath.Abs(path)
			return t, err
		}
		if o.Binary != "" {
			return nil, fmt.Errorf("find terraform: %w", err)
		}
	}
	return nil, ErrNone
}

// Binary is the absolute path of what is run.
func (t *Terraform) Binary() string { return t.binary }

// ShowPlan writes a plan file's JSON, at most limit bytes. It needs the configuration's
// providers, as terraform init installs them.
func (t *Terraform) ShowPlan(ctx context.Context, w io.Writer, plan string, limit int64) error {
	path, err := filepath.Abs(plan)
	if err != nil {
		return fmt.Errorf("show the plan: %w", err)
	}
	return t.print(ctx, w, limit, "show", "-json", "-no-color", path)
}

// ShowState writes the JSON of the current state, with its values, at most limit bytes.
func (t *Terraform) ShowState(ctx context.Context, w io.Writer, limit int64) error {
	return t.print(ctx, w, limit, "show", "-json", "-no-color")
}

// PullState writes the current state, at most limit bytes: nothing if there is none yet.
func (t *Terraform) PullState(ctx context.Context, w io.Writer, limit int64) error {
	return t.print(ctx, w, limit, "state", "pull")
}

// Workspace is the name of the current workspace.
func (t *Terraform) Workspace(ctx context.Context) (string, error) {
	var answer bytes.Buffer
	if err := t.print(ctx, &answer, maxAnswer, "workspace", "show"); err != nil {
		return "", err
	}
	return strings.TrimSpace(answer.String()), nil
}

// Workspaces are the names of the workspaces that there are. Asked about one that is not
// there, by TF_WORKSPACE, other commands would make it.
func (t *Terraform) Workspaces(ctx context.Context) ([]string, error) {
	var answer bytes.Buffer
	if err := t.print(ctx, &answer, maxList, "workspace", "list"); err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(answer.String()) {
		// Each is indented, and the current one marked; a remark is neither.
		name, current := strings.CutPrefix(line, "* ")
		if name, other := strings.CutPrefix(name, "  "); current || other {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names, nil
}

// Version is the version, such as 1.11.4.
func (t *Terraform) Version(ctx context.Context) (string, error) {
	var answer bytes.Buffer
	if err := t.print(ctx, &answer, maxAnswer, "version", "-json"); err != nil {
		return "", err
	}
	var version struct {
		Version string `json:"terraform_version"`
	}
	if err := json.Unmarshal(answer.Bytes(), &version); err != nil {
		return "", fmt.Errorf("read the version of %s: %w", t.binary, err)
	}
	return version.Version, nil
}

func (t *Terraform) command(ctx context.Context, args []string) *exec.Cmd {
	if t.folder != "" {
		args = append([]string{"-chdir=" + t.folder}, args...)
	}
	cmd := exec.CommandContext(ctx, t.binary, args...)
	// Terraform unlocks its state when it is interrupted, and not when it is killed.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return cmd
}

// print runs a command that only reads, and kills it if it does not end.
func (t *Terraform) print(ctx context.Context, w io.Writer, limit int64, args ...string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, t.readTime, fmt.Errorf("no answer within %v", t.readTime))
	defer cancel()
	cmd := t.command(ctx, args)
	cmd.WaitDelay = t.waitDelay
	cmd.Env = append(environment(t.env, true), "TF_INPUT=0", "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1")
	out := &capped{w: w, left: limit}
	talk := &tail{}
	cmd.Stdout, cmd.Stderr = out, talk
	err := cmd.Run()
	switch {
	case out.over:
		return fmt.Errorf("%s: more than %d MiB", t.said(args), limit>>20)
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", t.said(args), context.Cause(ctx))
	}
	return fmt.Errorf("%s: %w%s", t.said(args), err, talk)
}

// said is a command as people would type it.
func (t *Terraform) said(args []string) string {
	return operation.Printable(strings.Join(append([]string{filepath.Base(t.binary)}, args...), " "))
}

// environment leaves out what is not Terraform's business: our own secrets, which
// providers and provisioners would see. quiet leaves out arguments (TF_CLI_ARGS…) and
// logging, too.
func environment(env []string, quiet bool) []string {
	return slices.DeleteFunc(slices.Clone(env), func(pair string) bool {
		return strings.HasPrefix(pair, "MOLLYGUARD_") ||
			quiet && (strings.HasPrefix(pair, "TF_CLI_ARGS") || strings.HasPrefix(pair, "TF_LOG"))
	})
}

// capped passes on so many bytes, and then fails.
type capped struct {
	w    io.Writer
	left int64
	over bool
}

func (c *capped) Write(p []byte) (int, error) {
	if int64(len(p)) > c.left {
		c.over = true
		return 0, errors.New("too much output")
	}
	c.left -= int64(len(p))
	return c.w.Write(p)
}

// tail keeps the end of what is written.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if over := len(t.text) - maxTalk; over > 0 {
		t.text = slices.Delete(t.text, 0, over)
	}
	return len(p), nil
}

// colours are what Terraform colours its errors with (ECMA-48 SGR).
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// String is the text for the end of an error, a line each, or nothing.
func (t *tail) String() string {
	var b strings.Builder
	for line := range strings.Lines(colours.ReplaceAllString(string(t.text), "")) {
		// Terraform draws a frame around errors.
		if line = strings.TrimSpace(strings.Trim(strings.TrimSpace(line), "│╷╵")); line != "" {
			b.WriteString("\n  " + operation.Printable(line))
		}
	}
	return b.String()
}
