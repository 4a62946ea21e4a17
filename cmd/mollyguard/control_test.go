package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/config"
)

// leaveSocket leaves a socket as a server does that is killed.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
}

// controlled is a configuration with a ledger and a sink.
func controlled(path string) config.Configuration {
	c := config.Default()
	c.Ledger.Path = path
	c.Alerts.Sinks = []config.AlertSink{{Name: "out", Stdout: &config.Stdout{}}}
	return c
}

func TestTheControlSocketIsItsOwnersOnly(t *testing.T) {
	c := controlled(filepath.Join(t.TempDir(), "l"))
	leaveSocket(t, controlPath(c))
	listener, err := openControl(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(controlPath(c))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode(); mode != os.ModeSocket|0o600 {
		t.Errorf("mode %v", mode)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(controlPath(c)); !os.IsNotExist(err) {
		t.Errorf("it is left: %v", err)
	}
}

func TestThereIsNoControlSocketWhereThereIsNothingToAskFor(t *testing.T) {
	noSinks, noLedger := controlled(filepath.Join(t.TempDir(), "l")), controlled("")
	noSinks.Alerts.Sinks = nil
	for name, c := range map[string]config.Configuration{"no sinks": noSinks, "no ledger": noLedger} {
		if listener, err := openControl(t.Context(), c); listener != nil || err != nil {
			t.Errorf("%s: %v, %v", name, listener, err)
		}
	}
}

func TestWhatIsNoSocketIsNotRemovedForOne(t *testing.T) {
	folder := t.TempDir()
	for name, put := range map[string]func(path string) error{
		"file":   func(path string) error { return os.WriteFile(path, []byte("a letter"), 0o600) },
		"folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"link":   func(path string) error { return os.Symlink("/dev/null", path) },
	} {
		c := controlled(filepath.Join(folder, name))
		if err := put(controlPath(c)); err != nil {
			t.Fatal(err)
		}
		_, err := openControl(t.Context(), c)
		if want := controlPath(c) + " is there, and is not a socket: move it away, or change ledger.path"; err == nil || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(controlPath(c)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPathThatNoSocketCanHaveIsAnErrorThatSaysWhichPath(t *testing.T) {
	c := controlled(filepath.Join(t.TempDir(), strings.Repeat("x", 120)))
	if _, err := openControl(t.Context(), c); err == nil || !strings.HasPrefix(err.Error(), "listen beside the ledger: ") || !strings.Contains(err.Error(), controlPath(c)) {
		t.Errorf("got %v", err)
	}
}

func TestTheControlSocketAnswersWhatItIsForAndNothingElse(t *testing.T) {
	w := newWatch(t)
	w.start(t, serveOptions{auditOnly: true})
	type reply struct {
		Code int
		Text string
	}
	ask := func(method, path string, body []byte) reply {
		request, err := http.NewRequestWithContext(t.Context(), method, "http://ledger"+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		client := controlClient(w.config)
		defer client.CloseIdleConnections()
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return reply{response.StatusCode, strings.TrimSpace(string(text))}
	}
	tooMany, err := json.Marshal([]string{strings.Repeat("x", maxRetry)})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, method, path, body string
		want                     reply
	}{
		{"the list", http.MethodGet, "/dead", "", reply{200, "null"}},
		{"a retry of all", http.MethodPost, "/dead/retry", "[]", reply{200, `{"alerts":0,"read":0,"unread":null}`}},
		{"a retry of what is not there", http.MethodPost, "/dead/retry", `["a/b"]`, reply{500, "retry dead letters: write the ledger: there is no dead letter a/b"}},
		{"a retry of an entry that is not there", http.MethodPost, "/dead/retry", `["entry/x"]`, reply{500, "read the ledger: there is no entry x"}},
		{"no list of ids", http.MethodPost, "/dead/retry", `{"a":1}`, reply{400, "json: cannot unmarshal object into Go value of type []string"}},
		{"nothing", http.MethodPost, "/dead/retry", "", reply{400, "EOF"}},
		{"more than anybody has", http.MethodPost, "/dead/retry", string(tooMany), reply{400, "http: request body too large"}},
		{"a deletion", http.MethodDelete, "/dead", "", reply{405, "Method Not Allowed"}},
		{"a retry that is read", http.MethodGet, "/dead/retry", "", reply{405, "Method Not Allowed"}},
		{"the root", http.MethodGet, "/", "", reply{404, "404 page not found"}},
		{"metrics", http.MethodGet, "/metrics", "", reply{404, "404 page not found"}},
		{"a profile", http.MethodGet, "/debug/pprof/", "", reply{404, "404 page not found"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, ask(tt.method, tt.path, []byte(tt.body))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
