package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Grant is leave to do something destructive. What it is worth is in the status
// of the request of the same name; only a grant from elsewhere has one itself.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,path=grants,shortName=bgg
// +kubebuilder:printcolumn:name="Who",type=string,JSONPath=`.spec.subject`
// +kubebuilder:printcolumn:name="Issuer",type=string,JSONPath=`.spec.issuer`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Expires",type=string,priority=1,JSONPath=`.spec.expires`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^bg-[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}$')",message="metadata.name: not a handle such as bg-k7m4-q9tx"
type Grant struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec GrantSpec `json:"spec"`
	// +optional
	Status Standing `json:"status,omitzero"`
}

// GrantSpec is what the grant opens, for whom and until when.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a grant is not changed: revoke it"
// +kubebuilder:validation:XValidation:rule="self.expires > self.notBefore",message="expires: not after notBefore"
// +kubebuilder:validation:XValidation:rule="self.expires - self.notBefore <= duration('168h')",message="expires: more than seven days after notBefore"
type GrantSpec struct {
	// Who signed it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Issuer string `json:"issuer"`
	// Who may use it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Subject string `json:"subject"`
	// Id of the credential that the subject has to use; empty for any.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Credential string `json:"credential,omitempty"`
	// The cluster where it holds.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Cluster string `json:"cluster"`
	// What may be done.
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
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=256
	Objects int32 `json:"objects"`
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Ticket string `json:"ticket,omitempty"`
	// The people whose approvals made it.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=512
	Approvers []string `json:"approvers,omitempty"`
	// The SHA-256, in hex, of the approvals.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[0-9a-f]*$`
	ApprovalsDigest string `json:"approvalsDigest,omitempty"`
	// From when on.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[0-9-]{10}T[0-9:]{8}([.][0-9]{1,9})?(Z|[-+]([01][0-9]|2[0-3]):[0-5][0-9])$`
	NotBefore metav1.Time `json:"notBefore"`
	// Until when.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[0-9-]{10}T[0-9:]{8}([.][0-9]{1,9})?(Z|[-+]([01][0-9]|2[0-3]):[0-5][0-9])$`
	Expires metav1.Time `json:"expires"`
	// The issuer's signature over all of the above. Nobody can present it as a token.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Seal string `json:"seal,omitempty"`
	// The token that the grant came as, if it came from elsewhere. It opens nothing
	// for anybody but the subject.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Token string `json:"token,omitempty"`
}

// GrantList is a list of grants.
//
// +kubebuilder:object:root=true
type GrantList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Grant `json:"items"`
}
