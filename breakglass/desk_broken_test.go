package breakglass_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

func TestWhatCannotBeFoundOutIsNoPass(t *testing.T) {
	for _, tt := range []struct {
		name   string
		breaks func(o *office)
		want   string
	}{
		{"whose grants there are", func(o *office) { o.store.fail["CasesOf"] = errDown }, "undecided: look for grants: the disk is gone"},
		{"how often it was used", func(o *office) { o.store.fail["Case"] = errDown }, "undecided: count uses of ID: the disk is gone"},
		{"whether the use was kept", func(o *office) { o.store.fail["CreateUse"] = errDown }, "undecided: take a use of ID: the disk is gone"},
		{"whether the use was told of", func(o *office) { o.notes.err = errDown }, "undecided: record that ID was used: the disk is gone"},
		{
			"what policy says", func(o *office) {
				o.rules = func(breakglass.Question) (breakglass.Answer, error) { return breakglass.Answer{}, errDown }
			}, "undecided: weigh ID: ask issuing policy: the disk is gone",
		},
		{"whether the approver still may", func(o *office) { o.rights.err = errDown }, "undecided: weigh ID: ask whether bob@example.com may approve: the disk is gone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, nil)
			id := o.granted(proposal(web))
			tt.breaks(o)
			o.same(id, tt.want, o.try(deletion(web)))
		})
	}
}

func TestASealThatCannotBeCheckedIsNoPass(t *testing.T) {
	o := newOffice(t, nil)
	rotated := o.keyring("mollyguard/prod-eu", o.keyFile, 2) // another replica
	_, err := rotated.Rotate(t.Context())
	o.must(err)
	id := o.ask(proposal(web))
	_, err = o.another(func(options *breakglass.DeskOptions) { options.Keys = rotated }).Judge(t.Context(), person(bob), id, breakglass.Approve, "")
	o.must(err)

	o.must(os.Chmod(o.keyFile, 0o644))
	got := o.try(deletion(web))
	if want := "undecided: weigh ID: look for an unknown break-glass key: load keys: "; !strings.HasPrefix(strings.ReplaceAll(got, id, "ID"), want) {
		t.Errorf("got %s, want %s…", got, want)
	}
	o.must(os.Chmod(o.keyFile, 0o600))
	o.clock.add(lookAgain)
	o.same(id, passed, o.try(deletion(web)))
}

// lookAgain is more than the least time between two looks at the key file.
const lookAgain = 10e9

func TestWhatCannotBeFoundOutOfOneGrantKeepsNoOtherFromWorking(t *testing.T) {
	o := newOffice(t, nil)
	broken, good := o.granted(proposal(web)), o.granted(proposal(web))
	o.rules = func(q breakglass.Question) (breakglass.Answer, error) {
		if q.Request.ID == broken {
			return breakglass.Answer{}, errDown
		}
		return breakglass.Answer{Approvals: 1}, nil
	}
	found, err := o.Find(t.Context(), deletion(web), operation.High)
	o.must(err)
	if len(found.Passes) != 1 || found.Passes[0].Grant.ID != good {
		t.Errorf("got %+v, want a pass of %s", found, good)
	}
	o.same(broken, "weigh ID: ask issuing policy: the disk is gone", strings.Join(found.Refused, "; "))
}

func TestAUseOfWhichNobodyHeardIsFoundAgain(t *testing.T) {
	o := newOffice(t, nil)
	api := deployment("api", "u-7")
	id := o.granted(proposal(web, api))
	o.notes.err = errDown
	o.same(id, "undecided: record that ID was used: the disk is gone", o.try(deletion(web)))
	o.notes.err = nil
	o.same(id, passed, o.try(deletion(web)))
	o.same(id, "ID: used up: delete of "+web.Ref+" at 2026-11-21T03:00:00Z", o.try(deletion(api)))
}

func TestADeskThatLacksAPartIsNotMade(t *testing.T) {
	o := newOffice(t, nil)
	for name, remove := range map[string]func(*breakglass.DeskOptions){
		"store":      func(options *breakglass.DeskOptions) { options.Store = nil },
		"keys":       func(options *breakglass.DeskOptions) { options.Keys = nil },
		"rules":      func(options *breakglass.DeskOptions) { options.Rules = nil },
		"authorizer": func(options *breakglass.DeskOptions) { options.Authorizer = nil },
		"recorder":   func(options *breakglass.DeskOptions) { options.Recorder = nil },
		"audience":   func(options *breakglass.DeskOptions) { options.Audience = "" },
		"entropy":    func(options *breakglass.DeskOptions) { options.Entropy = nil },
	} {
		options := o.options
		remove(&options)
		if _, err := breakglass.NewDesk(options); err == nil {
			t.Errorf("without %s: it is made", name)
		}
	}
}

func TestARequestWithoutEntropyIsNotMade(t *testing.T) {
	o := newOffice(t, func(options *breakglass.DeskOptions) { options.Entropy = strings.NewReader("short") })
	_, err := o.Request(t.Context(), person(alice), proposal(web))
	if err == nil || errors.As(err, new(*breakglass.Refusal)) {
		t.Errorf("got %v", err)
	}
	if cases, err := o.List(t.Context()); err != nil || len(cases) > 0 {
		t.Errorf("kept %v, %v", cases, err)
	}
}
