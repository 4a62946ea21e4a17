package alert

import (
	"context"
	"fmt"
	"slices"

	"github.com/mollyguard/mollyguard/ledger"
)

// buryOrphans makes dead letters of what waits for sinks that are not configured any
// more, some hundred in a transaction.
func (d *Deliverer) buryOrphans(ctx context.Context) error {
	for {
		var orphans []item
		err := d.ledger.View(ctx, func(tx *ledger.Tx) error { orphans = d.book.orphans(tx); return nil })
		if err != nil || len(orphans) == 0 { // as a rule: no write
			return err
		}
		err = d.ledger.Update(ctx, func(tx *ledger.Tx) error {
			for _, i := range d.book.orphans(tx) {
				if err := d.book.sift(tx, i.key); err != nil {
					return err
				}
				a, _, err := d.book.Alert(tx, i.id)
				if err != nil {
					return err
				}
				sink, _ := splitKey(i.key)
				i.Attempts-- // bury counts one more, and there was none
				if err := d.book.bury(tx, i, a, fmt.Errorf("no sink %s is configured", sink)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		d.log.Error("alerts for sinks that are not configured are dead: look at mollyguard alert dead list", "alerts", len(orphans))
		d.Wake()
	}
}

const orphanBatch = 200

func (b *Book) orphans(tx *ledger.Tx) []item {
	var found []item
	for from := ""; ; {
		sink, none := "", true
		tx.Scan(ledger.TableQueue, "", from, func(key string, _ []byte) bool { sink, _ = splitKey(key); none = false; return false })
		if none || len(found) >= orphanBatch {
			return found
		}
		if _, ok := slices.BinarySearch(b.sinks, sink); !ok {
			tx.Scan(ledger.TableQueue, sink+"/", "", func(key string, text []byte) bool {
				_, id := splitKey(key)
				q, err := decodeQueued(text)
				found = append(found, item{key, id, q, err})
				return len(found) < orphanBatch
			})
		}
		from = sink + "0" // which follows "/"
	}
}
