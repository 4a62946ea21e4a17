package breakglass

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// FileKeyStore is a KeyStore in one file (0600). The file is replaced atomically
// and synced; writers exclude each other with a lock on a second file beside it
// (.lock), so processes on one machine may share it.
type FileKeyStore struct{ path string }

// NewFileKeyStore returns a store in a file. Save creates the file, and its
// folder (0700), if they are missing.
func NewFileKeyStore(path string) (*FileKeyStore, error) {
	if path == "" {
		return nil, errors.New("key file: no path is given")
	}
	return &FileKeyStore{path}, nil
}

// othersBits are what the mode of a file with private keys must not have: any
// right of the group or of others.
const othersBits = 0o077

// Load implements KeyStore. A file that others can read is refused: what is in it
// may have been copied.
func (s *FileKeyStore) Load(context.Context) (data []byte, version string, err error) {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, "", ErrNotFound
	case err != nil:
		return nil, "", fmt.Errorf("load keys: %w", err)
	case !info.Mode().IsRegular(): // opening a pipe could block for ever
		return nil, "", fmt.Errorf("load keys: %s is not a regular file", s.path)
	}
	f, err := os.Open(s.path)
	if err != nil {
		return nil, "", fmt.Errorf("load keys: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info, err = f.Stat(); err != nil { // of what was opened, which nobody can exchange any more
		return nil, "", fmt.Errorf("load keys: %w", err)
	}
	if mode := info.Mode().Perm(); mode&othersBits != 0 {
		return nil, "", fmt.Errorf("load keys: %s holds private keys and is open to others (mode %04o): chmod 600 it, and rotate the keys if somebody may have read them", s.path, mode)
	}
	data, err = io.ReadAll(io.LimitReader(f, maxKeySetBytes+1))
	if err != nil {
		return nil, "", fmt.Errorf("load keys: %w", err)
	}
	if len(data) > maxKeySetBytes {
		return nil, "", fmt.Errorf("load keys: %s has more than %d bytes", s.path, maxKeySetBytes)
	}
	sum := sha256.Sum256(data)
	return data, hex.EncodeToString(sum[:]), nil
}

// Save implements KeyStore.
func (s *FileKeyStore) Save(ctx context.Context, data []byte, version string) (err error) {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return fmt.Errorf("save keys: %w", err)
	}
	lock, err := lockedfile.OpenFile(s.path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("save keys: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	_, current, err := s.Load(ctx)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if current != version {
		return ErrConflict
	}
	if err := replaceFile(s.path, data); err != nil {
		return fmt.Errorf("save keys: %w", err)
	}
	return nil
}

// replaceFile writes a file (0600) so that, whenever the machine stops, either the
// old content is there or the new, and the new is durable when it returns. The
// caller holds the lock.
func replaceFile(path string, data []byte) error {
	temporary := path + ".tmp"
	// Left over from a crash. A new file has the mode that is asked for and is
	// nobody's symbolic link.
	if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close()) // makes the rename durable
}
