package index

import (
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// How the API server calls service accounts as users and groups
// (k8s.io/apiserver pkg/authentication/serviceaccount).
const (
	accountUserPrefix  = "system:serviceaccount:"
	allAccountsGroup   = "system:serviceaccounts"
	accountGroupPrefix = "system:serviceaccounts:"
)

// allAccounts are all service accounts, as Binding writes them.
const allAccounts = "*/*"

// bindingManifest is what is read of a RoleBinding or ClusterRoleBinding
// (rbac.authorization.k8s.io/v1).
type bindingManifest struct {
	header
	RoleRef struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	} `json:"roleRef"`
	Subjects []rbacv1.Subject `json:"subjects"`
}

func (b *bindingManifest) facts() (any, error) {
	var accounts nameList
	for _, subject := range b.Subjects {
		accounts.add(AccountOf(subject, b.Metadata.Namespace))
	}
	return &Binding{RoleKind: b.RoleRef.Kind, RoleName: b.RoleRef.Name, Accounts: accounts.sorted()}, nil
}

// AccountOf returns the service accounts that a subject of a binding in namespace is, as
// Binding writes them, or "". A RoleBinding may leave out the namespace of an account of
// its own.
func AccountOf(subject rbacv1.Subject, namespace string) string {
	switch subject.Kind {
	case rbacv1.ServiceAccountKind:
		if subject.Namespace != "" {
			namespace = subject.Namespace
		}
		return namespace + "/" + subject.Name
	case rbacv1.UserKind:
		if account, ok := strings.CutPrefix(subject.Name, accountUserPrefix); ok {
			if namespace, name, ok := strings.Cut(account, ":"); ok {
				return namespace + "/" + name
			}
		}
	case rbacv1.GroupKind:
		if subject.Name == allAccountsGroup {
			return allAccounts
		}
		if namespace, ok := strings.CutPrefix(subject.Name, accountGroupPrefix); ok {
			return namespace + "/*"
		}
	}
	return ""
}
