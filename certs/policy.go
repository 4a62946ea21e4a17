package certs

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

const (
	// DefaultCAValidity is how long an authority is valid: a year. It is replaced when a third of that is left: 365 d / 3 = 121 d,
	// enough for a last leaf of 90 d and for a program that was switched off for a whole winter.
	DefaultCAValidity = 365 * 24 * time.Hour

	// DefaultLeafValidity is how long a serving certificate is valid: 90 d. It is renewed when a third of that, 30 d, is left:
	// a store may be out of reach for a month before anybody notices.
	DefaultLeafValidity = 90 * 24 * time.Hour

	// DefaultOverlap is how late an API server may be: an hour. It learns of a new caBundle from a watch within a second; a
	// watch that broke is made anew within minutes; our own replicas look every minute ([DefaultInterval], 60 times in 1 h).
	DefaultOverlap = time.Hour

	// Backdate is how far NotBefore lies in the past, for API servers whose clock is behind: an hour, as a clock is usually
	// off by seconds, or by the hour of a botched daylight saving.
	Backdate = time.Hour

	// renewalFraction of a validity is left when a certificate is renewed.
	renewalFraction = 3

	// overlapFraction bounds the overlap to half of the time in which an authority's successor is ready: 1/3 × 1/2 of its
	// validity. The switch is over by then.
	overlapFraction = 2 * renewalFraction
)

// policy is what [next] works towards.
type policy struct {
	dnsNames     []string // sorted, lower case, no duplicates
	ips          []net.IP // likewise, by their text
	caValidity   time.Duration
	leafValidity time.Duration
	overlap      time.Duration
}

// newPolicy completes and validates, and reports all problems at once.
func newPolicy(o KeeperOptions) (policy, error) {
	p := policy{
		caValidity:   orDefault(o.CAValidity, DefaultCAValidity),
		leafValidity: orDefault(o.LeafValidity, DefaultLeafValidity),
		overlap:      orDefault(o.Overlap, DefaultOverlap),
	}
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	if len(o.DNSNames)+len(o.IPs) == 0 {
		problem("DNSNames: the certificate needs at least one name or IP")
	}
	for i, name := range o.DNSNames {
		if !plausibleName(name) {
			problem("DNSNames[%d]: %q is not a DNS name", i, name)
		}
		p.dnsNames = append(p.dnsNames, strings.ToLower(name))
	}
	for i, ip := range o.IPs {
		if ip.To16() == nil {
			problem("IPs[%d]: %q is not an IP address", i, ip)
		}
		p.ips = append(p.ips, ip)
	}
	slices.Sort(p.dnsNames)
	p.dnsNames = slices.Compact(p.dnsNames)
	slices.SortFunc(p.ips, func(a, b net.IP) int { return strings.Compare(a.String(), b.String()) })
	p.ips = slices.CompactFunc(p.ips, net.IP.Equal)

	if p.overlap <= 0 {
		problem("Overlap: %s is not positive", p.overlap)
	}
	if p.leafValidity > p.caValidity {
		problem("LeafValidity: %s is more than CAValidity, %s", p.leafValidity, p.caValidity)
	}
	for _, v := range []struct {
		name  string
		value time.Duration
	}{{"CAValidity", p.caValidity}, {"LeafValidity", p.leafValidity}} {
		if v.value < overlapFraction*p.overlap {
			problem("%s: %s is less than %d times Overlap, %s", v.name, v.value, overlapFraction, p.overlap)
		}
	}
	return p, errors.Join(problems...)
}

// plausibleName keeps out what a certificate cannot hold or nobody can mean; the rest is for the client to match.
func plausibleName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' || r == ':' })
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
