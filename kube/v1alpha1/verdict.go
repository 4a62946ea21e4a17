package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BreakGlassVerdict is what one person says about one request.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=bgv
// +kubebuilder:printcolumn:name="Request",type=string,JSONPath=`.spec.request`
// +kubebuilder:printcolumn:name="Verdict",type=string,JSONPath=`.spec.verdict`
// +kubebuilder:printcolumn:name="By",type=string,JSONPath=`.spec.by.name`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.spec.reason`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.startsWith(self.spec.request + '-' + self.spec.verdict.lowerAscii() + '-') && self.metadata.name.matches('-[0-9a-f]{10}$')",message="metadata.name: not the request, the verdict and ten digits of the SHA-256 of the name of who gives it"
type BreakGlassVerdict struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec BreakGlassVerdictSpec `json:"spec"`
}

// BreakGlassVerdictSpec is what somebody says. When is in
// metadata.creationTimestamp.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a verdict is not changed: give another"
type BreakGlassVerdictSpec struct {
	// The request, or the grant that it became.
	Request Handle `json:"request"`
	// Approve counts towards the grant; Deny and Revoke end both request and grant.
	Verdict VerdictKind `json:"verdict"`
	// Who says so.
	By Actor `json:"by"`
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason,omitempty"`
	// The way by which it came: kubernetes for all but the server's own.
	// +optional
	// +kubebuilder:default=kubernetes
	Door Door `json:"door,omitempty"`
}

// VerdictKind is one of breakglass.VerdictKind, capitalized.
//
// +kubebuilder:validation:Enum=Approve;Deny;Revoke
type VerdictKind string

// Door is one of breakglass.Door.
//
// +kubebuilder:validation:Enum=kubernetes;api
type Door string

// BreakGlassVerdictList is a list of verdicts.
//
// +kubebuilder:object:root=true
type BreakGlassVerdictList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []BreakGlassVerdict `json:"items"`
}
