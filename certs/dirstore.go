package certs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The files of a [DirStore].
const (
	// dirState is all of the state in one file, since several files cannot be replaced at once.
	dirState = "mollyguard-certs.json"
	// dirCA is a copy of the CA bundle for people. It is written and never read.
	dirCA = "ca.crt"
	// dirLock is locked while the others are written.
	dirLock = ".lock"
)

// DirStore is a [Store] in a directory, for where there is no cluster. The state is one file that only its owner can read
// (mollyguard-certs.json, 0600); beside it lies a copy of the CA bundle for whoever configures clients (ca.crt, 0644). Files are
// replaced atomically and synced, and writers exclude each other with flock(2), so processes may share the directory.
type DirStore struct {
	dir string
}

// NewDirStore returns a store in dir, which Save creates (0700) if it is missing.
func NewDirStore(dir string) (*DirStore, error) {
	if dir == "" {
		return nil, errors.New("certificate directory: no path is given")
	}
	return &DirStore{dir: dir}, nil
}

// String names the store in messages.
func (s *DirStore) String() string { return fmt.Sprintf("certificate directory %q", s.dir) }

// Load implements [Store].
func (s *DirStore) Load(context.Context) (Bundle, string, error) {
	data, err := readFile(filepath.Join(s.dir, dirState))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return Bundle{}, "", nil
	case err != nil:
		return Bundle{}, "", fmt.Errorf("load %s: %w", s, err)
	}
	sum := sha256.Sum256(data)
	version := hex.EncodeToString(sum[:])

	var texts map[string]string
	if err := json.Unmarshal(data, &texts); err != nil {
		return Bundle{}, version, &CorruptError{s.String(), dirState, err}
	}
	fields := make(map[string][]byte, len(texts))
	for name, text := range texts {
		fields[name] = []byte(text)
	}
	b, err := decode(s.String(), fields)
	return b, version, err
}

// Save implements [Store].
//
// The copy of the CA bundle is written first. If the machine stops in between, the state is still the old one, and the next look
// at it comes to the same decision and writes both.
func (s *DirStore) Save(ctx context.Context, b Bundle, version string) (err error) {
	fields, err := encode(b)
	if err != nil {
		return fmt.Errorf("save to %s: %w", s, err)
	}
	texts := make(map[string]string, len(fields))
	for name, field := range fields {
		texts[name] = string(field)
	}
	data, err := json.Marshal(texts)
	if err != nil {
		return fmt.Errorf("save to %s: %w", s, err)
	}

	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("save to %s: %w", s, err)
	}
	unlock, err := lock(filepath.Join(s.dir, dirLock))
	if err != nil {
		return fmt.Errorf("save to %s: %w", s, err)
	}
	defer func() { err = errors.Join(err, unlock()) }()

	_, current, err := s.Load(ctx)
	if err != nil && current == "" { // what is stored may be damaged, but it must be readable to be compared
		return fmt.Errorf("save to %s: %w", s, err)
	}
	if current != version {
		return fmt.Errorf("save to %s: %w", s, ErrConflict)
	}
	if err := writeFile(s.dir, dirCA, fields[fieldCA], 0o644); err != nil {
		return fmt.Errorf("save to %s: %w", s, err)
	}
	if err := writeFile(s.dir, dirState, data, 0o600); err != nil {
		return fmt.Errorf("save to %s: %w", s, err)
	}
	return nil
}
