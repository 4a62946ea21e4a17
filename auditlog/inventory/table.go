package inventory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/ledger"
)

// Keys of ledger.TableAssets.
const (
	prefixAsset  = "a/" // and a canonical name without its scheme: a record
	prefixNumber = "n/" // and a project's number: its id
	keySeeded    = "m/seeded"
	keyResume    = "m/resume"
)

func readSeeded(tx *ledger.Tx) (int64, error) {
	text := tx.Get(ledger.TableAssets, keySeeded)
	switch len(text) {
	case 0:
		return 0, nil
	case 8:
		return int64(binary.BigEndian.Uint64(text)), nil
	}
	return 0, fmt.Errorf("%s: %d bytes, want 8", keySeeded, len(text))
}

func writeSeeded(tx *ledger.Tx, at int64) error {
	return tx.Put(ledger.TableAssets, keySeeded, binary.BigEndian.AppendUint64(nil, uint64(at)))
}

// observation is what a search, the feed or history says of an asset.
type observation struct {
	name, kind string
	// number is the project's, id its id where the asset tells it.
	number, id string
	ancestors  []string // without the project
	created    time.Time
	state      state
	// searched is when the search began that found it; zero if it was no search.
	searched time.Time
}

// batch is how many observations go into one transaction: a page of a search.
const batch = 500

// write keeps what was observed, and what more does, in one transaction. It returns the
// keys, in the order of the observations.
func (i *Inventory) write(ctx context.Context, list []observation, more func(tx *ledger.Tx) error) (keys []string, err error) {
	added, full := 0, false
	err = i.o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		added, full, keys = 0, false, nil
		for _, o := range list {
			key, isNew, err := i.observe(tx, o, i.known.Load()+int64(added))
			if errors.Is(err, errFull) {
				full, err = true, nil
			}
			if err != nil {
				return err
			}
			if isNew {
				added++
			}
			keys = append(keys, key)
		}
		if more != nil {
			return more(tx)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	i.known.Add(int64(added))
	if full {
		i.tellFull()
	}
	return keys, nil
}

// errFull says that MaxAssets resources are known.
var errFull = errors.New("as many assets are known as are kept")

// observe merges an observation into the record of its resource.
func (i *Inventory) observe(tx *ledger.Tx, o observation, known int64) (key string, isNew bool, err error) {
	number, id := o.number, o.id
	if id == "" {
		id = string(tx.Get(ledger.TableAssets, prefixNumber+number))
	}
	if o.kind == typeProject {
		if id == "" {
			id = projectOf(strings.TrimPrefix(o.name, "//"+resourceManager+"/"))
		}
		if isNumber(number) && id != "" && !isNumber(id) {
			if err := putChanged(tx, prefixNumber+number, []byte(id)); err != nil {
				return "", false, err
			}
		}
	}
	ref := RefOf(o.name, o.kind, id)
	if ref == "" {
		return "", false, nil
	}
	key = prefixAsset + strings.TrimPrefix(ref, "gcp://")
	r, err := readRecord(tx.Get, key)
	if err != nil && !errors.Is(err, errVersion) {
		return "", false, err
	}
	isNew = tx.Get(ledger.TableAssets, key) == nil
	if isNew && known >= i.most {
		return key, false, errFull
	}
	if r == nil {
		r = &record{}
	}
	if !r.take(o, id, tx) && !isNew {
		return key, false, nil
	}
	text, err := r.encode()
	if err != nil {
		return "", false, fmt.Errorf("%s: %w", key, err)
	}
	return key, isNew, putChanged(tx, key, text)
}

// take updates a record, and reports whether that changed it.
func (r *record) take(o observation, id string, tx *ledger.Tx) (changed bool) {
	before := *r
	r.Kind, r.Created = o.kind, max(r.Created, micros(o.created))
	if r.Project = id; id == "" {
		r.Project = o.number
	}
	switch {
	case o.kind == typeProject:
		r.Number, r.Ancestors = o.number, o.ancestors
	case id != "" && tx.Get(ledger.TableAssets, projectKey(id)) != nil:
		r.Ancestors = nil // the project's record has them
	case o.ancestors != nil:
		r.Ancestors = o.ancestors
	}
	s := o.state
	newest := r.newest()
	if !o.searched.IsZero() {
		if newest != nil && newest.Gone == missed {
			r.States = r.States[:len(r.States)-1]
			newest, changed = r.newest(), true
		}
		s = settle(s, newest, o.searched)
	}
	changed = r.put(s) || changed
	return changed || r.Kind != before.Kind || r.Created != before.Created || r.Project != before.Project ||
		r.Number != before.Number || !slices.Equal(r.Ancestors, before.Ancestors)
}

// indexLag is how far behind a search may be: what the feed said within it may not have
// reached the index. It takes seconds as a rule, and a minute on a bad day.
const indexLag = 5 * time.Minute

// settle says of what time a search result is. It need not say itself, and a service
// need not count a change of labels as an update. If nothing else was said lately,
// what differs from before is as new as the search.
func settle(s state, newest *state, searched time.Time) state {
	sure := micros(searched.Add(-indexLag))
	switch {
	case newest == nil && s.From == 0:
		s.From = sure
	case newest == nil || s.From > newest.To:
	case newest.says(s):
		s.From = newest.To
	case newest.To < sure:
		s.From = sure
	case s.From == 0:
		s.From = newest.From - 1
	}
	s.To = s.From
	return s
}

func projectKey(id string) string { return prefixAsset + resourceManager + "/projects/" + id }

// readRecord returns nil if there is none.
func readRecord(get func(ledger.Table, string) []byte, key string) (*record, error) {
	text := get(ledger.TableAssets, key)
	if text == nil {
		return nil, nil
	}
	r, err := decodeRecord(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return r, nil
}

// putChanged spares the disk what it has.
func putChanged(tx *ledger.Tx, key string, value []byte) error {
	if string(tx.Get(ledger.TableAssets, key)) == string(value) {
		return nil
	}
	return tx.Put(ledger.TableAssets, key, value)
}
