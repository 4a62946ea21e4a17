package tfplan

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The members of a plan that are read again, element by element.
const (
	sectionPlanned = iota
	sectionDrift
	sectionDeferred
	sectionInvoked
	sectionDeferredInvoked
	sectionState
	sections
)

func sectionOf(name string) int {
	switch name {
	case "resource_changes":
		return sectionPlanned
	case "resource_drift":
		return sectionDrift
	case "deferred_changes":
		return sectionDeferred
	case "action_invocations":
		return sectionInvoked
	case "deferred_action_invocations":
		return sectionDeferredInvoked
	case "prior_state":
		return sectionState
	}
	return sections
}

// section is where a member's value is in the text, and a sum of what was read there.
type section struct {
	name     string
	from, to int64
	sum      uint64
}

// Document is a plan's JSON that has been read through once: it is whole, of a known
// format, and all its changes can be read. It holds no changes itself; Changes and State
// read them anew. It may be used by several goroutines if its reader may.
type Document struct {
	r        io.ReaderAt
	head     Head
	digest   string
	seed     maphash.Seed
	sections [sections]section
}

// Head is what the plan says of the whole. Its maps are not to be changed.
func (d *Document) Head() Head { return d.head }

// Digest is the SHA-256 of the JSON text, in hexadecimal.
func (d *Document) Digest() string { return d.digest }

// Open reads plan JSON of size bytes once, from front to end: what terraform show -json
// or tofu show -json writes for a plan file. It refuses with a *BadPlanError what is not
// such a plan, and says what it is instead where it can tell. A plan that errored or is
// not complete is opened; Head says so. r must stay as it is while the Document is used:
// Changes and State end with an error if they find another text.
func Open(ctx context.Context, r io.ReaderAt, size int64) (*Document, error) {
	if size > MaxJSON {
		return nil, badPlan("", "the plan is longer than %s", bytesText(MaxJSON))
	}
	start := make([]byte, max(0, min(size, chunk)))
	if n, err := r.ReadAt(start, 0); n < len(start) {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	if err := foreignText(start); err != nil {
		return nil, err
	}
	digest := sha256.New()
	var mark int64
	if bytes.HasPrefix(start, []byte(byteOrderMark)) {
		mark = int64(len(byteOrderMark))
		digest.Write(start[:mark])
	}
	src := newSource(ctx, io.NewSectionReader(r, mark, size-mark), "plan", MaxJSON, digest)
	s := newStream(src)
	s.base = mark
	d := &Document{r: r, seed: maphash.MakeSeed()}
	p := &firstPass{stream: s, doc: d, seen: map[string]bool{}, plain: map[string]bool{}}
	if err := p.read(); err != nil {
		return nil, s.explain(err)
	}
	d.digest = hex.EncodeToString(digest.Sum(nil))
	return d, nil
}

// firstPass reads a plan's top level and what Head needs of the rest.
type firstPass struct {
	*stream
	doc *Document
	// seen are the names at the top level that have a value.
	seen map[string]bool
	// plain are the keys of provider configurations that are the provider's plain name,
	// and its only ones.
	plain map[string]bool
}

// maxNames caps the names at the top level: plans have 20.
const maxNames = 1000

func (p *firstPass) read() error {
	head := &p.doc.head
	head.Complete = true
	head.Variables = emptyVariables
	_, err := p.object(func(name []byte) error { return p.member(string(name)) })
	if err != nil {
		if other := foreignJSON(p.seen); other != nil && (p.src.err == nil || p.src.err == io.EOF) {
			return other
		}
		return err
	}
	if err := checkPlan(p.seen, head); err != nil {
		return err
	}
	head.CompleteAssumed = !p.seen["complete"]
	// The configuration's resources may have come before its providers.
	maps.DeleteFunc(head.ProviderOf, func(_, key string) bool { return p.plain[key] })
	return p.end()
}

func (p *firstPass) member(name string) error {
	if len(p.seen) == maxNames {
		return badPlan("", "the outermost object has more than %d members: Terraform writes no such plan", maxNames)
	}
	if p.dec.PeekKind() != 'n' {
		p.seen[name] = true
	}
	if !p.seen["format_version"] {
		// A state of half a gigabyte is told from a plan by its first names.
		if other := foreignJSON(p.seen); other != nil {
			return other
		}
	}
	head := &p.doc.head
	switch name {
	case "format_version":
		return p.text(&head.FormatVersion)
	case "terraform_version":
		return p.text(&head.TerraformVersion)
	case "errored":
		return p.flag(&head.Errored)
	case "complete":
		return p.flag(&head.Complete)
	case "variables":
		return p.one(p.variables)
	case "configuration":
		return p.configuration()
	case "planned_values":
		return p.values(nil)
	}
	if kind := sectionOf(name); kind < sections {
		return p.section(kind, name)
	}
	return p.skipLong()
}

// section notes where the value begins and ends, and counts in it what Head tells.
func (p *firstPass) section(kind int, name string) error {
	at := &p.doc.sections[kind]
	at.name = name
	p.dec.PeekKind() // has the decoder read up to the value, but not move
	at.from = p.base + p.dec.InputOffset() + int64(bytes.IndexFunc(p.dec.UnreadBuffer(), beginsValue))
	var sum maphash.Hash
	sum.SetSeed(p.doc.seed)
	p.sum = &sum
	err := p.count(kind)
	p.sum = nil
	at.to, at.sum = p.base+p.dec.InputOffset(), sum.Sum64()
	return err
}

func (p *firstPass) count(kind int) error {
	head := &p.doc.head
	if kind == sectionState {
		return p.priorState(&resourceReader{stream: p.stream}, func(r *Resource) error {
			if r.Mode == "managed" && r.Deposed == "" {
				head.Managed++
			}
			return nil
		})
	}
	return p.changes(kind, &changeReader{stream: p.stream}, func(c *Change) error {
		switch c.Kind {
		case Planned:
			head.Changes++
			if c.Destroys() && c.Deposed == "" {
				head.Destroys++
			}
			if c.runsExternal() {
				head.Externals++
			}
		case Deferred:
			head.Deferred++
		}
		return nil
	})
}

var versionForm = regexp.MustCompile(`^([0-9]{1,4})\.([0-9]{1,4})$`)

// checkPlan judges by its top level whether a text is a plan of a format that is known.
func checkPlan(seen map[string]bool, head *Head) error {
	if !seen["format_version"] {
		if other := foreignJSON(seen); other != nil {
			return other
		}
		return badPlan(showHint, "this is no Terraform plan: the JSON has no format_version")
	}
	form := versionForm.FindStringSubmatch(head.FormatVersion)
	switch {
	case form == nil:
		return badPlan("", "format_version %.40q of the plan is no version", head.FormatVersion)
	case form[1] == "1", head.FormatVersion == "0.2" && strings.HasPrefix(head.TerraformVersion, "1."):
		// Terraform 1.0 still said 0.2, and 1.0 since 1.1; nothing that is read here differs.
	case strings.TrimLeft(form[1], "0") == "":
		return badPlan("plan and show with Terraform 1.0 or newer, or OpenTofu",
			"the plan's format is %s, of a Terraform before 1.0: only 1.x is understood", head.FormatVersion)
	default:
		return badPlan("a newer mollyguard may know it", "the plan's format is %s: only 1.x is understood", head.FormatVersion)
	}
	if !seen["resource_changes"] && !seen["planned_values"] {
		if other := foreignWhole(seen); other != nil {
			return other
		}
		return badPlan(showHint, "this is no Terraform plan: the JSON has neither resource_changes nor planned_values")
	}
	return nil
}

// again reads a section a second time with fn and makes sure that it is the same text.
func (d *Document) again(ctx context.Context, kind int, fn func(*stream) error) error {
	at := d.sections[kind]
	if at.to == 0 {
		return nil
	}
	src := newSource(ctx, io.NewSectionReader(d.r, at.from, at.to-at.from), "plan", MaxJSON, nil)
	// The first pass has refused names that are there twice.
	s := newStream(src, jsontext.AllowDuplicateNames(true))
	s.base, s.within = at.from, "/"+at.name
	var sum maphash.Hash
	sum.SetSeed(d.seed)
	s.sum = &sum
	if err := fn(s); err != nil {
		return s.explain(err)
	}
	if sum.Sum64() != at.sum {
		return badPlan("", "the plan was changed while it was read")
	}
	return nil
}

// beginsValue reports whether a character between a name and its value is the value's.
func beginsValue(r rune) bool { return !strings.ContainsRune(": \t\r\n", r) }
