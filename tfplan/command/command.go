// Package command reads command lines of Terraform, and of OpenTofu, which takes the same
// (https://developer.hashicorp.com/terraform/cli/commands).
//
// It says what a command line does to what Terraform manages, before it is run: which are
// harmless, which apply a plan, and which work on the state by hand. It is a function of
// its arguments alone. Nothing passes as harmless by not being understood: what is not in
// the list of harmless commands is an error or is judged.
//
// Options are read as Terraform reads them, by the rules of Go's package flag: after the
// first word that is no option none are any more.
package command

import (
	"fmt"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// maxArgs caps how many words a command line has: 1,000 -target options with room.
	maxArgs = 4096
	// maxBytes caps its text: Linux takes 128 KiB for one argument.
	maxBytes = 1 << 20
	// maxShown caps what a message quotes of it.
	maxShown = 80
)

// Work says what a command does.
type Work string

// What commands do.
const (
	// Harmless: it reads, or writes only what nobody depends on.
	Harmless Work = "harmless"
	// Applies: it plans and applies, or applies a plan file.
	Applies Work = "applies"
	// Edits: it works on the state by itself, without a plan.
	Edits Work = "edits"
)

// Invocation is a command line that was understood.
type Invocation struct {
	// Chdir is the folder of -chdir, or empty.
	Chdir string
	// Name is the command, such as "apply" or "state rm"; env counts as workspace.
	Name string
	Work Work
	// Args are what follows the name, those of the environment included: with them
	// nothing is left to be taken from TF_CLI_ARGS.
	Args []string

	// PlanFile is what apply is given, or empty.
	PlanFile string
	// PlanOptions are what plan needs so that its plan is the one that the command would
	// have made. ApplyOptions are for apply and a plan file.
	PlanOptions, ApplyOptions []string
	AutoApprove               bool
	// NoInput says that Terraform must not ask (-input=false).
	NoInput bool

	// Hazards are the safeguards that the command leaves out.
	Hazards []operation.Hazard
	// Addresses are those of state rm, taint, untaint and import.
	Addresses []string
	// From and To are what state mv moves, or which provider replaces which. Out is the
	// file of another state that it moves to, or empty.
	From, To, Out string
	// ImportID is the id that import gives its address.
	ImportID string
	// PlanOut are the files that plan may have been told to write its plan to (-out): all
	// words that could say so.
	PlanOut []string
	// StateFile is what state push pushes; "-" is standard input.
	StateFile string
	// Workspace is the one that workspace delete deletes.
	Workspace string
	// LockID is of the lock that force-unlock takes away.
	LockID string
	// Backend says that init would have the state elsewhere: with -migrate-state or
	// -force-copy it moves there, with -reconfigure it stays behind.
	Backend Backend
	// Force says that Terraform leaves out its own questions and checks (-force of
	// force-unlock, state push and workspace delete).
	Force bool
	// DryRun says that the command only tells what it would do, and so is harmless
	// (-dry-run of state rm and state mv).
	DryRun bool

	// Environment says that words came from TF_CLI_ARGS or TF_CLI_ARGS_name.
	Environment bool

	// own are the caller's flags, while options are read.
	own map[string]bool
}

// Backend says what init does with the state when its place is configured anew.
type Backend string

// What init does with the state.
const (
	Migrate     Backend = "migrate-state"
	ForceCopy   Backend = "force-copy"
	Reconfigure Backend = "reconfigure"
)

// Line is what Terraform is to be run with: without -chdir, and with nothing to be taken
// from TF_CLI_ARGS.
func (i *Invocation) Line() []string { return append(words(i.Name), i.Args...) }

// Error says that a command line cannot be understood, or cannot be judged.
type Error struct {
	// What is wrong, in one sentence for people.
	What string
	// Hint says what to do, or is empty.
	Hint string
}

func (e *Error) Error() string { return e.What }

func bad(hint, format string, args ...any) error {
	return &Error{What: fmt.Sprintf(format, args...), Hint: hint}
}

func shown(text string) string { return fmt.Sprintf("%q", operation.Clip(text, maxShown)) }

// Parse reads what Terraform would be given, without the program's name. getenv is for
// TF_CLI_ARGS and TF_CLI_ARGS_name. own are the flags of the program that this one is run
// by, for a hint where one of them is behind the command: whether each takes a value. The
// error is an *Error.
func Parse(args []string, getenv func(string) string, own map[string]bool) (*Invocation, error) {
	if err := small(args); err != nil {
		return nil, err
	}
	chdir, args, err := takeChdir(args)
	if err != nil {
		return nil, err
	}
	typed := len(args)
	if args, err = withEnvironment(args, getenv); err != nil {
		return nil, err
	}
	if err := small(args); err != nil {
		return nil, err
	}
	i := &Invocation{Chdir: chdir, Work: Harmless, Environment: len(args) > typed, own: own}
	if asksVersion(args) {
		i.Name = "version"
		return i, nil
	}
	name, rest, err := splitName(args)
	if err != nil {
		return nil, err
	}
	i.Name, i.Args = canonical(name), rest
	if asksHelp(args) {
		i.Args = []string{"-help"}
		return i, nil
	}
	if err := i.read(); err != nil {
		return nil, err
	}
	i.own = nil
	return i, nil
}

func small(args []string) error {
	size := 0
	for _, arg := range args {
		size += len(arg) + 1
	}
	if len(args) > maxArgs || size > maxBytes {
		return bad("", "the command line has %d words in %d bytes, and at most %d in %d are read", len(args), size, maxArgs, maxBytes)
	}
	return nil
}

// asksVersion reports whether Terraform would say its version, whatever else is asked.
func asksVersion(args []string) bool {
	for _, arg := range args {
		if arg == "-v" || arg == "-version" || arg == "--version" {
			return true
		}
	}
	return false
}

// asksHelp reports whether Terraform would tell how the command is used.
func asksHelp(args []string) bool {
	for _, arg := range args {
		switch arg {
		case "--":
			return false
		case "-h", "-help", "--help":
			return true
		}
	}
	return false
}
