package git

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"github.com/mollyguard/mollyguard/operation"
)

// Base is the head of the branch that changes are merged into.
type Base struct {
	// Branch is its name, Ref where it was read, as people write it: origin/main, or
	// main if Local.
	Branch, Ref string
	// Hash is the commit that it is at.
	Hash string
	// Local says that the remote's branch is not known here and the local one of that
	// name was taken, which nobody else can have moved.
	Local bool
}

// Base returns the head of a branch, as it was when it was last fetched. An empty name
// means the branch that the remote calls its main one, which clones by git know and those
// of most CI systems do not.
func (r *Repository) Base(ctx context.Context, branch string) (Base, error) {
	if branch == "" {
		ref, err := r.symbolic(ctx, "refs/remotes/"+remote+"/HEAD")
		if err != nil {
			return Base{}, err
		}
		branch = strings.TrimPrefix(ref, "refs/remotes/"+remote+"/")
		if branch == "" {
			return Base{}, &Error{What: "git does not know the main branch of " + remote, Hint: "say which branch changes are merged into"}
		}
	}
	if !isBranch(branch) {
		return Base{}, fmt.Errorf("%q is not the name of a branch", operation.Clip(branch, maxShown))
	}
	for _, base := range []Base{
		{Branch: branch, Ref: remote + "/" + branch, Hash: "refs/remotes/" + remote + "/" + branch},
		{Branch: branch, Ref: branch, Hash: "refs/heads/" + branch, Local: true},
	} {
		hash, found, err := r.commit(ctx, base.Hash)
		if err != nil {
			return Base{}, err
		}
		if found {
			base.Hash = hash
			return base, nil
		}
	}
	return Base{}, &Error{
		What: fmt.Sprintf("git knows neither %s/%s nor a local branch %s", remote, branch, branch),
		Hint: fmt.Sprintf("git fetch %s +refs/heads/%s:refs/remotes/%s/%s", remote, branch, remote, branch),
	}
}

// maxBranch caps the name of a branch in bytes: file systems stop at 255 an element.
const maxBranch = 250

// isBranch follows what git-check-ref-format(1) says of names, and refuses a few more that
// people do not use.
func isBranch(name string) bool {
	if name == "" || len(name) > maxBranch || name == "@" || name == "HEAD" {
		return false
	}
	bad := func(r rune) bool {
		return !unicode.IsPrint(r) || r == unicode.ReplacementChar || strings.ContainsRune(` ~^:?*[\`, r)
	}
	if strings.IndexFunc(name, bad) >= 0 || strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.HasSuffix(name, ".") {
		return false
	}
	for element := range strings.SplitSeq(name, "/") {
		if element == "" || strings.HasPrefix(element, ".") || strings.HasPrefix(element, "-") || strings.HasSuffix(element, ".lock") {
			return false
		}
	}
	return true
}
