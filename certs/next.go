package certs

import (
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// next is the whole decision: what the bundle should be at now, and why it differs from what it is (nothing to say means that it
// does not). It is pure, but for the keys that it makes, and what it returns shares nothing that it would change.
//
// The order of the steps is the rotation that the package comment draws. Each looks only at the state that the step before it left,
// so a program that was off for months catches up in one call.
func next(have Bundle, now time.Time, p policy) (Bundle, []string, error) {
	if err := checkClock(have, now); err != nil {
		return Bundle{}, nil, err
	}
	var changes []string
	b := Bundle{Leaf: have.Leaf}

	for _, a := range have.Authorities {
		if reason := endOf(a, now, p); reason != "" {
			changes = append(changes, fmt.Sprintf("authority %q dropped: %s", nameOf(a), reason))
			continue
		}
		b.Authorities = append(b.Authorities, a)
	}

	if reason := authorityDue(b, now, p); reason != "" {
		var err error
		if b, err = withNewAuthority(b, now, p); err != nil {
			return Bundle{}, nil, err
		}
		changes = append(changes, fmt.Sprintf("authority %q added: %s", nameOf(b.Authorities[0]), reason))
	}

	signer := signerOf(b, now, p)
	if reason := leafDue(b.Leaf, b.Authorities[signer], now, p); reason != "" {
		leaf, err := newLeaf(b.Authorities[signer], now, p)
		if err != nil {
			return Bundle{}, nil, err
		}
		b.Leaf = leaf
		changes = append(changes, fmt.Sprintf("serving certificate issued by %q: %s", nameOf(b.Authorities[signer]), reason))
	}

	for i := signer + 1; i < len(b.Authorities); i++ {
		if a := &b.Authorities[i]; a.Retired.IsZero() {
			a.Retired, a.Key = now.Round(0).UTC(), PrivateKey{}
			changes = append(changes, fmt.Sprintf("authority %q retired: no leaf of it is in use", nameOf(*a)))
		}
	}
	return b, changes, nil
}

// checkClock refuses to judge certificates that are not valid yet. They were made by somebody whose clock is ahead of ours, and if
// each replaced the other's work, no API server would ever have the right bundle.
func checkClock(b Bundle, now time.Time) error {
	for _, a := range b.Authorities {
		if now.Before(a.Certificate.NotBefore) {
			return fmt.Errorf("stored authority %q %w", nameOf(a), validAt(a.Certificate, now))
		}
	}
	if c := b.Leaf.Certificate; c != nil && now.Before(c.NotBefore) {
		return fmt.Errorf("stored serving certificate %w", validAt(c, now))
	}
	return nil
}

// endOf says why an authority need not be trusted any more, "" if it must.
func endOf(a Authority, now time.Time, p policy) string {
	switch {
	case !now.Before(a.Certificate.NotAfter):
		return "it has expired"
	case !a.Retired.IsZero() && !now.Before(a.Retired.Add(p.overlap)):
		return fmt.Sprintf("its last leaf was replaced more than %s ago", p.overlap)
	}
	return ""
}

// authorityDue says why there must be a new authority, "" if there need not.
func authorityDue(b Bundle, now time.Time, p policy) string {
	newest := slices.IndexFunc(b.Authorities, canSign)
	if newest < 0 {
		return "there was none that can sign"
	}
	if left := b.Authorities[newest].Certificate.NotAfter.Sub(now); left <= p.caValidity/renewalFraction {
		return fmt.Sprintf("%q ends in %s", nameOf(b.Authorities[newest]), left.Round(time.Second))
	}
	return ""
}

// withNewAuthority puts a new authority in front. It does not sign yet, unless it is the only one.
func withNewAuthority(b Bundle, now time.Time, p policy) (Bundle, error) {
	a, err := newAuthority(now, p)
	if err != nil {
		return Bundle{}, err
	}
	b.Authorities = append([]Authority{a}, b.Authorities...)
	return b, nil
}

// signerOf is the index of the authority that signs: the newest that everybody has had time to learn of, or else, as somebody
// must, the one that has been known longest. There is one that can, after authorityDue has been obeyed.
func signerOf(b Bundle, now time.Time, p policy) int {
	signer := 0
	for i, a := range b.Authorities {
		if !canSign(a) {
			continue
		}
		signer = i
		if settled(a, now, p) {
			break
		}
	}
	return signer
}

// rotating says that there is a new authority which waits for its time.
func rotating(b Bundle) bool {
	able := 0
	for _, a := range b.Authorities {
		if canSign(a) {
			able++
		}
	}
	return able > 1
}

func canSign(a Authority) bool { return !a.Key.IsZero() }

// settled says that an authority has been published for long enough that every API server has it.
func settled(a Authority, now time.Time, p policy) bool { return !now.Before(a.Added.Add(p.overlap)) }

// leafDue says why the leaf must be issued anew by signer, "" if it need not.
func leafDue(leaf Leaf, signer Authority, now time.Time, p policy) string {
	c := leaf.Certificate
	switch {
	case c == nil:
		return "there was none"
	case !leaf.Key.fits(c):
		return "its key did not match"
	case c.CheckSignatureFrom(signer.Certificate) != nil:
		return "it was not of the authority that signs now"
	case !slices.Equal(names(c.DNSNames, c.IPAddresses), names(p.dnsNames, p.ips)):
		return fmt.Sprintf("it was for %s, not for %s",
			strings.Join(names(c.DNSNames, c.IPAddresses), ", "), strings.Join(names(p.dnsNames, p.ips), ", "))
	}
	left := c.NotAfter.Sub(now)
	// Where the authority ends soon a new leaf would end no later than this one: it would be issued again and again.
	if left <= p.leafValidity/renewalFraction && leafNotAfter(signer, now, p).After(c.NotAfter) {
		return fmt.Sprintf("%s of it was left", left.Round(time.Second))
	}
	roots := x509.NewCertPool()
	roots.AddCert(signer.Certificate)
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now}); err != nil {
		return fmt.Sprintf("it did not verify: %v", err)
	}
	return ""
}

// names is everything that a certificate is for, comparable and readable.
func names(dns []string, ips []net.IP) []string {
	list := slices.Clone(dns)
	for _, ip := range ips {
		list = append(list, ip.String())
	}
	slices.Sort(list)
	return list
}

func nameOf(a Authority) string { return a.Certificate.Subject.CommonName }
