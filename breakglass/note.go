package breakglass

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mollyguard/mollyguard/operation"
)

// NoteRequest records that a request is about to be kept; for one that does not come
// through Request.
func (d *Desk) NoteRequest(ctx context.Context, r Request) error {
	text := r.Reason
	if r.Ticket != "" {
		text += " (" + r.Ticket + ")"
	}
	e := d.eventOn(Case{Request: &r}, EventRequested, r.Requester, text)
	e.Decision = r.Decision
	return d.note(ctx, e)
}

// NoteVerdict records that a verdict is about to be kept; for one that does not come
// through Judge. One that is kept already is not told of again.
func (d *Desk) NoteVerdict(ctx context.Context, v Verdict) error {
	c, err := d.store.Case(ctx, v.Request)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(c.Verdicts, func(kept Verdict) bool { return kept.Kind == v.Kind && kept.By.Name == v.By.Name }) {
		return nil
	}
	return d.noteVerdict(ctx, c, v)
}

func (d *Desk) noteVerdict(ctx context.Context, c Case, v Verdict) error {
	kind := map[VerdictKind]EventKind{Approve: EventApproved, Deny: EventDenied, Revoke: EventRevoked}[v.Kind]
	return d.note(ctx, d.eventOn(c, kind, v.By, v.Reason))
}

// NoteImport records that a token from elsewhere was brought; for one that did not
// come through Import.
func (d *Desk) NoteImport(ctx context.Context, actor operation.Actor, g Grant) error {
	return d.note(ctx, d.eventOn(Case{Grant: &g}, EventImported, actor, "issued by "+g.Issuer))
}

// NoteRefused records that somebody was told no at another door than this one: kind
// is EventRefused or EventTokenRefused.
func (d *Desk) NoteRefused(ctx context.Context, kind EventKind, actor operation.Actor, handle, reason string) error {
	return d.note(ctx, Event{Event: kind, Grant: handle, Actor: actor.Identity, Text: reason})
}

// refused notes that somebody was told no, and returns the reason.
func (d *Desk) refused(ctx context.Context, actor operation.Actor, r Request, reason error) error {
	r.ID = ""
	return d.refusedOn(ctx, actor, Case{Request: &r}, reason)
}

func (d *Desk) refusedOn(ctx context.Context, actor operation.Actor, c Case, reason error) error {
	var refusal *Refusal
	if !errors.As(reason, &refusal) {
		return reason
	}
	return errors.Join(reason, d.note(ctx, d.eventOn(c, EventRefused, actor, refusal.Reason)))
}

func (d *Desk) eventOn(c Case, kind EventKind, actor operation.Actor, text string) Event {
	scope := c.Scope()
	return Event{Event: kind, Grant: c.ID(), Actor: actor.Identity, Verbs: scope.Verbs, Targets: scope.Targets, Text: text}
}

// note completes an event and hands it to the recorder.
func (d *Desk) note(ctx context.Context, e Event) error {
	e.Time = d.now().UTC().Truncate(time.Millisecond)
	id, err := d.newID(e.Time)
	if err != nil {
		return err
	}
	e.ID = id
	if e.Verbs == nil {
		e.Verbs = []operation.Verb{}
	}
	if e.Targets == nil {
		e.Targets = []operation.Reference{}
	}
	d.metrics.events.WithLabelValues(string(e.Event)).Inc()
	if err := d.recorder.Note(ctx, e); err != nil {
		return fmt.Errorf("record that %s was %s: %w", e.Grant, e.Event, err)
	}
	return nil
}

func (d *Desk) newID(at time.Time) (string, error) {
	d.entropyLock.Lock()
	defer d.entropyLock.Unlock()
	id, err := ulid.New(ulid.Timestamp(at), d.entropy)
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return id.String(), nil
}

func (d *Desk) newHandle() (string, error) {
	d.entropyLock.Lock()
	defer d.entropyLock.Unlock()
	return NewHandle(d.entropy)
}
