package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/test/cluster"
	"github.com/mollyguard/mollyguard/test/server"
)

// headquarters is a server without a cluster, which issues grants for one.
type headquarters struct {
	*server.Server
	dir, url string
	plugin   string
	tokens   map[string]string // files
}

func newHeadquarters(t *testing.T, binary string) *headquarters {
	t.Helper()
	h := &headquarters{dir: t.TempDir(), tokens: map[string]string{}, plugin: binary}
	users := "apiVersion: config.mollyguard.dev/v1alpha1\nkind: Users\nusers:\n"
	for i, name := range []string{alice, bob} {
		token, hash, err := identity.NewUserToken(bytes.NewReader(bytes.Repeat([]byte{byte(i + 1)}, 64)))
		if err != nil {
			t.Fatal(err)
		}
		users += fmt.Sprintf("- {name: %s, kind: human, groups: [sre], token: %q}\n", name, hash)
		h.tokens[name] = h.write(t, name+".token", token.Reveal())
	}
	address := reserve(t, t.TempDir())
	h.url = "https://" + address
	var err error
	h.Server, err = server.Start(t.Context(), server.Options{Binary: binary, Dir: h.dir, Config: fmt.Sprintf(`
ledger: {path: %[1]s/ledger.db}
breakGlass:
  issuer: headquarters
  keys: {file: %[1]s/keys.json}
  rights: {requesters: {groups: [sre]}, approvers: {groups: [sre]}, revokers: {groups: [sre]}}
api: {address: %[2]s, users: %[3]s}
`, h.dir, address, h.write(t, "users.yaml", users))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Kill() })
	return h
}

func (h *headquarters) write(t *testing.T, name, text string) string {
	t.Helper()
	return writeText(t, h.dir, name, text)
}

// run runs the command line against the server's API.
func (h *headquarters) run(t *testing.T, user string, args ...string) string {
	t.Helper()
	args = append([]string{"break-glass"}, args...)
	args = append(args, "--server", h.url, "--ca", filepath.Join(h.dir, "certificates", "ca.crt"), "--api-token-file", h.tokens[user])
	got := run(t.Context(), t, h.plugin, args...)
	if got.ExitCode != 0 {
		t.Fatalf("%s: %s", strings.Join(args, " "), got.Stderr)
	}
	return got.Stdout
}

// issue gets a token for Alice that opens one thing.
func (h *headquarters) issue(t *testing.T, verb, target string) (handle, token string) {
	t.Helper()
	handle = handleIn(t, h.run(t, alice, "request", verb, target, "--reason", "moved", "-o", "json"))
	h.run(t, bob, "approve", handle)
	return handle, strings.TrimSpace(h.run(t, alice, "token", handle))
}

// keys writes the public keys to a file, as the API serves them.
func (h *headquarters) keys(t *testing.T) string {
	t.Helper()
	bundle, err := os.ReadFile(filepath.Join(h.dir, "certificates", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	response, err := client.Get(h.url + "/.well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return h.write(t, "jwks.json", string(text))
}

func TestATokenFromElsewhereOpensOneThingForOnePersonAndIsNeverShown(t *testing.T) {
	t.Parallel()
	var hq *headquarters
	w := newBreakGlassWorld(t, func(o *server.Options) {
		hq = newHeadquarters(t, o.Binary)
		o.Config += "  trust: [{issuer: headquarters, file: " + hq.keys(t) + "}]\n"
	})
	w.apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: far}\n")
	const mallory = "mallory@example.com"
	stranger, err := w.User(mallory, "dev")
	if err != nil {
		t.Fatal(err)
	}
	for user, role := range map[string]string{mallory: cluster.OperatorRole, alice: "mollyguard-test-extra"} {
		if role != cluster.OperatorRole { // what kubectl --as-user-extra needs
			w.apply(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: mollyguard-test-extra}
rules:
- {apiGroups: [""], resources: [users], resourceNames: [alice@example.com], verbs: [impersonate]}
- {apiGroups: [authentication.k8s.io], resources: [userextras/mollyguard.dev/break-glass], verbs: [impersonate]}
`)
		}
		if err := w.Grant(t.Context(), user, role); err != nil {
			t.Fatal(err)
		}
	}
	var said strings.Builder // all that anybody was told
	var tokens []string
	object := func(name string) string {
		w.apply(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+name+", namespace: far, labels: {env: production}}\n")
		_, token := hq.issue(t, "delete", "k8s://prod-eu/core/configmaps/far/"+name)
		tokens = append(tokens, token)
		return token
	}
	remove := func(user *rest.Config, name string, flags ...string) cluster.KubectlResult {
		got := w.as(t, user, append([]string{"-n", "far", "delete", "configmap", name}, flags...)...)
		said.WriteString(got.Stdout + got.Stderr)
		return got
	}

	t.Run("put into the store", func(t *testing.T) {
		token := object("stored")
		path := hq.write(t, "stored.token", token)
		stolen := w.mollyguard(t, w.bob, "use", "--token-file", path)
		said.WriteString(stolen.Stdout + stolen.Stderr)
		says(t, stolen.Stderr, "the token is somebody else's")
		used := w.mollyguard(t, w.alice, "use", "--token-file", path)
		said.WriteString(used.Stdout + used.Stderr)
		if used.ExitCode != 0 {
			t.Fatalf("use: %s", used.Stderr)
		}
		if got := remove(stranger, "stored"); got.ExitCode == 0 {
			t.Error("somebody else's token opened it")
		}
		if got := remove(w.alice, "stored"); got.ExitCode != 0 {
			t.Errorf("%s", got.Stderr)
		}
	})
	t.Run("annotated", func(t *testing.T) {
		token := object("annotated")
		w.kubectlAdmin(t, "-n", "far", "annotate", "configmap", "annotated", "mollyguard.dev/break-glass="+token)
		got := remove(stranger, "annotated")
		says(t, got.Stderr, "the token presented is not good: the token is somebody else's")
		if got := remove(w.alice, "annotated"); got.ExitCode != 0 {
			t.Errorf("%s", got.Stderr)
		}
	})
	t.Run("with the user", func(t *testing.T) {
		token := object("extra")
		got := remove(w.alice, "extra", "--as", alice, "--as-user-extra", "mollyguard.dev/break-glass="+token)
		if got.ExitCode != 0 {
			t.Errorf("%s", got.Stderr)
		}
	})
	t.Run("altered", func(t *testing.T) {
		token := object("altered")
		parts := strings.Split(token, ".")
		w.kubectlAdmin(t, "-n", "far", "annotate", "configmap", "altered", "mollyguard.dev/break-glass="+parts[0]+"."+parts[1]+"."+strings.Repeat("A", len(parts[2])))
		says(t, remove(w.alice, "altered").Stderr, "the token presented is not good")
	})

	for _, s := range []*server.Server{w.server, hq.Server} {
		said.WriteString(s.Log())
		metrics, err := s.Metrics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		said.WriteString(metrics)
	}
	for _, dir := range []string{w.opts.Dir, hq.dir} {
		log, err := os.ReadFile(filepath.Join(dir, "decisions.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		said.Write(log)
	}
	said.WriteString(w.kubectlAdmin(t, "get", "events", "-A", "-o", "yaml"))
	said.WriteString(w.kubectlAdmin(t, "get", "breakglassuses,breakglassrequests,breakglassverdicts", "-o", "yaml"))
	for _, token := range tokens {
		for _, part := range strings.Split(token, ".")[1:] { // the header is the same for all
			if strings.Contains(said.String(), part[:20]) {
				t.Errorf("part of a token was said: %s…", part[:20])
			}
		}
	}
	if !strings.Contains(said.String(), "token-issued") || !strings.Contains(said.String(), "token-refused") {
		t.Error("the decision logs have no word of tokens: what was searched?")
	}
}
