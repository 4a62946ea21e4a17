package conformance

import (
	"context"
	"fmt"
)

const databaseManifest = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 3
  serviceName: db
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      nodeSelector: {pool: POOL}
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: example.com/db:1, volumeMounts: [{name: data, mountPath: /data}]}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {storageClassName: fast, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`

// fixedManifest is a volume that somebody made by hand, and a claim for it.
const fixedManifest = `
apiVersion: v1
kind: PersistentVolume
metadata: {name: NAMESPACE-fixed}
spec:
  storageClassName: by-hand
  persistentVolumeReclaimPolicy: Retain
  accessModes: [ReadWriteOnce]
  capacity: {storage: 1Gi}
  nfs: {server: nfs.example.com, path: /}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: fixed}
spec:
  storageClassName: by-hand
  volumeName: NAMESPACE-fixed
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
`

func storage(ctx context.Context, l *life) error {
	production, dev, err := l.places(ctx, "storage")
	if err != nil {
		return err
	}
	for namespace, pool := range map[string]string{production: poolProduction, dev: poolDev} {
		in := "-n " + namespace + " "
		if err := l.apply(ctx, l.gitops, namespace, replace(databaseManifest, "POOL", pool)+"---"+replace(fixedManifest, "NAMESPACE", namespace)); err != nil {
			return err
		}
		if err := l.kubectls(ctx,
			in+"rollout status statefulset db --timeout=90s",
			in+"wait --for=jsonpath={.status.phase}=Bound pvc/fixed pvc/data-db-0 --timeout=90s",
			in+`patch pvc data-db-0 -p {"spec":{"resources":{"requests":{"storage":"2Gi"}}}}`,
			in+"scale statefulset db --replicas=2",
			in+"rollout restart statefulset db", in+"rollout status statefulset db --timeout=90s",
		); err != nil {
			return err
		}
	}
	in := "-n " + dev + " "
	if err := l.kubectls(ctx,
		// Claims in use stay until the pods that use them are gone.
		in+"delete pvc data-db-0 fixed --wait=false",
		in+"delete statefulset db",
		in+"delete pvc data-db-1 data-db-2",
		in+"wait --for=delete pvc/data-db-0 pvc/fixed --timeout=90s",
		"wait --for=jsonpath={.status.phase}=Released pv/"+dev+"-fixed --timeout=90s",
		"delete pv "+dev+"-fixed",
	); err != nil {
		return err
	}
	for i := range 3 {
		if err := l.gone(ctx, "", fmt.Sprintf("apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: pvc-%s-data-db-%d}\n", dev, i)); err != nil {
			return err
		}
	}
	return nil
}
