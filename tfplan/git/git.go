// Package git tells what a Terraform configuration's repository is at: the commit that is
// checked out, the head of the branch that it is to be merged into, and which pull
// requests moved that head.
//
// It runs the git binary, and only reads: it never fetches, so what it says of a remote's
// branch is as of the last fetch, which is the caller's to do or to ask for. It takes
// nothing from git's environment variables but where the user's configuration is, lets no
// hook, monitor, pager or prompt run, and believes no replaced objects or grafts. Filters
// of the repository's configuration (such as Git LFS) do run, as they would for git status.
package git

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// ErrNone says that there is no repository to look at: git is not installed, or the folder
// is not in a work tree. Nothing is wrong; there is just nothing to pin to.
var ErrNone = errors.New("no git repository")

// Error says what git could not tell, and what to do.
type Error struct {
	// What is one line for people.
	What string
	// Hint says what to do, or is empty.
	Hint string
}

func (e *Error) Error() string { return e.What }

// remote is the name that git clone gives to where a repository came from, and that CI
// systems keep.
const remote = "origin"

// Repository is one work tree. It may be used concurrently: it holds no more than paths.
type Repository struct {
	// Root is the work tree's top folder. Folder is where Open was pointed to, relative
	// to it, with slashes and none at the end; empty for Root itself.
	Root, Folder string

	binary string
}

// Open finds the repository that a folder is in. The error wraps ErrNone if there is none.
func Open(ctx context.Context, dir string) (*Repository, error) {
	binary, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("%w: git is not installed: %w", ErrNone, err)
	}
	r := &Repository{Root: dir, binary: binary}
	out, err := r.run(ctx, "rev-parse", "--is-inside-work-tree")
	if err != nil {
		return nil, opening(dir, err)
	}
	if strings.TrimSpace(out) != "true" {
		return nil, fmt.Errorf("%w: %s is in a repository without a work tree", ErrNone, operation.Printable(dir))
	}
	// One at a time, because the names could hold line breaks.
	folder, err := r.run(ctx, "rev-parse", "--show-prefix")
	if err != nil {
		return nil, opening(dir, err)
	}
	root, err := r.run(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, opening(dir, err)
	}
	r.Root = strings.TrimSuffix(root, "\n")
	r.Folder = strings.TrimSuffix(strings.TrimSuffix(folder, "\n"), "/")
	return r, nil
}

// opening tells apart that there is no repository and that git will not look at one.
func opening(dir string, err error) error {
	var failed *commandError
	if !errors.As(err, &failed) {
		return err
	}
	shown := operation.Printable(dir)
	switch {
	case strings.Contains(failed.stderr, "dubious ownership"):
		return &Error{
			What: fmt.Sprintf("git does not look at %s: it belongs to another user", shown),
			Hint: "git config --global --add safe.directory FOLDER tells git that it is meant; FOLDER is the repository's top",
		}
	case strings.Contains(failed.stderr, "not a git repository"):
		return fmt.Errorf("%w: %s is in none", ErrNone, shown)
	}
	return fmt.Errorf("find the git repository of %s: %w", shown, err)
}

// hashForm is that of an object's name, SHA-1 or SHA-256.
var hashForm = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// isHash reports whether a text has the form of a commit's whole hash.
func isHash(text string) bool { return hashForm.MatchString(text) }

// Head returns the hash of the commit that is checked out.
func (r *Repository) Head(ctx context.Context) (string, error) {
	hash, found, err := r.commit(ctx, "HEAD")
	if err != nil {
		return "", err
	}
	if !found {
		return "", &Error{What: "the git repository has no commit yet", Hint: "commit the configuration before it is planned"}
	}
	return hash, nil
}

// shallow reports whether the clone holds only the last commits.
func (r *Repository) shallow(ctx context.Context) (bool, error) {
	out, err := r.run(ctx, "rev-parse", "--is-shallow-repository")
	if err != nil {
		return false, fmt.Errorf("ask whether the clone is shallow: %w", err)
	}
	return strings.TrimSpace(out) == "true", nil
}

// MergeBase returns the newest commit that two commits, given by their hashes, both
// contain.
func (r *Repository) MergeBase(ctx context.Context, a, b string) (string, error) {
	if err := areHashes(a, b); err != nil {
		return "", err
	}
	out, err := r.run(ctx, "merge-base", "--end-of-options", a, b)
	if exitCode(err) == 1 { // no error, but none
		return "", r.cutOff(ctx, fmt.Sprintf("git finds no commit that both %s and %s contain", short(a), short(b)))
	}
	if err != nil {
		return "", fmt.Errorf("find what %s and %s have in common: %w", short(a), short(b), err)
	}
	hash := strings.TrimSpace(out)
	if !isHash(hash) {
		return "", fmt.Errorf("find what %s and %s have in common: git said %q", short(a), short(b), operation.Clip(hash, maxShown))
	}
	return hash, nil
}

// cutOff returns an *Error that says whether a shallow clone is the reason.
func (r *Repository) cutOff(ctx context.Context, what string) error {
	shallow, err := r.shallow(ctx)
	if err != nil {
		return err
	}
	if !shallow {
		return &Error{What: what}
	}
	return &Error{What: what + ": the clone is shallow", Hint: shallowHint}
}

// shallowHint says how to come by the whole history, where a clone has only some.
const shallowHint = "fetch the whole history: fetch-depth: 0 of actions/checkout, GIT_DEPTH: 0 in GitLab CI, or git fetch --unshallow"

// symbolic returns what a symbolic reference points to, or an empty text if it is none.
func (r *Repository) symbolic(ctx context.Context, name string) (string, error) {
	out, err := r.run(ctx, "symbolic-ref", "--quiet", name)
	if exitCode(err) == 1 {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return strings.TrimSpace(out), nil
}

// commit returns the hash of the commit that a whole name of a reference, or HEAD, is
// about.
func (r *Repository) commit(ctx context.Context, name string) (hash string, found bool, err error) {
	out, err := r.run(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	if exitCode(err) == 1 {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("read %s: %w", operation.Printable(name), err)
	}
	hash = strings.TrimSpace(out)
	if !isHash(hash) {
		return "", false, fmt.Errorf("read %s: git said %q", operation.Printable(name), operation.Clip(hash, maxShown))
	}
	return hash, true, nil
}

func areHashes(names ...string) error {
	for _, name := range names {
		if !isHash(name) {
			return fmt.Errorf("%q is not the hash of a commit", operation.Clip(name, maxShown))
		}
	}
	return nil
}

// short returns a hash as people write it.
func short(hash string) string { return hash[:min(len(hash), 10)] }
