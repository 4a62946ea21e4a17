package receipt

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// maxList caps each list of a receipt, and the facts.
	maxList = 64
	// maxText caps each text in bytes: an object's canonical name has a cluster, a group
	// and three names of at most 253.
	maxText = 2048
	// maxNumber is the greatest number that every reader of JSON takes as it stands, and
	// that the canonical form keeps (RFC 8785 section 3.2.2.3).
	maxNumber = 1<<53 - 1
)

var (
	digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
	commitForm = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)
)

// problems are what cannot be in a receipt, by path.
type problems []error

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

// check returns all that cannot be in a receipt, each by its path, or nil.
func (r Receipt) check() error {
	var p problems
	if r.APIVersion != APIVersion {
		p.add("apiVersion is %q, this program knows %s", shown(r.APIVersion), APIVersion)
	}
	if r.Kind != Kind {
		p.add("kind is %q, not %s", shown(r.Kind), Kind)
	}
	if r.Made.IsZero() {
		p.add("made is no time")
	}
	if !r.Expires.After(r.Made) {
		p.add("expires is not after made")
	}
	p.plan(r.Plan)
	if r.State.Serial > maxNumber {
		p.add("state.serial is above %d", maxNumber)
	}
	if !r.State.Known && r.State != (State{}) {
		p.add("state is not known and has a lineage or a serial")
	}
	p.texts("state.lineage", r.State.Lineage)
	p.texts("terraform", r.Terraform.Version, r.Terraform.Workspace)
	p.digest("terraform.variables", r.Terraform.Variables)
	p.digest("terraform.configuration", r.Terraform.Configuration)
	p.digest("terraform.lock", r.Terraform.Lock)
	if r.Git != nil {
		p.git(*r.Git)
	}
	p.applier(r.Applier)
	p.decision(r.Decision)
	if r.Decision.Lifted > 0 && len(r.Grants) == 0 {
		p.add("grants is empty and decision.lifted is %d", r.Decision.Lifted)
	}
	p.digest("judge.digest", r.Judge.Digest)
	p.texts("judge.version", r.Judge.Version)
	p.texts("grants", r.Grants...)
	p.texts("notes", r.Notes...)
	p.texts("signature", r.Signature)
	return errors.Join(p...)
}

func (p *problems) plan(plan Plan) {
	if plan.Form != File && plan.Form != JSON {
		p.add("plan.form is %q, neither %s nor %s", shown(string(plan.Form)), File, JSON)
	}
	if plan.Values != Shown && plan.Values != Given {
		p.add("plan.values is %q, neither %s nor %s", shown(string(plan.Values)), Shown, Given)
	}
	if plan.Digest == "" {
		p.add("plan.digest is empty")
	}
	p.digest("plan.digest", plan.Digest)
	p.digest("plan.json_digest", plan.JSONDigest)
	if plan.Form == JSON && plan.JSONDigest != "" && plan.JSONDigest != plan.Digest {
		p.add("plan.json_digest is another than plan.digest, which is of the JSON, too")
	}
}

func (p *problems) git(g Git) {
	if !commitForm.MatchString(g.Commit) {
		p.add("git.commit is %q, not a commit's whole hash", shown(g.Commit))
	}
	if g.Base != "" && !commitForm.MatchString(g.Base) {
		p.add("git.base is %q, not a commit's whole hash", shown(g.Base))
	}
	if (g.Base == "") != (g.Branch == "") {
		p.add("git.base and git.branch are there together or not at all")
	}
	p.texts("git", g.Branch, g.Folder)
}

func (p *problems) applier(a Applier) {
	if a.Name == "" {
		p.add("applier.name is empty")
	}
	oneOf(p, "applier.kind", a.Kind)
	p.texts("applier.name", a.Name)
	p.texts("applier.facts", slices.Sorted(maps.Keys(a.Facts))...)
	p.texts("applier.facts", slices.Sorted(maps.Values(a.Facts))...)
}

func (p *problems) decision(d Decision) {
	oneOf(p, "decision.outcome", d.Outcome)
	for _, verb := range d.Verbs {
		oneOf(p, "decision.verbs", verb)
	}
	for _, count := range []struct {
		name string
		n    int
	}{{"denied", d.Denied}, {"lifted", d.Lifted}, {"approvals", d.Approvals}, {"destroys", d.Destroys}, {"managed", d.Managed}} {
		if count.n < 0 || count.n > maxNumber {
			p.add("decision.%s is %d", count.name, count.n)
		}
	}
	p.named(d)
	if d.Denied > 0 && d.Outcome != operation.OutcomeDeny && d.Outcome != operation.OutcomeUndecided {
		p.add("decision.denied is %d and decision.outcome %s", d.Denied, d.Outcome)
	}
	if len(d.Targets) > maxList {
		p.add("decision.targets has %d entries, at most %d", len(d.Targets), maxList)
		return
	}
	for i, target := range d.Targets {
		p.texts("decision.targets["+strconv.Itoa(i)+"]", target.Ref, target.Kind, target.Namespace, target.Name, target.UID)
	}
	p.texts("decision.ids", d.IDs...)
}

// named checks that what was refused or lifted is named.
func (p *problems) named(d Decision) {
	refused, whole := d.Denied+d.Lifted, 0
	if d.Whole {
		whole = 1
	}
	switch {
	case refused > 0 && len(d.IDs) == 0:
		p.add("decision.ids is empty and %s refused or lifted", count(refused, "operation"))
	case refused > whole && len(d.Targets) == 0:
		p.add("decision.targets is empty and %s refused or lifted", count(refused-whole, "operation"))
	case refused < whole:
		p.add("decision.whole is set and nothing is refused or lifted")
	}
}

func (p *problems) digest(path, digest string) {
	if digest != "" && !digestForm.MatchString(digest) {
		p.add("%s is %q, not 64 hexadecimal digits in lower case", path, shown(digest))
	}
}

// texts checks one text or a list.
func (p *problems) texts(path string, list ...string) {
	if len(list) > maxList {
		p.add("%s has %d entries, at most %d", path, len(list), maxList)
		return
	}
	for _, text := range list {
		if len(text) > maxText {
			p.add("%s has a text of more than %d bytes", path, maxText)
		}
		if operation.Printable(text) != text {
			p.add("%s has a text with characters that cannot be printed: %q", path, shown(text))
		}
	}
}

// oneOf checks a word.
func oneOf[T interface {
	~string
	Values() []string
}](p *problems, path string, word T) {
	if !slices.Contains(word.Values(), string(word)) {
		p.add("%s is %q, none of %q", path, shown(string(word)), word.Values())
	}
}

// maxShown caps what a message quotes of a receipt, in bytes.
const maxShown = 80

func shown(text string) string { return operation.Clip(text, maxShown) }
