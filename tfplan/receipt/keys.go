package receipt

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// maxKeyText caps a text with keys: 32 in a JWK set of at most 2 KiB each.
	maxKeyText = 64 << 10
	// maxKeys caps how many keys are believed.
	maxKeys = 32
	// makeKey is how people come by a key.
	makeKey = "openssl genpkey -algorithm ed25519 makes one"
)

// Key signs receipts. However it is printed, it shows its id alone.
type Key struct {
	id      string
	private ed25519.PrivateKey
}

// ID is the RFC 7638 thumbprint of the key's public half, as in the key sets of package
// breakglass.
func (k Key) ID() string { return k.id }

// String returns the id.
func (k Key) String() string { return k.id }

// Format implements fmt.Formatter, for every verb.
func (k Key) Format(f fmt.State, _ rune) {
	// An error of the writer is fmt's to report.
	_, _ = io.WriteString(f, k.id)
}

// Keys are the public keys whose signatures are believed, by id.
type Keys map[string]ed25519.PublicKey

// IDs lists the keys, sorted.
func (k Keys) IDs() []string {
	ids := make([]string, 0, len(k))
	for id := range k {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Public returns the key that checks what k signs.
func (k Key) Public() Keys {
	return Keys{k.id: k.private.Public().(ed25519.PublicKey)}
}

// ReadKey reads an Ed25519 private key in PEM, PKCS #8. A text from a variable may have \n
// for its line breaks. No error quotes the key.
func ReadKey(text operation.Secret) (Key, error) {
	plain := text.Reveal()
	if !strings.Contains(strings.TrimSpace(plain), "\n") {
		plain = strings.ReplaceAll(plain, `\n`, "\n")
	}
	if len(plain) > maxKeyText {
		return Key{}, fmt.Errorf("the signing key has more than %d bytes", maxKeyText)
	}
	block, rest := pem.Decode([]byte(plain))
	switch {
	case block == nil && isPath(plain):
		return Key{}, errors.New("the signing key is not PEM, it looks like a path: this holds the PEM text, not a file name")
	case block == nil:
		return Key{}, errors.New("the signing key is not PEM: " + makeKey)
	case len(bytes.TrimSpace(rest)) > 0:
		return Key{}, errors.New("the signing key's text has more than one key")
	case block.Type == "PUBLIC KEY":
		return Key{}, errors.New("the signing key is a public key: the private one signs")
	case block.Type == "ENCRYPTED PRIVATE KEY":
		return Key{}, errors.New("the signing key is encrypted with a password: openssl pkey takes it off")
	case block.Type != "PRIVATE KEY":
		return Key{}, errors.New("the signing key is not PKCS #8 (-----BEGIN PRIVATE KEY-----): " + makeKey)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok { // what x509 says could quote the key
		return Key{}, errors.New("the signing key is not an Ed25519 key: " + makeKey)
	}
	id, err := keyID(private.Public().(ed25519.PublicKey))
	if err != nil {
		return Key{}, err
	}
	return Key{id: id, private: private}, nil
}

// maxPath caps what is taken for a path.
const maxPath = 4096

// isPath reports whether a text looks like the name of a file. The text is not quoted
// anywhere: it may be part of a key.
func isPath(text string) bool {
	text = strings.TrimSpace(text)
	if len(text) == 0 || len(text) > maxPath || strings.ContainsAny(text, "\n=+") {
		return false
	}
	return strings.HasSuffix(text, ".pem") || strings.HasSuffix(text, ".key") ||
		strings.HasPrefix(text, "/") || strings.HasPrefix(text, "./") || strings.HasPrefix(text, "../") || strings.HasPrefix(text, "~/")
}

// keyID is the RFC 7638 thumbprint of an Ed25519 key (RFC 8037 section 2). A key has no
// other name, so nobody can pass one key off under the name of another.
func keyID(public ed25519.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("name the key: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// ReadKeys reads public keys: one or more in PEM, or a JWK set (RFC 7517) such as a server
// of ours has at /.well-known/jwks.json. Keys of a set that are not Ed25519 for signatures
// are left out; a set with a private key is refused as a whole.
func ReadKeys(text []byte) (Keys, error) {
	if len(text) > maxKeyText {
		return nil, fmt.Errorf("the keys have more than %d bytes", maxKeyText)
	}
	read := readPEM
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		read = readSet
	}
	keys, err := read(text)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no Ed25519 key for signatures")
	}
	if len(keys) > maxKeys {
		return nil, fmt.Errorf("there are %d keys, more than %d", len(keys), maxKeys)
	}
	return keys, nil
}

func readPEM(text []byte) (Keys, error) {
	keys := Keys{}
	for rest := bytes.TrimSpace(text); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("the keys are neither PEM (-----BEGIN PUBLIC KEY-----) nor a JWK set")
		}
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return nil, errors.New("there is a private key where public ones belong: openssl pkey -pubout makes the public one of it")
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		public, ok := parsed.(ed25519.PublicKey)
		if err != nil || !ok || block.Type != "PUBLIC KEY" {
			return nil, fmt.Errorf("key %d is not an Ed25519 public key", len(keys)+1)
		}
		id, err := keyID(public)
		if err != nil {
			return nil, err
		}
		keys[id] = public
	}
	return keys, nil
}

// privateMembers are those of a JWK that hold what its owner must keep to itself (RFC 7518
// section 6, RFC 8037 section 2).
var privateMembers = []string{"d", "k", "p", "q", "dp", "dq", "qi", "oth", "priv"}

func readSet(text []byte) (Keys, error) {
	var set struct {
		Keys []map[string]jsontext.Value `json:"keys"`
	}
	if json.Unmarshal(text, &set) != nil { // what the decoder says could quote a key
		return nil, errors.New("the keys are not a JWK set with each member once")
	}
	keys := Keys{}
	for i, members := range set.Keys {
		for _, name := range privateMembers {
			if members[name] != nil {
				return nil, fmt.Errorf("keys[%d] is a private or symmetric key: take it out of use, it was published", i)
			}
		}
		word := func(name string) string {
			var s string
			if json.Unmarshal(members[name], &s) != nil {
				return ""
			}
			return s
		}
		use, alg := word("use"), word("alg")
		if word("kty") != "OKP" || word("crv") != "Ed25519" || members["use"] != nil && use != "sig" ||
			members["alg"] != nil && alg != "EdDSA" && alg != "Ed25519" { // RFC 8037, RFC 9864
			continue
		}
		public, err := base64.RawURLEncoding.Strict().DecodeString(word("x"))
		if err != nil || len(public) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("keys[%d]: its x is not %d bytes in base64url", i, ed25519.PublicKeySize)
		}
		id, err := keyID(public)
		if err != nil {
			return nil, err
		}
		if word("kid") != id {
			return nil, fmt.Errorf("keys[%d]: its kid is not its RFC 7638 thumbprint", i)
		}
		keys[id] = public
	}
	return keys, nil
}
