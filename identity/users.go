package identity

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/mollyguard/mollyguard/operation"
)

// maxUsersFile holds more than maxUsers at 500 bytes each.
const maxUsersFile = 1 << 20

// Users knows people by a file:
//
//	apiVersion: config.mollyguard.dev/v1alpha1
//	kind: Users
//	users:
//	- name: alice@example.com
//	  kind: human                # or service, agent
//	  groups: [sre]
//	  token: sha256:5f70bf18…    # of NewUserToken
//
// The file is read at each question, so that who is taken out of it is out. While
// it cannot be read or has a mistake nobody is known: an older state would let in
// whoever has just been removed. It may be readable by anybody, since it only
// holds hashes of what cannot be guessed; it must not be writable by everybody.
// Users may be used concurrently.
type Users struct {
	path string

	lock sync.Mutex
	// text is what users was read from.
	text  []byte
	users []user
}

type user struct {
	actor operation.Actor
	hash  [sha256.Size]byte
}

// NewUsers returns the Users of a file, which has to be there and without
// mistakes.
func NewUsers(path string) (*Users, error) {
	u := &Users{path: path}
	_, err := u.current()
	return u, err
}

// Authenticate implements Authenticator.
func (u *Users) Authenticate(_ context.Context, bearer operation.Secret) (operation.Actor, error) {
	if !IsUserToken(bearer) {
		return operation.Actor{}, &Rejection{Reason: "not a token of the users file", Foreign: true}
	}
	users, err := u.current()
	if err != nil {
		return operation.Actor{}, err
	}
	hash := sha256.Sum256([]byte(bearer.Reveal()))
	found := -1
	for i := range users { // all of them, so that the time tells nothing
		if subtle.ConstantTimeCompare(hash[:], users[i].hash[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return operation.Actor{}, &Rejection{Reason: "no user has this token"}
	}
	return clone(users[found].actor), nil
}

// Current returns an actor as the file has them now, or false if they are in it
// no more. An actor who came in by another way than the file is returned as they
// are. An error means that it could not be told.
func (u *Users) Current(actor operation.Actor) (operation.Actor, bool, error) {
	if !strings.HasPrefix(actor.Credential, credentialPrefix) {
		return actor, true, nil
	}
	users, err := u.current()
	if err != nil {
		return operation.Actor{}, false, err
	}
	for _, known := range users {
		if known.actor.Name == actor.Name {
			return clone(known.actor), true, nil
		}
	}
	return operation.Actor{}, false, nil
}

// current reads the file, and parses it if it is not what it was.
func (u *Users) current() ([]user, error) {
	text, err := readUsers(u.path)
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	u.lock.Lock()
	defer u.lock.Unlock()
	if u.users == nil || !bytes.Equal(text, u.text) {
		users, err := parseUsers(u.path, text)
		if err != nil {
			return nil, err
		}
		u.text, u.users = text, users
	}
	return u.users, nil
}

const everybodyWrites = 0o002

func readUsers(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := readOpenUsers(file)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return text, err
}

func readOpenUsers(file *os.File) ([]byte, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", file.Name())
	}
	if info.Mode().Perm()&everybodyWrites != 0 {
		return nil, fmt.Errorf("%s can be written by everybody: chmod o-w it", file.Name())
	}
	text, err := io.ReadAll(io.LimitReader(file, maxUsersFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxUsersFile {
		return nil, errors.New(file.Name() + " is larger than 1 MiB")
	}
	return text, nil
}

// credentialPrefix begins the credential ids of users of a file, which are the
// first 64 bits of their token's hash: who reads a record can find the entry.
const credentialPrefix = "user-token="

func credentialOf(hash [sha256.Size]byte) string {
	return credentialPrefix + hex.EncodeToString(hash[:8])
}
