package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BreakGlassUse is one consumption of a grant by one object. Its status is no
// subresource: a use must never be there without its state.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=bgu
// +kubebuilder:printcolumn:name="Who",type=string,JSONPath=`.spec.actor`
// +kubebuilder:printcolumn:name="Verb",type=string,JSONPath=`.spec.verb`
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.target.kind`
// +kubebuilder:printcolumn:name="Namespace",type=string,JSONPath=`.spec.target.namespace`
// +kubebuilder:printcolumn:name="Target",type=string,JSONPath=`.spec.target.name`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Decision",type=string,priority=1,JSONPath=`.spec.decision`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.startsWith(self.spec.grant + '-') && self.metadata.name.matches('^.{12}-(0|[1-9][0-9]{0,4})$') && int(self.metadata.name.substring(13)) == self.spec.slot",message="metadata.name: not the grant and the slot"
type BreakGlassUse struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   BreakGlassUseSpec   `json:"spec"`
	Status BreakGlassUseStatus `json:"status"`
}

// BreakGlassUseSpec says what was done with the grant.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a use is not changed"
type BreakGlassUseSpec struct {
	Grant Handle `json:"grant"`
	// The use's number, from 0. There are at most as many as slots that can be tried:
	// each of 256 objects, and those that were given back.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	Slot   int32  `json:"slot"`
	Target Target `json:"target"`
	Verb   Verb   `json:"verb"`
	// Who did it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Actor string `json:"actor"`
	// When.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[0-9-]{10}T[0-9:]{8}[.][0-9]{6}Z$`
	At metav1.MicroTime `json:"at"`
	// Id of the decision that let it through.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Decision string `json:"decision,omitempty"`
}

// BreakGlassUseStatus is what is known of what became of it.
type BreakGlassUseStatus struct {
	State UseState `json:"state"`
}

// UseState is one of breakglass.UseState, capitalized.
//
// +kubebuilder:validation:Enum=Reserved;Confirmed;Released
type UseState string

// BreakGlassUseList is a list of uses.
//
// +kubebuilder:object:root=true
type BreakGlassUseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []BreakGlassUse `json:"items"`
}
