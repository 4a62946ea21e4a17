package command

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// option is how an option of a command is read.
type option struct {
	// value says that it takes one, which may be the next word.
	value bool
	use   use
}

// use says what an option is for, where a plan is made and applied.
type use int

const (
	// useBoth: plan and apply take it.
	useBoth use = iota
	// usePlan: it says what is planned.
	usePlan
	// useApply: only apply takes it.
	useApply
	// useVariable: it says a variable's value, which plan takes; and apply of a plan file,
	// for the variables that no plan file holds.
	useVariable
	// useNot: with it the command cannot be judged.
	useNot
)

// given is one option of a command line.
type given struct {
	name, value string
	// words are the option as it was written.
	words []string
	option
}

// on reports whether an option without value is on.
func (g given) on() bool {
	on, err := strconv.ParseBool(g.value)
	return err == nil && on
}

// scan reads the options of the command, and the words after them.
func (i *Invocation) scan(known map[string]option) (options []given, rest []string, err error) {
	name, args := i.Name, i.Args
	for len(args) > 0 {
		arg := args[0]
		if len(arg) < 2 || arg[0] != '-' {
			break
		}
		if arg == "--" {
			args = args[1:]
			break
		}
		g := given{words: args[:1:1]}
		text := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
		var hasValue, isKnown bool
		g.name, g.value, hasValue = strings.Cut(text, "=")
		if g.name == "" || g.name[0] == '-' {
			return nil, nil, bad("", "%s is no option", shown(arg))
		}
		args = args[1:]
		g.option, isKnown = known[g.name]
		switch {
		case !isKnown && i.isOwn(g.name):
			return nil, nil, i.refuseOwn(g.name, arg, args)
		case !isKnown && !hasValue:
			return nil, nil, bad("write -"+g.name+"=VALUE, or -"+g.name+"=true",
				"mollyguard does not know the option %s of %s, and cannot tell whether the next word belongs to it", shown(arg), name)
		case !isKnown:
			g.use = useBoth
		case g.option.value && !hasValue:
			if len(args) == 0 {
				return nil, nil, bad("", "the option %s needs a value", shown(arg))
			}
			g.value, g.words, args = args[0], append(g.words, args[0]), args[1:]
		case !g.option.value && !hasValue:
			g.value = "true"
		case !g.option.value:
			if _, err := strconv.ParseBool(g.value); err != nil {
				return nil, nil, bad("say true or false", "%s is neither true nor false", shown(arg))
			}
		}
		if g.use == useNot {
			return nil, nil, refuseOption(name, g.name)
		}
		options = append(options, g)
	}
	return options, slices.Clone(args), nil
}

func (i *Invocation) isOwn(name string) bool {
	_, is := i.own[name]
	return is
}

// refuseOwn tells where an option of mollyguard's belongs.
func (i *Invocation) refuseOwn(name, arg string, following []string) error {
	if i.own[name] && !strings.Contains(arg, "=") {
		value := "…"
		if len(following) > 0 && strings.Trim(following[0], plain) == "" {
			value = operation.Clip(following[0], maxShown)
		}
		arg += " " + value
	}
	return bad("flags of mollyguard come before the command: mollyguard terraform --"+strings.TrimLeft(arg, "-")+" "+i.Name,
		"%s is no option of terraform %s", shown("-"+name), i.Name)
}

// plain are the characters that a shell takes for what they are.
const plain = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_./:@%+,"

func refuseOption(command, name string) error {
	switch name {
	case "state", "state-out":
		return bad("configure where the state is as a backend (for a file: the local one, with path)",
			"with -%s Terraform works on another state than the one that mollyguard can look at", name)
	}
	return bad("say it to terraform plan", "%s takes no -%s", command, name)
}

// is is for options that are on or off, takes for those with a value.
func is(u use) option    { return option{use: u} }
func takes(u use) option { return option{value: true, use: u} }

// planAndApply are the options of apply, destroy and refresh, Terraform's and OpenTofu's
// (https://developer.hashicorp.com/terraform/cli/commands/apply,
// https://opentofu.org/docs/cli/commands/apply/).
func planAndApply() map[string]option {
	return map[string]option{
		"compact-warnings": is(useBoth), "concise": is(useBoth), "consolidate-errors": is(useBoth),
		"consolidate-warnings": is(useBoth), "deprecation": takes(useBoth), "input": is(useBoth), "json": is(useBoth),
		"lock": is(useBoth), "lock-timeout": takes(useBoth), "no-color": is(useBoth), "parallelism": takes(useBoth),
		"show-sensitive": is(useBoth),

		"allow-deferral": is(usePlan), "destroy": is(usePlan), "exclude": takes(usePlan), "exclude-file": takes(usePlan),
		"invoke": takes(usePlan), "refresh": is(usePlan), "refresh-only": is(usePlan), "replace": takes(usePlan),
		"target": takes(usePlan), "target-file": takes(usePlan),
		"var": takes(useVariable), "var-file": takes(useVariable),

		"auto-approve": is(useApply), "backup": takes(useApply), "json-into": takes(useApply), "suppress-forget-errors": is(useApply),

		"detailed-exitcode": is(useNot), "generate-config-out": takes(useNot), "out": takes(useNot),
		"state": takes(useNot), "state-out": takes(useNot),
	}
}

// editing are the options of the commands that work on the state.
func editing(name string) map[string]option {
	known := map[string]option{
		"backup": takes(0), "ignore-remote-version": is(0), "lock": is(0), "lock-timeout": takes(0), "no-color": is(0),
		"state": takes(useNot), "state-out": takes(useNot),
		// OpenTofu takes variables wherever a backend may use them.
		"var": takes(0), "var-file": takes(0),
	}
	more := map[string]map[string]option{
		"force-unlock":           {"force": is(0)},
		"import":                 {"allow-missing-config": is(0), "config": takes(0), "input": is(0), "parallelism": takes(0), "provider": takes(0)},
		"state mv":               {"backup-out": takes(0), "dry-run": is(0), "state-out": takes(0)},
		"state push":             {"force": is(0)},
		"state replace-provider": {"auto-approve": is(0)},
		"state rm":               {"dry-run": is(0)},
		"taint":                  {"allow-missing": is(0)},
		"untaint":                {"allow-missing": is(0)},
		"workspace delete":       {"force": is(0)},
		"init": {
			"backend": is(0), "backend-config": takes(0), "cloud": is(0), "force-copy": is(0), "from-module": takes(0),
			"get": is(0), "get-plugins": is(0), "input": is(0), "json": is(0), "lockfile": takes(0), "migrate-state": is(0),
			"plugin-dir": takes(0), "reconfigure": is(0), "test-directory": takes(0), "upgrade": is(0), "verify-plugins": is(0),
		},
	}
	for option, how := range more[name] {
		known[option] = how
	}
	return known
}
