package v1alpha1

// Actor is somebody as the API server authenticated them: see operation.Actor.
type Actor struct {
	// The user name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Name string `json:"name"`
	// The user's uid, if the API server gives one.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	UID string `json:"uid,omitempty"`
	// The user's groups.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=512
	Groups []string `json:"groups,omitempty"`
	// Id of the credential in use, if the API server gives one.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Credential string `json:"credential,omitempty"`
	// What sort of identity it is.
	Kind ActorKind `json:"kind"`
	// The tool in use, where it is known.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Via string `json:"via,omitempty"`
}

// ActorKind is one of operation.ActorKind.
//
// +kubebuilder:validation:Enum=human;service;controller;agent
type ActorKind string
