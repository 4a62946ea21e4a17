package receipt

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// signatureType is the typ of a receipt's signature: none made for something else is good
// for a receipt.
const signatureType = "mollyguard-plan-receipt+jws"

// Fault says what is wrong with a signature.
type Fault string

// The faults.
const (
	// Unsigned: there is no signature.
	Unsigned Fault = "unsigned"
	// Forged: there is something that no key of ours makes: another algorithm or type, a
	// key that came along, a text that is no JWS.
	Forged Fault = "forged"
	// OtherKey: it may be a signature, but of a key that is not believed here.
	OtherKey Fault = "other-key"
	// Changed: the key is believed, but this is not what it signed.
	Changed Fault = "changed"
)

// SignatureError says why a receipt's signature is not believed.
type SignatureError struct {
	Fault Fault
	// What is a sentence for people; Hint says what to do, or is empty.
	What, Hint string
}

func (e *SignatureError) Error() string { return e.What }

// payload is what is signed: the receipt without its signature in canonical form (RFC
// 8785), so that neither spaces nor the order of members matter.
func (r Receipt) payload() ([]byte, error) {
	r.Signature = ""
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write the receipt's canonical form: %w", err)
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, fmt.Errorf("write the receipt's canonical form: %w", err)
	}
	delete(members, "signature")
	if text, err = json.Marshal(members); err != nil {
		return nil, fmt.Errorf("write the receipt's canonical form: %w", err)
	}
	canonical := jsontext.Value(text)
	if err := canonical.Canonicalize(); err != nil {
		return nil, fmt.Errorf("write the receipt's canonical form: %w", err)
	}
	return canonical, nil
}

// Sign returns the receipt with a signature: a detached JWS in compact form (RFC 7515
// appendix F) with EdDSA. The same receipt and key make the same text.
func (r Receipt) Sign(key Key) (Receipt, error) {
	if err := r.check(); err != nil {
		return Receipt{}, fmt.Errorf("sign the receipt: %w", oneLine(err))
	}
	payload, err := r.payload()
	if err != nil {
		return Receipt{}, err
	}
	options := (&jose.SignerOptions{}).WithType(signatureType)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: key.private, KeyID: key.id}}, options)
	if err != nil {
		return Receipt{}, fmt.Errorf("sign the receipt with key %s: %w", key.id, err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return Receipt{}, fmt.Errorf("sign the receipt with key %s: %w", key.id, err)
	}
	if r.Signature, err = signed.DetachedCompactSerialize(); err != nil {
		return Receipt{}, fmt.Errorf("sign the receipt with key %s: %w", key.id, err)
	}
	return r, nil
}

// CheckSignature returns a *SignatureError unless one of the keys signed the receipt as it
// is.
func (r Receipt) CheckSignature(keys Keys) error {
	if r.Signature == "" {
		return &SignatureError{Unsigned, "the receipt is not signed", "give plan check the signing key: terraform.receipts.key in its configuration, or MOLLYGUARD_RECEIPT_KEY"}
	}
	kid, err := parseHeader(r.Signature)
	if err != nil {
		return err
	}
	public, known := keys[kid]
	if !known {
		return &SignatureError{
			OtherKey, fmt.Sprintf("the receipt is signed with key %s, which is not among those to believe (%s)", kid, strings.Join(keys.IDs(), ", ")),
			"make sure that plan check and plan verify use the same pair of keys, and that the receipt is this pipeline's",
		}
	}
	payload, err := r.payload()
	if err != nil {
		return err
	}
	signed, err := jose.ParseDetached(r.Signature, payload, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return forged("it is not a JWS")
	}
	if _, err := signed.Verify(public); err != nil {
		return &SignatureError{
			Changed, fmt.Sprintf("the receipt was changed after it was signed, or key %s did not sign it", kid),
			"do not apply: find out who wrote the receipt, then plan and check again",
		}
	}
	return nil
}

// KeyID returns the id of the key that a receipt says it is signed with, or an empty text.
// CheckSignature says whether it is.
func (r Receipt) KeyID() string {
	kid, err := parseHeader(r.Signature)
	if err != nil {
		return ""
	}
	return kid
}

// detachedForm is header..signature. go-jose's decoder would skip line breaks in it.
var detachedForm = regexp.MustCompile(`^([A-Za-z0-9_-]+)\.\.([A-Za-z0-9_-]+)$`)

// kidForm is that of a thumbprint with SHA-256: 32 bytes in base64url.
var kidForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// parseHeader checks the form of a signature and its protected header, which has exactly
// alg, typ and kid, and returns the kid.
func parseHeader(signature string) (kid string, err error) {
	parts := detachedForm.FindStringSubmatch(signature)
	if parts == nil {
		return "", forged("it is not of the form header..signature in base64url")
	}
	header, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err != nil { // another text for the same bytes would be the same signature
		return "", forged("its header is not base64url")
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(parts[2]); err != nil {
		return "", forged("its last part is not base64url")
	}
	var members struct {
		Alg *string `json:"alg"`
		Typ *string `json:"typ"`
		Kid *string `json:"kid"`
	}
	if err := json.Unmarshal(header, &members, json.RejectUnknownMembers(true)); err != nil || !bytes.HasPrefix(header, []byte("{")) {
		return "", forged("its header is not a JSON object with just alg, typ and kid, each once")
	}
	switch {
	case members.Alg == nil || *members.Alg != string(jose.EdDSA):
		return "", forged("it is not made with EdDSA")
	case members.Typ == nil || *members.Typ != signatureType:
		return "", forged("it is of another type than " + signatureType)
	case members.Kid == nil || !kidForm.MatchString(*members.Kid):
		return "", forged("its key id is not the thumbprint of a key")
	}
	return *members.Kid, nil
}

func forged(why string) error {
	return &SignatureError{Forged, "the receipt's signature is none: " + why, "do not apply: find out who wrote the receipt, then plan and check again"}
}
