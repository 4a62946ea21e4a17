package index

import "k8s.io/apimachinery/pkg/runtime/schema"

// definitionManifest is what is read of a CustomResourceDefinition
// (apiextensions.k8s.io/v1): of its schemas, which may be half a megabyte, nothing.
type definitionManifest struct {
	header
	Spec struct {
		Group string `json:"group"`
		Names struct {
			Plural string `json:"plural"`
			Kind   string `json:"kind"`
		} `json:"names"`
	} `json:"spec"`
}

func (d *definitionManifest) facts() (any, error) {
	return &Definition{
		Serves: schema.GroupResource{Group: d.Spec.Group, Resource: d.Spec.Names.Plural}, Kind: d.Spec.Names.Kind,
	}, nil
}
