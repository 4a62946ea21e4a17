package index

import corev1 "k8s.io/api/core/v1"

// podManifest is what is read of a Pod (core/v1).
type podManifest struct {
	header
	Spec struct {
		NodeName            string                        `json:"nodeName"`
		ServiceAccountName  string                        `json:"serviceAccountName"`
		PriorityClassName   string                        `json:"priorityClassName"`
		Volumes             []corev1.Volume               `json:"volumes"`
		ImagePullSecrets    []corev1.LocalObjectReference `json:"imagePullSecrets"`
		InitContainers      []containerManifest           `json:"initContainers"`
		Containers          []containerManifest           `json:"containers"`
		EphemeralContainers []containerManifest           `json:"ephemeralContainers"`
	} `json:"spec"`
	Status struct {
		Phase corev1.PodPhase `json:"phase"`
	} `json:"status"`
}

// containerManifest is what is read of a container of any sort. The values of variables
// are not.
type containerManifest struct {
	Env []struct {
		ValueFrom *corev1.EnvVarSource `json:"valueFrom"`
	} `json:"env"`
	EnvFrom []corev1.EnvFromSource `json:"envFrom"`
}

func (p *podManifest) facts() (any, error) {
	var claims, secrets, configMaps nameList
	for i := range p.Spec.Volumes {
		v := &p.Spec.Volumes[i]
		claims.add(claimOf(p.Metadata.Name, v))
		addSecrets(&secrets, v)
		addConfigMaps(&configMaps, v)
	}
	for _, s := range p.Spec.ImagePullSecrets {
		secrets.add(s.Name)
	}
	for _, list := range [][]containerManifest{p.Spec.InitContainers, p.Spec.Containers, p.Spec.EphemeralContainers} {
		for i := range list {
			list[i].addSources(&secrets, &configMaps)
		}
	}
	return &Pod{
		Node: p.Spec.NodeName, ServiceAccount: p.Spec.ServiceAccountName, PriorityClass: p.Spec.PriorityClassName,
		Claims: claims.sorted(), Secrets: secrets.sorted(), ConfigMaps: configMaps.sorted(),
		Done: p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed,
	}, nil
}

// claimOf returns the claim that a volume of a pod is, or "". The claim of an ephemeral
// volume is named by the ephemeral volume controller (k8s.io/component-helpers
// storage/ephemeral VolumeClaimName).
func claimOf(pod string, v *corev1.Volume) string {
	switch {
	case v.PersistentVolumeClaim != nil:
		return v.PersistentVolumeClaim.ClaimName
	case v.Ephemeral != nil:
		return pod + "-" + v.Name
	}
	return ""
}

// addSecrets adds the Secrets that a volume reads, as the API server's own list has them
// (k8s.io/kubernetes pkg/api/v1/pod VisitPodSecretNames).
func addSecrets(secrets *nameList, v *corev1.Volume) {
	if v.Secret != nil {
		secrets.add(v.Secret.SecretName)
	}
	if v.AzureFile != nil {
		secrets.add(v.AzureFile.SecretName)
	}
	if v.Projected != nil {
		for _, source := range v.Projected.Sources {
			if source.Secret != nil {
				secrets.add(source.Secret.Name)
			}
		}
	}
	for _, ref := range secretRefs(v) {
		if ref != nil {
			secrets.add(ref.Name)
		}
	}
}

func secretRefs(v *corev1.Volume) (refs []*corev1.LocalObjectReference) {
	switch {
	case v.CSI != nil:
		refs = append(refs, v.CSI.NodePublishSecretRef)
	case v.CephFS != nil:
		refs = append(refs, v.CephFS.SecretRef)
	case v.Cinder != nil:
		refs = append(refs, v.Cinder.SecretRef)
	case v.FlexVolume != nil:
		refs = append(refs, v.FlexVolume.SecretRef)
	case v.ISCSI != nil:
		refs = append(refs, v.ISCSI.SecretRef)
	case v.RBD != nil:
		refs = append(refs, v.RBD.SecretRef)
	case v.ScaleIO != nil:
		refs = append(refs, v.ScaleIO.SecretRef)
	case v.StorageOS != nil:
		refs = append(refs, v.StorageOS.SecretRef)
	}
	return refs
}

func addConfigMaps(configMaps *nameList, v *corev1.Volume) {
	if v.ConfigMap != nil {
		configMaps.add(v.ConfigMap.Name)
	}
	if v.Projected == nil {
		return
	}
	for _, source := range v.Projected.Sources {
		if source.ConfigMap != nil {
			configMaps.add(source.ConfigMap.Name)
		}
	}
}

func (c *containerManifest) addSources(secrets, configMaps *nameList) {
	for _, env := range c.Env {
		if from := env.ValueFrom; from != nil {
			if from.SecretKeyRef != nil {
				secrets.add(from.SecretKeyRef.Name)
			}
			if from.ConfigMapKeyRef != nil {
				configMaps.add(from.ConfigMapKeyRef.Name)
			}
		}
	}
	for _, from := range c.EnvFrom {
		if from.SecretRef != nil {
			secrets.add(from.SecretRef.Name)
		}
		if from.ConfigMapRef != nil {
			configMaps.add(from.ConfigMapRef.Name)
		}
	}
}
