package command

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Address is where resources are in a state: a resource's, such as
// module.a["b"].google_sql_database_instance.main[0], or a module's.
type Address struct {
	steps []step
}

// step is a module, a data source's resource or a resource.
type step struct {
	// name is module.NAME, TYPE.NAME or data.TYPE.NAME.
	name string
	// key is the index: 0, or "key" as Go writes it. Empty stands for none.
	key string
}

// maxSteps caps how deep modules are nested.
const maxSteps = 100

// ParseAddress reads an address, as
// https://developer.hashicorp.com/terraform/cli/state/resource-addressing has them. The
// error is an *Error. Texts that Unicode holds for the same make the same address: what
// is typed in another form than the configuration has it, Terraform finds all the same.
func ParseAddress(text string) (Address, error) {
	r := &addressReader{left: norm.NFC.String(text)}
	var a Address
	for len(a.steps) < maxSteps {
		next, err := r.step()
		if err != nil {
			return Address{}, bad("in a shell, put the whole address into single quotes", "%s is no address in a state: %v", shown(text), err)
		}
		a.steps = append(a.steps, next)
		if r.left == "" {
			return a, nil
		}
		if !strings.HasPrefix(next.name, "module.") {
			return Address{}, bad("", "%s is no address in a state: %s follows a resource", shown(text), shown(r.left))
		}
		if r.left[0] != '.' {
			return Address{}, bad("", "%s is no address in a state: %s has no dot before it", shown(text), shown(r.left))
		}
		r.left = r.left[1:]
	}
	return Address{}, bad("", "%s is more than %d modules deep", shown(text), maxSteps)
}

// Covers reports whether a command that is given a works on what is at an address of the
// state: without index, a stands for all instances; as a module, for all that is in it.
func (a Address) Covers(instance Address) bool {
	return len(a.steps) <= len(instance.steps) && slices.EqualFunc(a.steps, instance.steps[:len(a.steps)], func(a, i step) bool {
		return a.name == i.name && (a.key == "" || a.key == i.key)
	})
}

// Moved is where an instance that a covers is once a has become to: all that a does not
// name stays with it.
func (a Address) Moved(to, instance Address) Address {
	if !a.Covers(instance) || len(to.steps) == 0 {
		return instance
	}
	steps := slices.Concat(to.steps, instance.steps[len(a.steps):])
	last := &steps[len(to.steps)-1]
	if kept := len(a.steps) - 1; a.steps[kept].key == "" && last.key == "" {
		last.key = instance.steps[kept].key
	}
	return Address{steps: steps}
}

// String is the address as Terraform writes it.
func (a Address) String() string {
	var b strings.Builder
	for i, s := range a.steps {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(s.name)
		if s.key != "" {
			b.WriteString("[" + strings.NewReplacer("${", "$${", "%{", "%%{").Replace(s.key) + "]")
		}
	}
	return b.String()
}

type addressReader struct{ left string }

// step reads a module or a resource, with its index.
func (r *addressReader) step() (s step, err error) {
	first, err := r.word()
	if err != nil {
		return s, err
	}
	names := []string{first}
	count := 2
	if first == "data" || first == "ephemeral" {
		count = 3
	}
	for len(names) < count {
		if !strings.HasPrefix(r.left, ".") {
			return s, bad("", "a name is missing after %s", shown(strings.Join(names, ".")))
		}
		r.left = r.left[1:]
		next, err := r.word()
		if err != nil {
			return s, err
		}
		names = append(names, next)
	}
	s.name = strings.Join(names, ".")
	if strings.HasPrefix(r.left, "[") {
		s.key, err = r.key()
	}
	return s, err
}

// word reads a name: letters, digits, _ and -, of any script.
func (r *addressReader) word() (string, error) {
	end := strings.IndexAny(r.left, ".[")
	if end < 0 {
		end = len(r.left)
	}
	word := r.left[:end]
	if word == "" || word[0] == '-' || !utf8.ValidString(word) || strings.ContainsFunc(word, notInName) {
		return "", bad("", "%s is no name", shown(word))
	}
	r.left = r.left[end:]
	return word, nil
}

// notInName is what HCL's identifiers do not have, which are Unicode's (UAX 31) and dashes.
func notInName(r rune) bool {
	return r != '-' && !unicode.In(r, unicode.L, unicode.Nl, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc)
}

// key reads [0] or ["key"].
func (r *addressReader) key() (string, error) {
	text := r.left[1:]
	if !strings.HasPrefix(text, `"`) {
		number, rest, closed := strings.Cut(text, "]")
		n, err := strconv.ParseUint(number, 10, 63)
		if !closed || err != nil {
			return "", bad("", "%s is no index", shown(r.left))
		}
		r.left = rest
		return strconv.FormatUint(n, 10), nil
	}
	text = text[1:]
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			key, err := unquote(text[:i])
			if err != nil || !strings.HasPrefix(text[i+1:], "]") {
				return "", bad("", "%s is no index", shown(r.left))
			}
			r.left = text[i+2:]
			return strconv.Quote(norm.NFC.String(key)), nil // an escape may have hidden a form
		}
	}
	return "", bad("", "%s is no index: it is not closed", shown(r.left))
}

// unquote reads a text as HCL writes it (its specification, quoted templates).
func unquote(text string) (string, error) {
	if !utf8.ValidString(text) {
		return "", bad("", "it is no text")
	}
	text = strings.NewReplacer("$${", "${", "%%{", "%{").Replace(text)
	key, err := strconv.Unquote(`"` + text + `"`)
	if err != nil {
		return "", bad("", "it is no text")
	}
	return key, nil
}
