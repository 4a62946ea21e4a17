package certs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// writeFile replaces a file in dir so that, whenever the machine stops, either the old content is there or the new, and the new is
// durable when it returns. It does not expect company: the caller holds the directory's lock.
func writeFile(dir, name string, data []byte, mode os.FileMode) error {
	temporary := filepath.Join(dir, "."+name+".tmp")
	// Left over from a crash. A new file has the mode that is asked for and is nobody's symbolic link.
	if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	if err := os.Rename(temporary, filepath.Join(dir, name)); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return syncDir(dir)
}

// syncDir makes a rename durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}
