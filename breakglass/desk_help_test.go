package breakglass_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// opening is when the stories of these tests begin.
var opening = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

const (
	alice = "alice@example.com"
	bob   = "bob@example.com"
	carol = "carol@example.com"
	robot = "system:serviceaccount:shop:ci"
)

// clock is a clock that tests set.
type clock struct {
	lock sync.Mutex
	at   time.Time
}

func (c *clock) now() time.Time {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.at
}

func (c *clock) set(at time.Time) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.at = at
}

func (c *clock) add(d time.Duration) { c.set(c.now().Add(d)) }

// rights is an Authorizer: everybody may do what was not taken away from them, and
// act as nobody else.
type rights struct {
	lock          sync.Mutex
	taken         map[string]bool // "approve bob@example.com"
	impersonators map[string]bool // "alice@example.com as bob@example.com"
	err           error
}

func (r *rights) take(right breakglass.Right, name string, taken bool) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.taken[string(right)+" "+name] = taken
}

func (r *rights) Allowed(_ context.Context, actor operation.Actor, right breakglass.Right) (bool, string, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.taken[string(right)+" "+actor.Name] {
		return false, actor.Name + " may not " + string(right), r.err
	}
	return true, "", r.err
}

func (r *rights) MayImpersonate(_ context.Context, actor, other operation.Actor) (bool, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.impersonators[actor.Name+" as "+other.Name], r.err
}

// rulesFunc is issuing policy in a function.
type rulesFunc func(breakglass.Question) (breakglass.Answer, error)

func (f rulesFunc) Judge(_ context.Context, q breakglass.Question) (breakglass.Answer, error) {
	return f(q)
}

func approvals(n int) rulesFunc {
	return func(breakglass.Question) (breakglass.Answer, error) { return breakglass.Answer{Approvals: n}, nil }
}

// notes is a Recorder that keeps events.
type notes struct {
	lock   sync.Mutex
	events []breakglass.Event
	err    error
}

func (n *notes) Note(_ context.Context, e breakglass.Event) error {
	n.lock.Lock()
	defer n.lock.Unlock()
	if n.err == nil {
		n.events = append(n.events, e)
	}
	return n.err
}

// entropy is an endless row of bytes, always the same, that several desks share.
type entropy struct {
	lock   sync.Mutex
	source *rand.ChaCha8
}

func (e *entropy) Read(p []byte) (int, error) {
	e.lock.Lock()
	defer e.lock.Unlock()
	return e.source.Read(p)
}

// stage is a ledger of which single methods can be made to fail.
type stage struct {
	breakglass.Store
	fail map[string]error // by method; "" is every one below
}

func (s stage) Case(ctx context.Context, id string) (breakglass.Case, error) {
	if err := s.fail["Case"]; err != nil {
		return breakglass.Case{}, err
	}
	return s.Store.Case(ctx, id)
}

func (s stage) CasesOf(ctx context.Context, subject string) ([]breakglass.Case, error) {
	if err := s.fail["CasesOf"]; err != nil {
		return nil, err
	}
	return s.Store.CasesOf(ctx, subject)
}

func (s stage) CreateUse(ctx context.Context, u breakglass.Use) error {
	if err := s.fail["CreateUse"]; err != nil {
		return err
	}
	return s.Store.CreateUse(ctx, u)
}

var errDown = errors.New("the disk is gone")

// office is a desk with all that is behind it.
type office struct {
	testing.TB
	*breakglass.Desk
	options breakglass.DeskOptions
	clock   *clock
	rights  *rights
	notes   *notes
	rules   rulesFunc // what is asked now; one approval at first
	store   stage
	keys    *breakglass.Keyring
	keyFile string
}

func newOffice(t testing.TB, change func(*breakglass.DeskOptions)) *office {
	t.Helper()
	folder := t.TempDir()
	store, err := ledger.Open(filepath.Join(folder, "ledger.db"), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	o := &office{
		TB: t, clock: &clock{at: opening}, rules: approvals(1), notes: &notes{}, keyFile: filepath.Join(folder, "keys.json"),
		rights: &rights{taken: map[string]bool{}, impersonators: map[string]bool{}},
		store:  stage{store, map[string]error{}},
	}
	o.keys = o.keyring("mollyguard/prod-eu", o.keyFile, 1)
	o.options = breakglass.DeskOptions{
		Store: o.store, Keys: o.keys, Authorizer: o.rights, Recorder: o.notes, Audience: "prod-eu", Now: o.clock.now,
		Rules:   rulesFunc(func(q breakglass.Question) (breakglass.Answer, error) { return o.rules(q) }),
		Entropy: &entropy{source: rand.NewChaCha8([32]byte{1})},
	}
	if change != nil {
		change(&o.options)
	}
	o.Desk = o.another(nil)
	return o
}

// another is a second desk on the same store.
func (o *office) another(change func(*breakglass.DeskOptions)) *breakglass.Desk {
	o.Helper()
	options := o.options
	if change != nil {
		change(&options)
	}
	desk, err := breakglass.NewDesk(options)
	o.must(err)
	return desk
}

func (o *office) keyring(issuer, file string, seed byte, trusted ...breakglass.TrustedIssuer) *breakglass.Keyring {
	o.Helper()
	store, err := breakglass.NewFileKeyStore(file)
	o.must(err)
	keys, err := breakglass.NewKeyring(o.Context(), breakglass.KeyringOptions{
		Issuer: issuer, Store: store, Now: o.clock.now, Entropy: rand.NewChaCha8([32]byte{seed}), Trusted: trusted,
	})
	o.must(err)
	return keys
}

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// person is somebody who was authenticated without a word about how.
func person(name string) operation.Actor {
	return operation.Actor{Identity: operation.Identity{Name: name, Kind: operation.Human, Via: "kubectl"}}
}

func machine(name string, kind operation.ActorKind) operation.Actor {
	return operation.Actor{Identity: operation.Identity{Name: name, Kind: kind}}
}

// deployment is an object in namespace shop.
func deployment(name, uid string) operation.Reference {
	return operation.Reference{
		Ref:  operation.KubernetesRef("prod-eu", "apps", "deployments", "shop", name),
		Kind: "Deployment", Namespace: "shop", Name: name, UID: uid,
	}
}

var web = deployment("web", "u-1")

// proposal is to delete things.
func proposal(targets ...operation.Reference) breakglass.Proposal {
	return breakglass.Proposal{
		Scope:  breakglass.Scope{Surface: operation.Kubernetes, Verbs: []operation.Verb{operation.Delete}, Targets: targets},
		Reason: "the old shop goes", Ticket: "OPS-7",
	}
}

// deletion is what alice tries.
func deletion(target operation.Reference) *operation.Operation {
	return &operation.Operation{
		Surface: operation.Kubernetes, Verb: operation.Delete, Phase: operation.Requested,
		Actor: person(alice), Target: operation.Target{Reference: target},
	}
}

// ask lets alice ask, and returns the handle.
func (o *office) ask(p breakglass.Proposal) string {
	o.Helper()
	view, err := o.Request(o.Context(), person(alice), p)
	o.must(err)
	return view.ID()
}

func (o *office) judge(name, id string, kind breakglass.VerdictKind) breakglass.View {
	o.Helper()
	view, err := o.Judge(o.Context(), person(name), id, kind, "seen it")
	o.must(err)
	return view
}

// granted lets alice ask and bob approve.
func (o *office) granted(p breakglass.Proposal) string {
	o.Helper()
	id := o.ask(p)
	if view := o.judge(bob, id, breakglass.Approve); view.Grant == nil {
		o.Fatalf("not granted: %+v", view.Standing)
	}
	return id
}

// passed is what try says of what was let through.
const passed = "passed"

// try tries an operation, as the guard does, and says what came of it.
func (o *office) try(op *operation.Operation) string {
	o.Helper()
	return tryAt(o.Context(), o.Desk, op)
}

func tryAt(ctx context.Context, desk *breakglass.Desk, op *operation.Operation) string {
	found, err := desk.Find(ctx, op, operation.High)
	if err != nil {
		return "undecided: " + err.Error()
	}
	reasons := found.Refused
	for _, pass := range found.Passes {
		err := pass.Take(ctx, "01KAK0Z5T2N3W0QF1T3Q6V7X8Y")
		if err == nil {
			return passed
		}
		reasons = append(reasons, outcome(err))
	}
	if len(reasons) == 0 {
		return "no grant"
	}
	return strings.Join(reasons, "; ")
}

// outcome says why something was refused, or that it could not be decided.
func outcome(err error) string {
	refusal, ok := errors.AsType[*breakglass.Refusal](err)
	switch {
	case err == nil:
		return passed
	case ok:
		return refusal.Reason
	}
	return "undecided: " + err.Error()
}

// same compares what was said, with the handle of a case written ID.
func (o *office) same(id, want, got string) {
	o.Helper()
	if id != "" {
		got = strings.ReplaceAll(got, id, "ID")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		o.Errorf("what came of it (-want +got):\n%s", diff)
	}
}

// standing is what a case is worth in two words: its state, and why.
func (o *office) standing(id string) string {
	o.Helper()
	view, err := o.View(o.Context(), id)
	o.must(err)
	return string(view.Standing.State) + ": " + view.Standing.Why
}
