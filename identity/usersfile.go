package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	usersAPIVersion = "config.mollyguard.dev/v1alpha1"
	usersKind       = "Users"
	// maxUsers is for one server without a directory; more want OIDC.
	maxUsers = 2000
	// maxName is longer than any e-mail address may be (RFC 5321: 254).
	maxName = 256
)

type usersFile struct {
	APIVersion string      `yaml:"apiVersion"`
	Kind       string      `yaml:"kind"`
	Users      []usersLine `yaml:"users"`
}

type usersLine struct {
	Name   string              `yaml:"name"`
	Kind   operation.ActorKind `yaml:"kind"`
	Groups []string            `yaml:"groups"`
	Token  string              `yaml:"token"`
}

// parseUsers reads a users file strictly: a key that is misspelt, in whatever
// case, would be a group or a token that is not there. The error has a line for
// every problem.
func parseUsers(name string, text []byte) ([]user, error) {
	var file usersFile
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return nil, unreadable(name, err)
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: something follows the first YAML document", name)
	}
	if file.APIVersion != usersAPIVersion || file.Kind != usersKind {
		return nil, fmt.Errorf("%s: expected apiVersion %s and kind %s, found %q and %q", name, usersAPIVersion, usersKind, file.APIVersion, file.Kind)
	}
	if len(file.Users) > maxUsers {
		return nil, fmt.Errorf("%s: %d users, the most is %d", name, len(file.Users), maxUsers)
	}
	users := make([]user, len(file.Users))
	var errs []error
	for i, line := range file.Users {
		var problems []error
		users[i], problems = line.user()
		for _, other := range users[:i] {
			// Names that differ in case only would be taken for one another.
			if strings.EqualFold(other.actor.Name, line.Name) {
				problems = append(problems, fmt.Errorf("name: %q is there twice", line.Name))
			}
			if other.hash == users[i].hash && line.Token != "" {
				problems = append(problems, errors.New("token: another user has the same"))
			}
		}
		for _, problem := range problems {
			errs = append(errs, fmt.Errorf("%s: users[%d].%w", name, i, problem))
		}
	}
	return users, errors.Join(errs...)
}

// unreadable words what the library says of a file, a line for every problem.
func unreadable(name string, err error) error {
	var mistakes *yaml.TypeError
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s: empty", name)
	case !errors.As(err, &mistakes):
		text := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", " ")
		return atLine(name, text)
	}
	errs := make([]error, len(mistakes.Errors))
	for i, mistake := range mistakes.Errors {
		errs[i] = atLine(name, inWords(mistake))
	}
	return errors.Join(errs...)
}

var lineFirst = regexp.MustCompile(`(?s)^line (\d+): (.*)$`)

// atLine puts the file before what the library says, and its line as in other errors.
func atLine(name, text string) error {
	if parts := lineFirst.FindStringSubmatch(text); parts != nil {
		return fmt.Errorf("%s:%s: %s", name, parts[1], operation.Printable(parts[2]))
	}
	return fmt.Errorf("%s: %s", name, operation.Printable(text))
}

// How the library tells of a mistake (go.yaml.in/yaml/v3 decode.go): with the
// names of Go types, and with the value, which may be a token by mistake.
var (
	unknownKey = regexp.MustCompile(`^(line \d+: )field (.*) not found in type \S+$`)
	wrongType  = regexp.MustCompile(`(?s)^(line \d+: )cannot unmarshal .* into (\S+)$`)
)

// expected says what has to stand where the library wants a Go type.
var expected = map[string]string{
	"identity.usersFile":   "apiVersion, kind and users",
	"[]identity.usersLine": "a list of users",
	"identity.usersLine":   "a user, with name, kind, groups and token",
	"[]string":             "a list of texts",
}

func inWords(mistake string) string {
	if parts := unknownKey.FindStringSubmatch(mistake); parts != nil {
		return fmt.Sprintf("%sunknown key %q", parts[1], parts[2])
	}
	if parts := wrongType.FindStringSubmatch(mistake); parts != nil {
		what, ok := expected[parts[2]]
		if !ok {
			what = "a text"
		}
		return parts[1] + "expected " + what
	}
	return mistake
}

// user checks one entry. The token's hash is not quoted: what stands there may be
// the token itself, by mistake.
func (l usersLine) user() (user, []error) {
	var errs []error
	if err := checkName(l.Name); err != nil {
		errs = append(errs, fmt.Errorf("name: %w", err))
	}
	for i, group := range l.Groups {
		if err := checkName(group); err != nil {
			errs = append(errs, fmt.Errorf("groups[%d]: %w", i, err))
		}
	}
	kinds := []operation.ActorKind{operation.Human, operation.Service, operation.Agent}
	if !slices.Contains(kinds, l.Kind) {
		errs = append(errs, fmt.Errorf("kind: %q is not one of %v", l.Kind, kinds))
	}
	u := user{actor: operation.Actor{Identity: operation.Identity{Name: l.Name, Kind: l.Kind}, Groups: l.Groups}}
	digits, found := strings.CutPrefix(l.Token, hashPrefix)
	if raw, err := hex.DecodeString(digits); !found || err != nil || len(raw) != sha256.Size {
		errs = append(errs, errors.New("token: not sha256: and 64 hexadecimal digits"))
	} else {
		u.hash = [sha256.Size]byte(raw)
		u.actor.Credential = credentialOf(u.hash)
	}
	return u, errs
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("missing")
	case len(name) > maxName:
		return fmt.Errorf("longer than %d bytes", maxName)
	case strings.HasPrefix(name, clusterOwn):
		return fmt.Errorf("%q begins with %s, which only a cluster gives", name, clusterOwn)
	case slices.ContainsFunc([]byte(name), func(b byte) bool { return b <= ' ' || b > '~' }):
		return fmt.Errorf("%+q has characters beside plain ASCII, which could be taken for another's", name)
	}
	return nil
}
