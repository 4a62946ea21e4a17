package fault

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mollyguard/mollyguard/test/server"
)

// fault is one thing that fails. The test brings it about, holds what has to be true
// meanwhile, and ends it.
type fault struct {
	name string
	test func(*testing.T, *world)
}

func TestNothingDestroysProductionWhateverFailsOfTheReplicas(t *testing.T) {
	run(t, 5, []fault{
		{"answers as late as a timeoutSeconds of 5", testLate},
		{"all of them killed", testAllKilled},
		{"answers later than a timeoutSeconds of 2", testLate},
		{"one killed under load", testOneKilled},
		{"one hangs", testOneHangs},
		{"all hang", testAllHang},
		{"no room for decisions", testDiskFull},
	})
}

func TestNothingDestroysProductionWhateverFailsAroundTheReplicas(t *testing.T) {
	w := run(t, shortTimeout, []fault{
		{"their way to the API server is cut", testLinkCut},
		{"their way to the API server is silent", testLinkSilent},
		{"the API server does not trust them", testWrongBundle},
		{"etcd stands still", testEtcdStands},
		{"their certificate has expired", testExpired},
	})
	t.Run("the API server restarts", func(t *testing.T) { testAPIServerRestartsLast(t, w) })
	w.spared(t)
}

// run has one fault after the other. Each begins and ends with all as it should be.
func run(t *testing.T, timeoutSeconds int, faults []fault) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("it runs a control plane for most of a minute")
	}
	t.Parallel()
	w := newWorld(t)
	w.start(t, timeoutSeconds)
	w.whole(t)
	w.once(t)
	before := w.traces(t)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			f.test(t, w)
			w.whole(t)
			w.untouched(t, before)
		})
	}
	w.spared(t)
	return w
}

// met is a refusal by a hook or by the floor, whatever the reason.
var met = regexp.MustCompile(`webhook "[^"]*mollyguard\.dev"|ValidatingAdmissionPolicy 'mollyguard`)

// spared holds that the cluster's own machinery was never refused anything by a hook or by
// the floor, and that it did something.
func (w *world) spared(t *testing.T) {
	t.Helper()
	events, err := w.Audit()
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, e := range events {
		if !strings.HasPrefix(e.User.Username, "system:serviceaccount:kube-system:") && e.User.Username != "system:kube-controller-manager" {
			continue
		}
		if e.Verb == "delete" || e.Verb == "update" {
			done++
		}
		if e.ResponseStatus != nil && met.MatchString(e.ResponseStatus.Message) {
			t.Errorf("%s met us: %s %s: %s", e.User.Username, e.Verb, e.RequestURI, e.ResponseStatus.Message)
		}
		for key := range e.Annotations {
			if strings.Contains(key, "mollyguard.dev/") {
				t.Errorf("%s was judged: %s %s", e.User.Username, e.Verb, e.RequestURI)
			}
		}
	}
	if done == 0 {
		t.Error("the controllers have done nothing: this proves nothing about them")
	}
}

// whole waits until all is as it should be, which nobody but what runs brings about: the
// replicas are ready and judge.
func (w *world) whole(t *testing.T) {
	t.Helper()
	eventually(t, "the replicas to be ready", func() error {
		return each(w.replicas, func(s *server.Server) error {
			ctx, cancel := within(t, 0)
			defer cancel()
			if text, err := s.Readyz(ctx); err != nil {
				return errors.Join(err, errors.New(text))
			}
			return nil
		})
	})
	w.judged(t)
	w.passBy(t)
}

// judged waits until who answers knows all that there is to know.
func (w *world) judged(t *testing.T) {
	t.Helper()
	eventually(t, "the policies to refuse", func() error { return w.refused(t, destructive, byPolicy) })
	eventually(t, "the rest to be done", func() error { return w.done(t, slices.Concat(harmless, closed)) })
}
