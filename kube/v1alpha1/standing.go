package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Standing says what a request, and the grant that it became, was worth when the
// server last looked. It is for people: nothing is decided by it.
type Standing struct {
	// The spec's metadata.generation that this is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// The cluster's name, as it is configured: what is asked for is asked for there.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Cluster string `json:"cluster,omitempty"`
	// What is asked for or granted, in words.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	What string `json:"what,omitempty"`
	// +optional
	State State `json:"state,omitempty"`
	// Why, in one line.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Message string `json:"message,omitempty"`
	// The people whose approvals count.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=512
	Approvers []string `json:"approvers,omitempty"`
	// How many have to approve.
	// +optional
	ApprovalsNeeded int32 `json:"approvalsNeeded,omitempty"`
	// How many more objects it is good for.
	// +optional
	Left int32 `json:"left"`
	// When the state ends by itself.
	// +optional
	Until *metav1.Time `json:"until,omitempty"`
	// Approved: people enough have approved, and nothing took that back. Active: it
	// can be used now.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// The types of Standing.Conditions. Their reason is the State.
const (
	ConditionApproved = "Approved"
	ConditionActive   = "Active"
)

// State is one of breakglass.State, capitalized.
//
// +kubebuilder:validation:Enum=Pending;Scheduled;Active;Used;Denied;Revoked;Expired;Void
type State string
