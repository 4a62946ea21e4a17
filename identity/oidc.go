package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/mollyguard/mollyguard/operation"
)

// OIDCOptions says whose ID tokens are taken and how names are made of them.
// Issuer, ClientID and KindOf are required. They mean what the API server's flags
// of the same names mean, so that somebody has one name at both doors
// (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#configuring-the-api-server).
type OIDCOptions struct {
	// Issuer is the issuer's https URL, as it is in the tokens.
	Issuer string
	// ClientID is the audience that a token has to have.
	ClientID string
	// UsernameClaim is the claim that names the user; empty means sub.
	UsernameClaim string
	// UsernamePrefix goes before names. Empty means none for the claim email, and
	// the issuer with a # for any other; "-" means none.
	UsernamePrefix string
	// GroupsClaim is the claim with the groups, a text or a list; empty means that
	// nobody is in a group.
	GroupsClaim string
	// GroupsPrefix goes before groups.
	GroupsPrefix string
	// CAFile has the certificates that the issuer's has to be signed with; empty
	// means the system's.
	CAFile string
	// RequiredClaims have to be in a token, as texts of just these values.
	RequiredClaims map[string]string
	// KindOf says what kind of actor a name is.
	KindOf KindOf

	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// signedBy are the signatures that are taken: asymmetric ones. With HS256 whoever
// knows the public key could sign, and none is no signature.
var signedBy = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512,
	oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// OIDC takes the ID tokens of one issuer (OpenID Connect Core 1.0, section 2). It
// may be used concurrently.
type OIDC struct {
	options OIDCOptions
	prefix  string
	issuer  *issuer
}

// NewOIDC returns an OIDC. It does not talk to the issuer: that is done when the
// first token comes, so that a server starts while its issuer is down.
func NewOIDC(o OIDCOptions) (*OIDC, error) {
	at, err := url.Parse(o.Issuer)
	switch {
	case err != nil || at.Scheme != "https" || at.Host == "" || at.User != nil || at.RawQuery != "" || at.Fragment != "":
		return nil, fmt.Errorf("OIDC issuer: %q is not an https URL without query", o.Issuer)
	case o.ClientID == "" || o.KindOf == nil:
		return nil, errors.New("OIDC: ClientID and KindOf are required")
	}
	o.RequiredClaims = maps.Clone(o.RequiredClaims)
	if o.UsernameClaim == "" {
		o.UsernameClaim = "sub"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	prefix := o.UsernamePrefix
	switch {
	case prefix == "-":
		prefix = ""
	case prefix == "" && o.UsernameClaim != "email":
		prefix = o.Issuer + "#"
	}
	issuer, err := newIssuer(o.Issuer, o.CAFile, o.Now)
	if err != nil {
		return nil, err
	}
	return &OIDC{options: o, prefix: prefix, issuer: issuer}, nil
}

// Authenticate implements Authenticator.
func (o *OIDC) Authenticate(ctx context.Context, bearer operation.Secret) (operation.Actor, error) {
	text := bearer.Reveal()
	if len(text) > MaxToken {
		return operation.Actor{}, tooLong()
	}
	// Before the issuer is asked for anything: other authenticators' tokens are no
	// reason to.
	if claimed := claimedIssuer(text); claimed != o.options.Issuer && "https://"+claimed != o.options.Issuer {
		return operation.Actor{}, &Rejection{Reason: "not a token of " + o.options.Issuer, Foreign: true}
	}
	keys, err := o.issuer.keySet(ctx)
	if err != nil {
		return operation.Actor{}, fmt.Errorf("ask %s for its keys: %w", o.options.Issuer, err)
	}
	noting := &notingKeySet{KeySet: keys}
	verifier := oidc.NewVerifier(o.options.Issuer, noting, &oidc.Config{
		ClientID: o.options.ClientID, SupportedSigningAlgs: slices.Clone(signedBy), Now: o.options.Now,
	})
	token, err := verifier.Verify(ctx, text)
	if err != nil {
		return operation.Actor{}, o.notVerified(err, noting.unreachable, bearer)
	}
	claims := claims{}
	if err := token.Claims(&claims); err != nil {
		return operation.Actor{}, &Rejection{Reason: "the token's claims cannot be read", Detail: Detail(err.Error(), bearer)}
	}
	actor, err := o.actor(claims)
	if err != nil {
		return operation.Actor{}, &Rejection{Reason: err.Error()}
	}
	return actor, nil
}

func (o *OIDC) notVerified(err, unreachable error, bearer operation.Secret) error {
	if unreachable != nil {
		return fmt.Errorf("ask %s for its keys: %w", o.options.Issuer, unreachable)
	}
	var expired *oidc.TokenExpiredError
	if errors.As(err, &expired) {
		if expired.Expiry.IsZero() {
			return &Rejection{Reason: "the token does not say when it ends"}
		}
		return &Rejection{Reason: "the token expired at " + expired.Expiry.UTC().Format(time.RFC3339)}
	}
	return &Rejection{Reason: "the token is not good: signature, audience or times", Detail: Detail(err.Error(), bearer)}
}

// actor makes an actor of claims as the API server does
// (k8s.io/apiserver plugin/pkg/authenticator/token/oidc).
func (o *OIDC) actor(c claims) (operation.Actor, error) {
	for _, name := range slices.Sorted(maps.Keys(o.options.RequiredClaims)) {
		if value, err := c.text(name); err != nil || value != o.options.RequiredClaims[name] {
			return operation.Actor{}, fmt.Errorf("the token's claim %q is not what is required", name)
		}
	}
	name, err := c.text(o.options.UsernameClaim)
	if err != nil {
		return operation.Actor{}, err
	}
	// The API server also takes an address of which nothing is said; here somebody
	// may have entered it themselves, and it may be an approver's.
	var verified bool
	if o.options.UsernameClaim == "email" && (json.Unmarshal(c["email_verified"], &verified) != nil || !verified) {
		return operation.Actor{}, errors.New("the token's issuer did not verify the e-mail address")
	}
	groups, err := c.texts(o.options.GroupsClaim)
	if err != nil {
		return operation.Actor{}, err
	}
	for i, group := range groups {
		groups[i] = o.options.GroupsPrefix + group
	}
	name = o.prefix + name
	for _, text := range append([]string{name}, groups...) {
		if strings.HasPrefix(text, clusterOwn) {
			return operation.Actor{}, fmt.Errorf("the token claims %q, which only a cluster gives", text)
		}
	}
	actor := operation.Actor{Identity: operation.Identity{Name: name, Kind: o.options.KindOf(name)}, Groups: groups}
	if jti, err := c.text("jti"); err == nil {
		actor.Credential = "JTI=" + jti // as the API server writes it
	}
	return actor, nil
}

// claimedIssuer is what a text says of its issuer if it is a JWT, unverified.
func claimedIssuer(text string) string {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claimed struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(payload, &claimed) != nil {
		return ""
	}
	return claimed.Issuer
}

// claims are those of a verified token.
type claims map[string]json.RawMessage

func (c claims) text(name string) (string, error) {
	var value string
	if err := json.Unmarshal(c[name], &value); err != nil || value == "" {
		return "", fmt.Errorf("the token has no claim %q that is a text", name)
	}
	return value, nil
}

// texts is a claim that is a text or a list of texts; none if it is not there.
func (c claims) texts(name string) ([]string, error) {
	raw, ok := c[name]
	if name == "" || !ok {
		return nil, nil
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list, nil
	}
	value, err := c.text(name)
	if err != nil {
		return nil, fmt.Errorf("the token's claim %q is neither a text nor a list of texts", name)
	}
	return []string{value}, nil
}
