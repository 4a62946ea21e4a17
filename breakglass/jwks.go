package breakglass

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxJWKSBytes caps another issuer's JWK set: 32 keys with a certificate chain of
	// 2 KiB each, which none of ours has.
	maxJWKSBytes = 64 << 10
	// maxHeaderBytes caps the header of the answer that it comes in: 16 KiB, what
	// most servers and proxies can send.
	maxHeaderBytes = 16 << 10
	// maxRedirects is how often its URL may send us on, within its host.
	maxRedirects = 3
)

// privateMembers are those of a JWK that hold what its owner must keep to itself
// (RFC 7518 section 6, RFC 8037 section 2).
var privateMembers = []string{"d", "k", "p", "q", "dp", "dq", "qi", "oth", "priv"}

// parseJWKS returns the Ed25519 keys of a JWK set that are for signatures, by id.
// Other public keys are left out. A set that gives away a private or symmetric key
// is not used at all: somebody made a mistake that others have seen, too.
func parseJWKS(data []byte) (map[string]ed25519.PublicKey, error) {
	if len(data) > maxJWKSBytes {
		return nil, fmt.Errorf("the key set has more than %d bytes", maxJWKSBytes)
	}
	var set struct {
		Keys []map[string]jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil { // what the decoder says could quote a key
		return nil, errors.New("not a JWK set with each member once")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set has %d keys, more than %d", len(set.Keys), maxKeys)
	}
	keys := map[string]ed25519.PublicKey{}
	for i, members := range set.Keys {
		id, public, err := readJWK(members)
		if err != nil {
			return nil, fmt.Errorf("keys[%d]: %w", i, err)
		}
		if public != nil {
			keys[id] = public
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no Ed25519 key for signatures")
	}
	return keys, nil
}

// readJWK returns an Ed25519 key for signatures with its id, or no key if it is
// another sort of public key.
func readJWK(members map[string]jsontext.Value) (id string, public ed25519.PublicKey, err error) {
	for name := range members {
		if slices.Contains(privateMembers, name) {
			return "", nil, errors.New("it is a private or symmetric key: take it out of use, it was published")
		}
	}
	text := func(name string) string {
		var s string
		if json.Unmarshal(members[name], &s) != nil {
			return ""
		}
		return s
	}
	has := func(name string) bool { return members[name] != nil }
	switch {
	case text("kty") != "OKP", text("crv") != "Ed25519",
		has("use") && text("use") != "sig",
		has("alg") && text("alg") != "EdDSA" && text("alg") != "Ed25519": // RFC 8037, RFC 9864
		return "", nil, nil
	}
	public, err = base64.RawURLEncoding.Strict().DecodeString(text("x"))
	if err != nil || len(public) != ed25519.PublicKeySize {
		return "", nil, fmt.Errorf("its x is not %d bytes in base64url", ed25519.PublicKeySize)
	}
	if id = text("kid"); id != keyID(public) {
		return "", nil, errors.New("its kid is not its RFC 7638 thumbprint")
	}
	return id, public, nil
}

// fileKeys reads a JWK set from a file.
func fileKeys(path string) fetchKeys {
	return func(context.Context) (map[string]ed25519.PublicKey, error) {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() { // opening a pipe could block for ever
			return nil, fmt.Errorf("%s is not a regular file", path)
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(io.LimitReader(f, maxJWKSBytes+1))
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		keys, err := parseJWKS(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return keys, nil
	}
}

// urlKeys fetches a JWK set. A nil client means a new one.
func urlKeys(address string, client *http.Client) (fetchKeys, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("url: %q is not an https:// address", address)
	case u.User != nil || u.Fragment != "":
		return nil, errors.New("url: has a user or a fragment, which are no use here")
	}
	if client == nil {
		client = &http.Client{
			Timeout:   fetchTimeout,
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxResponseHeaderBytes: maxHeaderBytes},
		}
	}
	ours := *client
	ours.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if next.URL.Scheme != u.Scheme || next.URL.Host != u.Host {
			return errors.New("sent on to another host")
		}
		if len(via) > maxRedirects {
			return fmt.Errorf("sent on more than %d times", maxRedirects)
		}
		return nil
	}
	return func(ctx context.Context) (map[string]ed25519.PublicKey, error) { return getKeys(ctx, &ours, address) }, nil
}

func getKeys(ctx context.Context, client *http.Client, address string) (keys map[string]ed25519.PublicKey, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get %s: %s", address, response.Status)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxJWKSBytes+1))
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", address, err)
	}
	if keys, err = parseJWKS(data); err != nil {
		return nil, fmt.Errorf("get %s: %w", address, err)
	}
	return keys, nil
}
