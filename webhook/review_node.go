package webhook

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// node is a value inside an object, which is read when a rule asks for it. What is
// absent or null is a node without text. A node is read like an object whose
// definition is known: what is of another type reads as absent and is remembered in
// faults, so that whoever asks can tell the two apart.
type node struct {
	text   jsontext.Value
	path   string
	faults *faults
}

// faults names the fields that could not be read as they should be.
type faults struct {
	list []string
	// unread says that one of them holds too much, or a name twice: what it holds is
	// not known, which is more than a type that nobody expects.
	unread bool
}

func (f *faults) add(fault string) {
	if !slices.Contains(f.list, fault) {
		f.list = append(f.list, fault)
	}
}

func (n node) odd(expected string) {
	n.faults.add(n.path + " is not " + expected)
}

func (n node) unread(why string) {
	n.faults.add(n.path + " " + why)
	n.faults.unread = true
}

// maxItems is how many elements of a list or object are read. Kubernetes ends far
// below for all that is read here; 1.5 MiB, which etcd takes, could hold 300,000.
const maxItems = 10_000

// faulty reports whether something on its side could not be read as it should be.
func (n node) faulty() bool { return len(n.faults.list) > 0 }

// there reports whether there is a value.
func (n node) there() bool { return len(n.text) > 0 && n.text.Kind() != 'n' }

// is reports whether there is a value of a kind, and remembers one of another.
func (n node) is(kind jsontext.Kind, expected string) bool {
	if !n.there() {
		return false
	}
	if n.text.Kind() != kind {
		n.odd(expected)
		return false
	}
	return true
}

// at follows names from one object to the next.
func (n node) at(names ...string) node {
	for _, name := range names {
		n = n.pick(name)[0]
	}
	return n
}

// pick reads several members in one scan.
func (n node) pick(names ...string) []node {
	found := make([]node, len(names))
	for i, name := range names {
		found[i] = node{path: n.path + "." + name, faults: n.faults}
	}
	n.each(func(key string, value node) {
		if i := slices.Index(names, key); i >= 0 {
			found[i] = value
		}
	})
	return found
}

// each hands over the members of an object, in their order.
func (n node) each(fn func(key string, value node)) {
	if !n.is('{', "an object") {
		return
	}
	s := scanner{dec: jsontext.NewDecoder(bytes.NewBuffer(n.text), jsontext.AllowDuplicateNames(true))}
	count := 0
	_, err := s.members(func(key string) error {
		value, err := s.dec.ReadValue()
		if count++; count > maxItems {
			return err
		}
		fn(key, node{text: value, path: n.path + "." + key, faults: n.faults})
		return err
	})
	if err != nil { // the text was valid JSON before: a name is there twice
		n.unread("holds a name twice")
	}
	if count > maxItems {
		n.unread("holds more than " + strconv.Itoa(maxItems) + " entries")
	}
}

// items hands over the elements of a list, in their order.
func (n node) items(fn func(item node)) {
	if !n.is('[', "a list") {
		return
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(n.text), jsontext.AllowDuplicateNames(true))
	_, err := dec.ReadToken()
	for i := 0; err == nil && dec.PeekKind() != ']'; i++ {
		var value jsontext.Value
		if i == maxItems {
			n.unread("holds more than " + strconv.Itoa(maxItems) + " entries")
			return
		}
		if value, err = dec.ReadValue(); err == nil {
			fn(node{text: value, path: n.path + "[" + strconv.Itoa(i) + "]", faults: n.faults})
		}
	}
	if err != nil {
		n.unread("cannot be read")
	}
}

// str is a text, or empty.
func (n node) str() string {
	if !n.is('"', "a text") {
		return ""
	}
	text, err := unquoted(n.text)
	if err != nil {
		n.unread("cannot be read")
	}
	return text
}

// yes reports whether it is true.
func (n node) yes() bool {
	if n.there() && n.text.Kind() != 't' && n.text.Kind() != 'f' {
		n.odd("true or false")
	}
	return n.text.Kind() == 't'
}

// numericText is a whole number that a custom resource writes as a text.
const numericText = `^[0-9]{1,18}$`

var numeric = regexp.MustCompile(numericText)

// count is a number, which some custom resources write as a text. set is false if
// there is none.
func (n node) count() (count float64, set bool) {
	text := string(n.text)
	switch {
	case !n.there():
		return 0, false
	case n.text.Kind() == '"':
		if text = n.str(); !numeric.MatchString(text) {
			n.odd("a number")
			return 0, false
		}
	case n.text.Kind() != '0':
		n.odd("a number")
		return 0, false
	}
	count, err := strconv.ParseFloat(text, 64)
	if err != nil { // out of range, such as 1e999
		n.odd("a number")
		return 0, false
	}
	return count, true
}

// texts are the elements of a list of texts.
func (n node) texts() []string {
	var list []string
	n.items(func(item node) { list = append(list, item.str()) })
	return list
}

// pairs are the members of an object of texts.
func (n node) pairs() map[string]string {
	pairs := map[string]string{}
	n.each(func(key string, value node) { pairs[key] = value.str() })
	return pairs
}

// empty reports whether there is no value, or an object or list with nothing in it.
// Anything else is odd, and as good as none.
func (n node) empty() bool {
	if !n.there() {
		return true
	}
	switch n.text.Kind() {
	case '{':
		empty := true
		n.each(func(string, node) { empty = false })
		return empty
	case '[':
		empty := true
		n.items(func(node) { empty = false })
		return empty
	}
	n.odd("an object or a list")
	return true
}

// selector is a LabelSelector (meta/v1), or nil if there is none.
func (n node) selector() labels.Selector {
	if !n.is('{', "a label selector") {
		return nil
	}
	var selector metav1.LabelSelector
	if err := json.Unmarshal(n.text, &selector); err != nil {
		n.odd("a label selector")
		return nil
	}
	parsed, err := metav1.LabelSelectorAsSelector(&selector)
	if err != nil {
		n.odd("a label selector")
		return nil
	}
	return parsed
}

// same reports whether two values are equal but for the order of names and how they
// are written.
func (n node) same(other node) bool {
	if !n.there() || !other.there() {
		return n.there() == other.there()
	}
	a, b := n.text.Clone(), other.text.Clone()
	if a.Canonicalize() != nil || b.Canonicalize() != nil { // a name twice
		return bytes.Equal(n.text, other.text)
	}
	return bytes.Equal(a, b)
}

// brief is a value as it stands in a change, cut short.
func (n node) brief() string {
	if !n.there() {
		return "none"
	}
	text := n.text.Clone()
	if err := text.Compact(); err != nil {
		text = n.text
	}
	if text.Kind() == '"' {
		return clipped(n.str())
	}
	return clipped(string(text))
}
