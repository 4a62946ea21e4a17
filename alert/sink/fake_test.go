package sink

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares a text with testdata/NAME.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), to rewrite it: go test ./alert/sink -update:\n%s", path, diff)
	}
}

// service is a fake of the other side: it records what comes, and answers.
type service struct {
	*httptest.Server
	lock     sync.Mutex
	requests []*http.Request
	bodies   []string
}

func serve(t *testing.T, answer http.HandlerFunc) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read the request: %v", err)
		}
		s.lock.Lock()
		s.requests, s.bodies = append(s.requests, r), append(s.bodies, string(body))
		s.lock.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// transcript is all that came, with the headers that a sink sets.
func (s *service) transcript(t *testing.T) string {
	t.Helper()
	s.lock.Lock()
	defer s.lock.Unlock()
	var b strings.Builder
	for i, r := range s.requests {
		b.WriteString(r.Method + " " + r.URL.Path + "\n")
		var names []string
		for name := range r.Header {
			if name != "Accept-Encoding" && name != "Content-Length" {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range names {
			b.WriteString(name + ": " + strings.Join(r.Header[name], ", ") + "\n")
		}
		b.WriteString(indented(t, s.bodies[i]) + "\n")
	}
	return b.String()
}

func (s *service) count() int {
	s.lock.Lock()
	defer s.lock.Unlock()
	return len(s.requests)
}

// indented is JSON as it can be reviewed: nothing in it moves a cursor.
func indented(t *testing.T, body string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, terminalSafe([]byte(body)), "", "  "); err != nil {
		t.Fatalf("not JSON: %v: %s", err, body)
	}
	return strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(b.String())
}

func says(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body) // who asked may be gone
	}
}

func fixed(text string) Credential { return Fixed(operation.NewSecret(text)) }

// connection is for sinks under test.
func connection() Connection { return Connection{Version: "v1.2.3", Now: now} }

// must is for constructors.
func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
