package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook"
)

func atDeskTime() time.Time { return atTheDesk }

// changedByKubectl is a correction that people are told of.
func changedByKubectl() webhook.Correction {
	return webhook.Correction{Kind: "MutatingWebhookConfiguration", Name: "mollyguard", By: "kubectl-edit", What: webhook.CorrectedChange}
}

// judged is what is decided on corrections, and told of them.
func judged(t *testing.T, c config.Configuration, tell func(context.Context, operation.Decision) error, found ...webhook.Correction) []operation.Decision {
	t.Helper()
	a, err := assemble(t.Context(), c, parts{lookup: &given{}, recorder: discard{}})
	if err != nil {
		t.Fatal(err)
	}
	corrections := newCorrections("prod-eu", atDeskTime, slog.New(slog.DiscardHandler))
	for _, f := range found {
		corrections.corrected(t.Context(), f)
	}
	var decisions []operation.Decision
	for len(corrections.waiting) > 0 {
		corrections.judge(t.Context(), <-corrections.waiting, a.guard.Decide, func(ctx context.Context, d operation.Decision) error {
			decisions = append(decisions, d)
			return tell(ctx, d)
		})
	}
	return decisions
}

func TestACorrectionIsToldAsSomethingDoneToMollyguardItself(t *testing.T) {
	people, book := openTestAlerting(t)
	upgrade := changedByKubectl()
	upgrade.Upgrade = true
	if d := judged(t, controlled("l"), people.tell, upgrade); len(d) > 0 || len(queued(t, book)) > 0 {
		t.Errorf("told of an upgrade: %v", d)
	}

	deleted := webhook.Correction{Kind: "Floor", Name: "mollyguard", By: webhook.ByUnknown, What: webhook.CorrectedDeletion}
	// A fight over one object is one alert.
	got := judged(t, controlled("l"), people.tell, changedByKubectl(), changedByKubectl(), deleted)
	if keys := queued(t, book); len(keys) != 2 {
		t.Errorf("waiting: %v", keys)
	}
	type said struct {
		Verb    operation.Verb
		Phase   operation.Phase
		Outcome operation.Outcome
		Target  operation.Reference
		Changes []string
		Worst   operation.Severity
	}
	var told []said
	for _, d := range got {
		s := said{d.Verb, d.Phase, d.Outcome, d.Target, d.Changes, ""}
		for _, v := range d.Violations {
			if v.Policy == "guard-weakened" {
				s.Worst = v.Severity
			}
		}
		told = append(told, s)
	}
	changed := said{
		operation.Unprotect, operation.Finished, operation.OutcomeAlert,
		operation.Reference{Ref: "k8s://prod-eu/admissionregistration.k8s.io/mutatingwebhookconfigurations/mollyguard", Kind: "MutatingWebhookConfiguration", Name: "mollyguard"},
		[]string{"changed with kubectl-edit, and put right by mollyguard"}, operation.Critical,
	}
	want := []said{changed, changed, {
		operation.Delete, operation.Finished, operation.OutcomeAlert,
		operation.Reference{Ref: "k8s://prod-eu/mollyguard.dev/floors/mollyguard", Kind: "Floor", Name: "mollyguard"},
		[]string{"deleted, and put right by mollyguard"}, operation.Critical,
	}}
	if diff := cmp.Diff(want, told, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
}

func TestWhatIsToldOfACorrectionIsForTheConfigurationToSay(t *testing.T) {
	c := controlled("l")
	c.Enforcement = []config.Enforcement{{Policies: []string{"guard-weakened", "production-unprotect"}, Action: operation.EnforceOff}}
	people, book := openTestAlerting(t)
	if d := judged(t, c, people.tell, changedByKubectl()); len(d) != 1 || d[0].Outcome != operation.OutcomeAllow || len(queued(t, book)) > 0 {
		t.Errorf("decided %v, waiting %v", d, queued(t, book))
	}
}

func TestCorrectionsNeverHoldTheKeeperUp(t *testing.T) {
	corrections := newCorrections("prod-eu", atDeskTime, slog.New(slog.DiscardHandler))
	for range maxCorrections + 1 {
		corrections.corrected(t.Context(), changedByKubectl())
	}
	if len(corrections.waiting) != maxCorrections {
		t.Errorf("%d wait", len(corrections.waiting))
	}
	// One that cannot be told does not end the rest.
	ctx, cancel := context.WithCancel(t.Context())
	tried := 0
	decide := func(context.Context, operation.Operation) operation.Decision { return operation.Decision{} }
	tell := func(context.Context, operation.Decision) error {
		if tried++; tried == maxCorrections {
			cancel()
		}
		return errors.New("disk full")
	}
	if err := corrections.run(ctx, decide, tell); err != nil || tried != maxCorrections {
		t.Errorf("%d tried, %v", tried, err)
	}
}
