package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// maxText is how much of a text from outside is kept: a name or a reason is shorter.
	maxText = 512
	// maxUserAgent leaves room for Terraform with a few providers.
	maxUserAgent = 1 << 10
	// maxDelegation is how long a chain of delegation is shown: Google's own limit for
	// impersonation is four
	// (https://cloud.google.com/iam/docs/create-short-lived-credentials-delegated).
	maxDelegation = 8
)

// short cuts a text to maxText bytes.
func short(text string) string { return operation.Clip(text, maxText) }

func (r *reader) caller(payload object) caller {
	const at = "protoPayload.authenticationInfo"
	info := r.object(payload, "protoPayload", "authenticationInfo")
	c := caller{email: r.text(info, at, "principalEmail"), subject: principal(r.text(info, at, "principalSubject"))}
	for i, item := range r.list(info, at, "serviceAccountDelegationInfo") {
		where := fmt.Sprintf("%s.serviceAccountDelegationInfo[%d]", at, i)
		link, ok := item.(object)
		if !ok {
			r.wrong(where, "an object", item)
		}
		if name := r.delegate(link, where); name != "" && len(c.delegation) < maxAuthorizations {
			c.delegation = append(c.delegation, short(name))
		}
	}
	// Google sorts them by when they happened, so the one who began is first.
	slices.Reverse(c.delegation)
	if len(c.delegation) > maxDelegation {
		// The nearest, and who began.
		c.delegation = append(c.delegation[:maxDelegation-1:maxDelegation-1], c.delegation[len(c.delegation)-1])
	}
	const from = "protoPayload.requestMetadata"
	metadata := r.object(payload, "protoPayload", "requestMetadata")
	c.ip, c.userAgent = r.text(metadata, from, "callerIp"), r.text(metadata, from, "callerSuppliedUserAgent")
	attributes := r.object(metadata, from, "requestAttributes")
	c.reason = r.text(attributes, from+".requestAttributes", "reason")
	return c
}

// delegate names one link of a chain of delegation.
func (r *reader) delegate(link object, at string) string {
	first := r.object(link, at, "firstPartyPrincipal")
	if email := r.text(first, at+".firstPartyPrincipal", "principalEmail"); email != "" {
		return email
	}
	if subject := principal(r.text(link, at, "principalSubject")); subject != "" {
		return subject
	}
	third := r.object(link, at, "thirdPartyPrincipal")
	claims := r.object(third, at+".thirdPartyPrincipal", "thirdPartyClaims")
	for _, name := range []string{"email", "sub", "subject"} {
		if text := plain(claims[name]); text != "" {
			return "third party: " + text // what another provider says, which is nobody we know
		}
	}
	if len(claims) > 0 {
		return "somebody of another identity provider"
	}
	return ""
}

// principal takes the kind of principal off a subject.
func principal(subject string) string {
	for _, kind := range []string{"user:", "serviceAccount:"} {
		if name, ok := strings.CutPrefix(subject, kind); ok {
			return name
		}
	}
	return subject
}

// actor is who did it.
func (m *Mapper) actor(c caller) operation.Actor {
	name := c.name()
	return operation.Actor{Identity: operation.Identity{Name: name, Kind: m.kindOf(name), Via: tool(redact(c.userAgent))}}
}

func (c caller) name() string {
	if c.email != "" {
		return short(c.email)
	}
	return short(c.subject)
}

func (m *Mapper) kindOf(name string) operation.ActorKind {
	switch {
	case m.options.KindOf != nil:
		return m.options.KindOf(name)
	case controlPlane.MatchString(name):
		return operation.Controller
	case strings.HasPrefix(name, "system:"), strings.HasSuffix(name, "gserviceaccount.com"):
		return operation.Service
	}
	return operation.Human
}

func (c caller) origin() operation.Origin {
	return operation.Origin{
		IP: short(c.ip), UserAgent: operation.Clip(redact(c.userAgent), maxUserAgent),
		Delegation: c.delegation, Reason: operation.Clip(redact(c.reason), maxText),
	}
}
