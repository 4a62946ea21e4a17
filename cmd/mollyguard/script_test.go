package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite what the scripts and the corpus expect")

// TestMain makes the test binary the program itself when a script runs it.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mollyguard": main, "kubectl-mollyguard": main})
}

// TestScript runs what a user would type; see testdata/script. Beside testscript's
// own commands there are
//
//	exits CODE PROGRAM ARG…   run a program that must end with that code
//	normalise FILE TO         copy, with ids, handles, times and ports made equal
//	write-bytes FILE TEXT     write a text with Go escapes, for what is no UTF-8
//	hold-port VARIABLE        listen on a port until the script ends
//	substitute FILE           replace $VARIABLES in a file
//	expired-certificate DIR   write a tls.crt that expired yesterday, and its tls.key
//	empty-folder DIR          fail unless nothing is in there
//	normalise-plan FILE TO    normalise, with lineages, commits and digests made equal, too
//	remember VARIABLE FILE RE set a variable to the first match in a file, or to its last group
//	server LOG ARG…           run mollyguard serve with the arguments until the script ends,
//	                          with its log in a file; $API is where people ask it
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(scriptTimeout),
		Setup: func(env *testscript.Env) error {
			return os.CopyFS(filepath.Join(env.WorkDir, "demo"), os.DirFS("demo"))
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":               exits,
			"normalise":           normalise,
			"write-bytes":         writeBytes,
			"hold-port":           holdPort,
			"substitute":          substitute,
			"expired-certificate": expiredCertificate,
			"empty-folder":        emptyFolder,
			"normalise-plan":      normalisePlan,
			"remember":            remember,
			"server":              scriptServer,
		},
	})
}

// scriptTimeout ends a server that should not have started. All scripts together
// take seconds.
const scriptTimeout = 2 * time.Minute

func arguments(ts *testscript.TestScript, neg bool, args []string, usage string, n int) {
	if neg || len(args) < n {
		ts.Fatalf("usage: %s", usage)
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, "exits CODE PROGRAM ARG…", 2)
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

var (
	anID    = regexp.MustCompile(`\b01[0-9A-HJKMNP-TV-Z]{24}\b`)
	aTime   = regexp.MustCompile(`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	aPort   = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	aHandle = regexp.MustCompile(`\bbg-[0-9a-z]{4}-[0-9a-z]{4}\b`)
	plain   = "2026-11-21T03:12:47Z"
	sameID  = "01J00000000000000000000000"
)

var (
	// anAlertTime is how alerts write times, for people and in links.
	anAlertTime = regexp.MustCompile(`\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\dZ|T\d\d%3A\d\d%3A\d\d(?:\.\d+)?Z)|\d\d:\d\d UTC`)
	anIncident  = regexp.MustCompile(`\d{8}T\d{4}Z-[0-9a-f]{20}`)
)

func normalise(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, "normalise FILE TO", 2)
	data := []byte(ts.ReadFile(args[0]))
	data = anID.ReplaceAll(data, []byte(sameID))
	data = aHandle.ReplaceAll(data, []byte("bg-0000-0000"))
	data = aTime.ReplaceAll(data, []byte(plain))
	data = anAlertTime.ReplaceAll(data, []byte("TIME"))
	data = anIncident.ReplaceAll(data, []byte("20260101T0000Z-00000000000000000000"))
	data = aPort.ReplaceAll(data, []byte("127.0.0.1:PORT"))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o600))
}

func writeBytes(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, "write-bytes FILE TEXT", 2)
	text, err := strconv.Unquote("`" + args[1] + "`")
	ts.Check(err)
	text, err = strconv.Unquote(`"` + string(bytes.ReplaceAll([]byte(text), []byte(`"`), []byte(`\"`))) + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func holdPort(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, "hold-port VARIABLE", 1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ts.Check(listener.Close()) })
	ts.Setenv(args[0], listener.Addr().String())
}

func substitute(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, "substitute FILE", 1)
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func expiredCertificate(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, "expired-certificate DIR", 1)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "guard"}, DNSNames: []string{"guard"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ts.Check(err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	for name, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: der}, "tls.key": {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		ts.Check(os.WriteFile(ts.MkAbs(filepath.Join(args[0], name)), pem.EncodeToMemory(block), 0o600))
	}
}

func emptyFolder(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, "empty-folder DIR", 1)
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, entry := range entries {
		ts.Fatalf("%s is in %s", entry.Name(), args[0])
	}
}
