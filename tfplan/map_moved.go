package tfplan

import (
	"maps"

	"github.com/mollyguard/mollyguard/operation"
)

// previous is where the change found its object, if that is another address, else "".
func (r *reading) previous() string {
	if r.c.PreviousAddress == r.c.Address {
		return ""
	}
	return r.c.PreviousAddress
}

// moved notes that the object moves out of what makes it production by its address. What
// is destroyed as well is production by where it was.
func (r *reading) moved() {
	if r.previous() == "" || r.does.destroys() {
		return
	}
	if r.m.protected(r.previous()) && !r.m.protected(r.c.Address) {
		r.add(operation.Unprotect, "it moves out of what is production by its address")
	}
	if r.clusterBefore != r.clusterAfter {
		r.add(operation.Unprotect, "it counts to "+clusterText(r.clusterAfter)+" by where it moves, and to "+clusterText(r.clusterBefore)+" by where it was")
	}
}

func clusterText(name string) string {
	if name == "" {
		return "no cluster that is known"
	}
	return "cluster " + name
}

func (m *Mapper) protected(address string) bool {
	return m.options.Protected != nil && m.options.Protected(address)
}

// cluster is the one that the object is in by its address, now and before a move, and by
// the configuration of its provider; "" if these do not say the same. named is what the
// object itself says.
func (r *reading) cluster(named string) string {
	at := func(address string) string {
		return shown(r.w.Head.agreed(r.configurations(), func(constants map[string]string) string {
			if named != "" {
				if constants = maps.Clone(constants); constants == nil {
					constants = map[string]string{}
				}
				constants["cluster"] = named
			}
			return r.m.options.Cluster(address, constants)
		}), maxName)
	}
	r.clusterAfter = at(r.c.Address)
	r.clusterBefore = r.clusterAfter
	if previous := r.previous(); previous != "" {
		r.clusterBefore = at(previous)
	}
	if r.clusterBefore != r.clusterAfter {
		return ""
	}
	return r.clusterAfter
}

// owned notes that the object is Mollyguard's own, and whether it is changed in place.
func (r *reading) owned() {
	t := &r.op.Target
	t.Own = r.m.options.Own != nil && r.m.options.Own(t)
	if t.Own && r.does.updates && !r.does.destroys() {
		r.add(operation.Unprotect, "mollyguard guards or sees with it, and it is changed")
	}
}
