package breakglass

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mollyguard/mollyguard/operation"
)

// Scope is what a grant opens: these verbs on these objects, this many of them,
// in one place, and nothing else.
type Scope struct {
	Surface operation.Surface `json:"surface"`
	// Audience is the cluster or project, as it is configured there.
	Audience string           `json:"audience"`
	Verbs    []operation.Verb `json:"verbs"`
	// Targets are exact: compared byte by byte by Ref, and by UID where there is
	// one, so that an object made anew under the old name is not meant.
	Targets []operation.Reference `json:"targets"`
	// Objects is how many of the targets may be used up, at least 1. Of a Terraform plan
	// it is how many refused operations it may have: the plan itself is used once.
	Objects int `json:"objects"`
}

// Covers says whether the scope holds an operation's target and verb, and if not
// why. It looks neither at times nor at people.
//
// A scope with Mollyguard's own namespace holds whatever else is Mollyguard's own,
// too: an upgrade changes a dozen objects. One of a Terraform plan holds the plan as a
// whole, for which CoversPlan is, and no single operation.
func (s Scope) Covers(op *operation.Operation) error {
	if s.Surface == operation.Terraform {
		return errNotItsTarget
	}
	i := s.named(op.Target.Ref)
	within := i < 0 && s.holds(op)
	if i < 0 && !within || op.Target.Name == "" || s.Surface != op.Surface {
		return errNotItsTarget
	}
	for _, verb := range op.Verbs() {
		if !slices.Contains(s.Verbs, verb) {
			return fmt.Errorf("it is for %s, not for %s", list(s.Verbs), verb)
		}
	}
	if within { // the uid is the namespace's
		return nil
	}
	if uid := s.Targets[i].UID; uid != "" && uid != op.Target.UID {
		return fmt.Errorf("it is for the %s of that name with uid %s; this one has uid %s", s.Targets[i].Kind, uid, op.Target.UID)
	}
	return nil
}

// holds reports whether the scope has the namespace that an operation on Mollyguard
// itself is within.
func (s Scope) holds(op *operation.Operation) bool {
	return op.Target.Within != "" && s.named(op.Target.Within) >= 0
}

// used is what an operation uses up of the scope, and how: its own target or, for what
// is only within one, that one, which is weakened with any part of it.
func (s Scope) used(op *operation.Operation) (operation.Reference, operation.Verb) {
	if s.named(op.Target.Ref) < 0 && s.holds(op) {
		return s.Targets[s.named(op.Target.Within)], operation.Unprotect
	}
	return op.Target.Reference, op.Verb
}

func (s Scope) named(ref string) int {
	return slices.IndexFunc(s.Targets, func(t operation.Reference) bool { return t.Ref == ref })
}

// errNotItsTarget is why most grants of an actor do not cover an operation; it is
// not worth telling.
var errNotItsTarget = errors.New("it is for another object")

func list[T ~string](items []T) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = string(item)
	}
	return strings.Join(texts, ", ")
}

// Request is what somebody asks for. It is not changed after it was made.
type Request struct {
	// ID is the handle, of the request and of the grant that it becomes.
	ID        string          `json:"id"`
	Created   time.Time       `json:"created"`
	Requester operation.Actor `json:"requester"`
	// Subject is who may use the grant: the requester, or a machine that the
	// requester speaks for.
	Subject string `json:"subject"`
	Scope   Scope  `json:"scope"`
	Reason  string `json:"reason"`
	Ticket  string `json:"ticket"`
	// Duration is how long the grant can be used, from the last approval or from
	// NotBefore, whichever is later.
	Duration time.Duration `json:"duration"`
	// NotBefore is zero for "as soon as it is approved".
	NotBefore time.Time `json:"not_before,omitzero"`
	// Decision is the id of the refusal that made somebody ask, if one did.
	Decision string `json:"decision"`
	// Approvals is how many have to approve at least, where whoever asks knows better
	// than the desk what it takes: the policies that refused a plan are not here. It only
	// adds to what policies demand.
	Approvals int `json:"approvals,omitzero"`
}

// Check returns all that is wrong with a request's own fields, one problem a
// line. What it asks for is judged elsewhere.
func (r Request) Check() error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !IsHandle(r.ID) {
		add("id: %q is not a handle such as bg-k7m4-q9tx", r.ID)
	}
	if r.Requester.Name == "" {
		add("requester: missing")
	}
	for _, text := range []struct {
		field, value string
		limit        int
	}{
		{"requester", r.Requester.Name, MaxName}, {"subject", r.Subject, MaxName},
		{"reason", r.Reason, MaxReason}, {"ticket", r.Ticket, MaxTicket}, {"decision", r.Decision, MaxTicket},
	} {
		if err := checkText(text.value, text.limit); err != nil {
			add("%s: %w", text.field, err)
		}
	}
	if strings.TrimSpace(r.Reason) == "" {
		add("reason: missing: whoever approves reads it")
	}
	if r.Subject == "" {
		add("subject: missing")
	}
	if r.Duration < MinDuration {
		add("duration: %v is below %v", r.Duration, MinDuration)
	}
	if r.Approvals < 0 || r.Approvals > MaxApprovals {
		add("approvals: %d is not between 0 and %d", r.Approvals, MaxApprovals)
	}
	return errors.Join(append(errs, r.Scope.check()...)...)
}

func (s Scope) check() []error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !slices.Contains(s.Surface.Values(), string(s.Surface)) {
		add("scope.surface: %q is not one of %v", s.Surface, s.Surface.Values())
	}
	if s.Audience == "" {
		add("scope.audience: missing: the cluster or project")
	}
	if err := checkText(s.Audience, MaxName); err != nil {
		add("scope.audience: %w", err)
	}
	if len(s.Verbs) == 0 {
		add("scope.verbs: missing")
	}
	destructive := slices.DeleteFunc(operation.Update.Values(), func(verb string) bool { return verb == string(operation.Update) })
	for _, verb := range s.Verbs {
		// Of a plan, policies refuse updates, too: those that give rights to who applies it.
		ofPlan := s.Surface == operation.Terraform && verb == operation.Update
		if !ofPlan && !slices.Contains(destructive, string(verb)) {
			add("scope.verbs: %q is not one of the destructive verbs %v", verb, destructive)
		}
	}
	if len(s.Targets) == 0 || len(s.Targets) > MaxTargets {
		add("scope.targets: %d, there must be 1 to %d", len(s.Targets), MaxTargets)
	}
	for i, target := range s.Targets {
		if target.Ref == "" || target.Name == "" {
			add("scope.targets[%d]: without a name: a grant opens objects that are named", i)
		}
		for _, text := range []string{target.Ref, target.Kind, target.Namespace, target.Name, target.UID} {
			if err := checkText(text, MaxName); err != nil {
				add("scope.targets[%d]: %w", i, err)
				break
			}
		}
		if name, ok := operation.ParseKubernetesRef(target.Ref); s.Surface == operation.Kubernetes &&
			(!ok || name.Cluster != s.Audience || name.Namespace != target.Namespace || name.Name != target.Name) {
			add("scope.targets[%d]: %s is not %s/%s of %s", i, target.Ref, target.Namespace, target.Name, s.Audience)
		}
		if _, path, ok := operation.ParseGCPRef(target.Ref); s.Surface == operation.GCP &&
			(!ok || target.Namespace != "" || target.Name != path[strings.LastIndex(path, "/")+1:]) {
			add("scope.targets[%d]: %s is not the canonical name of a %s called %s: expected gcp://SERVICE/PATH", i, target.Ref, target.Kind, target.Name)
		}
		if err := s.checkPlanned(i); err != nil {
			add("scope.targets[%d]: %w", i, err)
		}
		if slices.ContainsFunc(s.Targets[:i], func(t operation.Reference) bool { return t.Ref == target.Ref }) {
			add("scope.targets[%d]: %s is there twice", i, target.Ref)
		}
	}
	if len(s.Targets)*len(s.Verbs) > MaxTargets*2 {
		add("scope: %d targets times %d verbs are too many: ask for less at once", len(s.Targets), len(s.Verbs))
	}
	most := MaxObjects
	if s.Surface == operation.Terraform {
		most = MaxPlanned
	}
	if s.Objects < 1 || s.Objects > most {
		add("scope.objects: %d is not between 1 and %d", s.Objects, most)
	}
	return errs
}

func checkText(text string, limit int) error {
	switch {
	case len(text) > limit:
		return fmt.Errorf("longer than %d bytes", limit)
	case !utf8.ValidString(text):
		return errors.New("not UTF-8")
	}
	return nil
}

// parties are those whom the grant would serve.
func (r Request) parties() []operation.Actor {
	if r.Subject == r.Requester.Name {
		return []operation.Actor{r.Requester}
	}
	return []operation.Actor{r.Requester, r.subjectActor()}
}

// subjectActor is the machine that a request is for, with the groups that every
// service account is in
// (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#service-account-tokens).
func (r Request) subjectActor() operation.Actor {
	namespace, _, _ := strings.Cut(strings.TrimPrefix(r.Subject, "system:serviceaccount:"), ":")
	return operation.Actor{
		Identity: operation.Identity{Name: r.Subject, Kind: operation.Service},
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
}

// VerdictKind is what somebody says about a request or a grant.
type VerdictKind string

// The verdicts. Deny ends a request, Revoke a grant; for both it does not matter
// which of the two it has become, so that "stop this" never comes too late.
const (
	Approve VerdictKind = "approve"
	Deny    VerdictKind = "deny"
	Revoke  VerdictKind = "revoke"
)

// Values lists every VerdictKind.
func (VerdictKind) Values() []string { return []string{string(Approve), string(Deny), string(Revoke)} }

// Door is the way by which a verdict came in. Through the Kubernetes API somebody
// can be impersonated, through the server's own API nobody can.
type Door string

// The doors.
const (
	DoorKubernetes Door = "kubernetes"
	DoorAPI        Door = "api"
)

// Verdict is what one person said about one request. It is not changed after it
// was made.
type Verdict struct {
	Request string          `json:"request"`
	Kind    VerdictKind     `json:"kind"`
	By      operation.Actor `json:"by"`
	At      time.Time       `json:"at"`
	Reason  string          `json:"reason"`
	Door    Door            `json:"door"`
}

// Check returns what is wrong with a verdict's own fields.
func (v Verdict) Check() error {
	var errs []error
	if !IsHandle(v.Request) {
		errs = append(errs, fmt.Errorf("request: %q is not a handle such as bg-k7m4-q9tx", v.Request))
	}
	if !slices.Contains(v.Kind.Values(), string(v.Kind)) {
		errs = append(errs, fmt.Errorf("verdict: %q is not one of %v", v.Kind, v.Kind.Values()))
	}
	if v.By.Name == "" {
		errs = append(errs, errors.New("by: missing"))
	}
	if err := checkText(v.By.Name, MaxName); err != nil {
		errs = append(errs, fmt.Errorf("by: %w", err))
	}
	if err := checkText(v.Reason, MaxReason); err != nil {
		errs = append(errs, fmt.Errorf("reason: %w", err))
	}
	return errors.Join(errs...)
}
