package breakglass

import (
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// algorithms are all that signatures may be made with (RFC 8037).
func algorithms() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{jose.EdDSA} }

// compactForm is the JWS compact serialization (RFC 7515 section 7.1), with a
// payload or, detached (appendix F), without. go-jose's decoder would skip line
// breaks in it.
var compactForm = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+$`)

// parseJWS reads a JWS of a type strictly and returns it, not verified, with the id
// of its key. A detached payload is given; nil means that it is in the text. What
// is not as it should be is a *Refusal whose reason begins with "it" and quotes
// nothing.
func parseJWS(text, typ string, detached []byte) (*jose.JSONWebSignature, string, error) {
	malformed := &Refusal{"it is not of the form header.payload.signature in base64url"}
	if !compactForm.MatchString(text) {
		return nil, "", malformed
	}
	var header []byte
	for i, part := range strings.Split(text, ".") {
		decoded, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil { // another text for the same bytes would be the same token
			return nil, "", malformed
		}
		if i == 0 {
			header = decoded
		}
	}
	id, err := readHeader(header, typ)
	if err != nil {
		return nil, "", err
	}
	var parsed *jose.JSONWebSignature
	if detached == nil {
		parsed, err = jose.ParseSignedCompact(text, algorithms())
	} else {
		parsed, err = jose.ParseDetached(text, detached, algorithms())
	}
	if err != nil {
		return nil, "", malformed
	}
	return parsed, id, nil
}

// registeredHeaders are the members that others define for a JWS header (RFC 7515
// section 4.1, RFC 7797, RFC 7516 section 4.1) and that people try: a key of the
// token's own choice, an extension that must be understood, another encoding. They
// are refused by name; of any other member the name is the sender's and not told.
var registeredHeaders = []string{
	"jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "cty", "crit", "b64", "zip", "enc", "url", "nonce",
}

// readHeader checks a protected header, which has exactly alg, typ and kid, and
// returns the kid.
func readHeader(header []byte, typ string) (string, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(header, &members); err != nil {
		return "", &Refusal{"its header is not a JSON object with each member once"}
	}
	var alg, kind, kid string
	wanted := map[string]*string{"alg": &alg, "typ": &kind, "kid": &kid}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		into, ok := wanted[name]
		switch {
		case !ok && slices.Contains(registeredHeaders, name):
			return "", &Refusal{fmt.Sprintf("its header has %s: only alg, typ and kid may be there", name)}
		case !ok:
			return "", &Refusal{"its header has a member other than alg, typ and kid"}
		}
		if err := json.Unmarshal(members[name], into); err != nil {
			return "", &Refusal{fmt.Sprintf("its header's %s is not a text", name)}
		}
	}
	switch {
	case alg != string(jose.EdDSA):
		return "", &Refusal{"it is not signed with EdDSA"}
	case kind != typ:
		return "", &Refusal{"it is of another type than " + typ}
	case !keyIDForm.MatchString(kid):
		return "", &Refusal{"its key id is not the thumbprint of a key"}
	}
	return kid, nil
}
