package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
)

// driver is the provisioner of the class fast.
const driver = "csi.example.com"

// csiFinalizer is what the external provisioner of CSI drivers keeps on volumes
// while there is something behind them to delete.
const csiFinalizer = "external-provisioner.volume.kubernetes.io/finalizer"

// provision does what the external provisioner of a CSI driver does, until ctx
// ends: it makes a volume for each claim of the class fast, and takes away those
// that are released.
func (l *life) provision(ctx context.Context) error {
	factory := informers.NewSharedInformerFactory(l.provisioner.clients, 0)
	claims, volumes := factory.Core().V1().PersistentVolumeClaims().Lister(), factory.Core().V1().PersistentVolumes().Lister()
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	factory.WaitForCacheSync(ctx.Done())

	made, removed := map[types.UID]bool{}, map[types.UID]bool{} // ahead of the cache
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		wanted, err := claims.List(labels.Everything())
		if err != nil {
			return err
		}
		for _, claim := range wanted {
			// The annotation is how the controller manager asks for a volume.
			if claim.Annotations["volume.kubernetes.io/storage-provisioner"] != driver || claim.Spec.VolumeName != "" || made[claim.UID] {
				continue
			}
			if _, err := l.provisioner.clients.CoreV1().PersistentVolumes().Create(ctx, volumeFor(claim), metav1.CreateOptions{}); err != nil && ctx.Err() == nil {
				return fmt.Errorf("provision a volume: %w", err)
			}
			made[claim.UID] = true
		}
		there, err := volumes.List(labels.Everything())
		if err != nil {
			return err
		}
		for _, volume := range there {
			if volume.Spec.StorageClassName != "fast" || volume.Status.Phase != corev1.VolumeReleased || removed[volume.UID] {
				continue
			}
			if err := l.removeVolume(ctx, volume); err != nil && ctx.Err() == nil {
				return fmt.Errorf("remove volume %s: %w", volume.Name, err)
			}
			removed[volume.UID] = true
		}
	}
}

func volumeFor(claim *corev1.PersistentVolumeClaim) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "pvc-" + claim.Namespace + "-" + claim.Name,
			Annotations: map[string]string{"pv.kubernetes.io/provisioned-by": driver},
			Finalizers:  []string{csiFinalizer},
		},
		Spec: corev1.PersistentVolumeSpec{
			StorageClassName:              "fast",
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
				Driver: driver, VolumeHandle: claim.Namespace + "-" + claim.Name,
			}},
			ClaimRef: &corev1.ObjectReference{
				Kind: "PersistentVolumeClaim", APIVersion: "v1", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
		},
	}
}

// removeVolume deletes a volume, then drops the provisioner's own finalizer.
func (l *life) removeVolume(ctx context.Context, volume *corev1.PersistentVolume) error {
	volumes := l.provisioner.clients.CoreV1().PersistentVolumes()
	if err := volumes.Delete(ctx, volume.Name, metav1.DeleteOptions{}); expected(err) != nil {
		return err
	}
	for { // somebody else writes to it as well
		current, err := volumes.Get(ctx, volume.Name, metav1.GetOptions{})
		if err != nil {
			return expected(err)
		}
		kept := slices.DeleteFunc(current.Finalizers, func(f string) bool { return f == csiFinalizer })
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": current.ResourceVersion, "finalizers": kept}})
		if err != nil {
			return err
		}
		if _, err = volumes.Patch(ctx, volume.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err == nil || expected(err) != nil {
			return err
		}
	}
}
