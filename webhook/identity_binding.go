package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

// boundRole is the role that a binding newly gives to somebody. A binding does not show
// what its role allows, so it has to be looked up.
type boundRole struct {
	Key ObjectKey
	// Namespace is where the binding counts, or empty for everywhere.
	Namespace string
}

// commonRoles are cluster roles of Kubernetes' own that administrators give to people
// and tools for the whole cluster, every day. All of them let somebody act as any service
// account; with the first of them whoever gives it away may do everything anyway.
func commonRoles() []string { return []string{"cluster-admin", "admin", "edit"} }

const (
	clusterRoleBindings = "clusterrolebindings"
	roleBindings        = "rolebindings"
)

// roleBound is the role that a request gives to somebody who did not have it by this
// binding, and who is not let through anyway. The zero value is none.
func (m *mapper) roleBound(r *request) boundRole {
	everywhere := r.resource.resource == clusterRoleBindings
	if r.operation != "CREATE" && r.operation != "UPDATE" || r.subResource != "" || r.resource.group != rbacGroup ||
		!everywhere && r.resource.resource != roleBindings || len(m.exempt) == 0 && m.own.Account == "" {
		return boundRole{}
	}
	var role struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	}
	if json.Unmarshal(r.object.roleRef, &role, jsontext.AllowDuplicateNames(true)) != nil || role.Name == "" ||
		everywhere && slices.Contains(commonRoles(), role.Name) {
		return boundRole{}
	}
	before := subjects(r.oldObject.subjects)
	gains := func(s roleSubject) bool { return !slices.Contains(before, s) && !m.hasAll(s) }
	if !slices.ContainsFunc(subjects(r.object.subjects), gains) {
		return boundRole{}
	}
	bound := boundRole{Key: ObjectKey{Group: rbacGroup, Version: "v1", Resource: "clusterroles", Name: role.Name}}
	if !everywhere {
		bound.Namespace = r.namespace
	}
	if role.Kind == "Role" {
		bound.Key.Resource, bound.Key.Namespace = "roles", r.namespace
	}
	return bound
}

// roleSubject is to whom a role is given (k8s.io/api rbac/v1 Subject).
type roleSubject struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

// subjects are those of a binding. Those that cannot be read, the API server would not
// have read either.
func subjects(text jsontext.Value) []roleSubject {
	var list []roleSubject
	if len(text) == 0 || json.Unmarshal(text, &list, jsontext.AllowDuplicateNames(true)) != nil {
		return nil
	}
	return list
}

// hasAll reports whether a subject is let through anyway, or may do everything.
func (m *mapper) hasAll(s roleSubject) bool {
	switch s.Kind {
	case "User":
		return m.passes(s.Name) != ""
	case "ServiceAccount":
		return m.passes(accountUser(s.Namespace, s.Name)) != ""
	}
	return slices.Contains([]string{"system:masters", "system:nodes"}, s.Name)
}

// lookForRole judges what a binding gives. A role that is not there gives nothing yet,
// and is judged when it is made.
func (r *Reviewer) lookForRole(ctx context.Context, op *operation.Operation, bound boundRole) {
	if bound.Key.Name == "" {
		return
	}
	text, err := r.lookup.Whole(ctx, bound.Key)
	var found []allowance
	switch {
	case errors.Is(err, errGone):
		return
	case err != nil:
		found = []allowance{{fmt.Sprintf("act as anybody, for what the role allows is not known (%v)", err), r.mapper.anyPasses()}}
	default:
		found = r.mapper.allowances(bound.Namespace, text, bound.Namespace != "")
	}
	if len(found) == 0 {
		return
	}
	op.Target.Passes = found[0].exemption
	unprotects(op, "whoever is bound to "+clipped(operation.Printable(bound.Key.Name))+" may "+listed(found))
}
