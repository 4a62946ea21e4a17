package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/config"
)

// testsOf is a configuration file with sinks.
func testsOf(t *testing.T, sinks ...config.AlertSink) string {
	t.Helper()
	text := "apiVersion: config.mollyguard.dev/v1alpha1\nkind: Configuration\nledger: {path: /nowhere/l}\nalerts:\n  sinks:\n"
	for _, s := range sinks {
		text += fmt.Sprintf("  - {name: %s, http: {url: %q, secretFiles: [%q]}}\n", s.Name, s.HTTP.URL, s.HTTP.SecretFiles[0])
	}
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestATestAlertGoesToAllThoughOneDoesNotTakeIt(t *testing.T) {
	good, bad := newMoody(t), newMoody(t)
	bad.refuses.Store(true)
	file := testsOf(t, bad.sink(t, "bad"), good.sink(t, "good"))

	got := runs(t, "alert", "test", "--config", file)
	got.Err = regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(got.Err, "HOST")
	want := ran{1, "", `mollyguard: bad: not sent: HTTP sink: HOST answered 400 Bad Request: no such channel
mollyguard: good: sent
mollyguard: error: 1 sink did not take the test alert
`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(ran{0, "", "mollyguard: good: sent\n"}, runs(t, "alert", "test", "--config", file, "good")); diff != "" {
		t.Errorf("the good one alone (-want +got):\n%s", diff)
	}
	if n := good.took.Load(); n != 2 {
		t.Errorf("%d alerts arrived, want 2", n)
	}
}

func TestAServerNamesEverySinkThatItCannotOpen(t *testing.T) {
	c := config.Default()
	c.Alerts.Sinks = []config.AlertSink{
		{Name: "a", HTTP: &config.HTTPSink{URL: "https://127.0.0.1:1", SecretFiles: []string{"/nowhere"}, CA: "/nowhere/a.pem"}},
		{Name: "ok", Stdout: &config.Stdout{}},
		{Name: "b", Slack: &config.Slack{TokenFile: "/nowhere", Channel: "c", URL: "http://slack.example.com"}},
	}
	var out strings.Builder
	_, err := openSinks(t.Context(), streams{out: &out}, c, nil)
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "alerts.sinks: a: ") || !strings.HasPrefix(lines[1], "alerts.sinks: b: ") {
		t.Errorf("error:\n%v", err)
	}
}

func TestOnlyAddressesOfThisMachineAreSpokenToInPlainText(t *testing.T) {
	for endpoint, plain := range map[string]bool{
		"":                          false,
		"127.0.0.1:8085":            true,
		"127.9.9.9:1":               true,
		"[::1]:8085":                true,
		"[::ffff:127.0.0.1]:1":      true,
		"localhost:8085":            false, // a name server may say anything
		"127.0.0.1":                 false,
		"127.0.0.1.example.com:1":   false,
		"0.0.0.0:1":                 false,
		"[::]:1":                    false,
		":8085":                     false,
		"10.0.0.1:443":              false,
		"2130706433:1":              false,
		"pubsub.googleapis.com:443": false,
	} {
		// The user agent is always told; no authentication and no TLS are two more.
		want := 1
		if plain {
			want = 3
		}
		if got := len(googleClient(endpoint)); got != want {
			t.Errorf("%q: %d options, want %d", endpoint, got, want)
		}
	}
}
