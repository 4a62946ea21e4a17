package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// outputMode is that of all that plan check writes, less what the umask takes away: reports,
// records and receipts hold no secrets, and pipelines upload them as somebody else.
const outputMode = 0o644

// wholeFile takes the place of what was there at once, when it is committed. What is no
// regular file, such as a pipe, a link or /dev/stdout, is written through.
type wholeFile struct {
	*os.File
	// path is where it goes; empty if it is there already.
	path string
}

func createWhole(path string) (*wholeFile, error) {
	name, flags := path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC
	place := ""
	if info, err := os.Lstat(path); err != nil || info.Mode().IsRegular() {
		name, place = filepath.Join(filepath.Dir(path), ".mollyguard-"+rand.Text()), path
		flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	}
	file, err := os.OpenFile(name, flags, outputMode)
	if wrong, ok := errors.AsType[*os.PathError](err); ok {
		wrong.Path = path // nobody knows the other name
	}
	if err != nil {
		return nil, err
	}
	return &wholeFile{file, place}, nil
}

// commit closes the file and puts it in its place.
func (f *wholeFile) commit() error {
	if f.path == "" {
		return f.Close()
	}
	err := f.Close()
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// drop closes the file and leaves what was there.
func (f *wholeFile) drop() error {
	err := f.Close()
	if f.path != "" {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

// writeFile writes a file as a whole: what was there stays if it cannot.
func writeFile(path string, write func(io.Writer) error) error {
	file, err := createWhole(path)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		return errors.Join(err, file.drop())
	}
	return file.commit()
}

// copyCapped copies what is there, unless it is more than limit bytes.
func copyCapped(to io.Writer, from io.Reader, limit int64) error {
	n, err := io.Copy(to, io.LimitReader(from, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("it has more than %d MiB, and no more is read", limit>>20)
	}
	return err
}

// openRegular opens a file to read it. To open a pipe could block for ever.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder", shown(path))
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", shown(path))
	}
	return os.Open(path)
}

// readRegular reads a regular file of at most limit bytes.
func readRegular(path string, limit int64) ([]byte, error) {
	file, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", shown(path), limit)
	}
	return data, nil
}

// copyOf is a temporary file with what is read, at its start.
func copyOf(r io.Reader, limit int64) (*os.File, error) {
	return temporary(func(w io.Writer) error { return copyCapped(w, r, limit) })
}

// temporary is a file with what write writes, at its start. It has no name: plans hold secrets, and
// nothing of it is left behind, however the program ends.
func temporary(write func(io.Writer) error) (file *os.File, err error) {
	named, err := newScratch(func(io.Writer) error { return nil })
	if err != nil {
		return nil, err
	}
	if err := os.Remove(named.path); err != nil {
		return nil, errors.Join(fmt.Errorf("keep the plan for no longer than needed: %w", err), named.file.Close())
	}
	if err := write(named.file); err != nil {
		return nil, errors.Join(err, named.file.Close())
	}
	if _, err := named.file.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, named.file.Close())
	}
	return named.file, nil
}

// scratchFile is a temporary file that another program can open.
type scratchFile struct {
	file *os.File
	path string
}

func (f scratchFile) remove() error { return errors.Join(f.file.Close(), os.Remove(f.path)) }

// newScratch makes a file that only its user can read (os.CreateTemp: mode 0600).
func newScratch(write func(io.Writer) error) (f scratchFile, err error) {
	f.file, err = os.CreateTemp("", "mollyguard-plan-*")
	if err != nil {
		return f, fmt.Errorf("make a temporary file for the plan: %w", err)
	}
	f.path = f.file.Name()
	if err := write(f.file); err != nil {
		return f, errors.Join(err, f.remove())
	}
	return f, nil
}
