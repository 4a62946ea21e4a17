package webhook

import (
	"net/http"
	"strings"
)

// Caller tells the API server from whoever else reaches the port. The zero value
// trusts nobody.
type Caller struct {
	// Known reports whether a text is a secret that the API server was told to call
	// by: its webhook configuration has a path that ends in it. Who may read that
	// configuration, or was shown the path in an error of the API server's, knows it
	// too; it keeps out those who only reach the port. Known compares in constant
	// time. Nil knows none.
	Known func(secret string) bool
	// Trusted says that every caller is the API server, since the connection proves
	// it (a client certificate).
	Trusted bool
}

// untrusted says why a call to a path, or below it, cannot be believed to be the
// API server's, or "". A call with another secret is answered like one with none:
// a secret that was replaced must not stop the cluster.
func (c Caller) untrusted(r *http.Request, path string) string {
	given := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, path), "/")
	switch {
	case c.Trusted:
		return ""
	case c.Known == nil:
		return "nothing proves that this call is the API server's (see server.clientCA)"
	case !c.Known(given):
		return "this call did not come by the path that the API server was told: if it is the API server's, its webhook configuration is out of date"
	}
	return ""
}
