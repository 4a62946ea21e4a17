package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook/index"
)

var night = time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC)

// holding are parents that hold production, as somebody knows them.
type holding struct {
	holders index.Holders
	unknown error
	unread  error
	changed chan struct{}
}

func (h *holding) Holders() index.Holders   { return h.holders }
func (h *holding) Synced() error            { return h.unknown }
func (h *holding) Complete() error          { return h.unread }
func (h *holding) Changed() <-chan struct{} { return h.changed }

// granting are cases, and what each is worth.
type granting struct {
	cases  []breakglass.Case
	states map[string]breakglass.State
	err    error
}

func (g *granting) Cases(context.Context, int) ([]breakglass.Case, error) { return g.cases, g.err }

func (g *granting) Weigh(_ context.Context, c breakglass.Case, _ operation.Severity, _ time.Time) (breakglass.Standing, error) {
	state, ok := g.states[c.ID()]
	if !ok {
		return breakglass.Standing{}, errors.New("policy cannot be asked")
	}
	return breakglass.Standing{State: state}, nil
}

type contentWorld struct {
	*FloorContent
	holding  *holding
	granting *granting
	now      time.Time
	log      *bytes.Buffer
}

func newContentWorld(t *testing.T, there ...client.Object) *contentWorld {
	t.Helper()
	known := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(known); err != nil {
		t.Fatal(err)
	}
	w := &contentWorld{holding: &holding{changed: make(chan struct{}, 1)}, granting: &granting{states: map[string]breakglass.State{}}, now: night, log: &bytes.Buffer{}}
	w.FloorContent = NewFloorContent(FloorContentOptions{
		Client: fake.NewClientBuilder().WithScheme(known).WithObjects(there...).Build(), Name: "mollyguard",
		Parents: func() Parents { return w.holding }, Cases: func() Cases { return w.granting },
		Now: func() time.Time { return w.now }, Log: slog.New(slog.NewTextHandler(w.log, nil)),
	})
	return w
}

// look returns what the Floor should hold, when to look again, and what went wrong.
func (w *contentWorld) look(t *testing.T) (v1alpha1.FloorSpec, time.Time, error) {
	t.Helper()
	_, next, err := w.Look(t.Context())
	spec := w.Spec()
	if spec == nil {
		t.Fatalf("nothing is known: %v", err)
	}
	return *spec, next, err
}

const (
	webRef = "k8s://prod-eu/apps/deployments/shop/web"
	dbRef  = "k8s://prod-eu/apps/statefulsets/shop/db"
)

// grant makes a case of a grant to delete two objects until an hour from now.
func grant(id string) breakglass.Case {
	return breakglass.Case{
		Request: &breakglass.Request{ID: id},
		Grant: &breakglass.Grant{
			ID: id, Subject: "alice", Credential: "c", NotBefore: night, Expires: night.Add(time.Hour),
			Scope: breakglass.Scope{
				Surface: operation.Kubernetes, Verbs: []operation.Verb{operation.Delete},
				Targets: []operation.Reference{{Ref: webRef, UID: "u"}, {Ref: dbRef}}, Objects: 1,
			},
		},
	}
}

func floorGrant(id, ref, uid, credential string, expires time.Time) v1alpha1.FloorGrant {
	return v1alpha1.FloorGrant{Grant: id, User: "alice", Credential: credential, Ref: ref, UID: uid, Verbs: []v1alpha1.Verb{"delete"}, Expires: metav1.Time{Time: expires}}
}

func TestWhatIsNotKnownYetStaysAsItWasWritten(t *testing.T) {
	w := newContentWorld(t, &v1alpha1.Floor{ObjectMeta: metav1.ObjectMeta{Name: "mollyguard"}, Spec: v1alpha1.FloorSpec{Complete: true, Namespaces: []string{"shop"}}})
	w.holding.unknown = errors.New("not read yet")
	before, _, err := w.look(t)
	if err != nil {
		t.Fatal(err)
	}
	w.holding.unknown, w.holding.holders = nil, index.Holders{Namespaces: []string{"live"}, Definitions: []string{"widgets.example.com"}}
	after, _, err := w.look(t)
	if err != nil {
		t.Fatal(err)
	}
	want := []v1alpha1.FloorSpec{
		{Complete: true, Namespaces: []string{"shop"}},
		{Complete: true, Namespaces: []string{"live"}, Definitions: []string{"widgets.example.com"}},
	}
	if diff := cmp.Diff(want, []v1alpha1.FloorSpec{before, after}); diff != "" {
		t.Errorf("before and after the index was read (-want +got):\n%s", diff)
	}
}

func TestAFloorThatNobodyWroteKnowsNothingUntilTheIndexDoes(t *testing.T) {
	w := newContentWorld(t)
	w.holding.unknown = errors.New("not read yet")
	got, _, err := w.look(t)
	if diff := cmp.Diff(v1alpha1.FloorSpec{}, got); diff != "" || err != nil {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
}

func TestMoreThanTheFloorTakesIsSaid(t *testing.T) {
	w := newContentWorld(t)
	for i := range v1alpha1.MaxFloorNamespaces + 1 {
		w.holding.holders.Namespaces = append(w.holding.holders.Namespaces, fmt.Sprintf("n%05d", i))
	}
	for i := range v1alpha1.MaxFloorGrants {
		id := fmt.Sprintf("bg-%d", i)
		w.granting.cases, w.granting.states[id] = append(w.granting.cases, grant(id)), breakglass.Active
	}
	got, _, err := w.look(t)
	if got.Complete || len(got.Namespaces) != v1alpha1.MaxFloorNamespaces || len(got.Grants) != v1alpha1.MaxFloorGrants || err != nil {
		t.Errorf("complete: %t, %d namespaces, %d grants: %v", got.Complete, len(got.Namespaces), len(got.Grants), err)
	}
	said := func() []string {
		var lines []string
		for line := range strings.Lines(w.log.String()) {
			_, line, _ = strings.Cut(line, "level=")
			lines = append(lines, strings.TrimSpace(line))
		}
		return lines
	}
	want := []string{
		`ERROR msg="the floor does not hold all that it should" about=parents error="more namespaces or definitions hold production than the 5000 and 1000 that the floor takes: without a grant it refuses to delete any"`,
		`ERROR msg="the floor does not hold all that it should" about=grants error="more objects are granted than the 500 that the floor takes: those that end last are left out, and refused by it"`,
	}
	w.holding.holders.Namespaces = append(w.holding.holders.Namespaces, "shop") // one more is no news
	w.look(t)
	if diff := cmp.Diff(want, said()); diff != "" {
		t.Errorf("the log after two looks (-want +got):\n%s", diff)
	}
	w.holding.holders.Namespaces, w.granting.cases = nil, nil
	w.look(t)
	want = append(want, `INFO msg="the floor holds all that it should again" about=parents`, `INFO msg="the floor holds all that it should again" about=grants`)
	if diff := cmp.Diff(want, said()); diff != "" {
		t.Errorf("the log after there was less (-want +got):\n%s", diff)
	}
}

func TestWhatCannotBeReadLeavesWhatWasKnownBeforeAndIsNotComplete(t *testing.T) {
	w := newContentWorld(t, &v1alpha1.Floor{ObjectMeta: metav1.ObjectMeta{Name: "mollyguard"}, Spec: v1alpha1.FloorSpec{
		Complete: true, Namespaces: []string{"live", "shop"}, Definitions: []string{"widgets.example.com"},
	}})
	w.holding.unread = errors.New("1 kinds or API groups can't be read: secrets")
	w.holding.holders = index.Holders{Namespaces: []string{"bank", "live"}}
	before, _, err := w.look(t)
	if err != nil {
		t.Fatal(err)
	}
	w.holding.unread = nil
	after, _, err := w.look(t)
	if err != nil {
		t.Fatal(err)
	}
	want := []v1alpha1.FloorSpec{
		{Namespaces: []string{"bank", "live", "shop"}, Definitions: []string{"widgets.example.com"}},
		{Complete: true, Namespaces: []string{"bank", "live"}},
	}
	if diff := cmp.Diff(want, []v1alpha1.FloorSpec{before, after}); diff != "" {
		t.Errorf("while a kind cannot be read, and after (-want +got):\n%s", diff)
	}
}

func TestAGrantThatCannotBeWeighedKeepsNothingButItselfAsItWas(t *testing.T) {
	w := newContentWorld(t)
	w.granting.cases = []breakglass.Case{grant("bg-1"), grant("bg-2"), grant("bg-3")}
	for _, id := range []string{"bg-1", "bg-2", "bg-3"} {
		w.granting.states[id] = breakglass.Active
	}
	if _, _, err := w.look(t); err != nil {
		t.Fatal(err)
	}
	delete(w.granting.states, "bg-1") // cannot be weighed
	delete(w.granting.states, "bg-2") // neither, but was revoked
	w.granting.cases[1].Verdicts = []breakglass.Verdict{{Kind: breakglass.Revoke}}
	w.granting.states["bg-3"] = breakglass.Void // the policy thinks otherwise now
	w.granting.cases, w.granting.states["bg-4"] = append(w.granting.cases, grant("bg-4")), breakglass.Active
	got, _, err := w.look(t)
	if err == nil || !strings.Contains(err.Error(), "weigh grant bg-1") {
		t.Errorf("the error is %v", err)
	}
	end := night.Add(time.Hour + breakglass.Leeway)
	want := []v1alpha1.FloorGrant{
		floorGrant("bg-1", webRef, "u", "c", end), floorGrant("bg-1", dbRef, "", "c", end),
		floorGrant("bg-4", webRef, "u", "c", end), floorGrant("bg-4", dbRef, "", "c", end),
	}
	if diff := cmp.Diff(want, got.Grants); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
	w.now = night.Add(2 * time.Hour)
	if got, _, _ := w.look(t); len(got.Grants) != 0 {
		t.Errorf("after their end: %v", got.Grants)
	}
}

func TestGrantsForWhatTheFloorDoesNotJudgeAreLeftOut(t *testing.T) {
	w := newContentWorld(t)
	both, other := grant("bg-1"), grant("bg-2")
	both.Grant.Scope.Verbs = []operation.Verb{operation.ScaleToZero, operation.Delete}
	other.Grant.Scope.Verbs = []operation.Verb{operation.ScaleToZero, operation.Evict}
	other.Uses = []breakglass.Use{{Grant: "bg-2", Target: operation.Reference{Ref: webRef}, Verb: operation.Evict, Actor: "alice", At: night}}
	w.granting.cases = []breakglass.Case{both, other}
	w.granting.states["bg-1"], w.granting.states["bg-2"] = breakglass.Active, breakglass.Active
	got, _, err := w.look(t)
	end := night.Add(time.Hour + breakglass.Leeway)
	want := []v1alpha1.FloorGrant{floorGrant("bg-1", webRef, "u", "c", end), floorGrant("bg-1", dbRef, "", "c", end)}
	slices.SortFunc(want, func(a, b v1alpha1.FloorGrant) int { return strings.Compare(a.Ref, b.Ref) })
	if diff := cmp.Diff(want, got.Grants); diff != "" || err != nil {
		t.Errorf("%v, grants (-want +got):\n%s", err, diff)
	}
}

func TestTheFloorHoldsWhatIsGrantedNow(t *testing.T) {
	used := func(c breakglass.Case, state breakglass.UseState) breakglass.Case {
		c.Uses = []breakglass.Use{{Grant: c.ID(), Target: operation.Reference{Ref: webRef, UID: "u"}, Verb: operation.Delete, Actor: "alice", At: night.Add(-10 * time.Second), State: state}}
		return c
	}
	revoked := func(c breakglass.Case) breakglass.Case {
		c.Verdicts = []breakglass.Verdict{{Kind: breakglass.Revoke}}
		return c
	}
	elsewhere := grant("bg-1")
	elsewhere.Grant.Scope.Surface = operation.GCP
	ended := grant("bg-1")
	ended.Grant.Expires = night.Add(-breakglass.Leeway)
	later := grant("bg-1")
	later.Grant.NotBefore = night.Add(10 * time.Minute)
	presented := used(breakglass.Case{Uses: []breakglass.Use{{Grant: "bg-1"}}}, breakglass.Reserved)
	presented.Uses[0].Grant = "bg-1"
	end, repeat := night.Add(time.Hour+breakglass.Leeway), night.Add(50*time.Second)
	all := []v1alpha1.FloorGrant{floorGrant("bg-1", webRef, "u", "c", end), floorGrant("bg-1", dbRef, "", "c", end)}
	slices.SortFunc(all, func(a, b v1alpha1.FloorGrant) int { return strings.Compare(a.Ref, b.Ref) })
	lately := []v1alpha1.FloorGrant{floorGrant("bg-1", webRef, "u", "", repeat)}
	for _, tt := range []struct {
		name  string
		c     breakglass.Case
		state breakglass.State
		want  []v1alpha1.FloorGrant
		next  time.Time
	}{
		{"one that can be used", grant("bg-1"), breakglass.Active, all, end},
		{"one that is not approved any more", grant("bg-1"), breakglass.Void, nil, time.Time{}},
		{"one that begins later", later, breakglass.Scheduled, nil, night.Add(10 * time.Minute)},
		{"one that has ended", ended, breakglass.Active, nil, time.Time{}},
		{"one that was revoked", revoked(used(grant("bg-1"), breakglass.Reserved)), breakglass.Revoked, nil, time.Time{}},
		{"one for the cloud", elsewhere, breakglass.Active, nil, time.Time{}},
		{"one that was used up a moment ago, for its repeat", used(grant("bg-1"), breakglass.Reserved), breakglass.Used, lately, repeat},
		{"one whose use was given back", used(grant("bg-1"), breakglass.Released), breakglass.Used, nil, time.Time{}},
		{"a token that was presented a moment ago", presented, breakglass.Void, lately, repeat},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newContentWorld(t)
			w.granting.cases, w.granting.states["bg-1"] = []breakglass.Case{tt.c}, tt.state
			got, next, err := w.look(t)
			if diff := cmp.Diff(tt.want, got.Grants); diff != "" || err != nil || !next.Equal(tt.next) {
				t.Errorf("%v, look again at %v, want %v; grants (-want +got):\n%s", err, next, tt.next, diff)
			}
		})
	}
}

func TestGrantsThatCannotBeReadStayUntilTheyEnd(t *testing.T) {
	w := newContentWorld(t)
	w.granting.cases, w.granting.states["bg-1"] = []breakglass.Case{grant("bg-1")}, breakglass.Active
	if _, _, err := w.look(t); err != nil {
		t.Fatal(err)
	}
	w.granting.err = errors.New("no answer")
	var counts []int
	for _, w.now = range []time.Time{night.Add(time.Hour), night.Add(2 * time.Hour)} {
		got, _, err := w.look(t)
		if !errors.Is(err, w.granting.err) {
			t.Errorf("the error is %v", err)
		}
		counts = append(counts, len(got.Grants))
	}
	if diff := cmp.Diff([]int{2, 0}, counts); diff != "" {
		t.Errorf("grants before and after their end (-want +got):\n%s", diff)
	}
}

func TestTheContentIsLookedAtWhenSomethingChanges(t *testing.T) {
	w := newContentWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changed, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- w.Run(ctx, nil, func() {
			select {
			case changed <- struct{}{}:
			case <-ctx.Done():
			}
		})
	}()
	<-changed
	first := w.Spec()
	w.holding.holders.Namespaces = []string{"shop"}
	w.holding.changed <- struct{}{}
	<-changed
	second := w.Spec()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	want := []*v1alpha1.FloorSpec{{Complete: true}, {Complete: true, Namespaces: []string{"shop"}}}
	if diff := cmp.Diff(want, []*v1alpha1.FloorSpec{first, second}); diff != "" {
		t.Errorf("the content (-want +got):\n%s", diff)
	}
}
