package receipt

import (
	"context"
	"errors"
	"fmt"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/git"
)

// LookGit returns what a receipt pins of a repository, for a plan that was made of its work
// tree. branch is the one that changes are merged into; empty means the remote's main one.
// Notes say, for people, what cannot be pinned or will not verify as it is.
func LookGit(ctx context.Context, repo *git.Repository, branch string) (pinned Git, notes []string, err error) {
	pinned = Git{Folder: operation.Printable(repo.Folder)}
	if pinned.Commit, err = repo.Head(ctx); err != nil {
		return Git{}, nil, err
	}
	changed, err := repo.Dirty(ctx)
	if err != nil {
		return Git{}, nil, err
	}
	if pinned.Dirty = len(changed) > 0; pinned.Dirty {
		name := operation.Clip(operation.Printable(changed[0]), maxShown)
		notes = append(notes, fmt.Sprintf("the tree has changes that are not committed (%s, the first is %s)", count(len(changed), "file"), name))
	}
	base, err := repo.Base(ctx, branch)
	if unknown := (*git.Error)(nil); branch == "" && errors.As(err, &unknown) {
		return pinned, append(notes, "no base branch is pinned: "+unknown.What), nil
	}
	if err != nil {
		return Git{}, nil, err
	}
	if pinned.Base, err = repo.MergeBase(ctx, pinned.Commit, base.Hash); err != nil {
		return Git{}, nil, err
	}
	pinned.Branch = base.Branch
	if base.Local {
		notes = append(notes, "the head of "+base.Branch+" is the local branch's: the remote's is not known here")
	}
	if base.Hash != pinned.Base && base.Hash != pinned.Commit {
		notes = append(notes, fmt.Sprintf("%s has moved on already, to %s: the plan will not verify", base.Ref, short(base.Hash)))
	}
	return pinned, notes, nil
}

// LookNow returns where a repository is at right before apply, compared with what a receipt
// pins of it.
func LookNow(ctx context.Context, repo *git.Repository, pinned Git) (*GitNow, error) {
	head, err := repo.Head(ctx)
	if err != nil {
		return nil, err
	}
	now := &GitNow{Head: head}
	if pinned.Branch == "" {
		return now, nil
	}
	if now.Base, err = repo.Base(ctx, pinned.Branch); err != nil {
		return nil, err
	}
	if now.Base.Hash == pinned.Base || now.Base.Hash == pinned.Commit {
		return now, nil
	}
	// The mismatch is certain; only its story may be unknown.
	if now.Moves, err = repo.Moved(ctx, pinned.Base, now.Base.Hash); err != nil {
		now.MovesUnknown = oneLine(err).Error()
	}
	return now, nil
}
