package sink

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// The headers of a signature
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// SignatureTolerance is how far the clocks of sender and receiver may be apart, and for
// how long somebody who recorded an event can send it again unnoticed by Verify.
const SignatureTolerance = 5 * time.Minute

const (
	signingPrefix = "whsec_"
	// Keys have 24 to 64 bytes, as Standard Webhooks say.
	minSigningKey, maxSigningKey = 24, 64
	// maxSignatures is how many signatures of one header are tried.
	maxSignatures = 16
)

// SigningSecret is a key that signs or verifies.
type SigningSecret struct{ key operation.Secret }

// ParseSigningSecret reads whsec_ and, in base64, a key of 24 to 64 bytes, the form that
// libraries of Standard Webhooks take. Its errors do not show the secret.
func ParseSigningSecret(secret operation.Secret) (SigningSecret, error) {
	text, ok := strings.CutPrefix(secret.Reveal(), signingPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(key) < minSigningKey || len(key) > maxSigningKey {
		return SigningSecret{}, fmt.Errorf(`the secret is not %s and, in base64, %d to %d bytes: make one with: echo "%s$(openssl rand -base64 32)"`,
			signingPrefix, minSigningKey, maxSigningKey, signingPrefix)
	}
	return SigningSecret{operation.NewSecret(string(key))}, nil
}

// sign sets the headers that say who sent a body and when.
func sign(header http.Header, id string, at time.Time, body []byte, keys []SigningSecret) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(keys))
	for i, key := range keys {
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(key.sum(id, timestamp, body))
	}
	header.Set(HeaderID, id)
	header.Set(HeaderTimestamp, timestamp)
	header.Set(HeaderSignature, strings.Join(signatures, " "))
}

func (s SigningSecret) sum(id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(s.key.Reveal()))
	// A hash takes all that is written.
	_, _ = mac.Write([]byte(id + "." + timestamp + "."))
	_, _ = mac.Write(body)
	return mac.Sum(nil)
}

// Verify reports by nil that the body was sent by somebody who has one of the secrets,
// within SignatureTolerance of now. It is what receivers of CloudEvents do before they
// read a body, whose bytes must be as they were received. An event may come more than
// once: its id says so. It may be called concurrently.
func Verify(header http.Header, body []byte, secrets []SigningSecret, now time.Time) error {
	id, timestamp := header.Get(HeaderID), header.Get(HeaderTimestamp)
	if id == "" || timestamp == "" || header.Get(HeaderSignature) == "" {
		return fmt.Errorf("not signed: %s, %s or %s is missing", HeaderID, HeaderTimestamp, HeaderSignature)
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return fmt.Errorf("%s is not a number of seconds", HeaderTimestamp)
	}
	if at := time.Unix(seconds, 0); at.Before(now.Add(-SignatureTolerance)) || at.After(now.Add(SignatureTolerance)) {
		return fmt.Errorf("signed more than %v away from now: an old message sent again, or a wrong clock", SignatureTolerance)
	}
	signatures := strings.Fields(header.Get(HeaderSignature))
	for _, text := range signatures[:min(len(signatures), maxSignatures)] {
		encoded, ok := strings.CutPrefix(text, "v1,")
		sum, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil {
			continue // of another version, which may stand beside ours
		}
		for _, secret := range secrets {
			if secret.key.Reveal() != "" && hmac.Equal(sum, secret.sum(id, timestamp, body)) {
				return nil
			}
		}
	}
	return errors.New("no signature is by a secret that is known here")
}
