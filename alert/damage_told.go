package alert

import (
	"context"

	"github.com/mollyguard/mollyguard/ledger"
)

// damaged is the trouble of a ledger with records that were set aside. It says the same
// of each: a rollback leaves thousands.
func damaged() Trouble {
	return Trouble{Kind: Damaged, Source: "the ledger", Text: "records of what people were told, or are to be, cannot be read: " +
		"they are of a newer mollyguard, or damaged. Somebody may not have been told what they said: see which with mollyguard alert dead list, " +
		"and what happened in the decision log. New alerts are not affected. They are kept for 30 days"}
}

// tellDamage tells of records that were set aside, and when there are none any more. It
// is due if damage says so.
func (b *Book) tellDamage(tx *ledger.Tx) error {
	t := damaged()
	there, due := b.damage(tx)
	if !due {
		return nil
	}
	if t.Over = !there; t.Over {
		t.Text = ""
	}
	_, err := b.TellTrouble(tx, t)
	return err
}

// damage reports whether records were set aside, and whether people have to be told.
func (b *Book) damage(tx *ledger.Tx) (there, due bool) {
	tx.Scan(ledger.TableDead, recordSink+"/", "", func(string, []byte) bool { there = true; return false })
	told := tx.Get(ledger.TableIncidents, currentKey(damaged())) != nil
	return there, there != told
}

// pruneRecords removes those of some records that were set aside long ago, beginning at
// from, and returns where to go on, empty at the end. Nobody else would: they cannot be
// tried again.
func (b *Book) pruneRecords(tx *ledger.Tx, from string) (next string, err error) {
	before := b.time().Add(-MaxAge)
	left := pruneBatch
	var old []string
	tx.Scan(ledger.TableDead, recordSink+"/", from, func(key string, text []byte) bool {
		if letter := deadLetter(key, text); letter.Died.Before(before) {
			old = append(old, key)
		}
		left--
		next = key
		return left > 0
	})
	if left > 0 {
		next = ""
	}
	for _, key := range old {
		if err := tx.Delete(ledger.TableDead, key); err != nil {
			return "", err
		}
	}
	return next, nil
}

// tellDamage tells people of records that were set aside.
func (d *Deliverer) tellDamage(ctx context.Context) error {
	due := false
	err := d.ledger.View(ctx, func(tx *ledger.Tx) error { _, due = d.book.damage(tx); return nil })
	if !due || err != nil { // as a rule: no write
		return err
	}
	if err := d.ledger.Update(ctx, d.book.tellDamage); err != nil {
		return err
	}
	d.log.Error("whether there are records of alerts that cannot be read has changed: look at mollyguard alert dead list")
	d.Wake()
	return nil
}
