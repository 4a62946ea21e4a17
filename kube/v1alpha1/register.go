package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group and Version are what the objects' apiVersion is made of.
const (
	Group   = "mollyguard.dev"
	Version = "v1alpha1"
)

// GroupVersion returns Group and Version.
func GroupVersion() schema.GroupVersion { return schema.GroupVersion{Group: Group, Version: Version} }

// AddToScheme makes the types known to a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion(),
		&BreakGlassRequest{}, &BreakGlassRequestList{},
		&BreakGlassVerdict{}, &BreakGlassVerdictList{},
		&Grant{}, &GrantList{},
		&BreakGlassUse{}, &BreakGlassUseList{},
		&Floor{}, &FloorList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion())
	return nil
}
