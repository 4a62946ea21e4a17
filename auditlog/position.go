package auditlog

import (
	"context"

	"github.com/mollyguard/mollyguard/ledger"
)

// PositionOf returns how far a source was read, by its name, as the ledger has it; empty
// if it never was.
func PositionOf(ctx context.Context, l *ledger.Ledger, source string) (position string, err error) {
	err = l.View(ctx, func(tx *ledger.Tx) error {
		position = string(tx.Get(ledger.TablePositions, source))
		return nil
	})
	return position, err
}
