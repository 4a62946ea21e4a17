package identity_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mollyguard/mollyguard/identity"
)

func TestAnIssuerSendsUsOnWithinItsHostOnly(t *testing.T) {
	const elsewhere = "sent on to another host"
	for _, tt := range []struct {
		name string
		// from is what answers with a redirect, to where it leads.
		from string
		to   func(i *issuer, other string) string
		want string
	}{
		{"discovery, on its host", "/.well-known/openid-configuration", func(i *issuer, _ string) string { return i.url + "/moved/.well-known/openid-configuration" }, ""},
		{"discovery, to another host", "/.well-known/openid-configuration", func(_ *issuer, other string) string { return other }, elsewhere},
		{"discovery, off https", "/.well-known/openid-configuration", func(i *issuer, _ string) string { return "http" + strings.TrimPrefix(i.url, "https") }, elsewhere},
		{"discovery, in a circle", "/.well-known/openid-configuration", func(i *issuer, _ string) string { return i.url + "/.well-known/openid-configuration" }, "asked less than"},
		{"discovery, on and on", "", func(i *issuer, _ string) string { return i.url + "/more" }, "sent on more than 3 times"},
		{"keys, on their host", "/keys", func(i *issuer, _ string) string { return i.url + "/moved/keys" }, ""},
		{"keys, to another host", "/keys", func(_ *issuer, other string) string { return other }, elsewhere},
		{"keys, off https", "/keys", func(i *issuer, _ string) string { return "http" + strings.TrimPrefix(i.url, "https") + "/keys" }, elsewhere},
	} {
		t.Run(tt.name, func(t *testing.T) {
			other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") }))
			t.Cleanup(other.Close)
			i := newIssuer(t)
			i.instead = func(w http.ResponseWriter, r *http.Request) bool {
				to := tt.to(i, other.URL)
				switch {
				case r.URL.Path == tt.from:
				case tt.from == "":
					to += r.URL.Path
				default:
					r.URL.Path = strings.TrimPrefix(r.URL.Path, "/moved")
					return false
				}
				http.Redirect(w, r, to, http.StatusFound)
				return true
			}
			actor, err := i.authenticator(t, i.options()).Authenticate(t.Context(), i.token(nil))
			if tt.want == "" {
				if err != nil || actor.Name != "alice@example.com" {
					t.Errorf("got %q, %v", actor.Name, err)
				}
				return
			}
			if err == nil || errors.As(err, new(*identity.Rejection)) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want no answer since it was %s", err, tt.want)
			}
		})
	}
}
