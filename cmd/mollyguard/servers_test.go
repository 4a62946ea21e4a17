package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mollyguard/mollyguard/certs"
	"github.com/mollyguard/mollyguard/webhook"
)

// issuer signs certificates, its own as well.
type issuer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{certificate, key}
}

func (i issuer) client(t *testing.T) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "kube-apiserver"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, i.certificate, i.key.Public(), i.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: i.key}
}

func TestWithAClientCAOnlyItsHoldersAreAnswered(t *testing.T) {
	dir := t.TempDir()
	store, err := certs.NewDirStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := certs.NewKeeper(certs.KeeperOptions{Store: store, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	trusted, stranger := newIssuer(t), newIssuer(t)
	clientCA := filepath.Join(dir, "clients.crt")
	if err := os.WriteFile(clientCA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: trusted.certificate.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "answered") })
	server, err := admissionServer(map[string]http.Handler{webhook.Path: handler}, keeper, clientCA, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() {
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := ignoreClosed(<-ended); err != nil {
			t.Error(err)
		}
	})

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(keeper.CABundle())
	for name, tt := range map[string]struct {
		certificates []tls.Certificate
		answered     bool
	}{
		"somebody without a certificate":     {nil, false},
		"somebody with one of another CA":    {[]tls.Certificate{stranger.client(t)}, false},
		"somebody with one of the client CA": {[]tls.Certificate{trusted.client(t)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: tt.certificates, MinVersion: tls.VersionTLS13}}
			defer transport.CloseIdleConnections()
			response, err := (&http.Client{Transport: transport}).Post("https://"+listener.Addr().String()+webhook.Path, "application/json", strings.NewReader("{}"))
			if err == nil {
				err = response.Body.Close()
			}
			if (err == nil) != tt.answered {
				t.Errorf("got %v", err)
			}
		})
	}

	if _, err := admissionServer(map[string]http.Handler{webhook.Path: handler}, keeper, filepath.Join(dir, "nowhere"), slog.New(slog.DiscardHandler)); err == nil || !strings.HasPrefix(err.Error(), "server.clientCA: ") {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(clientCA, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := admissionServer(map[string]http.Handler{webhook.Path: handler}, keeper, clientCA, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "no certificate in") {
		t.Errorf("a file that is no PEM: %v", err)
	}
}

// FuzzReviews splits any text into reviews: it never panics, and hands on
// something unless reading fails.
func FuzzReviews(f *testing.F) {
	for _, seed := range []string{`{"kind":"AdmissionReview"}`, `[{},{}]`, "{}\n{}\n", `{"items":[1,null,"x"]}`, `{"items":{}}`, "", "[", "{}x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		handed := 0
		if err := eachValue(strings.NewReader(text), func([]byte) error { handed++; return nil }); err != nil {
			return
		}
		if empty := strings.TrimSpace(text) == "[]" || strings.Contains(text, "items") || strings.Contains(text, "["); handed == 0 && !empty {
			t.Errorf("%q was read as nothing", text)
		}
	})
}
