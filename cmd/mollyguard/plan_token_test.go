package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
)

// tokenPlan deletes a production database.
func tokenPlan(t *testing.T) string {
	t.Helper()
	return planOf(t, 9, nil, changeOf("google", "google_sql_database_instance", "orders", []string{"delete"}, object{
		"before":           object{"name": "orders", "project": "shop", "settings": []any{object{"user_labels": object{"env": "prod"}}}},
		"before_sensitive": object{},
	}))
}

// pipelineConfig trusts a server, by the keys that it publishes.
func pipelineConfig(t *testing.T, server deskServer) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/.well-known/jwks.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return fileWith(t, "mollyguard.yaml", `apiVersion: config.mollyguard.dev/v1alpha1
kind: Configuration
terraform: {audience: prod-eu}
breakGlass:
  trust:
  - {issuer: mollyguard/prod-eu, file: `+fileWith(t, "keys.json", string(keys))+`}
`)
}

// tokenStory is a plan that was approved, with the token of its grant.
type tokenStory struct {
	server deskServer
	// here and there are the clocks of the pipeline and of the server, in seconds after
	// atTheDesk.
	here, there                  *atomic.Int64
	config, plan, receipt, token string
	handle                       string
}

func clockOf(seconds *atomic.Int64) func() time.Time {
	return func() time.Time { return atTheDesk.Add(time.Duration(seconds.Load()) * time.Second) }
}

func (s tokenStory) console() (console, *strings.Builder, *strings.Builder) {
	out, talk := &strings.Builder{}, &strings.Builder{}
	c, _, _ := testConsole()
	c.out, c.err = out, talk
	c.clock.now = clockOf(s.here)
	return c, out, talk
}

func (s tokenStory) check(t *testing.T) (int, string) {
	t.Helper()
	c, out, _ := s.console()
	o := checkOptions{planFlags: planFlags{config: s.config, folder: filepath.Dir(s.plan), tokenFile: s.token}, receipt: s.receipt, outputs: []string{"json"}}
	err := o.check(t.Context(), c, s.plan)
	records := recordsOf(t, out.String())
	if len(records) != 2 {
		t.Fatalf("%d records, %v:\n%s", len(records), err, out)
	}
	return exitOf(err), strings.Join(records[1].GrantRefused, "; ")
}

func (s tokenStory) verify(t *testing.T) (int, string) {
	t.Helper()
	c, out, _ := s.console()
	o := verifyOptions{
		planFlags:      planFlags{config: s.config, folder: filepath.Dir(s.plan), tokenFile: s.token},
		connectOptions: connectOptions{server: s.server.URL, ca: s.server.ca, tokenFile: s.server.bob},
		plan:           s.plan, receipt: s.receipt, output: "table",
	}
	err := o.verify(t.Context(), c)
	if err != nil && err.Error() != "" && exitOf(err) == exitDenied && out.Len() == 0 {
		return exitDenied, err.Error()
	}
	return exitOf(err), out.String()
}

// approvedPlan tells the story up to where the token is at hand.
func approvedPlan(t *testing.T) tokenStory {
	t.Helper()
	t.Setenv("PATH", t.TempDir()) // no Terraform is asked which version it has
	s := tokenStory{here: &atomic.Int64{}, there: &atomic.Int64{}, plan: tokenPlan(t), receipt: filepath.Join(t.TempDir(), "receipt.json")}
	s.server = startDeskWith(t, clockOf(s.there))
	s.config = pipelineConfig(t, s.server)
	if code, _ := s.check(t); code != exitDenied {
		t.Fatalf("without a token: exit code %d", code)
	}
	out, _, err := s.server.as(t, s.server.alice, "request", "--plan", s.receipt, "--reason", "moved", "--duration", "30m")
	if err != nil {
		t.Fatal(err)
	}
	s.handle = aHandle.FindString(out)
	if _, _, err := s.server.as(t, s.server.bob, "approve", s.handle); err != nil {
		t.Fatal(err)
	}
	token, _, err := s.server.as(t, s.server.alice, "token", s.handle)
	if err != nil {
		t.Fatal(err)
	}
	s.token = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(s.token, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, refused := s.check(t); code != exitAllowed {
		t.Fatalf("with the token: exit code %d, %s", code, refused)
	}
	return s
}

func TestPlanTokensThatAreNotGoodAnyMoreAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name    string
		happens func(t *testing.T, s *tokenStory)
		check   string
		verify  string
	}{
		{"one that has expired", func(_ *testing.T, s *tokenStory) { s.here.Store(31 * 60) }, "the token: it expired at 2026-11-21T03:30:00Z",
			"the token is not good: it expired at 2026-11-21T03:30:00Z"},
		{"one that has expired by the server's clock", func(_ *testing.T, s *tokenStory) { s.there.Store(31 * 60) }, "", "it expired at 2026-11-21T03:30:00Z"},
		{"one that was revoked", func(t *testing.T, s *tokenStory) {
			if _, _, err := s.server.as(t, s.server.alice, "revoke", s.handle); err != nil {
				t.Fatal(err)
			}
		}, "", "HANDLE: revoked by alice@example.com at 2026-11-21T03:00:00Z"},
		{"one of another server", func(t *testing.T, s *tokenStory) { s.token = approvedPlan(t).token }, "the token: it is signed with a key that nobody trusted here has",
			"the token is not good: it is signed with a key that nobody trusted here has"},
		{"one that was changed", func(t *testing.T, s *tokenStory) {
			text, err := os.ReadFile(s.token)
			if err != nil {
				t.Fatal(err)
			}
			parts := strings.Split(strings.TrimSpace(string(text)), ".")
			s.token = fileWith(t, "changed", parts[0]+"."+parts[1]+"."+strings.Repeat("A", len(parts[2])))
		}, "the token: its signature is not good: it is forged or was changed",
			"the token is not good: its signature is not good: it is forged or was changed"},
		{"what is no token", func(t *testing.T, s *tokenStory) { s.token = fileWith(t, "none", "hunter2") }, "the token: it is not of the form header.payload.signature in base64url",
			"the token is not good: it is not of the form header.payload.signature in base64url"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := approvedPlan(t)
			tt.happens(t, &s)
			// The receipt is of the check that passed.
			code, told := s.verify(t)
			if diff := cmp.Diff(tt.verify, aHandle.ReplaceAllString(told, "HANDLE")); code != exitDenied || diff != "" {
				t.Errorf("verify: exit code %d (-want +got):\n%s", code, diff)
			}
			code, told = s.check(t)
			want := exitDenied
			if tt.check == "" { // a check asks nobody: only the server knows
				want = exitAllowed
			}
			if diff := cmp.Diff(tt.check, aHandle.ReplaceAllString(told, "HANDLE")); code != want || diff != "" {
				t.Errorf("check: exit code %d (-want +got):\n%s", code, diff)
			}
		})
	}
}

func TestPlanReceiptsThatWereEditedDoNotSpareTheToken(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(r *receipt.Receipt)
		want string
	}{
		{"another grant is named", func(r *receipt.Receipt) { r.Grants = []string{"bg-0000-0000"} }, "the token is not good: it is of HANDLE, and the plan was let through by HANDLE"},
		{"more was lifted", func(r *receipt.Receipt) {
			r.Decision.Targets = append(r.Decision.Targets, operation.Reference{Ref: "gcp://x/projects/shop/y/z", Kind: "X", Name: "z"})
		}, "the token is not good: HANDLE: it does not name gcp://x/projects/shop/y/z"},
		{"more approvals are asked for", func(r *receipt.Receipt) { r.Decision.Approvals = 2 }, "the token is not good: HANDLE: 1 of the 2 approvals that a policy asks for"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := approvedPlan(t)
			file, err := os.ReadFile(s.receipt)
			if err != nil {
				t.Fatal(err)
			}
			r, err := receipt.Decode(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			tt.edit(&r)
			if file, err = receipt.Encode(r); err != nil {
				t.Fatal(err)
			}
			s.receipt = fileWith(t, "receipt.json", string(file))
			code, told := s.verify(t)
			if diff := cmp.Diff(tt.want, aHandle.ReplaceAllString(told, "HANDLE")); code != exitDenied || diff != "" {
				t.Errorf("exit code %d (-want +got):\n%s", code, diff)
			}
		})
	}
}
