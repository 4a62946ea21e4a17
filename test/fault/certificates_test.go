package fault

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// issuer is a certificate authority.
type issuer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func newIssuer(t *testing.T) issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fault"}, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{certificate, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// mounted are the files that somebody else keeps current, cert-manager for instance.
type mounted struct{ certificate, key, ca string }

func mountedIn(dir string) mounted {
	return mounted{filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), filepath.Join(dir, "ca.crt")}
}

// issue writes a certificate that is good for so long.
func (m mounted) issue(t *testing.T, by issuer, lifetime time.Duration) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "mollyguard"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{
		m.certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		m.key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		m.ca:          by.pem,
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// lifetime is how long a certificate is good that is to expire: long enough for the
// replicas to start with it, and for the API server to learn of its authority.
const lifetime = 5 * time.Second

// testExpired has the replicas serve with a certificate that nobody renews in time.
func testExpired(t *testing.T, w *world) {
	w.killAll()
	by, files := newIssuer(t), mountedIn(t.TempDir())
	files.issue(t, by, lifetime)
	for i := range w.opts {
		// It follows "directory: " in the configuration.
		w.opts[i].Certificates = fmt.Sprintf("''\n  files: {certificate: %s, key: %s, ca: %s}", files.certificate, files.key, files.ca)
	}
	w.start(t, shortTimeout)
	eventually(t, "the certificate to expire", func() error { return w.expired() })
	w.hook.hangUp() // a connection that was trusted once goes on being used
	w.unanswered(t)
	files.issue(t, by, time.Hour)
}

// expired reports why the certificate that is served has not expired.
func (w *world) expired() error {
	connection, err := tls.Dial("tcp", w.replicas[0].Admission(), &tls.Config{InsecureSkipVerify: true}) // it is only looked at
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	if time.Now().Before(connection.ConnectionState().PeerCertificates[0].NotAfter.Add(time.Second)) {
		return errors.New("it is still good")
	}
	return nil
}
