package webhook

import (
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook/index"
)

// behind is the resource outside of the cluster that goes with an object, if there is
// one: Config Connector and Crossplane delete it, unless the object says that it stays.
// Whether it is production is for the guard to say.
func (m *mapper) behind(r *request) []operation.Dependents {
	if r.operation != "DELETE" || r.subResource != "" || !r.oldObject.present {
		return nil
	}
	was := side{&r.oldObject, &faults{}}
	connector := index.InCloud(r.resource.group)
	fields := was.spec().pick("deletionPolicy", "managementPolicies", "providerConfigRef", "resourceID")
	switch {
	case connector && was.marks[connectorPolicy] == "abandon":
		return nil
	case connector:
	case !fields[0].there() && !fields[1].there() && !fields[2].there():
		return nil
	case was.keptBehind() && !was.spec().faulty():
		return nil
	}
	name := fields[3].str()
	if name == "" {
		name = was.marks[externalName]
	}
	if name == "" {
		name = m.target(r, &r.oldObject).Name
	}
	return []operation.Dependents{{Kind: r.kind, Via: operation.Backs, Count: 1, Names: []string{name}}}
}
