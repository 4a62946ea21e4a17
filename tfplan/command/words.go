package command

import "strings"

// secrets are the options that take NAME=VALUE, of which VALUE may be a secret.
var secrets = []string{"var", "backend-config"}

// Without is a command line without the secrets in it, for people and logs: of -var and
// -backend-config the names are left. The result is a new list.
func Without(line []string) []string {
	shown := make([]string, 0, len(line))
	isValue := false
	for _, word := range line {
		if isValue {
			isValue = false
			shown = append(shown, withoutValue(word))
			continue
		}
		name, value, hasValue := cutOption(word)
		switch {
		case !isSecret(name):
			shown = append(shown, word)
		case hasValue:
			shown = append(shown, strings.TrimSuffix(word, value)+withoutValue(value))
		default:
			isValue = true
			shown = append(shown, word)
		}
	}
	return shown
}

// withoutValue leaves the name of NAME=VALUE, and all of what is a file's name.
func withoutValue(text string) string {
	name, _, is := strings.Cut(text, "=")
	if !is {
		return text
	}
	return name + "=…"
}

func isSecret(name string) bool {
	for _, secret := range secrets {
		if name == secret {
			return true
		}
	}
	return false
}

// cutOption reads a word as an option; of what is none the name is empty.
func cutOption(word string) (name, value string, hasValue bool) {
	text, is := strings.CutPrefix(word, "-")
	if !is {
		return "", "", false
	}
	return strings.Cut(strings.TrimPrefix(text, "-"), "=")
}

// valuesOf are all values that an option may have on a line. Which words are options hangs
// on the others, of which some may not be known: so each that looks like it counts.
func valuesOf(option string, args []string) (values []string) {
	for at, arg := range args {
		name, value, hasValue := cutOption(arg)
		switch {
		case name != option:
		case hasValue:
			values = append(values, value)
		case at+1 < len(args):
			values = append(values, args[at+1])
		}
	}
	return values
}
