package certs

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNext(t *testing.T) {
	t.Parallel()
	p := testPolicy(t)
	fresh := mustNext(t, Bundle{}, epoch, p)
	stranger := mustNext(t, Bundle{}, epoch, p)
	day := 24 * time.Hour

	rotating := mustNext(t, fresh, epoch.Add(244*day), p)
	switched := mustNext(t, rotating, epoch.Add(244*day+p.overlap), p)
	renamed := p
	renamed.dnsNames, renamed.ips = []string{"guard.example.com"}, []net.IP{net.IPv4(10, 0, 0, 1)}
	longer := p
	longer.caValidity = 5 * DefaultCAValidity

	tests := []struct {
		name        string
		have        Bundle
		after       time.Duration
		policy      policy
		want        []string // a piece of each change
		authorities int
	}{
		{"an empty store gets an authority and a leaf", Bundle{}, 0, p, []string{"added: there was none", "issued by"}, 1},
		{"a fresh bundle stays as it is", fresh, 0, p, nil, 1},
		{"a clock an hour behind the writer's changes nothing", fresh, -Backdate, p, nil, 1},
		{"a leaf with more than a third left stays", fresh, 60*day - time.Second, p, nil, 1},
		{"a leaf with a third left is renewed", fresh, 60 * day, p, []string{"720h0m0s of it was left"}, 1},
		{"an expired leaf is renewed", fresh, 100 * day, p, []string{"of it was left"}, 1},
		{"a leaf for other names is replaced", fresh, 0, renamed, []string{"it was for mollyguard.mollyguard.svc, not for 10.0.0.1, guard.example.com"}, 1},
		{"a leaf with another leaf's key is replaced", Bundle{fresh.Authorities, Leaf{fresh.Leaf.Certificate, stranger.Leaf.Key}}, 0, p,
			[]string{"its key did not match"}, 1},
		{"a leaf without a key is replaced", Bundle{fresh.Authorities, Leaf{Certificate: fresh.Leaf.Certificate}}, 0, p, []string{"its key did not match"}, 1},
		{"a missing leaf is issued", Bundle{Authorities: fresh.Authorities}, 0, p, []string{"there was none"}, 1},
		{"a leaf of a stranger is replaced", Bundle{fresh.Authorities, stranger.Leaf}, 0, p, []string{"not of the authority"}, 1},
		{"an authority's certificate as a leaf is replaced", Bundle{fresh.Authorities, Leaf{fresh.Authorities[0].Certificate, fresh.Authorities[0].Key}}, 0, p,
			[]string{"it was for , not for"}, 1},
		{"an authority with a third left gets a successor", fresh, 244 * day, p, []string{"added", "of it was left"}, 2},
		{"a successor does not get one itself while it waits", rotating, 244*day + time.Minute, p, nil, 2},
		{"a successor signs after the overlap and retires the old one", rotating, 244*day + p.overlap, p, []string{"issued by", "retired"}, 2},
		{"a retired authority is dropped after another overlap", switched, 244*day + 2*p.overlap, p, []string{"dropped: its last leaf"}, 1},
		{"a program that was off past the end of the old authority catches up at once", rotating, 366 * day, p,
			[]string{"dropped: it has expired", "issued by"}, 1},
		{"a successor may sign before the overlap is over if the old one has ended", mustNext(t, fresh, epoch.Add(365*day-time.Minute), p), 365 * day, p,
			[]string{"dropped: it has expired", "issued by"}, 1},
		{"an expired authority is replaced at once", fresh, 366 * day, p, []string{"dropped: it has expired", "added: there was none", "issued by"}, 1},
		{"authorities that have all lost their keys get a successor that signs at once", retired(fresh), 0, p, []string{"added", "issued by"}, 2},
		{"a longer validity starts an orderly rotation", fresh, 0, longer, []string{"added"}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now := epoch.Add(tt.after)
			before := Bundle{append([]Authority(nil), tt.have.Authorities...), tt.have.Leaf}
			got, changes, err := next(tt.have, now, tt.policy)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, tt.have); diff != "" {
				t.Errorf("the bundle that was given has changed:\n%s", diff)
			}
			if len(changes) != len(tt.want) {
				t.Fatalf("changes are %q, want ones with %q", changes, tt.want)
			}
			for i, want := range tt.want {
				if !strings.Contains(changes[i], want) {
					t.Errorf("change %d is %q, want %q in it", i, changes[i], want)
				}
			}
			if len(tt.want) == 0 {
				if diff := cmp.Diff(tt.have, got); diff != "" {
					t.Errorf("no changes are told, but:\n%s", diff)
				}
			}
			if len(got.Authorities) != tt.authorities {
				t.Errorf("there are %d authorities, want %d", len(got.Authorities), tt.authorities)
			}
			if !usable(got, now) {
				t.Error("the bundle cannot be served")
			}
			if _, changes, err := next(got, now, tt.policy); len(changes) > 0 || err != nil {
				t.Errorf("doing it again changes %q, error %v", changes, err)
			}
		})
	}
}

// retired is a bundle whose authorities have no keys.
func retired(b Bundle) Bundle {
	b.Authorities = append([]Authority(nil), b.Authorities...)
	for i := range b.Authorities {
		b.Authorities[i].Key, b.Authorities[i].Retired = PrivateKey{}, b.Authorities[i].Added
	}
	return b
}

func TestNextTouchesNothingWhenItsClockIsBehind(t *testing.T) {
	t.Parallel()
	p := testPolicy(t)
	fresh := mustNext(t, Bundle{}, epoch, p)
	later := mustNext(t, fresh, epoch.AddDate(0, 3, 0), p) // the same authority, a later leaf

	for _, tt := range []struct {
		name string
		have Bundle
		want string
	}{
		{"an authority of the future", fresh, "stored authority"},
		{"a leaf of the future", later, "stored serving certificate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now := epoch.AddDate(-1, 0, 0)
			if tt.want == "stored serving certificate" {
				now = epoch
			}
			_, _, err := next(tt.have, now, p)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "is this machine's clock right?") {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestALeafNeverOutlivesItsAuthority(t *testing.T) {
	t.Parallel()
	p := testPolicy(t)
	p.leafValidity = p.caValidity
	b := mustNext(t, Bundle{}, epoch, p)
	b = mustNext(t, Bundle{Authorities: b.Authorities}, epoch.AddDate(0, 6, 0), p)
	if got, want := b.Leaf.Certificate.NotAfter, b.Authorities[0].Certificate.NotAfter; !got.Equal(want) {
		t.Errorf("leaf ends %s, authority %s", got, want)
	}
}
