package webhook

import (
	"strconv"

	"github.com/mollyguard/mollyguard/operation"
)

// definitions are about what decides over many objects at once.
var definitions = []weakening{
	{
		name: "a definition stops serving or storing a version", verb: operation.Unprotect, through: itself,
		resources: []string{"apiextensions.k8s.io/customresourcedefinitions"},
		filter: func(generator) string {
			return anyOf(celVersionLost("served"), celVersionLost("storage"), changed("scope"), changed("conversion", "strategy"))
		},
		judge: judgeDefinition,
	},
	{
		name: "a namespace is finalized", verb: operation.Unprotect, through: []string{"", "finalize"},
		resources: []string{"/namespaces"},
		filter: func(generator) string {
			return allOf(filled(oldSpec, "[]", "finalizers"), changed("finalizers"))
		},
		judge: func(u *update) {
			before := u.was.spec("finalizers").texts()
			if len(before) == 0 {
				return
			}
			after := map[string]bool{}
			for _, finalizer := range u.is.spec("finalizers").texts() {
				after[finalizer] = true
			}
			for _, finalizer := range before {
				if !after[finalizer] {
					u.says("spec.finalizers: %s dropped: the namespace goes with whatever is still in it", clipped(finalizer))
				}
			}
		},
	},
}

// celVersionLost is true if a version that has a flag has it no longer. Lists that
// are too long to compare are sent.
func celVersionLost(flag string) string {
	was, is := at(oldSpec, "[]", "versions"), at(newSpec, "[]", "versions")
	limit := strconv.Itoa(maxCompared)
	return "(" + is + " != " + was + " && (size(" + was + ") > " + limit + " || size(" + is + ") > " + limit + " || " +
		was + ".exists(v, v." + flag + " && !" + is + ".exists(w, w." + flag + " && w.name == v.name))))"
}

type versionFlags struct{ name, flag string }

func judgeDefinition(u *update) {
	flagged := func(s side) (list []versionFlags, set map[versionFlags]bool) {
		set = map[versionFlags]bool{}
		s.spec("versions").items(func(item node) {
			f := item.pick("name", "served", "storage")
			for i, flag := range []string{"served", "stored"} {
				if v := (versionFlags{f[0].str(), flag}); f[i+1].yes() && !set[v] {
					set[v] = true
					list = append(list, v)
				}
			}
		})
		return list, set
	}
	before, _ := flagged(u.was)
	if len(before) > 0 {
		_, after := flagged(u.is)
		for _, v := range before {
			switch {
			case after[v]:
			case v.flag == "served":
				u.says("version %s is no longer served: its objects can't be reached by it", clipped(v.name))
			default:
				u.says("version %s is no longer stored", clipped(v.name))
			}
		}
	}
	for _, path := range [][]string{{"scope"}, {"conversion", "strategy"}} {
		if was := u.was.spec(path...); was.there() {
			if is := u.is.spec(path...); !is.same(was) {
				u.says("%s %s → %s", was.path, was.brief(), is.brief())
			}
		}
	}
}
