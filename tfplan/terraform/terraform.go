// Package terraform runs Terraform, or OpenTofu, which takes the same commands
// (https://developer.hashicorp.com/terraform/cli/commands).
//
// What it runs for its own sake (show, state pull, workspace show, version) reads only.
// It asks nobody anything, takes no arguments from the environment, and what it prints is
// capped.
package terraform

import (
	"bytes"
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
	// waitDelay is how long a process that was told to stop may take: Terraform waits
	// for its providers.
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
}

// Terraform is a binary and the folder that it works in. It may be used concurrently.
type Terraform struct {
	binary, folder string
	env            []string
}

// Find looks the binary up. Where none is named and none is there the error is ErrNone.
func Find(o Options) (*Terraform, error) {
	t := &Terraform{folder: o.Folder, env: o.Env}
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

// Streams are what a command that people see reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Run runs a command as it is given, with arguments from the environment (TF_CLI_ARGS)
// and all, and returns its exit code. An error means that it could not be run.
func (t *Terraform) Run(ctx context.Context, s Streams, args ...string) (exit int, err error) {
	cmd := t.command(ctx, args)
	cmd.Env = environment(t.env, false)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.In, s.Out, s.Err
	err = cmd.Run()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && ctx.Err() == nil {
		return failed.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", t.binary, errors.Join(err, context.Cause(ctx)))
	}
	return 0, nil
}

func (t *Terraform) command(ctx context.Context, args []string) *exec.Cmd {
	if t.folder != "" {
		args = append([]string{"-chdir=" + t.folder}, args...)
	}
	cmd := exec.CommandContext(ctx, t.binary, args...)
	// Terraform unlocks its state when it is interrupted, and not when it is killed.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = waitDelay
	return cmd
}

// print runs a command that only reads.
func (t *Terraform) print(ctx context.Context, w io.Writer, limit int64, args ...string) error {
	cmd := t.command(ctx, args)
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
