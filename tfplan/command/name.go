package command

import (
	"slices"
	"strings"
)

// harmless are the commands that are passed on as they are. They read, or they write to
// the folder and to nothing that anybody depends on. plan is one: what it makes is judged
// when it is applied.
var harmless = []string{
	"console", "env list", "env new", "env select", "fmt", "get", "graph", "login", "logout", "metadata functions",
	"modules", "output", "plan", "providers", "providers lock", "providers mirror", "providers schema", "query",
	"show", "state list", "state pull", "state show", "validate", "version", "workspace list", "workspace new",
	"workspace select", "workspace show",
}

// judged are the commands that are looked into.
var judged = []string{
	"apply", "destroy", "env delete", "force-unlock", "import", "init", "refresh", "state mv", "state push",
	"state replace-provider", "state rm", "taint", "test", "untaint", "workspace delete",
}

// parents have commands of their own, and tell which where they are given none.
var parents = []string{"env", "metadata", "state", "workspace"}

func words(name string) []string { return strings.Fields(name) }

// takeChdir takes -chdir off. Terraform looks for it before the first word that is no
// option, and nowhere else.
func takeChdir(args []string) (chdir string, rest []string, err error) {
	for at, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return chdir, append(rest, args[at:]...), nil
		}
		value, is := strings.CutPrefix(arg, "-chdir=")
		switch {
		case arg == "-chdir", is && value == "":
			return "", nil, bad("say -chdir=FOLDER", "-chdir names no folder")
		case is && chdir != "":
			return "", nil, bad("", "-chdir is given twice")
		case is:
			chdir = value
		default:
			rest = append(rest, arg)
		}
	}
	return chdir, rest, nil
}

// nameOf finds the command as Terraform does: the first word that is no option, with the
// one after it if both make a command together. It is the words from..to; without a
// command both are 0.
func nameOf(args []string) (name string, from, to int) {
	for at, arg := range args {
		if arg == "--" {
			break
		}
		if arg == "" || strings.HasPrefix(arg, "-") {
			continue
		}
		if at+1 < len(args) && !strings.Contains(arg, " ") {
			two := arg + " " + args[at+1]
			if slices.Contains(harmless, two) || slices.Contains(judged, two) {
				return two, at, at + 2
			}
		}
		return arg, at, at + 1
	}
	return "", 0, 0
}

// splitName finds the command and what follows it. One that is not known is an error.
func splitName(args []string) (name string, rest []string, err error) {
	name, from, to := nameOf(args)
	if to == 0 {
		for _, arg := range args {
			if !isHelp(arg) {
				return "", nil, bad("mollyguard's own options are before Terraform's command", "there is no command, only %s", shown(arg))
			}
		}
		return "", nil, nil // Terraform tells how it is used
	}
	if from > 0 && !isHelp(args[0]) {
		return "", nil, bad("but for -chdir, options of Terraform follow the command", "%s is before the command", shown(args[0]))
	}
	rest = args[to:]
	switch {
	case strings.Contains(name, " ") && to == from+1: // one word: Terraform has none with a space
		return "", nil, bad("leave out the quotes around it", "%s is no command of Terraform", shown(name))
	case slices.Contains(judged, name):
	case slices.Contains(harmless, name) && (name != "providers" || !hasWord(rest)):
	case slices.Contains(parents, name) && !hasWord(rest):
	default:
		if len(rest) > 0 && (name == "providers" || slices.Contains(parents, name)) {
			name += " " + rest[0]
		}
		return "", nil, bad("what it does cannot be judged: if you mean it, run it without mollyguard",
			"%s is no command of Terraform that mollyguard knows", shown(name))
	}
	return name, slices.Clone(rest), nil
}

func hasWord(args []string) bool { return len(args) > 0 && !strings.HasPrefix(args[0], "-") }

func isHelp(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

// canonical names a command as it is called today.
func canonical(name string) string {
	if rest, is := strings.CutPrefix(name, "env"); is && (rest == "" || rest[0] == ' ') {
		return "workspace" + rest
	}
	return name
}
