package main

import (
	"errors"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/ledger"
)

// books are where decisions, events and cases are kept in files.
type books struct {
	decisions *ledger.Log
	recent    *ledger.Recent
	ledger    *ledger.Ledger // nil if there is none
}

func openBooks(s streams, c config.Configuration) (*books, error) {
	decisions, err := openDecisionLog(s, c.DecisionLog.Path)
	if err != nil {
		return nil, err
	}
	b := &books{decisions: decisions, recent: ledger.NewRecent(decisions)}
	if b.ledger, err = openLedger(c); err != nil {
		return nil, errors.Join(err, decisions.Close())
	}
	return b, nil
}

// events are the steps of break glass: lines of the decision log, and entries of
// the outbox where there is a ledger.
func (b *books) events() breakglass.Recorder {
	if b.ledger == nil {
		return b.decisions
	}
	return ledger.Events{Log: b.decisions, Outbox: b.ledger}
}

func (b *books) close(err *error) {
	if b.ledger != nil {
		*err = errors.Join(*err, b.ledger.Close())
	}
	*err = errors.Join(*err, b.decisions.Close())
}

func openDecisionLog(s streams, path string) (*ledger.Log, error) {
	if path == "-" {
		return ledger.NewLog(s.out), nil
	}
	return ledger.OpenLog(path)
}
