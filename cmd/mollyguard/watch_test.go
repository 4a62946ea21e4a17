package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
)

func TestAnActorOfTheAuditLogIsWhatItsNameAndTheConfigurationSay(t *testing.T) {
	c := config.Default()
	c.Agents = []string{`claude-.*`, `agent@prod-1\.iam\.gserviceaccount\.com`}
	a, err := assemble(t.Context(), c, parts{lookup: &given{}, recorder: discard{}})
	if err != nil {
		t.Fatal(err)
	}
	of := kindOf(a)
	for name, want := range map[string]operation.ActorKind{
		"alice@example.com":                     operation.Human,
		"":                                      operation.Human,
		"deploy@prod-1.iam.gserviceaccount.com": operation.Service,
		"prod-1@appspot.gserviceaccount.com":    operation.Service,
		"1-compute@developer.gserviceaccount.com":           operation.Service,
		"mallory@notgserviceaccount.com":                    operation.Human,
		"mallory@x.gserviceaccount.com.example.com":         operation.Human,
		"agent@prod-1.iam.gserviceaccount.com":              operation.Agent,
		"claude-code@example.com":                           operation.Agent,
		"system:serviceaccount:shop:deployer":               operation.Service,
		"system:serviceaccount:kube-system:gc":              operation.Controller,
		"system:kube-controller-manager":                    operation.Controller,
		"service-1@container-engine-robot.example.com":      operation.Human,
		"service-1@gcp-sa-pubsub.iam.gserviceaccount.com":   operation.Service,
		"principal://iam.googleapis.com/x/subject/y@z.test": operation.Human,
	} {
		if got := of(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

func TestLabelsTellSomethingIfASelectorAsksForTheirKeys(t *testing.T) {
	type answer struct{ Production, Told bool }
	const byDefault = "env in (production, prod, live)"
	for _, tt := range []struct {
		name      string
		selectors []string
		labels    map[string]string
		want      answer
	}{
		{"no labels", []string{byDefault}, nil, answer{}},
		{"no selectors", nil, map[string]string{"env": "production"}, answer{}},
		{"the label of production", []string{byDefault}, map[string]string{"env": "prod"}, answer{true, true}},
		{"another value of it", []string{byDefault}, map[string]string{"env": "dev"}, answer{false, true}},
		{"an empty value of it", []string{byDefault}, map[string]string{"env": ""}, answer{false, true}},
		{"other labels", []string{byDefault}, map[string]string{"team": "shop"}, answer{}},
		{"the key in other letters", []string{byDefault}, map[string]string{"Env": "prod"}, answer{}},
		{"the second of two selectors", []string{byDefault, "tier=1"}, map[string]string{"tier": "1", "env": "dev"}, answer{true, true}},
		{"half of a selector", []string{"env=prod,tier=1"}, map[string]string{"env": "prod"}, answer{false, true}},
		{"what must not be there is not", []string{"env notin (dev)"}, map[string]string{"team": "shop"}, answer{true, true}},
		{"what must not be there, where nothing is known", []string{"env notin (dev)"}, nil, answer{}},
		{"what must not be there is", []string{"!sandbox"}, map[string]string{"sandbox": ""}, answer{false, true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			selectors, err := parseSelectors(tt.selectors)
			if err != nil {
				t.Fatal(err)
			}
			var got answer
			got.Production, got.Told = marksOf(selectors)(tt.labels)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// watchServer is a server that watches a file.
type watchServer struct {
	config config.Configuration
	// file is what the server would have read, for commands about its ledger.
	file string
	// log is the audit log, out what the server told on standard output.
	log  string
	out  *told
	at   addresses
	stop func()
}

// newWatch is the configuration of a server that tells on standard output, and whatever
// the test says.
func newWatch(t *testing.T) *watchServer {
	t.Helper()
	folder := t.TempDir()
	w := &watchServer{file: filepath.Join(folder, "c.yaml"), log: filepath.Join(folder, "audit.json"), out: &told{}}
	w.config = config.Default()
	w.config.Server = config.Server{Address: "127.0.0.1:0", StatusAddress: "127.0.0.1:0", ShutdownDelay: new(time.Duration(0))}
	w.config.Certificates.Directory = filepath.Join(folder, "certificates")
	w.config.Certificates.IPs = []string{"127.0.0.1"}
	w.config.DecisionLog.Path = filepath.Join(folder, "decisions.jsonl")
	w.config.Ledger.Path = filepath.Join(folder, "l")
	w.config.BreakGlass.Store = "none"
	w.config.Audit.Sources = []config.AuditSource{{File: &config.FileSource{Path: w.log}}}
	w.config.Alerts.Sinks = []config.AlertSink{{Name: "out", Stdout: &config.Stdout{Format: "json"}}}
	for path, text := range map[string]string{
		w.file: "apiVersion: config.mollyguard.dev/v1alpha1\nkind: Configuration\nledger: {path: " + w.config.Ledger.Path + "}\n", w.log: "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// start returns when the server is ready. It is stopped at the end of the test, if not
// before.
func (w *watchServer) start(t *testing.T, o serveOptions) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended, listening := make(chan error, 1), make(chan addresses, 1)
	o.noCluster, o.listening = true, listening
	go func() {
		ended <- serve(ctx, streams{in: strings.NewReader(""), out: w.out, err: t.Output()}, w.config, o)
	}()
	stopped := false
	w.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	}
	t.Cleanup(func() { w.stop() })
	select {
	case w.at = <-listening:
	case err := <-ended:
		ended <- nil
		t.Fatalf("serve: %v", err)
	}
	wait, done := context.WithTimeout(t.Context(), 30*time.Second)
	defer done()
	if err := waitReady(wait, w.at.status); err != nil {
		t.Fatal(err)
	}
}

// happens appends to the audit log.
func (w *watchServer) happens(t *testing.T, lines ...string) {
	t.Helper()
	f, err := os.OpenFile(w.log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(strings.Join(lines, "\n") + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in 30 s not: %s", what)
		}
	}
}

// deletion is the entry of a deletion of a cluster.
func deletion(t *testing.T, name string) string {
	t.Helper()
	template, err := recordings.ReadFile("demo/console-delete-cluster.json")
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("INSERT", name, "TIME", "2026-11-21T03:12:47Z", "NAME", name, "\n", "").Replace(string(template))
}

func TestAServerWithSourcesGuardsAndWatches(t *testing.T) {
	w := newWatch(t)
	w.start(t, serveOptions{})
	w.happens(t, deletion(t, "shop"))
	eventually(t, "people are told of the cluster", func() bool {
		_, ok, err := w.out.about("shop")
		if err != nil {
			t.Fatal(err)
		}
		return ok
	})
	client, err := demoClient(filepath.Join(w.config.Certificates.Directory, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := sendReview(t.Context(), client, w.at, "delete-production.json", func(body []byte) []byte { return body })
	if err != nil {
		t.Fatal(err)
	}
	if answer.Allowed {
		t.Error("a deletion of production was let through")
	}
}

func TestAWatcherAloneServesNoWebhook(t *testing.T) {
	w := newWatch(t)
	w.config.Certificates.Directory = ""
	w.start(t, serveOptions{auditOnly: true})
	if w.at.admission != nil {
		t.Errorf("it listens for reviews on %v", w.at.admission)
	}
	w.happens(t, deletion(t, "shop"))
	eventually(t, "people are told of the cluster", func() bool {
		a, ok, err := w.out.about("shop")
		if err != nil {
			t.Fatal(err)
		}
		if ok && a.Kind != alert.Violation {
			t.Errorf("kind %s", a.Kind)
		}
		return ok
	})
}

// moody is a receiver that takes what it is sent, or never will.
type moody struct {
	*httptest.Server
	refuses atomic.Bool
	took    atomic.Int32
}

func newMoody(t *testing.T) *moody {
	t.Helper()
	m := &moody{}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if m.refuses.Load() {
			http.Error(w, "no such channel", http.StatusBadRequest)
			return
		}
		m.took.Add(1)
	}))
	t.Cleanup(m.Close)
	return m
}

// sink is the sink that sends there.
func (m *moody) sink(t *testing.T, name string) config.AlertSink {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("whsec_aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg=="), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.AlertSink{Name: name, HTTP: &config.HTTPSink{URL: m.URL, SecretFiles: []string{path}}}
}

// ran is what came of a command.
type ran struct {
	Code     int
	Out, Err string
}

// runs runs a command as a user does.
func runs(t *testing.T, args ...string) ran {
	t.Helper()
	var out, errs strings.Builder
	code := run(t.Context(), append([]string{"mollyguard"}, args...), strings.NewReader(""), &out, &errs)
	return ran{code, out.String(), errs.String()}
}

// dead lists dead letters by the command.
func (w *watchServer) dead(t *testing.T) []alert.DeadLetter {
	t.Helper()
	got := runs(t, "alert", "dead", "list", "--config", w.file, "-o", "json")
	if got.Code != 0 || got.Err != "" {
		t.Fatalf("alert dead list: %+v", got)
	}
	var letters []alert.DeadLetter
	if err := json.Unmarshal([]byte(got.Out), &letters); err != nil {
		t.Fatalf("%v in %s", err, got.Out)
	}
	return letters
}
