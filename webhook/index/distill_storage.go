package index

import "time"

// claimManifest is what is read of a PersistentVolumeClaim (core/v1).
type claimManifest struct {
	header
	Spec struct {
		VolumeName       string `json:"volumeName"`
		StorageClassName string `json:"storageClassName"`
	} `json:"spec"`
}

func (c *claimManifest) facts() (any, error) {
	return &Claim{Volume: c.Spec.VolumeName, StorageClass: c.Spec.StorageClassName}, nil
}

// volumeManifest is what is read of a PersistentVolume (core/v1).
type volumeManifest struct {
	header
	Spec struct {
		ClaimRef struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"claimRef"`
		ReclaimPolicy    string `json:"persistentVolumeReclaimPolicy"`
		StorageClassName string `json:"storageClassName"`
	} `json:"spec"`
}

func (v *volumeManifest) facts() (any, error) {
	return &PersistentVolume{
		ClaimNamespace: v.Spec.ClaimRef.Namespace, ClaimName: v.Spec.ClaimRef.Name,
		ReclaimPolicy: v.Spec.ReclaimPolicy, StorageClass: v.Spec.StorageClassName,
	}, nil
}

// snapshotManifest is what is read of a VolumeSnapshot (snapshot.storage.k8s.io/v1).
// Time is when the storage system took it, which may be before the object was made.
type snapshotManifest struct {
	header
	Spec struct {
		Source struct {
			Claim string `json:"persistentVolumeClaimName"`
		} `json:"source"`
	} `json:"spec"`
	Status struct {
		ReadyToUse   bool      `json:"readyToUse"`
		CreationTime time.Time `json:"creationTime"`
	} `json:"status"`
}

func (s *snapshotManifest) facts() (any, error) {
	return &Snapshot{Claim: s.Spec.Source.Claim, Ready: s.Status.ReadyToUse, Time: s.Status.CreationTime}, nil
}
