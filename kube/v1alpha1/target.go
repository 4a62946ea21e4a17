package v1alpha1

// Target names one object of the cluster. The patterns let no part hold a slash,
// so that no two targets are the same reference.
type Target struct {
	// The API group, empty for core.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-.a-z0-9]*[a-z0-9])?)?$`
	Group string `json:"group,omitempty"`
	// The resource, such as deployments.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
	Resource string `json:"resource"`
	// The kind, such as Deployment.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]*$`
	Kind string `json:"kind,omitempty"`
	// The namespace, empty for a cluster-scoped object.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$`
	Namespace string `json:"namespace,omitempty"`
	// The object's name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^[^/%]+$`
	Name string `json:"name"`
	// The object's uid: one made anew under the same name is not meant. Empty for
	// whatever has the name.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	UID string `json:"uid,omitempty"`
}

// Verb is one of operation.Verb that destroys.
//
// +kubebuilder:validation:Enum=delete;evict;scale-to-zero;unprotect;replace;forget;empty;unknown
type Verb string

// Handle names a request, and the grant that it becomes: see
// breakglass.NewHandle.
//
// +kubebuilder:validation:MaxLength=12
// +kubebuilder:validation:Pattern=`^bg-[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}$`
type Handle string
