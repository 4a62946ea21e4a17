package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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
		if errors.Is(err, io.EOF) {
			err = errors.New("empty")
		}
		return nil, fmt.Errorf("%s: %s", name, printableLines(err))
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

// printableLines shows a library's error, which may quote the file.
func printableLines(err error) string {
	lines := strings.Split(strings.TrimPrefix(err.Error(), "yaml: "), "\n")
	for i, line := range lines {
		lines[i] = operation.Printable(strings.TrimSpace(line))
	}
	return strings.Join(lines, "; ")
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
