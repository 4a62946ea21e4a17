// Package index knows what lives in a cluster, so that a deletion can be judged at
// the parent: what a namespace, a definition, an owner or a volume takes along is
// never shown to admission.
//
//	discovery ─► one reflector a kind ─► Object ─► store ─► Lost(Question) ─► Answer
//	                                                 │
//	                                                 └─► Holders: what the floor must know
//
// It keeps a compact record of every object: where it is, who owns it, whether it is
// production by its own labels or name, and for a few kinds the facts by which others
// depend on it (what a pod mounts, what a volume is bound to). It keeps no object, no
// annotation, no data, and reads Secrets as metadata only.
//
// What it does not know it says: an index that has not been read yet, and a kind that
// it may not list or that no server answers for, are named in the Answer. Nothing here
// decides; the package knows nothing of policies or reviews.
package index

import (
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mollyguard/mollyguard/operation"
)

// Object is what the index takes in of one object of the cluster.
type Object struct {
	Resource        schema.GroupResource
	Kind            string
	Namespace, Name string
	UID             string
	// An object with more than 4096 Labels counts as production. Of a pod with more than
	// 256, or more than 32 KiB of them, it is not known what selects it.
	Labels map[string]string
	// Owners may be more than 64: the others are not followed, and production that has
	// them raises a doubt about everything else in its namespace that may own.
	Owners []Owner
	// Terminating says that it is on its way out: it still counts.
	Terminating bool
	// Facts is a *Pod, *Claim, *PersistentVolume, *Snapshot, *Budget, *Service,
	// *Binding or *Definition for the kinds that have facts, else nil.
	Facts any
}

// Owner is an entry of metadata.ownerReferences.
type Owner struct {
	UID        string
	Controller bool
}

// Pod is what is known of a pod. Pods that one template made share these but for the
// names, so whoever keeps them keeps them once.
type Pod struct {
	Node, ServiceAccount, PriorityClass string
	// Claims, Secrets and ConfigMaps are what it mounts, takes its environment from
	// and pulls its images with, sorted. With more than 256 claims it may mount any of its
	// namespace; with more than 32 KiB of the other names, any of those.
	Claims, Secrets, ConfigMaps []string
	// Done says that all its containers have ended for good: it needs nothing any more.
	Done bool
}

// Claim is what is known of a PersistentVolumeClaim.
type Claim struct{ Volume, StorageClass string }

// PersistentVolume is what is known of a PersistentVolume.
type PersistentVolume struct {
	ClaimNamespace, ClaimName, ReclaimPolicy, StorageClass string
}

// Snapshot is what is known of a VolumeSnapshot (snapshot.storage.k8s.io).
type Snapshot struct {
	Claim string
	Ready bool
	Time  time.Time
}

// Budget is what is known of a PodDisruptionBudget. One whose Selector has more than 256
// requirements or values covers nothing. Worthless says that it lets all of
// its pods be disrupted at once, so that it protects nothing.
type Budget struct {
	Selector  labels.Selector
	Worthless bool
}

// Service is what is known of a Service. A nil Selector selects nothing; one with more
// than 256 requirements or values may select anything.
type Service struct{ Selector labels.Selector }

// Binding is what is known of a RoleBinding or ClusterRoleBinding: the role, and the
// service accounts among its subjects as NAMESPACE/NAME. A group of service accounts is
// written NAMESPACE/* or */*. More than 1024 of them are taken for */*.
type Binding struct {
	RoleKind, RoleName string
	Accounts           []string
}

// Definition is what is known of a CustomResourceDefinition: the kind that it serves.
type Definition struct {
	Serves schema.GroupResource
	Kind   string
}

// Question is what somebody asks: what depends on this object, as it is before the
// operation. On an APIService that is all of its group, whether the API server answers
// for it itself or not: while it points elsewhere all of these are hidden.
type Question struct {
	Resource        schema.GroupResource
	Namespace, Name string
	UID             string
	// Orphan says that the dependents which the garbage collector knows stay
	// (propagationPolicy Orphan).
	Orphan bool
	// Selector is the label selector over pods of the same namespace that the object
	// itself holds, if it is a Service, a budget or a network policy; nil if there is
	// none, or what it selects is not asked.
	Selector labels.Selector
	// Scales is what the object scales, if it is an autoscaler, else nil. An object
	// whose namespace is empty is in the Question's.
	Scales *Reference
	// Backends are the names of the Services in the same namespace that the object sends
	// traffic to, if it is an Ingress.
	Backends []string
	// Role is the role that a binding binds, and Accounts are whom it binds it to, as in
	// Binding.
	RoleKind, RoleName string
	Accounts           []string
}

// Reference names an object in a Question.
type Reference struct {
	Resource        schema.GroupResource
	Namespace, Name string
}

// Answer is what depends on an object.
type Answer struct {
	// Dependents are sorted: those with production first, then by how they depend, then
	// by count, then by kind. Namespaces that count as production make all in them
	// production.
	Dependents []operation.Dependents
	Volumes    []operation.Volume
	// Covered is as operation.Operation has it.
	Covered bool
	// Unknown names what could not be learnt, in words. It is empty for an object that
	// could take no production along whatever is not known.
	Unknown []string
}

// Production says what production is. Its functions are pure and may be called
// concurrently; a nil one is false.
type Production struct {
	// Object says whether an object is production by its own labels or name, Namespace
	// whether all in a namespace is. labels may be nil.
	Object    func(namespace, name string, labels map[string]string) bool
	Namespace func(name string, labels map[string]string) bool
}

// Holders are the parents that hold production, sorted.
type Holders struct {
	// Namespaces hold a production object, or are production as a whole.
	Namespaces []string
	// Definitions are names of CustomResourceDefinitions with production instances.
	Definitions []string
}
