package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// writePrivate writes a file that only its owner can read, whatever was there before: it
// takes that one's place, and goes through no link. What is neither a file nor a link
// stays as it is.
func writePrivate(path string, write func(io.Writer) error) error {
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() && info.Mode().Type() != fs.ModeSymlink {
		return fmt.Errorf("%s is not a regular file", shown(path))
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(filepath.Join(filepath.Dir(path), ".mollyguard-"+rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if wrong, ok := errors.AsType[*os.PathError](err); ok {
		wrong.Path = path // nobody knows the other name
	}
	if err != nil {
		return err
	}
	err = errors.Join(write(file), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// copyFile copies a regular file to a new one that only its owner can read.
func copyFile(to, from string, limit int64) (err error) {
	source, err := openRegular(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	return copyTo(to, source, limit)
}

func copyTo(to string, r io.Reader, limit int64) error {
	return writePrivate(to, func(w io.Writer) error { return copyCapped(w, r, limit) })
}

// copyInput is copyTo for what somebody may have to type, and so may never come.
func copyInput(ctx context.Context, to string, r io.Reader, limit int64) error {
	copied := make(chan error, 1) // who reads from a terminal cannot be stopped
	go func() { copied <- copyTo(to, r, limit) }()
	select {
	case <-ctx.Done():
		return &exitError{code: exitUndecided, err: fmt.Errorf("read standard input: %w", context.Cause(ctx))}
	case err := <-copied:
		return err
	}
}

// planPlace is an error unless a plan can be written to a file without a loss: where none
// is, or an empty one, or a plan. Terraform writes over whatever there is.
func planPlace(path string) error {
	const hint = "name another file"
	for _, state := range []string{".tfstate", ".tfstate.backup"} {
		if strings.HasSuffix(path, state) {
			return usageError(hint, "a plan is not written to %s: by its name it is a state", shown(path))
		}
	}
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Size() == 0) {
		return nil // Terraform makes it, or says what is wrong with it
	}
	if err != nil {
		return &exitError{code: exitUndecided, err: err}
	}
	file, err := openRegular(path)
	if err != nil {
		return err
	}
	is, err := isPlanFile(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return &exitError{code: exitUndecided, err: fmt.Errorf("look at what the plan would be written over: %w", err)}
	}
	if !is {
		return usageError(hint, "a plan is not written over %s, which is no plan", shown(path))
	}
	return nil
}

// digestOf is the SHA-256 digest of a regular file, in hexadecimal.
func digestOf(path string) (digest string, err error) {
	file, err := openRegular(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sum := sha256.New()
	_, err = io.Copy(sum, file)
	return hex.EncodeToString(sum.Sum(nil)), err
}
