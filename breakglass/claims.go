package breakglass

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

// claims are what a token says: the registered claims of RFC 7519, times in whole
// seconds since 1970, and the rest of the grant. A token has all of them but
// credential, which is left out when any credential will do.
type claims struct {
	Issuer          string      `json:"iss"`
	Audience        string      `json:"aud"`
	Subject         string      `json:"sub"`
	ID              string      `json:"jti"`
	IssuedAt        int64       `json:"iat"`
	NotBefore       int64       `json:"nbf"`
	Expires         int64       `json:"exp"`
	Scope           scopeClaims `json:"scope"`
	Reason          string      `json:"reason"`
	Ticket          string      `json:"ticket"`
	Approvers       []string    `json:"approvers"`
	ApprovalsDigest string      `json:"approvals_digest"`
	Credential      string      `json:"credential,omitempty"`
}

// scopeClaims is a Scope without its audience, which is a claim of its own.
//
// Of a Terraform plan, Targets has the plan alone, and Names the canonical names of what it
// may destroy: PlanTarget says the rest, and a token has little room.
type scopeClaims struct {
	Surface operation.Surface     `json:"surface"`
	Verbs   []operation.Verb      `json:"verbs"`
	Targets []operation.Reference `json:"targets"`
	Names   []string              `json:"names,omitempty"`
	Objects int                   `json:"objects"`
	Whole   bool                  `json:"whole,omitzero"`
}

func scopeClaimsOf(s Scope) scopeClaims {
	c := scopeClaims{Surface: s.Surface, Verbs: s.Verbs, Targets: s.Targets, Objects: s.Objects, Whole: s.Whole}
	if s.Surface == operation.Terraform && len(s.Targets) > 1 {
		c.Targets = s.Targets[:1]
		for _, target := range s.Targets[1:] {
			c.Names = append(c.Names, target.Ref)
		}
	}
	return c
}

func (c scopeClaims) scope(audience string) Scope {
	s := Scope{Surface: c.Surface, Audience: audience, Verbs: c.Verbs, Targets: c.Targets, Objects: c.Objects, Whole: c.Whole}
	for _, name := range c.Names {
		s.Targets = append(s.Targets, PlanTarget(name))
	}
	return s
}

// What must be there, in the order in which it is missed. An absent uid would be
// read as "any", an absent exp as 1970.
var (
	claimNames = []string{
		"iss", "aud", "sub", "jti", "iat", "nbf", "exp", "scope", "reason", "ticket", "approvers", "approvals_digest",
	}
	scopeClaimNames  = []string{"surface", "verbs", "targets", "objects"}
	targetClaimNames = []string{"ref", "kind", "namespace", "name", "uid"}
)

// claimsOf returns what a token of a grant says. A fraction of a second is cut off
// so that the token is not good for longer than the grant.
func claimsOf(g Grant, now time.Time) claims {
	return claims{
		Issuer: g.Issuer, Audience: g.Scope.Audience, Subject: g.Subject, ID: g.ID,
		IssuedAt: now.Unix(), NotBefore: g.NotBefore.Add(time.Second - 1).Unix(), Expires: g.Expires.Unix(),
		Scope:  scopeClaimsOf(g.Scope),
		Reason: g.Reason, Ticket: g.Ticket, Approvers: g.Approvers, ApprovalsDigest: g.ApprovalsDigest, Credential: g.Credential,
	}
}

func (c claims) grant() Grant {
	return Grant{
		ID: c.ID, Issuer: c.Issuer, Subject: c.Subject, Credential: c.Credential,
		Scope:  c.Scope.scope(c.Audience),
		Reason: c.Reason, Ticket: c.Ticket, Approvers: c.Approvers, ApprovalsDigest: c.ApprovalsDigest,
		NotBefore: time.Unix(c.NotBefore, 0).UTC(), Expires: time.Unix(c.Expires, 0).UTC(),
	}
}

// readClaims reads a payload whose signature is good. A claim that is missing, of
// the wrong kind or not known is a *Refusal.
func readClaims(payload []byte) (claims, error) {
	members, err := present(payload, "", claimNames)
	if err != nil {
		return claims{}, err
	}
	scope, err := present(members["scope"], "scope.", scopeClaimNames)
	if err != nil {
		return claims{}, err
	}
	var targets []jsontext.Value
	if err := json.Unmarshal(scope["targets"], &targets); err != nil {
		return claims{}, &Refusal{"its claim scope.targets is not a list"}
	}
	for i, target := range targets {
		if _, err := present(target, fmt.Sprintf("scope.targets[%d].", i), targetClaimNames); err != nil {
			return claims{}, err
		}
	}
	var c claims
	if err := json.Unmarshal(payload, &c, json.RejectUnknownMembers(true)); err != nil {
		return claims{}, unreadable(err)
	}
	return c, nil
}

// present returns the members of an object, of which some must be there and not
// null.
func present(object jsontext.Value, prefix string, names []string) (map[string]jsontext.Value, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(object, &members); err != nil {
		where := "its payload"
		if prefix != "" {
			where = "its claim " + strings.TrimSuffix(prefix, ".")
		}
		return nil, &Refusal{where + " is not a JSON object with each member once"}
	}
	for _, name := range names {
		if value, ok := members[name]; !ok || value.Kind() == jsontext.KindNull {
			return nil, &Refusal{"its claim " + prefix + name + " is missing"}
		}
	}
	return members, nil
}

// unreadable says which claim a decoder could not read.
func unreadable(err error) error {
	at, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		return &Refusal{"its payload is not JSON of a token"}
	}
	where := strings.ReplaceAll(strings.TrimPrefix(string(at.JSONPointer), "/"), "/", ".")
	if errors.Is(at.Err, json.ErrUnknownName) {
		return &Refusal{fmt.Sprintf("it has a claim that is not known here: %q", where)}
	}
	return &Refusal{"its claim " + where + " is of the wrong kind"}
}

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// maxClaimTime is the end of the year 9999, the last that RFC 3339 can write.
const maxClaimTime = 253402300799

// check returns a *Refusal unless the claims are those of a grant that could have
// been issued. It does not look at the clock.
func (c claims) check() error {
	for _, text := range []struct {
		name, value string
		required    bool
		limit       int
	}{
		{"iss", c.Issuer, true, MaxName},
		{"aud", c.Audience, true, MaxName},
		{"sub", c.Subject, true, MaxName},
		{"reason", c.Reason, true, MaxReason},
		{"ticket", c.Ticket, false, MaxTicket},
		{"credential", c.Credential, false, MaxName},
	} {
		if text.required && strings.TrimSpace(text.value) == "" {
			return &Refusal{"its claim " + text.name + " is empty"}
		}
		if err := checkText(text.value, text.limit); err != nil {
			return &Refusal{fmt.Sprintf("its claim %s is %v", text.name, err)}
		}
	}
	for _, at := range []struct {
		name    string
		seconds int64
	}{{"iat", c.IssuedAt}, {"nbf", c.NotBefore}, {"exp", c.Expires}} {
		if at.seconds <= 0 || at.seconds > maxClaimTime {
			return &Refusal{"its claim " + at.name + " is not a time"}
		}
	}
	switch {
	case !IsHandle(c.ID):
		return &Refusal{"its claim jti is not a handle such as bg-k7m4-q9tx"}
	case c.Expires <= c.NotBefore:
		return &Refusal{"it expires before it begins"}
	case c.Expires-c.NotBefore > int64(MaxTokenLife/time.Second):
		return &Refusal{fmt.Sprintf("it is good for longer than %v", MaxTokenLife)}
	case !digestForm.MatchString(c.ApprovalsDigest):
		return &Refusal{"its claim approvals_digest is not a SHA-256 in hex"}
	}
	if len(c.Scope.Names) > 0 && c.Scope.Surface != operation.Terraform {
		return &Refusal{"its claim scope.names is of no Terraform plan"}
	}
	if errs := c.grant().Scope.check(); len(errs) > 0 {
		return &Refusal{"its claim " + errs[0].Error()}
	}
	return c.checkApprovers()
}

// checkApprovers: how many there are is how many approvals a policy gets to see.
func (c claims) checkApprovers() error {
	if len(c.Approvers) == 0 {
		return &Refusal{"nobody approved it"}
	}
	for i, name := range c.Approvers {
		switch {
		case name == "" || len(name) > MaxName:
			return &Refusal{"its claim approvers has a name that is empty or too long"}
		case i > 0 && c.Approvers[i-1] >= name:
			return &Refusal{"its claim approvers is not sorted, each name once"}
		case name == c.Subject:
			return &Refusal{"it was approved by whom it is for"}
		}
	}
	return nil
}

// checkTimes returns a *Refusal unless a moment is in the token's window. Clocks
// may be Leeway apart at each edge.
func (c claims) checkTimes(now time.Time) error {
	issued, begins, ends := time.Unix(c.IssuedAt, 0), time.Unix(c.NotBefore, 0), time.Unix(c.Expires, 0)
	switch {
	case now.Before(issued.Add(-Leeway)):
		return &Refusal{"it was issued in the future, at " + issued.UTC().Format(time.RFC3339) + ": compare the clocks"}
	case now.Before(begins.Add(-Leeway)):
		return &Refusal{"it is not good before " + begins.UTC().Format(time.RFC3339)}
	case !now.Before(ends.Add(Leeway)):
		return &Refusal{"it expired at " + ends.UTC().Format(time.RFC3339)}
	}
	return nil
}
