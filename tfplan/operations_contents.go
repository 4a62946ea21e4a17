package tfplan

import (
	"cmp"
	"context"
	"slices"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// maxContainers caps whose contents are counted. A plan that destroys more containers
	// than that is refused for other reasons; theirs count as unknown.
	maxContainers = 1000
	// maxKinds caps the kinds of contents of one container; what is left counts together.
	maxKinds = 20
	// maxContained caps how many are named, of each kind.
	maxContained = 5
)

// contents are what lives in the containers that a plan destroys.
type contents struct {
	m    *Mapper
	head *Head
	// containers are by address.
	containers map[string]*container
	index      []*holdsIndex
	// context finds a GKE cluster by the name that gcloud gives its context.
	contexts map[string]*container
	fields   map[string]map[string]bool
	// moved are the addresses that production by address moves to, if they are not more
	// than maxMoved; else all may be.
	moved    map[string]bool
	anyMoved bool
}

// maxMoved caps how many moves are kept: people write moved blocks one by one, and a
// module that moves takes some thousand along.
const maxMoved = 100_000

// container is one of them.
type container struct {
	address, project string
	configurations   []string // which its provider may have
	kubernetes       bool
	kinds            map[string]*operation.Dependents
	counted          string // address of what was counted last
}

// contents counts what lives in the containers that the plan destroys, and in w how many
// resources run provisioners.
func (m *Mapper) contents(ctx context.Context, p plan, w *Whole) (*contents, error) {
	all := &contents{
		m: m, head: &w.Head, containers: map[string]*container{},
		contexts: map[string]*container{}, fields: map[string]map[string]bool{}, moved: map[string]bool{},
	}
	if w.Head.Destroys == 0 && len(w.Head.Provisioned) == 0 {
		return all, nil
	}
	for c, err := range p.Changes(ctx) {
		if err != nil {
			return nil, err
		}
		if w.Head.runsProvisioners(c) {
			w.provisioned++
		}
		if err := all.note(c, w); err != nil {
			return nil, err
		}
	}
	if len(all.containers) == 0 {
		return all, nil
	}
	for r, err := range p.State(ctx) {
		if err != nil {
			return nil, err
		}
		if err := all.count(r); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// holding reports whether the contents of what a change destroys are to be counted.
func (all *contents) holding(c *Change) *typeRule {
	rule := all.m.typeOf(c.Type)
	does := effectOf(c)
	if rule == nil || !rule.Container || len(rule.holds) == 0 || !does.deletes || c.Kind != Planned || c.Deposed != "" {
		return nil
	}
	return rule
}

func (all *contents) note(c *Change, w *Whole) error {
	if c.PreviousAddress != "" && all.m.protected(c.PreviousAddress) {
		if all.anyMoved = len(all.moved) >= maxMoved; !all.anyMoved {
			all.moved[c.Address] = true
		}
	}
	rule := all.holding(c)
	if rule == nil {
		return nil
	}
	if len(all.containers) >= maxContainers {
		return nil
	}
	op, _, err := all.m.Map(c, w)
	if err != nil {
		return err
	}
	before, err := decode(c.Before)
	if err != nil {
		return err
	}
	one := &container{
		address: c.Address, project: op.Target.Project, kubernetes: rule.Kubernetes,
		configurations: configurationsOf(&w.Head, c.Address, c.PreviousAddress, c.Provider),
		kinds:          map[string]*operation.Dependents{},
	}
	all.containers[c.Address] = one
	sensitive, err := decode(c.BeforeSensitive)
	if err != nil {
		return err
	}
	for i := range rule.holds {
		all.indexOf(&rule.holds[i]).add(one, before, sensitive)
	}
	if t := op.Target; t.Group == "container.googleapis.com" && t.Kind == "Cluster" {
		all.contexts["gke_"+t.Project+"_"+t.Location+"_"+t.Name] = one
	}
	return nil
}

// count counts a resource of the state in what it lives in.
func (all *contents) count(r *Resource) error {
	if r.Mode == tfjson.DataResourceMode || r.Deposed != "" {
		return nil
	}
	rule := all.m.typeOf(r.Type)
	var in []*container
	values, err := pick(r.Values, all.fieldsOf(r))
	if err != nil {
		return badPlan("make the plan anew", "the values of %s in the state cannot be read: %v", shown(r.Address, maxAddress), err)
	}
	f := all.m.readAs(r.Provider, rule)
	project, _ := f.project.text(values, nil)
	for _, index := range all.index {
		if index.holds.every || index.holds.types[r.Type] {
			in = append(in, index.find(r.Type, values, project)...)
		}
	}
	configurations := configurationsOf(all.head, r.Address, "", r.Provider)
	if rule != nil && rule.Kubernetes {
		for _, key := range configurations[:min(len(configurations), maxConfigurations)] {
			if one := all.contexts[all.head.Providers[key]["config_context"]]; one != nil {
				in = append(in, one)
			}
		}
	}
	if len(in) == 0 {
		return nil
	}
	sensitive, err := decode(r.Sensitive)
	if err != nil {
		return badPlan("make the plan anew", "what is sensitive of %s in the state cannot be read: %v", shown(r.Address, maxAddress), err)
	}
	s := subject{values: values, sensitive: sensitive}
	if rule != nil {
		s.values = rule.parsed(values)
	}
	production := all.m.labeler(f, rule, s).production() || all.m.protected(r.Address) || all.moved[r.Address] || all.anyMoved
	kind := r.Type
	if rule != nil && rule.Kind != "" {
		kind = rule.Kind
	}
	for _, one := range in {
		switch {
		case one.address == r.Address, one.counted == r.Address:
			continue
		case one.kubernetes && !mayShare(one.configurations, configurations):
			continue // of another cluster
		}
		one.counted = r.Address
		one.add(shown(kind, maxWord), shown(r.Address, maxAddress), production)
	}
	return nil
}

func (c *container) add(kind, name string, production bool) {
	if c.kinds[kind] == nil && len(c.kinds) >= maxKinds {
		kind = "resource"
	}
	d := c.kinds[kind]
	if d == nil {
		d = &operation.Dependents{Kind: kind, Via: operation.Contained}
		c.kinds[kind] = d
	}
	d.Count++
	switch {
	case production && d.Production < maxContained:
		// Production comes first, in the state's order.
		d.Names = slices.Insert(d.Names, d.Production, name)
		d.Names = d.Names[:min(len(d.Names), maxContained)]
	case len(d.Names) < maxContained:
		d.Names = append(d.Names, name)
	}
	if production {
		d.Production++
	}
}

// complete adds to an operation what goes with its target.
func (all *contents) complete(c *Change, op *operation.Operation) {
	if all.holding(c) == nil {
		return
	}
	one := all.containers[c.Address]
	if one == nil {
		op.Unknown = append(op.Unknown, "what lives in it (the plan destroys too much to count)")
		return
	}
	for _, d := range one.kinds {
		op.Dependents = append(op.Dependents, *d)
	}
	slices.SortFunc(op.Dependents, func(a, b operation.Dependents) int {
		return cmp.Or(cmp.Compare(b.Production, a.Production), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind))
	})
}
