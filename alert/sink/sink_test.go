package sink

import (
	"crypto/tls"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestASecretIsReadFromItsFileEachTime(t *testing.T) {
	path := write(t, "  one\n")
	read := FromFile(path)
	var got []string
	for _, next := range []string{"two\r\n", ""} {
		secret, err := read()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, secret.Reveal())
		if err := os.WriteFile(path, []byte(next), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"one", "two"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := read(); err == nil {
		t.Error("no error for an empty file")
	}
}

func TestAFileThatHoldsNoSecretIsAnError(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "blank": " \n\t", "two lines": "hunter22\nhunter23", "control": "hunter22\x00x", "huge": strings.Repeat("hunter22", maxSecret/8) + "x",
	} {
		path := write(t, text)
		_, err := FromFile(path)()
		if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := FromFile(t.TempDir())(); err == nil {
		t.Error("no error for a folder")
	}
}

func TestACertificateAuthorityMustBeTrusted(t *testing.T) {
	server := httptest.NewUnstartedServer(says(202, pagerDutyYes))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := write(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	for file, want := range map[string]string{ca: "delivered", "": "again"} {
		sink := must[*PagerDuty](t)(NewPagerDuty(PagerDutyOptions{RoutingKey: fixed(routingKey), URL: server.URL, Connection: Connection{CAFile: file}}))
		if err := sink.Send(t.Context(), violation()); outcome(err) != want {
			t.Errorf("CA %q: %v", file, err)
		}
	}
	for _, file := range []string{"/nonexistent/ca.pem", write(t, "no PEM"), write(t, strings.Repeat("x", maxCA+1))} {
		if _, err := NewPagerDuty(PagerDutyOptions{RoutingKey: fixed(routingKey), Connection: Connection{CAFile: file}}); err == nil {
			t.Errorf("no error for CA %s", file)
		}
	}
}

func TestOldTLSIsNotSpoken(t *testing.T) {
	server := httptest.NewUnstartedServer(says(202, pagerDutyYes))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := write(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	sink := must[*PagerDuty](t)(NewPagerDuty(PagerDutyOptions{RoutingKey: fixed(routingKey), URL: server.URL, Connection: Connection{CAFile: ca}}))
	if err := sink.Send(t.Context(), violation()); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("got %v", err)
	}
}

func FuzzScrubber(f *testing.F) {
	f.Add("telegram://123456:secret@telegram?chats=x", "Post \"https://api.telegram.org/bot", "\": EOF")
	f.Fuzz(func(t *testing.T, secret, before, after string) {
		if len(secret) < 16 || len(secret) > 200 || strings.Trim(secret, " \t\r\n") != secret || operation.Printable(secret) != secret || strings.Contains(secret, redacted) || strings.Contains(redacted, secret) {
			t.Skip()
		}
		got := newScrubber(nil, operation.NewSecret(secret)).clean(before + secret + after)
		if strings.Contains(got, secret) || len(got) > maxQuoted || operation.Printable(got) != got {
			t.Errorf("%q is in, or not printable: %q", secret, got)
		}
	})
}
