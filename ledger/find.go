package ledger

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// errMisplaced is a record under a key where another belongs.
var errMisplaced = errors.New("read a record: it is not what belongs there")

// found is a case as it was read.
type found struct {
	breakglass.Case
	// oldest and newest are the times of its records.
	oldest, newest time.Time
	records        int
	// subjects are those under which it is in the index.
	subjects []string
}

// born is the time of the request, or of the oldest record if there is none.
func (f found) born() time.Time {
	if f.Request != nil {
		return f.Request.Created
	}
	return f.oldest
}

// readCase reads all records in a case's bucket.
func readCase(c *bbolt.Bucket) (found, error) {
	var f found
	err := c.ForEach(func(key, text []byte) error {
		if bytes.Equal(key, keyAge) {
			return nil
		}
		r, err := decodeRecord(text)
		if err != nil {
			return err
		}
		return f.add(r)
	})
	slices.SortFunc(f.Verdicts, func(a, b breakglass.Verdict) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.By.Name, b.By.Name), cmp.Compare(a.Kind, b.Kind))
	})
	slices.SortFunc(f.Uses, func(a, b breakglass.Use) int { return a.Slot - b.Slot })
	return f, err
}

func (f *found) add(r record) error {
	switch {
	case r.Request != nil:
		f.Request = r.Request
	case r.Verdict != nil:
		f.Verdicts = append(f.Verdicts, *r.Verdict)
	case r.Grant != nil:
		f.Grant = r.Grant.grant()
	case r.Use != nil:
		f.Uses = append(f.Uses, *r.Use)
	case r.Standing != nil:
		return nil
	default:
		return errMisplaced
	}
	from, to := r.span()
	if f.records == 0 || from.Before(f.oldest) {
		f.oldest = from
	}
	if f.records == 0 || to.After(f.newest) {
		f.newest = to
	}
	f.records++
	if subject, ok := r.subject(); ok {
		f.subjects = append(f.subjects, subject)
	}
	return nil
}

// readHandle reads the case under a handle.
func readHandle(tx *bbolt.Tx, id []byte) (found, error) {
	c := tx.Bucket(bucketCases).Bucket(id)
	if c == nil {
		return found{}, breakglass.ErrNotFound
	}
	return readCase(c)
}

// Case implements breakglass.Store.
func (l *Ledger) Case(ctx context.Context, id string) (breakglass.Case, error) {
	var f found
	err := l.view(ctx, func(tx *bbolt.Tx) (err error) { f, err = readHandle(tx, []byte(id)); return err })
	if err != nil {
		return breakglass.Case{}, fmt.Errorf("case %s: %w", operation.Printable(id), err)
	}
	return f.Case, nil
}

// CasesOf implements breakglass.Store. It reads no other subject's cases.
func (l *Ledger) CasesOf(ctx context.Context, subject string) ([]breakglass.Case, error) {
	var all []found
	err := l.view(ctx, func(tx *bbolt.Tx) error {
		prefix := subjectPrefix(subject)
		cursor := tx.Bucket(bucketSubjects).Cursor()
		for key, _ := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = cursor.Next() {
			f, err := readHandle(tx, key[len(prefix):])
			if err != nil {
				return err
			}
			if f.Subject() == subject { // and not only the request's, of a grant for another
				all = append(all, f)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cases of %s: %w", operation.Printable(subject), err)
	}
	slices.SortStableFunc(all, func(a, b found) int { return a.born().Compare(b.born()) })
	cases := make([]breakglass.Case, len(all))
	for i, f := range all {
		cases[i] = f.Case
	}
	return cases, nil
}

// Cases implements breakglass.Store.
func (l *Ledger) Cases(ctx context.Context, limit int) ([]breakglass.Case, error) {
	var cases []breakglass.Case
	err := l.view(ctx, func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(bucketAges).Cursor()
		for key, _ := cursor.Last(); key != nil && len(cases) < limit; key, _ = cursor.Prev() {
			f, err := readHandle(tx, key[ageSize:])
			if err != nil {
				return err
			}
			cases = append(cases, f.Case)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list cases: %w", err)
	}
	return cases, nil
}

// checkCases reads all cases, and what the indexes say of them.
func checkCases(tx *bbolt.Tx) error {
	return tx.Bucket(bucketCases).ForEachBucket(func(id []byte) error {
		c := tx.Bucket(bucketCases).Bucket(id)
		f, err := readCase(c)
		if err == nil && !indexed(tx, c, string(id), f) {
			err = errors.New("the indexes do not have it")
		}
		if err != nil {
			return fmt.Errorf("case %s: %w", operation.Printable(string(id)), err)
		}
		return nil
	})
}
