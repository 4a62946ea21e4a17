package inventory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/mollyguard/mollyguard/ledger"
)

// place is where a search goes on that was interrupted.
type place struct {
	Version int `json:"v"`
	// Plan is what is searched: the place in another search is none in this one.
	Plan    string `json:"plan"`
	Started int64  `json:"started"` // in seconds
	Step    int    `json:"step"`
	Token   string `json:"token"`
}

// maxPlace is how old an interrupted search may be to go on: page tokens do not live for
// ever, and what was found first would be old.
const maxPlace = time.Hour

func (p place) write(tx *ledger.Tx) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return tx.Put(ledger.TableAssets, keyResume, text)
}

// resume returns the search that was interrupted, or a new one.
func (i *Inventory) resume(ctx context.Context) (*refresh, error) {
	plan := i.plan()
	young := func(p place) bool {
		age := i.o.Now().Sub(time.Unix(p.Started, 0))
		return p.Version == recordVersion && p.Plan == plan && age >= 0 && age < maxPlace
	}
	if i.running != nil && young(i.running.place) {
		return i.running, nil
	}
	r := &refresh{
		place: place{Version: recordVersion, Plan: plan, Started: i.o.Now().Unix()},
		saw:   map[uint64]struct{}{}, seed: maphash.MakeSeed(), whole: true,
	}
	err := i.o.Ledger.View(ctx, func(tx *ledger.Tx) error {
		var p place
		text := tx.Get(ledger.TableAssets, keyResume)
		// A place that cannot be read is of another version: begin anew.
		if text != nil && json.Unmarshal(text, &p) == nil && young(p) {
			r.place, r.whole = p, false
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	i.running = r
	return r, nil
}

func (i *Inventory) plan() string {
	sum := sha256.Sum256([]byte(strings.Join(slices.Concat(i.o.Scopes, i.wanted()), "\n")))
	return hex.EncodeToString(sum[:8])
}

// sweep marks what a complete search did not find, and removes what is gone for
// KeepGone.
func (i *Inventory) sweep(ctx context.Context, r *refresh) error {
	from := prefixAsset
	for {
		var keys []string
		more := false
		err := i.o.Ledger.View(ctx, func(tx *ledger.Tx) error {
			tx.Scan(ledger.TableAssets, prefixAsset, from, func(key string, value []byte) bool {
				if len(keys) == batch {
					more, from = true, key
					return false
				}
				if _, found := r.saw[maphash.String(r.seed, key)]; !found {
					keys = append(keys, key)
				}
				return true
			})
			return nil
		})
		if err == nil && len(keys) > 0 {
			err = i.sweepKeys(ctx, keys, r.Started)
		}
		if err != nil || !more {
			return err
		}
	}
}

func (i *Inventory) sweepKeys(ctx context.Context, keys []string, started int64) error {
	removed := 0
	err := i.o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		removed = 0
		for _, key := range keys {
			text := tx.Get(ledger.TableAssets, key)
			if text == nil {
				continue
			}
			r, err := decodeRecord(text)
			switch {
			case err != nil || r.over(started):
				// What cannot be read is of another version, and was not found again.
				removed++
				err = tx.Delete(ledger.TableAssets, key)
			case r.miss(started):
				if text, err = r.encode(); err == nil {
					err = tx.Put(ledger.TableAssets, key, text)
				}
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		i.known.Add(int64(-removed))
	}
	return err
}

// over reports whether a record is of something that is gone for KeepGone.
func (r *record) over(now int64) bool {
	newest := r.newest()
	return newest == nil || newest.Gone != there && newest.From < micros(time.Unix(now, 0).Add(-KeepGone))
}

// miss marks a record as gone, and reports whether it was not yet. What was heard of so
// lately that a search may not have it is left alone.
func (r *record) miss(started int64) bool {
	at := micros(time.Unix(started, 0))
	newest := r.newest()
	if newest.Gone != there || newest.To > at-indexLag.Microseconds() {
		return false
	}
	return r.put(state{From: at, To: at, Gone: missed})
}
