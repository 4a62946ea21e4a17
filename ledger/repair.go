package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
)

// RepairReport says what Repair did.
type RepairReport struct {
	// Damage is what was wrong, nil if nothing was; the rest is empty then.
	Damage error
	// Aside is where the damaged file is.
	Aside string
	// Parts say what was taken over.
	Parts []RepairedPart
}

// RepairedPart is a part of a ledger's file: cases, outbox or a table.
type RepairedPart struct {
	Name string
	// Kept is how many records were taken over.
	Kept int
	// Lost says what was not, as far as can be told; empty if nothing was lost.
	Lost []string
}

// maxLost is how many losses a part lists: a person reads them.
const maxLost = 20

func (p *RepairedPart) lose(format string, args ...any) {
	switch {
	case len(p.Lost) < maxLost:
		p.Lost = append(p.Lost, fmt.Sprintf(format, args...))
	case len(p.Lost) == maxLost:
		p.Lost = append(p.Lost, "and more")
	}
}

// Repair makes a ledger that opens of one that is damaged. The damaged file is kept
// beside it, under the name path.damaged-TIME, and what can be read of it is taken
// over. A case is taken over whole or not at all: without a verdict or a use that was
// lost it would grant what nobody granted. It does nothing to a file that is good, and
// an error leaves the file as it was; that another process has it, or that a newer
// version wrote it, is one.
func Repair(path string, now time.Time) (RepairReport, error) {
	report, err := repair(path, now)
	if err != nil {
		return RepairReport{}, fmt.Errorf("repair the ledger %s: %w", path, err)
	}
	return report, nil
}

func repair(path string, now time.Time) (RepairReport, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return RepairReport{}, nil // Open makes one
	}
	// As large as it is: it may have grown under another limit.
	l, err := Open(path, Options{})
	if err == nil {
		return RepairReport{}, l.Close()
	}
	if !errors.Is(err, ErrDamaged) {
		return RepairReport{}, err
	}
	report := RepairReport{Damage: err}
	if report.Aside, err = freeName(path + ".damaged-" + now.UTC().Format("20060102T150405Z")); err != nil {
		return RepairReport{}, err
	}
	fresh, copied := path+".repairing", path+".reading"
	for _, temporary := range []string{fresh, copied} { // of a repair that was cut off
		if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
			return RepairReport{}, err
		}
	}
	// Read is a copy: when bbolt panics while it opens a file, the file stays locked
	// until the process ends.
	err = copyFile(copied, path)
	if err == nil {
		report.Parts, err = salvage(fresh, copied)
	}
	if err == nil {
		err = setAside(path, report.Aside, fresh)
	}
	errs := []error{err}
	for _, temporary := range []string{fresh, copied} {
		if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return RepairReport{}, err
	}
	return report, nil
}

// freeName returns a name that no file has.
func freeName(name string) (string, error) {
	free := name
	for i := 2; ; i++ {
		switch _, err := os.Lstat(free); {
		case errors.Is(err, os.ErrNotExist):
			return free, nil
		case err != nil:
			return "", err
		}
		free = fmt.Sprintf("%s-%d", name, i)
	}
}

// setAside gives the damaged file another name, and its own to the fresh one. There is
// a file of that name all the time: were there none after a crash, an empty ledger
// would be made.
func setAside(path, aside, fresh string) error {
	if err := os.Link(path, aside); err != nil { // not every file system has links
		if err := os.Rename(path, aside); err != nil {
			return err
		}
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("%w (the damaged file is %s)", err, aside)
	}
	return syncFolder(filepath.Dir(path))
}

// copyFile copies a file, and fills it up to whole pages and then some, so that what
// was cut short reads as zeros and not as a fault.
func copyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	n, err := io.Copy(out, in)
	if err != nil {
		return err
	}
	page := int64(os.Getpagesize())
	return out.Truncate((n/page + 2) * page)
}

// salvage makes a fresh ledger of what can be read of a damaged one.
func salvage(fresh, damaged string) (parts []RepairedPart, err error) {
	l, err := Open(fresh, Options{MaxBytes: maxRepaired})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	err = l.db.Update(func(into *bbolt.Tx) error {
		parts = nil
		opened := false
		readErr := guarded(func() error {
			db, err := bbolt.Open(damaged, 0o600, &bbolt.Options{Timeout: lockTimeout, ReadOnly: true})
			if err != nil {
				return err
			}
			// A transaction of a damaged file may panic at its end as well.
			defer func() { _ = db.Close() }()
			return db.View(func(from *bbolt.Tx) (err error) {
				opened = true
				parts, err = takeOver(into, from)
				return err
			})
		})
		var writing *writeError
		if errors.As(readErr, &writing) {
			return writing.error
		}
		if !opened {
			parts = []RepairedPart{{Name: "everything", Lost: []string{fmt.Sprintf("the head of the file cannot be read: %v", readErr)}}}
		}
		return nil
	})
	return parts, err
}

// maxRepaired is how large the fresh file may become: what was in the damaged one fits,
// and what it may hold later is for Open to say.
const maxRepaired = 16 << 30

// guarded turns what bbolt does on pages that make no sense into an error.
func guarded(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return do()
}

// writeError is an error of the fresh file, not of the damaged one.
type writeError struct{ error }

func written(err error) error {
	if err == nil {
		return nil
	}
	return &writeError{err}
}
