package webhook

import (
	"crypto/subtle"
	"net/http"
	"strings"
)

// Caller tells the API server from whoever else reaches the port. The zero value
// trusts nobody.
type Caller struct {
	// Secret returns what only the API server knows, or "": the path of its calls
	// ends in it. Nil means "".
	Secret func() string
	// Trusted says that every caller is the API server, since the connection proves
	// it (a client certificate).
	Trusted bool
}

// untrusted says why a call to a path, or below it, cannot be believed to be the
// API server's, or "". A call with another secret is answered like one with none:
// a secret that was replaced must not stop the cluster.
func (c Caller) untrusted(r *http.Request, path string) string {
	if c.Trusted {
		return ""
	}
	secret := ""
	if c.Secret != nil {
		secret = c.Secret()
	}
	given := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, path), "/")
	switch {
	case secret == "":
		return "nothing proves that this call is the API server's (see server.clientCA)"
	case subtle.ConstantTimeCompare([]byte(given), []byte(secret)) != 1:
		return "this call did not come by the path that only the API server knows: if it did, its webhook configuration is out of date"
	}
	return ""
}
