package webhook

func storageTable() []weakeningTest {
	volume := func(old, new string) weakeningCase { return updated(pv, "PersistentVolume", old, new) }
	bound := func(text string) string { return `{"spec":` + text + `,"status":{"phase":"Bound"}}` }
	set := func(old, new string) weakeningCase {
		return updated("apps/statefulsets", "StatefulSet", specText(`{"persistentVolumeClaimRetentionPolicy":`+old+`}`), specText(`{"persistentVolumeClaimRetentionPolicy":`+new+`}`))
	}
	class := func(old, new string) weakeningCase {
		return updated("storage.k8s.io/storageclasses", "StorageClass", old, new)
	}
	policy := func(value string) string { return specText(`{"persistentVolumeReclaimPolicy":"` + value + `"}`) }
	return []weakeningTest{
		{name: "a volume's data to go", weakeningCase: volume(policy("Retain"), policy("Delete")), want: "unprotect: spec.persistentVolumeReclaimPolicy Retain → Delete: the data goes with the claim"},
		{name: "a volume's data to be wiped", weakeningCase: volume(policy("Retain"), policy("Recycle")), want: "unprotect: spec.persistentVolumeReclaimPolicy Retain → Recycle: the data goes with the claim"},
		{name: "a volume's data to stay", weakeningCase: volume(policy("Delete"), policy("Retain")), want: "update"},
		{name: "a bound volume's claim removed", weakeningCase: volume(bound(`{"claimRef":{"namespace":"shop","name":"data","uid":"1"}}`), bound(`{}`)),
			want: "unprotect: spec.claimRef.namespace shop → none while it is bound; spec.claimRef.name data → none while it is bound; spec.claimRef.uid 1 → none while it is bound"},
		{name: "a bound volume given to another claim", weakeningCase: volume(bound(`{"claimRef":{"namespace":"shop","name":"data"}}`), bound(`{"claimRef":{"namespace":"shop","name":"mine"}}`)),
			want: "unprotect: spec.claimRef.name data → mine while it is bound"},
		{name: "a released volume's claim removed", weakeningCase: volume(`{"spec":{"claimRef":{"name":"data"}},"status":{"phase":"Released"}}`, specText(`{}`)), want: "update"},
		{name: "a bound volume's claim seen in a newer version", weakeningCase: volume(bound(`{"claimRef":{"name":"data","resourceVersion":"1"}}`), bound(`{"claimRef":{"name":"data","resourceVersion":"2"}}`)), want: "update"},
		{name: "a bound volume's class swapped", weakeningCase: volume(bound(`{"storageClassName":"fast"}`), bound(`{"storageClassName":"slow"}`)), want: "unprotect: spec.storageClassName fast → slow while it is bound"},
		{name: "a bound claim's class swapped", weakeningCase: updated(pvc, "PersistentVolumeClaim", bound(`{"storageClassName":"fast"}`), bound(`{"storageClassName":"slow"}`)), want: "unprotect: spec.storageClassName fast → slow while it is bound"},
		{name: "a bound claim that grows", weakeningCase: updated(pvc, "PersistentVolumeClaim", bound(`{"resources":{"requests":{"storage":"1Gi"}}}`), bound(`{"resources":{"requests":{"storage":"2Gi"}}}`)), want: "update"},
		{name: "a StatefulSet's claims go with it", weakeningCase: set(`{"whenDeleted":"Retain"}`, `{"whenDeleted":"Delete"}`),
			want: "unprotect: spec.persistentVolumeClaimRetentionPolicy.whenDeleted Retain → Delete: its claims, and with them the data, go when it is deleted"},
		{name: "a StatefulSet's claims go with a replica", weakeningCase: set(`{}`, `{"whenScaled":"Delete"}`),
			want: "unprotect: spec.persistentVolumeClaimRetentionPolicy.whenScaled Retain → Delete: its claims, and with them the data, go when it is scaled down"},
		{name: "a StatefulSet's claims stay", weakeningCase: set(`{"whenDeleted":"Delete"}`, `{"whenDeleted":"Retain"}`), want: "update"},
		{name: "a class no longer the default", weakeningCase: class(annotationText(defaultClass, "true"), annotationText(defaultClass, "false")),
			want: "unprotect: annotation storageclass.kubernetes.io/is-default-class true → changed to false: claims that name no class get another, or wait"},
		{name: "a class that still is the default by the older name", weakeningCase: class(metaText(`{"annotations":{"storageclass.kubernetes.io/is-default-class":"true","storageclass.beta.kubernetes.io/is-default-class":"true"}}`), annotationText(defaultClassBeta, "true")), want: "update"},
		{name: "a class made the default", weakeningCase: class(annotationText(defaultClass, "false"), annotationText(defaultClass, "true")), want: "update"},
	}
}

func trafficTable() []weakeningTest {
	budget := func(old, new string) weakeningCase {
		return updated("policy/poddisruptionbudgets", "PodDisruptionBudget", specText(old), specText(new))
	}
	service := func(old, new string) weakeningCase {
		return updated("/services", "Service", specText(old), specText(new))
	}
	ingress := func(old, new string) weakeningCase {
		return updated("networking.k8s.io/ingresses", "Ingress", specText(old), specText(new))
	}
	policy := func(old, new string) weakeningCase {
		return updated(networkPolicies, "NetworkPolicy", specText(old), specText(new))
	}
	made := func(text string) weakeningCase { return updated(networkPolicies, "NetworkPolicy", "", specText(text)) }
	const web, db = `"selector":{"matchLabels":{"app":"web"}}`, `"selector":{"matchLabels":{"app":"db"}}`
	const isolatesIn = "unprotect: no traffic comes in to any pod of the namespace"
	return []weakeningTest{
		{name: "a budget to none", weakeningCase: budget(`{"minAvailable":1}`, `{"minAvailable":0}`), want: "unprotect: spec.minAvailable 1 → 0: every pod may be disrupted at once"},
		{name: "a budget to none of a hundred", weakeningCase: budget(`{"minAvailable":"50%"}`, `{"minAvailable":"0%"}`), want: "unprotect: spec.minAvailable 50% → 0%: every pod may be disrupted at once"},
		{name: "a budget to all", weakeningCase: budget(`{"maxUnavailable":1}`, `{"maxUnavailable":"100%"}`), want: "unprotect: spec.maxUnavailable 1 → 100%: every pod may be disrupted at once"},
		{name: "a budget without a number", weakeningCase: budget(`{"maxUnavailable":1}`, `{}`), want: "unprotect: spec.maxUnavailable 1 → none: every pod may be disrupted at once"},
		{name: "a budget that was worth nothing", weakeningCase: budget(`{"minAvailable":0}`, `{"maxUnavailable":"100%"}`), want: "update"},
		{name: "a budget said otherwise", weakeningCase: budget(`{"minAvailable":1}`, `{"maxUnavailable":1}`), want: "update"},
		{name: "a budget for other pods", weakeningCase: budget(`{"minAvailable":1,`+web+`}`, `{"minAvailable":1,`+db+`}`),
			want: `unprotect: spec.selector {"matchLabels":{"app":"web"}} → {"matchLabels":{"app":"db"}}: it may not cover the pods that it covered`},
		{name: "a budget lowered", weakeningCase: budget(`{"minAvailable":3,`+web+`}`, `{"minAvailable":1,`+web+`}`), want: "update"},

		{name: "a Service's selector emptied", weakeningCase: service(`{"selector":{"app":"web"}}`, `{"selector":{}}`), want: `unprotect: spec.selector {"app":"web"} → none: it leads to no pod that it finds itself`},
		{name: "a Service's selector emptied by a service account", weakeningCase: service(`{"selector":{"app":"web"}}`, `{}`).by(operatorUser), want: `unprotect: spec.selector {"app":"web"} → none: it leads to no pod that it finds itself`},
		{name: "a Service led elsewhere", weakeningCase: service(`{"selector":{"app":"web"}}`, `{"selector":{"app":"db"}}`), want: `unprotect: spec.selector {"app":"web"} → {"app":"db"}: it may lead to other pods, or none`},
		{name: "a Service led elsewhere by a rollout", weakeningCase: service(`{"selector":{"app":"web","hash":"a"}}`, `{"selector":{"app":"web","hash":"b"}}`).by(operatorUser), want: "update"},
		{name: "a Service's ports emptied", weakeningCase: service(`{"ports":[{"port":80}]}`, `{"ports":[]}`), want: "unprotect: spec.ports emptied"},
		{name: "a Service's ports changed", weakeningCase: service(`{"ports":[{"port":80}]}`, `{"ports":[{"port":81}]}`), want: "update"},
		{name: "a Service's address given back", weakeningCase: service(`{"type":"LoadBalancer"}`, `{"type":"ClusterIP"}`), want: "unprotect: spec.type LoadBalancer → ClusterIP: the address is given back"},
		{name: "a Service given an address", weakeningCase: service(`{"type":"ClusterIP"}`, `{"type":"LoadBalancer"}`), want: "update"},

		{name: "an Ingress without rules", weakeningCase: ingress(`{"rules":[{"host":"a"}]}`, `{}`), want: "unprotect: spec.rules and spec.defaultBackend emptied: it leads nowhere"},
		{name: "an Ingress with a default instead", weakeningCase: ingress(`{"rules":[{"host":"a"}]}`, `{"defaultBackend":{"service":{"name":"a"}}}`), want: "update"},
		{name: "an Ingress with a rule less", weakeningCase: ingress(`{"rules":[{"host":"a"},{"host":"b"}]}`, `{"rules":[{"host":"a"}]}`), want: "update"},

		{name: "a policy made that lets nothing in", weakeningCase: made(`{"podSelector":{},"policyTypes":["Ingress"]}`), want: isolatesIn},
		{name: "a policy made that lets nothing in or out", weakeningCase: made(`{"podSelector":{"matchLabels":{"app":"web"}},"policyTypes":["Ingress","Egress"],"ingress":[],"egress":[]}`),
			want: `unprotect: no traffic comes in to pods that {"matchLabels":{"app":"web"}} selects; no traffic goes out of pods that {"matchLabels":{"app":"web"}} selects`},
		{name: "a policy made that lets something in", weakeningCase: made(`{"podSelector":{},"policyTypes":["Ingress"],"ingress":[{}]}`), want: "update"},
		{name: "a policy made by the controller manager", weakeningCase: made(`{"podSelector":{},"policyTypes":["Ingress"],"ingress":[{}]}`).by("system:serviceaccount:kube-system:x"), want: "update"},
		{name: "a policy changed to let nothing in", weakeningCase: policy(`{"podSelector":{},"policyTypes":["Ingress"],"ingress":[{}]}`, `{"podSelector":{},"policyTypes":["Ingress"]}`), want: isolatesIn},
		{name: "a policy that lets nothing in moved to all pods", weakeningCase: policy(`{"podSelector":{"matchLabels":{"app":"dev"}},"policyTypes":["Ingress"]}`, `{"podSelector":{},"policyTypes":["Ingress"]}`), want: isolatesIn},
		{name: "a policy that lets nothing in, and now nothing out", weakeningCase: policy(`{"podSelector":{},"policyTypes":["Ingress"]}`, `{"podSelector":{},"policyTypes":["Ingress","Egress"]}`), want: "unprotect: no traffic goes out of any pod of the namespace"},
		{name: "a policy that lets nothing in or out, and now something out", weakeningCase: policy(`{"podSelector":{},"policyTypes":["Ingress","Egress"]}`, `{"podSelector":{},"policyTypes":["Ingress","Egress"],"egress":[{}]}`), want: "update", sent: true},
		{name: "a policy that lets nothing in left as it is", weakeningCase: policy(`{"podSelector":{},"policyTypes":["Ingress"]}`, `{"podSelector":{},"policyTypes":["Ingress"]}`), want: "update"},
	}
}

func definitionTable() []weakeningTest {
	definition := func(old, new string) weakeningCase {
		return updated("apiextensions.k8s.io/customresourcedefinitions", "CustomResourceDefinition", specText(old), specText(new))
	}
	const both = `{"versions":[{"name":"v1","served":true,"storage":true},{"name":"v1beta1","served":true,"storage":false}]}`
	namespace := func(old, new string) weakeningCase {
		return updated("/namespaces", "Namespace", specText(old), specText(new))
	}
	return []weakeningTest{
		{name: "a version no longer served", weakeningCase: definition(both, `{"versions":[{"name":"v1","served":true,"storage":true},{"name":"v1beta1","served":false,"storage":false}]}`),
			want: "unprotect: version v1beta1 is no longer served: its objects can't be reached by it"},
		{name: "a version removed", weakeningCase: definition(both, `{"versions":[{"name":"v1beta1","served":true,"storage":true}]}`),
			want: "unprotect: version v1 is no longer served: its objects can't be reached by it; version v1 is no longer stored"},
		{name: "a version added", weakeningCase: definition(`{"versions":[{"name":"v1","served":true,"storage":true}]}`, both), want: "update"},
		{name: "a version that was not served removed", weakeningCase: definition(`{"versions":[{"name":"v1","served":true,"storage":true},{"name":"v0","served":false,"storage":false}]}`, `{"versions":[{"name":"v1","served":true,"storage":true}]}`), want: "update"},
		{name: "a version with another schema", weakeningCase: definition(`{"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}}]}`, `{"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","description":"x"}}}]}`), want: "update"},
		{name: "a conversion dropped", weakeningCase: definition(`{"conversion":{"strategy":"Webhook"},"versions":[]}`, `{"conversion":{"strategy":"None"},"versions":[]}`), want: "unprotect: spec.conversion.strategy Webhook → None"},
		{name: "a namespace finalized", weakeningCase: namespace(`{"finalizers":["kubernetes"]}`, `{}`).at("finalize"), want: "unprotect: spec.finalizers: kubernetes dropped: the namespace goes with whatever is still in it"},
		{name: "a namespace's own finalizer dropped, and not the last", weakeningCase: namespace(`{"finalizers":["kubernetes","example.com/x"]}`, `{"finalizers":["kubernetes"]}`).at("finalize"), want: "unprotect: spec.finalizers: example.com/x dropped: the namespace goes with whatever is still in it"},
		{name: "a namespace finalized without effect", weakeningCase: namespace(`{"finalizers":["kubernetes"]}`, `{"finalizers":["kubernetes"]}`).at("finalize"), want: "update"},
	}
}
