package webhook

import "github.com/mollyguard/mollyguard/operation"

// storage is about what becomes of data.
var storage = []weakening{
	{
		name: "a volume's data goes with its claim", verb: operation.Unprotect, through: itself,
		resources: []string{"/persistentvolumes"},
		filter: func(generator) string {
			return loses(func(spec string) string { return equals(spec, `"Retain"`, "persistentVolumeReclaimPolicy") })
		},
		judge: func(u *update) {
			if was, is := u.turns("Retain", u.was.spec("persistentVolumeReclaimPolicy"), "persistentVolumeReclaimPolicy"); was {
				u.says("spec.persistentVolumeReclaimPolicy Retain → %s: the data goes with the claim", is)
			}
		},
	},
	{
		name: "a bound volume is given away", verb: operation.Unprotect, through: itself,
		resources: []string{"/persistentvolumes", "/persistentvolumeclaims"},
		filter: func(generator) string {
			var terms []string
			for _, path := range bindings {
				terms = append(terms, changed(path...))
			}
			return allOf(equals(oldObject, `"Bound"`, "status", "phase"), anyOf(terms...))
		},
		judge: judgeBinding,
	},
	{
		name: "a StatefulSet's claims go with it", verb: operation.Unprotect, through: itself,
		resources: []string{"apps/statefulsets"},
		filter: func(generator) string {
			var terms []string
			for _, field := range retentions {
				path := []string{"persistentVolumeClaimRetentionPolicy", field}
				terms = append(terms, allOf(equals(newSpec, `"Delete"`, path...), changed(path...)))
			}
			return anyOf(terms...)
		},
		judge: func(u *update) {
			for _, field := range retentions {
				before := u.was.spec("persistentVolumeClaimRetentionPolicy", field).str()
				if before == "Delete" {
					continue
				}
				if after := u.is.spec("persistentVolumeClaimRetentionPolicy", field).str(); after == "Delete" {
					u.says("spec.persistentVolumeClaimRetentionPolicy.%s Retain → Delete: its claims, and with them the data, go when it is %s",
						field, map[string]string{"whenDeleted": "deleted", "whenScaled": "scaled down"}[field])
				}
			}
		},
	},
	{
		name: "a StorageClass is no longer the default", verb: operation.Unprotect, through: itself,
		resources: []string{"storage.k8s.io/storageclasses"}, meta: true,
		filter: func(generator) string {
			class := func(object string) string {
				return anyOf(equals(object, `"true"`, "metadata", "annotations", defaultClass), equals(object, `"true"`, "metadata", "annotations", defaultClassBeta))
			}
			return losesMeta(class)
		},
		judge: func(u *update) {
			isDefault := func(s side) bool { return s.marks[defaultClass] == "true" || s.marks[defaultClassBeta] == "true" }
			if isDefault(u.was) && !isDefault(u.is) {
				u.says("annotation %s true → %s: claims that name no class get another, or wait", defaultClass, becoming(u.is.marks[defaultClass]))
			}
		},
	},
}

// retentions are the fields of a StatefulSet's persistentVolumeClaimRetentionPolicy
// (KEP-1847). Where they are absent, claims stay.
var retentions = []string{"whenDeleted", "whenScaled"}

// bindings are the fields that tie a claim and its volume together.
var bindings = [][]string{
	{"claimRef", "namespace"}, {"claimRef", "name"}, {"claimRef", "uid"}, {"volumeName"}, {"storageClassName"},
}

// turns reports whether a text below spec is no longer what it was, and what it is now.
func (u *update) turns(from string, before node, path ...string) (lost bool, now string) {
	if before.str() != from {
		return false, ""
	}
	after := u.is.spec(path...)
	return after.str() != from, after.brief()
}

// judgeBinding looks at volumes and claims that are bound. The control plane binds
// and releases them.
func judgeBinding(u *update) {
	if u.was.status("phase").str() != "Bound" {
		return
	}
	for _, path := range bindings {
		was := u.was.spec(path...)
		if is := u.is.spec(path...); !is.same(was) {
			u.says("%s %s → %s while it is bound", was.path, was.brief(), is.brief())
		}
	}
}
