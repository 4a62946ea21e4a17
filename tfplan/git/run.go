package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// maxTime bounds one command: git status of a million files on a cold disk takes
	// about ten seconds.
	maxTime = 30 * time.Second
	// maxWait is how long a child that git left behind may hold its output open.
	maxWait = 2 * time.Second
	// maxOutput caps what one command may say: 10,000 names of 100 bytes, or 50 commits
	// with 20 KiB of message each.
	maxOutput = 1 << 20
	// maxStderr caps what is kept of complaints, of which one line is shown.
	maxStderr = 8 << 10
	// maxShown caps what a message quotes, in bytes.
	maxShown = 200
)

// commandError is what git said when it did not do what it was asked.
type commandError struct {
	what   string
	stderr string
	code   int
}

func (e *commandError) Error() string {
	line, _, _ := strings.Cut(strings.TrimSpace(e.stderr), "\n")
	if line == "" {
		line = fmt.Sprintf("exit status %d", e.code)
	}
	return "git " + e.what + ": " + operation.Printable(operation.Clip(line, maxShown))
}

// exitCode returns git's exit status, or 0 if it was not git that ended the command.
func exitCode(err error) int {
	var failed *commandError
	if errors.As(err, &failed) {
		return failed.code
	}
	return 0
}

// settings beat what any configuration file says.
func settings() []string {
	return []string{
		"--no-pager",
		"-c", "core.fsmonitor=", "-c", "core.hooksPath=" + os.DevNull,
		"-c", "log.showSignature=false", "-c", "i18n.logOutputEncoding=UTF-8", "-c", "color.ui=false",
	}
}

// kept are the variables that git gets from our environment: where it finds its helpers and
// the user's configuration, which says whom a repository may belong to.
var kept = []string{"PATH", "HOME", "USERPROFILE", "XDG_CONFIG_HOME", "SYSTEMROOT", "TMPDIR", "TEMP", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"}

func environment(lookup func(string) (string, bool)) []string {
	env := []string{
		"LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "GIT_OPTIONAL_LOCKS=0",
		// No transport is called none, so not even a partial clone fetches what it lacks.
		"GIT_ALLOW_PROTOCOL=none", "GIT_NO_LAZY_FETCH=1",
		// The history as it is, not as somebody's refs/replace or grafts have it.
		"GIT_NO_REPLACE_OBJECTS=1", "GIT_GRAFT_FILE=" + os.DevNull,
	}
	for _, name := range kept {
		if value, ok := lookup(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// run runs git at the root and returns what it wrote. The arguments must hold nothing from
// outside that was not checked.
func (r *Repository) run(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	stdout, stderr := &capped{limit: maxOutput}, &capped{limit: maxStderr}
	cmd := exec.CommandContext(ctx, r.binary, append(append([]string{"-C", r.Root}, settings()...), args...)...)
	cmd.Env = environment(os.LookupEnv)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = stdout, stderr, maxWait
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "", fmt.Errorf("git %s: took longer than %s: %w", args[0], maxTime, ctx.Err())
	case ctx.Err() != nil:
		return "", fmt.Errorf("git %s: %w", args[0], ctx.Err())
	case errors.As(err, &exit):
		return "", &commandError{what: args[0], stderr: stderr.String(), code: exit.ExitCode()}
	case err != nil:
		return "", fmt.Errorf("git %s: %w", args[0], err)
	case stdout.over:
		return "", fmt.Errorf("git %s: said more than %d bytes", args[0], maxOutput)
	}
	return stdout.String(), nil
}

// capped keeps the first bytes that are written to it and takes the rest without a word, so
// that git comes to its end. The buffer is not embedded: its ReadFrom knows no limit.
type capped struct {
	kept  bytes.Buffer
	limit int
	over  bool
}

func (c *capped) Write(p []byte) (int, error) {
	keep := p[:min(len(p), c.limit-c.kept.Len())]
	c.over = c.over || len(keep) < len(p)
	c.kept.Write(keep)
	return len(p), nil
}

func (c *capped) String() string { return c.kept.String() }
