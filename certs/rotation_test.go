package certs

import (
	"testing"
	"time"
)

// moment is what was published at a time.
type moment struct {
	at time.Time
	ca []byte
}

// history is the bundle over time.
type history []moment

// asOf is the bundle that was published at a time, the oldest if that was before all.
func (h history) asOf(at time.Time) []byte {
	ca := h[0].ca
	for _, m := range h {
		if m.at.After(at) {
			break
		}
		ca = m.ca
	}
	return ca
}

// TestNoHandshakeFailsInFourYears steps a clock through renewals and rotations, with two replicas of which one is slow to look, and
// API servers that have the bundle of now, of half an overlap ago, and of a whole overlap ago.
func TestNoHandshakeFailsInFourYears(t *testing.T) {
	t.Parallel()
	const (
		quiet = 72 * time.Hour   // step while there is nothing going on: 4 × 365 d / 3 d = 487 of them
		busy  = 10 * time.Minute // step while two authorities are published, 6 in an overlap
	)
	c, store := newClock(), &memStore{}
	quick, slow := newTestKeeper(t, store, c), newTestKeeper(t, store, c)
	mustSync(t, quick)
	mustSync(t, slow)
	addresses := []string{tlsServer(t, quick), tlsServer(t, slow)}

	published := history{{c.Now(), quick.CABundle()}}
	leaves, authorities := map[string]bool{}, map[string]bool{}
	overlaps, most := 0, 0
	for step := 0; c.Now().Before(epoch.AddDate(4, 0, 0)); step++ {
		mustSync(t, quick)
		if step%4 == 0 { // so for up to half an hour it serves what is replaced already
			mustSync(t, slow)
		}
		now := c.Now()
		if last := published[len(published)-1]; string(last.ca) != string(quick.CABundle()) {
			published = append(published, moment{now, quick.CABundle()})
			overlaps++
		}
		if published[len(published)-1].at.Before(now.Add(-2 * DefaultOverlap)) {
			// All have the same bundle. TLS takes its time, so the replicas take turns.
			mustHandshake(t, addresses[step%2], quick.CABundle(), now)
		} else {
			for _, late := range []time.Duration{0, DefaultOverlap / 2, DefaultOverlap} {
				mustHandshake(t, addresses[0], published.asOf(now.Add(-late)), now)
				mustHandshake(t, addresses[1], published.asOf(now.Add(-late)), now)
			}
		}
		leaves[fingerprint(quick.held.Leaf.Certificate)] = true
		for _, a := range quick.held.Authorities {
			authorities[fingerprint(a.Certificate)] = true
		}
		most = max(most, len(quick.held.Authorities))
		if len(quick.held.Authorities) > 1 {
			c.Add(busy)
		} else {
			c.Add(quiet)
		}
	}

	// 4 × 365 d / 243 d = 6 rotations after the first authority; a leaf every 60 d, and one more where a rotation cuts in.
	if got := len(authorities); got < 6 || got > 7 {
		t.Errorf("there were %d authorities in four years, want 6 or 7", got)
	}
	if got := len(leaves); got < 24 || got > 31 {
		t.Errorf("there were %d leaves in four years, want 24 to 31", got)
	}
	if most != 2 {
		t.Errorf("at most %d authorities were published at a time, want 2", most)
	}
	if len(quick.held.Authorities) == 1 && overlaps != 2*(len(authorities)-1) {
		t.Errorf("the bundle changed %d times, want twice per rotation of %d", overlaps, len(authorities)-1)
	}
	t.Logf("%d authorities, %d leaves, %d saves", len(authorities), len(leaves), store.saves)
}

func TestARotationGoesThroughItsStagesAtTheRightTimes(t *testing.T) {
	t.Parallel()
	p := testPolicy(t)
	b := mustNext(t, Bundle{}, epoch, p)
	old := b.Authorities[0]
	issuedBy := func(b Bundle) string { return b.Leaf.Certificate.Issuer.CommonName }

	due := old.Certificate.NotAfter.Add(-p.caValidity / renewalFraction)
	b = mustNext(t, b, due.Add(-time.Second), p)
	if len(b.Authorities) != 1 {
		t.Fatalf("a second before it is due there are %d authorities, want 1", len(b.Authorities))
	}

	b = mustNext(t, b, due, p)
	if len(b.Authorities) != 2 || nameOf(b.Authorities[1]) != nameOf(old) || issuedBy(b) != nameOf(old) {
		t.Fatalf("when it is due, want a new authority in front and the old one signing, got %d and %q", len(b.Authorities), issuedBy(b))
	}
	young := b.Authorities[0]

	b = mustNext(t, b, due.Add(p.overlap-time.Second), p)
	if issuedBy(b) != nameOf(old) || !canSign(b.Authorities[1]) {
		t.Fatalf("before the overlap is over, want the old authority signing, got %q", issuedBy(b))
	}

	renamed := p
	renamed.dnsNames = []string{"other.mollyguard.svc"}
	if got := mustNext(t, b, due.Add(p.overlap-time.Second), renamed); issuedBy(got) != nameOf(old) {
		t.Fatalf("a leaf that is needed meanwhile is of %q, want the old authority", issuedBy(got))
	}

	b = mustNext(t, b, due.Add(p.overlap), p)
	if len(b.Authorities) != 2 || issuedBy(b) != nameOf(young) || canSign(b.Authorities[1]) || b.Authorities[1].Retired.IsZero() {
		t.Fatalf("when the overlap is over, want a leaf of the new authority, and the old one without a key: %v", b)
	}

	b = mustNext(t, b, due.Add(2*p.overlap-time.Second), p)
	if len(b.Authorities) != 2 {
		t.Fatal("the old authority was dropped while replicas may still serve its leaf")
	}
	b = mustNext(t, b, due.Add(2*p.overlap), p)
	if len(b.Authorities) != 1 || nameOf(b.Authorities[0]) != nameOf(young) {
		t.Fatalf("in the end want the new authority alone, got %d", len(b.Authorities))
	}
}
