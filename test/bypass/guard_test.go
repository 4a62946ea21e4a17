package bypass

import (
	"slices"
	"strings"
	"testing"

	"github.com/mollyguard/mollyguard/operation"
)

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
		{
			group: group, name: "take the rights from a role of ours",
			given: `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: mollyguard-rights-NS}
rules: [{apiGroups: [""], resources: [pods], verbs: [list]}]
`, protects: []object{bare("clusterrole/mollyguard-rights-NS")},
			try: kubectl("patch", "clusterrole", "mollyguard-rights-NS", "--type=merge", "-p", `{"rules":[]}`),
			how: "`guard-weakened`.",
			open: map[mode]string{
				dead: "So that a Mollyguard that is down can be repaired. What stops somebody meanwhile is the floor, which has no rights that could be taken.",
			},
		},
		{
			group: group, name: "delete a pod of ours",
			given: `
apiVersion: v1
kind: Pod
metadata: {name: server-NS, namespace: mollyguard}
spec: {containers: [{name: server, image: example.com/server}]}
`,
			try: recorded("k8s://prod-eu/core/pods/mollyguard/server-NS", kubectl("-n", "mollyguard", "delete", "pod", "server-NS", "--wait=false")),
			how: "Not refused, but recorded, while one of them answers: the decision log has who did it. `sum(mollyguard_leader) < 1` says that none is left.",
			open: everywhere("One pod more or less is everyday work, and heals: the Deployment makes new ones within seconds. With all of them deleted, it is as when the server is dead until then. " +
				"What lasts is judged: scaling the Deployment to zero, deleting or changing it, quotas and whatever else would keep new pods away."),
		},
	}
}

// recorded is an attempt of which the decision log has to tell, unless nobody is there to
// write it.
func recorded(ref string, try attempt) attempt {
	return func(t *testing.T, r *room) (string, bool) {
		t.Helper()
		said, refused := try(t, r)
		if strings.HasPrefix(r.name, string(dead)) {
			return said, refused
		}
		decisions, err := r.server.Decisions()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(decisions, func(d operation.Decision) bool {
			return d.Target.Ref == r.in(ref) && d.Verb == operation.Delete && d.Actor.Name == "mallory@example.com"
		}) {
			t.Errorf("no decision says that mallory deleted %s", r.in(ref))
		}
		return said, refused
	}
}
