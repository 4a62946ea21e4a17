package operation

import "time"

// Via says how a dependent depends on a target.
type Via string

// The ways to depend. What is Contained, an Instance or Owned is deleted with the
// target; the rest stays, and fails or loses something.
const (
	// Contained: in the namespace, or below the cloud resource.
	Contained Via = "contained"
	// Instance: an object of the kind that the definition or API service serves.
	Instance Via = "instance"
	// Owned: the garbage collector takes it, at any depth.
	Owned Via = "owned"
	// Bound: the claim of a volume.
	Bound Via = "bound"
	// Mounted: a pod that mounts it, or takes its environment from it.
	Mounted Via = "mounted"
	// Selected: a pod that a Service sends traffic to, or that a budget or a network
	// policy is about.
	Selected Via = "selected"
	// Scheduled: a pod on the node that no budget covers.
	Scheduled Via = "scheduled"
	// Uses: who names it, as a class, an account or a role.
	Uses Via = "uses"
	// Scaled: what an autoscaler scales.
	Scaled Via = "scaled"
	// Backs: the resource in the cloud that the object stands for.
	Backs Via = "backs"
)

// Values lists every Via.
func (Via) Values() []string {
	return []string{
		string(Contained), string(Instance), string(Owned), string(Bound), string(Mounted),
		string(Selected), string(Scheduled), string(Uses), string(Scaled), string(Backs),
	}
}

// Dependents counts what depends on a target, for one kind and one way to depend.
type Dependents struct {
	Kind       string   `json:"kind" desc:"kind of the dependents"`
	Via        Via      `json:"via" desc:"how they depend on the target"`
	Count      int      `json:"count" desc:"how many there are"`
	Production int      `json:"production" desc:"how many of them are production"`
	Names      []string `json:"names" desc:"a few of their names, production first"`
}

// Volume is a volume whose data goes with a target.
type Volume struct {
	Claim         string    `json:"claim" desc:"namespace/name of the PersistentVolumeClaim, empty if none is bound"`
	Name          string    `json:"name" desc:"name of the PersistentVolume, empty if none is bound"`
	ReclaimPolicy string    `json:"reclaim_policy" desc:"what becomes of the data: Delete, Retain or Recycle"`
	Production    bool      `json:"production" desc:"true if the claim, the volume or a pod that mounts it is production"`
	Snapshot      string    `json:"snapshot" desc:"name of the newest VolumeSnapshot that is ready, empty if there is none"`
	SnapshotTime  time.Time `json:"snapshot_time,omitzero" desc:"when that was made; RFC 3339"`
	// SnapshotsUnknown makes nothing production: it only says that "no snapshot" may be wrong.
	SnapshotsUnknown bool `json:"snapshots_unknown,omitzero" desc:"true if there is no telling whether there is a snapshot"`
}

// Recent counts what an actor has done to production lately, the operation at hand
// included.
type Recent struct {
	Count      int `json:"count" desc:"how many production objects the actor has deleted or weakened within the window, this one included"`
	Namespaces int `json:"namespaces" desc:"in how many namespaces, or projects, they were"`
	Limit      int `json:"limit" desc:"how many are allowed within the window; 0 means any number"`
	Seconds    int `json:"seconds" desc:"length of the window"`
}
