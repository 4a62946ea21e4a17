package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BreakGlassRequest asks for leave to do something destructive.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=bgr
// +kubebuilder:printcolumn:name="Who",type=string,JSONPath=`.spec.subject`
// +kubebuilder:printcolumn:name="What",type=string,JSONPath=`.status.what`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Until",type=string,JSONPath=`.status.until`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Requester",type=string,priority=1,JSONPath=`.spec.requester.name`
// +kubebuilder:printcolumn:name="Ticket",type=string,priority=1,JSONPath=`.spec.ticket`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.spec.reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^bg-[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}$')",message="metadata.name: not a handle such as bg-k7m4-q9tx"
type BreakGlassRequest struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec BreakGlassRequestSpec `json:"spec"`
	// +optional
	Status Standing `json:"status,omitzero"`
}

// BreakGlassRequestSpec is what somebody asks for. When is in
// metadata.creationTimestamp.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a request is not changed: make another, and deny this one"
type BreakGlassRequestSpec struct {
	// Who asks.
	Requester Actor `json:"requester"`
	// Who may use the grant: the requester, or a service account.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Subject string `json:"subject"`
	// The cluster's name, to be sure that this is the one that is meant; empty for
	// whichever it is.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Cluster string `json:"cluster,omitempty"`
	// What is to be done.
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Verbs []Verb `json:"verbs"`
	// To which objects.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Targets []Target `json:"targets"`
	// To how many of them.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=256
	Objects int32 `json:"objects,omitempty"`
	// Why: whoever approves reads it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason"`
	// The ticket or incident.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Ticket string `json:"ticket,omitempty"`
	// How long the grant can be used, such as 30m.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="not between 1m and 24h"
	Duration metav1.Duration `json:"duration"`
	// From when on; left out for as soon as it is approved.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[0-9-]{10}T[0-9:]{8}([.][0-9]{1,9})?(Z|[-+]([01][0-9]|2[0-3]):[0-5][0-9])$`
	NotBefore *metav1.Time `json:"notBefore,omitempty"`
	// Id of the refusal that made somebody ask.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Decision string `json:"decision,omitempty"`
	// How many have to approve at least; left out for as many as policies demand.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=16
	Approvals int32 `json:"approvals,omitempty"`
}

// BreakGlassRequestList is a list of requests.
//
// +kubebuilder:object:root=true
type BreakGlassRequestList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []BreakGlassRequest `json:"items"`
}
