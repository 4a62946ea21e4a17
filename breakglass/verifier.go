package breakglass

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// VerifierOptions says whose tokens a Verifier takes. Trusted is required.
type VerifierOptions struct {
	Trusted []TrustedIssuer
	// HTTPClient fetches key sets; nil means one with a timeout and without surprises.
	// Its redirects are followed only on the same host.
	HTTPClient *http.Client
	// Now is the clock by which key sets get old; nil means time.Now.
	Now func() time.Time
}

// Verifier verifies tokens of trusted issuers where nothing is signed and no key is kept:
// in a pipeline. It knows nothing of revocations and uses: those the issuer's desk has.
// It may be used concurrently.
type Verifier struct{ issuers trustedIssuers }

// NewVerifier reads the files of the issuers; URLs are asked when a token comes. All that
// is wrong with the options is told at once.
func NewVerifier(ctx context.Context, o VerifierOptions) (*Verifier, error) {
	if len(o.Trusted) == 0 {
		return nil, errors.New("verify tokens: no issuer is trusted")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	issuers, err := newIssuers(ctx, o.Trusted, "", o.HTTPClient, o.Now)
	if err != nil {
		return nil, fmt.Errorf("verify tokens: %w", err)
	}
	return &Verifier{issuers}, nil
}

// Verify returns the grant that a token carries. A token that is not good is a *Refusal;
// another error means that it could not be told.
func (v *Verifier) Verify(ctx context.Context, token operation.Secret, now time.Time) (Grant, error) {
	return verify(ctx, v, token, now)
}

func (v *Verifier) public(ctx context.Context, id string) (ed25519.PublicKey, error) {
	if public, ok := v.issuers.remembered(id); ok {
		return public, nil
	}
	public, ok, err := v.issuers.ask(ctx, id)
	if !ok && err == nil {
		err = nobodysKey()
	}
	return public, err
}

func (v *Verifier) vouches(ctx context.Context, issuer, id string, _ time.Time) error {
	return v.issuers.vouches(ctx, issuer, id)
}
