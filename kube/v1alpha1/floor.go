package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The most that a Floor holds. An API server evaluates one expression over each list
// within its cost limit of a million (k8s.io/apiserver pkg/apis/cel PerCallLimit): a
// look for a name costs one a name, a look for a grant some forty a grant.
const (
	MaxFloorNamespaces  = 5000
	MaxFloorDefinitions = 1000
	MaxFloorGrants      = 500
)

// Floor is what API servers know of production when no server of ours answers: the
// parameters of the ValidatingAdmissionPolicies that are called the floor. The server
// keeps it; what somebody else writes into it is undone.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,path=floors
// +kubebuilder:printcolumn:name="Complete",type=boolean,JSONPath=`.spec.complete`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Floor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec FloorSpec `json:"spec"`
}

// FloorSpec is what is known, and who may do what all the same.
type FloorSpec struct {
	// Whether the lists of namespaces and definitions hold all that they should. If
	// not, no namespace and no definition is deleted without a grant.
	Complete bool `json:"complete"`
	// Namespaces that are production, or hold some.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=5000
	// +kubebuilder:validation:items:MaxLength=63
	Namespaces []string `json:"namespaces,omitempty"`
	// Custom resource definitions with production instances.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MaxLength=253
	Definitions []string `json:"definitions,omitempty"`
	// What is let through.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=500
	Grants []FloorGrant `json:"grants,omitempty"`
}

// FloorGrant lets one user do something to one object.
type FloorGrant struct {
	// The grant's handle.
	// +kubebuilder:validation:MaxLength=64
	Grant string `json:"grant"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	User string `json:"user"`
	// Id of the credential that the user has to use; empty for any.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Credential string `json:"credential,omitempty"`
	// The object's canonical name: k8s://CLUSTER/GROUP/RESOURCE/[NAMESPACE/]NAME.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Ref string `json:"ref"`
	// The object's uid; empty for any object of that name.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	UID string `json:"uid,omitempty"`
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Verbs []Verb `json:"verbs"`
	// Until when. The server takes it out of the list then; API servers know no time.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[0-9-]{10}T[0-9:]{8}([.][0-9]{1,9})?(Z|[-+]([01][0-9]|2[0-3]):[0-5][0-9])$`
	Expires metav1.Time `json:"expires"`
}

// FloorList is a list of floors.
//
// +kubebuilder:object:root=true
type FloorList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Floor `json:"items"`
}
