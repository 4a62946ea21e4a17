package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/rogpeppe/go-internal/testscript"
)

// What differs between two plans of the same: digests and commits, whole or as people
// write them, and the lineage of a state.
var (
	aDigest     = regexp.MustCompile(`\b(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{12}|[0-9a-f]{10})\b`)
	aLineage    = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
	sameLineage = "00000000-0000-0000-0000-000000000000"
)

func normalisePlan(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, "normalise-plan FILE TO", 2)
	normalise(ts, neg, args)
	data := []byte(ts.ReadFile(args[1]))
	data = aLineage.ReplaceAll(data, []byte(sameLineage))
	data = aDigest.ReplaceAllFunc(data, func(digest []byte) []byte { return bytes.Repeat([]byte("0"), len(digest)) })
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o600))
}

func remember(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, "remember VARIABLE FILE RE", 3)
	wanted, err := regexp.Compile(args[2])
	ts.Check(err)
	found := wanted.FindStringSubmatch(ts.ReadFile(args[1]))
	if found == nil {
		ts.Fatalf("nothing in %s matches %s", args[1], args[2])
	}
	ts.Setenv(args[0], found[len(found)-1])
}

// scriptServer runs a server as its own process, as users do.
func scriptServer(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, "server LOG ARG…", 1)
	log, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	cmd := exec.Command(scriptProgram(ts), append([]string{"serve"}, args[1:]...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"HOME=" + ts.Getenv("HOME"), "TMPDIR=" + ts.Getenv("TMPDIR"), "PATH=" + ts.Getenv("PATH")}
	talk, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	lines := bufio.NewReader(io.TeeReader(talk, log))
	address := servingAt(lines)
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, lines)
		copied <- err
	}()
	ts.Defer(func() {
		ts.Check(cmd.Process.Signal(os.Interrupt))
		ts.Check(<-copied)
		ts.Check(cmd.Wait())
		ts.Check(log.Close())
	})
	if address == "" {
		ts.Fatalf("the server does not serve:\n%s", ts.ReadFile(args[0]))
	}
	ts.Setenv("API", "https://"+address)
}

// servingAt reads the log of a server to where it says at which address it answers
// people.
func servingAt(log *bufio.Reader) string {
	for {
		line, err := log.ReadBytes('\n')
		if err != nil {
			return ""
		}
		var said struct {
			Message string `json:"msg"`
			Address string `json:"api_address"`
		}
		if json.Unmarshal(line, &said) == nil && said.Message == "serving" {
			return said.Address
		}
	}
}

// scriptProgram is the program that scripts run: on their PATH, not the test's.
func scriptProgram(ts *testscript.TestScript) string {
	for _, folder := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(folder, "mollyguard")
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	ts.Fatalf("mollyguard is not on the script's PATH")
	return ""
}
