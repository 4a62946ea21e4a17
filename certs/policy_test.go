package certs

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNewKeeperReportsAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := NewKeeper(KeeperOptions{
		DNSNames:     []string{"fine.example.com", "not fine", ""},
		IPs:          []net.IP{{1, 2, 3}},
		CAValidity:   5 * time.Hour,
		LeafValidity: 6 * time.Hour,
		Interval:     time.Hour,
	})
	if err == nil {
		t.Fatal("no error")
	}
	want := `certificate keeper options: DNSNames[1]: "not fine" is not a DNS name
DNSNames[2]: "" is not a DNS name
IPs[0]: "?010203" is not an IP address
LeafValidity: 6h0m0s is more than CAValidity, 5h0m0s
CAValidity: 5h0m0s is less than 6 times Overlap, 1h0m0s
store: none is given
interval: 1h0m0s is not between 0 and Overlap/2, 30m0s`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestNewKeeperWantsANameAndSaneTimes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options KeeperOptions
		want    string
	}{
		"no name":             {KeeperOptions{Store: &memStore{}}, "at least one name or IP"},
		"a negative overlap":  {KeeperOptions{Store: &memStore{}, DNSNames: []string{testName}, Overlap: -1}, "Overlap: -1ns is not positive"},
		"a negative interval": {KeeperOptions{Store: &memStore{}, DNSNames: []string{testName}, Interval: -1}, "interval: -1ns"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := NewKeeper(tt.options); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestNamesAreTheSameInAnyOrderAndCase(t *testing.T) {
	t.Parallel()
	p, err := newPolicy(KeeperOptions{
		DNSNames: []string{"B.example.com", "a.example.com", "b.example.com"},
		IPs:      []net.IP{net.ParseIP("127.0.0.1"), net.IPv4(10, 0, 0, 1), net.ParseIP("::1"), {127, 0, 0, 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"10.0.0.1", "127.0.0.1", "::1", "a.example.com", "b.example.com"}
	if diff := cmp.Diff(want, names(p.dnsNames, p.ips)); diff != "" {
		t.Error(diff)
	}
	b := mustNext(t, Bundle{}, epoch, p)
	if diff := cmp.Diff(want, names(b.Leaf.Certificate.DNSNames, b.Leaf.Certificate.IPAddresses)); diff != "" {
		t.Errorf("certificate: %s", diff)
	}
}
