package bypass

func guardDoors() []door {
	const group = "The guard"
	web := []object{in("deployment/web")}
	remove := func(kind, name string) []string { return []string{"delete", kind, name, "--wait=false"} }
	deleteWeb := []string{"-n", "NS", "delete", "deployment", "web", "--wait=false"}
	return []door{
		{
			group: group, name: "take the webhook configurations away, then delete",
			given: production, protects: web, alone: true,
			try: commands(
				remove("validatingwebhookconfiguration", "mollyguard"), remove("mutatingwebhookconfiguration", "mollyguard"), deleteWeb),
			how: "The floor does not need them; a server puts them back within a second, and tells of it.",
		},
		{
			group: group, name: "take the floor away, then delete",
			given: production, protects: web, alone: true, only: []mode{running, unread},
			try: commands(
				remove("validatingadmissionpolicybinding", "mollyguard-floor"), remove("validatingadmissionpolicy", "mollyguard-floor"), deleteWeb),
			how: "The webhook does not need it; a server puts it back within a second, and tells of it.",
		},
		{
			group: group, name: "take the floor's knowledge away, then delete the namespace",
			given: production, protects: []object{bare("namespace/NS")}, alone: true,
			try: kubectl("delete", "floor", "mollyguard"),
			how: "The floor protects its own parameters.",
		},
		{
			group: group, name: "write a grant into the floor",
			given: production, protects: web, alone: true,
			try: kubectl("patch", "floor", "mollyguard", "--type=merge", "-p",
				`{"spec":{"grants":[{"user":"mallory@example.com","ref":"k8s://prod-eu/apps/deployments/NS/web","verbs":["delete"]}]}}`),
			how: "Nobody but the server writes the floor's parameters: the floor says so itself.",
		},
		{
			group: group, name: "make a floor that knows nothing",
			try: kubectlWith(`
apiVersion: mollyguard.dev/v1alpha1
kind: Floor
metadata: {name: NS}
spec: {complete: true}
`, "create", "-f", "-"),
			how: "`guard-weakened`.",
			open: map[mode]string{
				dead: "It is read only by the policies of its own name, whose Floor is there already and cannot be deleted.",
			},
		},
		{
			group: group, name: "delete a role of ours",
			given: `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: mollyguard-NS}
`, protects: []object{bare("clusterrole/mollyguard-NS")},
			try: kubectl("delete", "clusterrole", "mollyguard-NS"),
			how: "`guard-weakened`, and the floor.",
		},
		{
			group: group, name: "delete our definitions",
			protects: []object{bare("crd/grants.mollyguard.dev")}, alone: true,
			try: kubectl("delete", "crd", "grants.mollyguard.dev", "--wait=false"),
			how: "`guard-weakened`, and the floor.",
		},
	}
}

func identityDoors() []door {
	const group = "Somebody else's identity"
	return []door{
		{
			group: group, name: "delete as a service account of kube-system",
			given: production,
			try: kubectl("-n", "NS", "delete", "deployment", "web", "--wait=false",
				"--as=system:serviceaccount:kube-system:generic-garbage-collector", "--as-group=system:masters"),
			open: everywhere("Admission does not see who impersonates. The right to impersonate is the right to everything: give it to nobody, and watch the audit log (`impersonatedUser`)."),
			how:  "Nothing here.",
		},
		{
			group: group, name: "make a token for a service account that is let through",
			given: `
apiVersion: v1
kind: ServiceAccount
metadata: {name: bypass-NS, namespace: kube-system}
`,
			try: kubectl("-n", "kube-system", "create", "token", "bypass-NS"),
			how: "`guard-impersonated`.",
		},
		{
			group: group, name: "make a lasting token for a service account that is let through",
			given: `
apiVersion: v1
kind: ServiceAccount
metadata: {name: secret-NS, namespace: kube-system}
`,
			try: kubectlWith(`
apiVersion: v1
kind: Secret
metadata: {name: secret-NS, namespace: kube-system, annotations: {kubernetes.io/service-account.name: secret-NS}}
type: kubernetes.io/service-account-token
`, "create", "-f", "-"),
			how: "`guard-impersonated`.",
		},
		{
			group: group, name: "run a pod as a controller of kube-system",
			try: kubectlWith(`
apiVersion: v1
kind: Pod
metadata: {name: run-NS, namespace: kube-system}
spec: {serviceAccountName: generic-garbage-collector, containers: [{name: a, image: example.com/a}]}
`, "create", "-f", "-"),
			how: "`guard-impersonated`.",
		},
		{
			group: group, name: "give oneself the right to impersonate",
			try: kubectl("create", "clusterrole", "impersonate-NS", "--verb=impersonate", "--resource=serviceaccounts"),
			how: "`guard-impersonated`.",
		},
		{
			group: group, name: "give oneself the right to impersonate the group that the static floor lets through",
			try: kubectl("create", "clusterrole", "group-NS", "--verb=impersonate", "--resource=groups", "--resource-name=mollyguard:static-floor"),
			how: "`guard-impersonated`.",
		},
		{
			group: group, name: "give oneself the right to create everything, tokens among it",
			try: kubectlWith(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: create-NS}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: [create]}]
`, "create", "-f", "-"),
			how: "`guard-impersonated`.",
		},
		{
			group: group, name: "give oneself the right to do everything",
			try: kubectlWith(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all-NS}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
`, "create", "-f", "-"),
			open: everywhere("Every cluster has such a role from the start, `cluster-admin`: who may make another has it, or may take it."),
			how:  "Nothing here: give `cluster-admin` to nobody for good, and watch the audit log.",
		},
	}
}
