package breakglass

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// MaxToken caps a token's text in bytes, before anything of it is read: 4 KiB, a
	// quarter of what HTTP servers take as headers, and room for a dozen targets.
	MaxToken = 4 << 10
	// MaxTokenLife is the longest time from not before to expiry, whatever an issuer
	// allows: a week, seven times a day's maintenance.
	MaxTokenLife = 7 * 24 * time.Hour

	// tokenType is the typ of a token, in the form of RFC 8725 section 3.11.
	tokenType = "mollyguard-break-glass+jwt"
)

// Sign implements Keys. The token is a JWS in compact serialization (RFC 7515),
// signed with EdDSA, with exactly alg, typ and kid in its header.
func (k *Keyring) Sign(_ context.Context, g Grant) (operation.Secret, error) {
	c := claimsOf(g, k.now())
	if g.Issuer != k.issuer {
		return operation.Secret{}, &Refusal{fmt.Sprintf("%s was issued by %s, which alone makes tokens of it", g.ID, operation.Printable(g.Issuer))}
	}
	if err := c.check(); err != nil { // what Verify would refuse is not signed
		return operation.Secret{}, &Refusal{fmt.Sprintf("%s cannot become a token: %v", g.ID, err)}
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return operation.Secret{}, fmt.Errorf("make a token of %s: %w", g.ID, err)
	}
	signed, err := signJWS(k.held.Load().signing(), tokenType, payload)
	if err != nil {
		return operation.Secret{}, fmt.Errorf("make a token of %s: %w", g.ID, err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		return operation.Secret{}, fmt.Errorf("make a token of %s: %w", g.ID, err)
	}
	if len(text) > MaxToken {
		return operation.Secret{}, &Refusal{fmt.Sprintf(
			"%s does not fit into a token: it would have %d bytes, more than %d; it can be used without a token in %s, or ask for fewer targets",
			g.ID, len(text), MaxToken, operation.Printable(g.Scope.Audience))}
	}
	return operation.NewSecret(text), nil
}

// Verify implements Keys.
func (k *Keyring) Verify(ctx context.Context, token operation.Secret, now time.Time) (Grant, error) {
	return verify(ctx, k, token, now)
}

// signers knows whose keys are good.
type signers interface {
	// public returns the key of an id, or a *Refusal if nobody has it.
	public(ctx context.Context, id string) (ed25519.PublicKey, error)
	// vouches returns a *Refusal unless a key is an issuer's, and good now.
	vouches(ctx context.Context, issuer, id string, now time.Time) error
}

// verify returns the grant that a token carries. The order is the point: size, form,
// header, signature, issuer, claims, times. Nothing of the payload is read before the
// signature is good, so a token that is forged and expired is called forged.
func verify(ctx context.Context, s signers, token operation.Secret, now time.Time) (Grant, error) {
	text := token.Reveal()
	if len(text) > MaxToken {
		return Grant{}, &Refusal{fmt.Sprintf("it is longer than %d bytes", MaxToken)}
	}
	parsed, id, err := parseJWS(text, tokenType, nil)
	if err != nil {
		return Grant{}, err
	}
	public, err := s.public(ctx, id)
	if err != nil {
		return Grant{}, err
	}
	payload, err := parsed.Verify(public)
	if err != nil {
		return Grant{}, &Refusal{"its signature is not good: it is forged or was changed"}
	}
	c, err := readClaims(payload)
	if err != nil {
		return Grant{}, err
	}
	if err := s.vouches(ctx, c.Issuer, id, now); err != nil {
		return Grant{}, err
	}
	if err := c.check(); err != nil {
		return Grant{}, err
	}
	if err := c.checkTimes(now); err != nil {
		return Grant{}, err
	}
	return c.grant(), nil
}
