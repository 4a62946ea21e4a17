package breakglass

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// sealType is the typ of a seal: not a token's, so that neither passes for the
	// other.
	sealType = "mollyguard-grant-seal+jws"
	// maxSeal caps a seal's text in bytes: header 150, two dots, signature 86, twice
	// over.
	maxSeal = 512
)

// Seal implements Keys. The seal is a JWS whose payload, the grant's JSON, is
// detached (RFC 7515 appendix F). The same grant and key make the same seal.
func (k *Keyring) Seal(_ context.Context, g Grant) (string, error) {
	if g.Issuer != k.issuer {
		return "", fmt.Errorf("seal %s: it was issued by %s", g.ID, operation.Printable(g.Issuer))
	}
	payload, err := sealed(g)
	if err != nil {
		return "", err
	}
	signed, err := signJWS(k.held.Load().signing(), sealType, payload)
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", g.ID, err)
	}
	return signed.DetachedCompactSerialize()
}

// CheckSeal implements Keys. A seal made with a key whose overlap is over is not
// good any more: a grant could not have lived so long, and whoever got hold of an
// old key must not be able to make old grants with it.
func (k *Keyring) CheckSeal(ctx context.Context, g Grant) error {
	err := k.checkSeal(ctx, g)
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return &Refusal{"the grant's seal is not good: " + refusal.Reason}
	}
	return err
}

func (k *Keyring) checkSeal(ctx context.Context, g Grant) error {
	switch {
	case g.Issuer != k.issuer:
		return &Refusal{"it was issued by " + operation.Printable(g.Issuer) + ", not here"}
	case g.Seal == "":
		return &Refusal{"there is none"}
	case len(g.Seal) > maxSeal:
		return &Refusal{fmt.Sprintf("it is longer than %d bytes", maxSeal)}
	}
	payload, err := sealed(g)
	if err != nil { // nothing that was ever sealed
		return &Refusal{err.Error()}
	}
	parsed, id, err := parseJWS(g.Seal, sealType, payload)
	if err != nil {
		return err
	}
	key, ok, err := k.own(ctx, id)
	if err != nil {
		return err
	}
	if !ok {
		return &Refusal{"it was made with a key that is not known here"}
	}
	if err := parsed.DetachedVerify(payload, key.public); err != nil {
		return &Refusal{"the grant is not as it was sealed"}
	}
	return key.current(k.now())
}

// sealed is what a seal is over. Stores may keep times in whole seconds and in
// other zones, and lists without items as none.
func sealed(g Grant) ([]byte, error) {
	g.NotBefore, g.Expires = g.NotBefore.UTC().Truncate(time.Second), g.Expires.UTC().Truncate(time.Second)
	payload, err := json.Marshal(g)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", g.ID, err)
	}
	return payload, nil
}
