package git

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// maxCommits caps how many commits are told: more than anybody reads at 3 a.m.
	maxCommits = 50
	// maxSubject and maxAuthor cap what is told of each, in bytes; git's own habit is 50
	// characters a subject.
	maxSubject, maxAuthor = 120, 80
	// commitFields is how many fields the format of Moved asks for.
	commitFields = 4
)

// Commit is one step of a branch.
type Commit struct {
	Hash string
	// Subject is the title of the pull request where the message has it, else the first
	// line of the message. Subject and Author are clipped and safe to print.
	Subject, Author string
	Time            time.Time
	// PullRequest is what people call the pull request whose merge it is, such as #12 or
	// group/project!12; empty if the message names none.
	PullRequest string
}

// Moves is how a branch came from one commit to another.
type Moves struct {
	// Commits are the steps of the branch itself, the newest first: not those of what was
	// merged. At most 50; More is how many are left out.
	Commits []Commit
	More    int
	// Rewritten says that the branch does not contain the commit that it was at before:
	// somebody pushed with force. Commits are then those that are new.
	Rewritten bool
}

// Moved tells what a branch that was at one commit and is at another has gone through.
func (r *Repository) Moved(ctx context.Context, from, to string) (Moves, error) {
	if err := areHashes(from, to); err != nil {
		return Moves{}, err
	}
	if from == to {
		return Moves{}, nil
	}
	_, err := r.run(ctx, "merge-base", "--is-ancestor", "--end-of-options", from, to)
	moves := Moves{Rewritten: exitCode(err) == 1}
	if err != nil && !moves.Rewritten {
		// Git fails outright where it has never seen one of the commits.
		return Moves{}, r.cutOff(ctx, fmt.Sprintf("git cannot tell what came between %s and %s", short(from), short(to)))
	}
	if moves.Rewritten {
		if shallow, err := r.shallow(ctx); err != nil || shallow {
			return Moves{}, r.cutOff(ctx, fmt.Sprintf("git cannot tell how %s came to %s", short(from), short(to)))
		}
	}
	span := from + ".." + to
	out, err := r.run(ctx, "log", "-z", "--first-parent", "--no-decorate", "--max-count="+strconv.Itoa(maxCommits),
		"--format=tformat:%H%x00%an%x00%cI%x00%B", "--end-of-options", span)
	if err != nil {
		return Moves{}, fmt.Errorf("list what came between %s and %s: %w", short(from), short(to), err)
	}
	if moves.Commits, err = parseCommits(out); err != nil {
		return Moves{}, fmt.Errorf("list what came between %s and %s: %w", short(from), short(to), err)
	}
	if len(moves.Commits) == maxCommits {
		out, err := r.run(ctx, "rev-list", "--count", "--first-parent", "--end-of-options", span)
		if err != nil {
			return Moves{}, fmt.Errorf("count what came between %s and %s: %w", short(from), short(to), err)
		}
		count, err := strconv.Atoi(strings.TrimSpace(out))
		if err != nil {
			return Moves{}, fmt.Errorf("count what came between %s and %s: %w", short(from), short(to), err)
		}
		moves.More = count - maxCommits
	}
	return moves, nil
}

// parseCommits reads what git log wrote in the format that Moved asks for: fields that end
// with NUL, which no message can hold.
func parseCommits(out string) ([]Commit, error) {
	if out == "" {
		return nil, nil
	}
	fields := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	if len(fields)%commitFields != 0 {
		return nil, fmt.Errorf("git log said %d fields, not %d for each commit", len(fields), commitFields)
	}
	var commits []Commit
	for at := 0; at < len(fields); at += commitFields {
		when, err := time.Parse(time.RFC3339, fields[at+2])
		if err != nil {
			return nil, fmt.Errorf("read when %q was committed: %w", operation.Clip(fields[at], maxShown), err)
		}
		subject, pullRequest := readMessage(fields[at+3])
		commits = append(commits, Commit{
			Hash: fields[at], Subject: plain(subject, maxSubject), Author: plain(fields[at+1], maxAuthor),
			Time: when.UTC(), PullRequest: plain(pullRequest, maxSubject),
		})
	}
	return commits, nil
}

func plain(text string, limit int) string {
	return operation.Clip(operation.Printable(strings.ToValidUTF8(text, "?")), limit)
}

// What the merges of the hosts say of themselves: GitHub's merge button, its squash button
// (also Gitea's), Bitbucket's and Azure DevOps', and GitLab's last line.
var (
	githubMerge    = regexp.MustCompile(`^Merge pull request (#[0-9]{1,10}) from `)
	numberAtEnd    = regexp.MustCompile(`\((#[0-9]{1,10})\)$`)
	bitbucketMerge = regexp.MustCompile(`\(pull request (#[0-9]{1,10})\)$`)
	azureMerge     = regexp.MustCompile(`^Merged PR ([0-9]{1,10}): (.+)$`)
	gitlabMerge    = regexp.MustCompile(`(?m)^See merge request ([^\s!]{0,200}![0-9]{1,10})$`)
)

// readMessage returns the title of what a commit's message is about, and the pull request
// that it names.
func readMessage(message string) (subject, pullRequest string) {
	message = strings.ReplaceAll(strings.TrimSpace(message), "\r\n", "\n")
	subject, rest, _ := strings.Cut(message, "\n")
	subject = strings.TrimSpace(subject)
	title, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
	titled := func(number string) (string, string) {
		if title == "" {
			return subject, number
		}
		return strings.TrimSpace(title), number
	}
	if found := githubMerge.FindStringSubmatch(subject); found != nil {
		return titled(found[1])
	}
	if found := gitlabMerge.FindAllStringSubmatch(rest, -1); found != nil {
		number := found[len(found)-1][1] // a revert quotes those before
		if strings.HasPrefix(subject, "Merge branch ") && !strings.HasPrefix(title, "See merge request ") {
			return titled(number)
		}
		return subject, number
	}
	if found := bitbucketMerge.FindStringSubmatch(subject); found != nil {
		return titled(found[1])
	}
	if found := azureMerge.FindStringSubmatch(subject); found != nil {
		return found[2], "#" + found[1]
	}
	if found := numberAtEnd.FindStringSubmatch(subject); found != nil {
		return strings.TrimSpace(strings.TrimSuffix(subject, found[0])), found[1]
	}
	return subject, ""
}
