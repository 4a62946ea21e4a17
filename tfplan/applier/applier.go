// Package applier tells which identity would apply a Terraform plan, from the environment
// that terraform runs in and the credentials files that it points to. It asks nobody: what
// it finds is what the environment says of itself. That is a pin against mistakes (a plan
// made with one identity and applied with another), no proof against who forges the
// environment.
//
// No secret is kept: of a key file only whom it is for, of an access key only its end and
// the begin of its digest.
package applier

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// Names of facts. Facts are compared between plan and apply, so what differs between runs
// of the same pipeline (numbers of runs, temporary keys, random paths) is none.
const (
	FactCI                  = "ci"
	FactCIIdentity          = "ci identity"
	FactCIActor             = "ci actor"
	FactGoogleImpersonation = "google impersonation"
	FactGoogleCredentials   = "google credentials"
	FactGoogleToken         = "google access token"
	FactGoogleAccount       = "google account"
	FactAWSRole             = "aws role"
	FactAWSProfile          = "aws profile"
	FactAWSKey              = "aws access key"
	FactAzureClient         = "azure client"
	FactAzureTenant         = "azure tenant"
	FactAzureSubscription   = "azure subscription"
	FactKubeContext         = "kube context"
	FactKubeServer          = "kube server"
)

// maxFact caps a fact in bytes. A longer one, which no real identity has, ends in its
// digest, so that two that differ stay different.
const maxFact = 256

// Applier is an identity that applies plans. It is not changed after it was made.
type Applier struct {
	// Name is the best single name of it, and Kind whether that is a person's.
	Name string
	Kind operation.ActorKind
	// Via is the CI system in words, or empty.
	Via string
	// Facts are what the environment says of the identity, by the constants above.
	Facts map[string]string
	// Problems say what could not be read, each in one line; what it would have told is
	// not among the facts.
	Problems []string

	names []string
}

// Names lists the forms by which policies of identity and access management could name the
// applier (e-mail addresses, ARNs, client ids), sorted and without doubles.
func (a Applier) Names() []string { return slices.Clone(a.names) }

// Options are what Detect looks at. The zero value is this process.
type Options struct {
	// Override, if it is not empty, is the name to give; the facts stay.
	Override string
	// Getenv returns a variable of the environment; nil is os.Getenv.
	Getenv func(string) string
	// ReadFile returns a file, or an error if it is longer than limit bytes; nil reads
	// regular files of this machine.
	ReadFile func(name string, limit int) ([]byte, error)
	// User returns who runs the process as user@host; nil asks the operating system.
	User func() (string, error)
}

// Detect tells the identity that would apply. It always returns one: what it cannot read is
// among the Problems.
func Detect(o Options) Applier {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.ReadFile == nil {
		o.ReadFile = readFile
	}
	if o.User == nil {
		o.User = currentUser
	}
	f := &finding{Options: o, facts: map[string]string{}, names: map[string]bool{}}
	// The first that finds a name has it.
	f.ci()
	f.google()
	f.aws()
	f.azure()
	f.kube()
	a := Applier{Name: f.name, Kind: operation.Service, Via: f.via, Facts: f.facts}
	if a.Name == "" {
		a.Name, a.Kind = f.user(), operation.Human
		if a.Via != "" { // a container's name is another each time
			user, _, _ := strings.Cut(a.Name, "@")
			a.Name, a.Kind = user+"@"+a.Via, operation.Service
		}
	}
	if o.Override != "" {
		a.Name = shown(o.Override)
		f.called(a.Name)
	}
	a.names, a.Problems = slices.Sorted(maps.Keys(f.names)), f.problems
	return a
}

// finding is what Detect has found so far.
type finding struct {
	Options
	name, via string
	facts     map[string]string
	names     map[string]bool
	problems  []string
}

// env returns a variable without spaces around it.
func (f *finding) env(name string) string { return strings.TrimSpace(f.Getenv(name)) }

// first returns the first of some variables that is set.
func (f *finding) first(names ...string) string {
	for _, name := range names {
		if value := f.env(name); value != "" {
			return value
		}
	}
	return ""
}

// fact keeps a fact, unless it is empty.
func (f *finding) fact(name, value string) {
	if value != "" {
		f.facts[name] = shown(value)
	}
}

// is says that the identity has a name, unless it has one already.
func (f *finding) is(name string) {
	if f.name == "" {
		f.name = shown(name)
	}
}

// called says by which name policies could know the identity.
func (f *finding) called(name string) {
	for _, form := range NamesOf(name) {
		f.names[form] = true
	}
}

// NamesOf lists the forms by which policies of identity and access management could name
// an identity: as it is and, of an ARN, by the short name of the role or user.
func NamesOf(identity string) []string {
	var names []string
	for _, name := range []string{identity, roleOf(identity)} {
		if name != "" {
			names = append(names, shown(name))
		}
	}
	return names
}

// roleOf is the short name of the role or user in an ARN, by which attachments of policies
// name it, or empty
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns).
func roleOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return ""
	}
	path := strings.Split(parts[5], "/")
	switch {
	case len(path) == 3 && path[0] == "assumed-role": // assumed-role/ROLE/SESSION
		return path[1]
	case len(path) > 1 && (path[0] == "role" || path[0] == "user"):
		return path[len(path)-1]
	}
	return ""
}

func (f *finding) problem(what string) { f.problems = append(f.problems, shown(what)) }

func (f *finding) user() string {
	name, err := f.User()
	if err != nil {
		f.problem("who runs this is not known: " + err.Error())
		return "unknown"
	}
	return shown(name)
}

// shown makes a text from outside fit to be kept and printed.
func shown(text string) string {
	text = operation.Printable(strings.ToValidUTF8(text, "?"))
	if len(text) <= maxFact {
		return text
	}
	mark := " " + digest(text)
	return operation.Clip(text, maxFact-len(mark)) + mark
}

// digest names a text that is not to be shown, or not whole. Twelve digits tell apart what
// one pipeline uses, and do not let anybody search for a key.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:6])
}
