package webhook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	podResource = "/pods"
	jobResource = "batch/jobs"

	replicaSetResource = "apps/replicasets"
)

// controlled reports whether a controller owns an object, and would make it anew. What
// cannot be read is nobody's.
func controlled(o *object) bool {
	s := side{o, &faults{}}
	owners := s.owned()
	return len(s.faults.list) == 0 && slices.ContainsFunc(owners, func(o owner) bool { return o.controller })
}

// ended reports whether an object is a pod or a Job that has ended for good
// (PodPhase; the conditions of a Job), or a ReplicaSet of a controller's that is at zero:
// the version before, kept to go back to. What cannot be read has not ended.
func (r groupResource) ended(o *object) bool {
	s := side{o, &faults{}}
	over := false
	switch r.full() {
	case podResource:
		over = slices.Contains(endedPhases, s.status("phase").str())
	case jobResource:
		s.status("conditions").items(func(condition node) {
			f := condition.pick("type", "status")
			kind, status := f[0].str(), f[1].str()
			over = over || slices.Contains(endedConditions, kind) && status == "True"
		})
	case replicaSetResource:
		wanted, set := s.spec("replicas").count()
		there, _ := s.status("replicas").count()
		over = set && wanted == 0 && there == 0 && controlled(o)
	}
	return over && len(s.faults.list) == 0
}

// What says that a pod, or a Job, has ended
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase,
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#terminal-job-conditions).
var (
	endedPhases     = []string{"Succeeded", "Failed"}
	endedConditions = []string{"Complete", "Failed"}
)

// endings make an object look as if it had ended, which may be deleted then. Kubelets
// and the control plane say so of pods, and nobody else. Of Jobs, tools that run them
// elsewhere do (spec.managedBy); people have no business to.
var endings = []weakening{
	{
		name: "a pod is said to have ended", verb: operation.Unprotect, resources: []string{podResource}, through: []string{"status"}, meta: true,
		filter: func(generator) string { return losesMeta(runs) },
		judge:  judgeEnding,
	},
	{
		name: "a Job is said to have ended", verb: operation.Unprotect, resources: []string{jobResource}, through: []string{"status"}, meta: true,
		filter: func(g generator) string { return allOf(g.byHand(), losesMeta(works)) },
		judge:  judgeEnding,
	},
}

func judgeEnding(u *update) {
	resource := u.request.resource
	business := !u.byHand()
	if resource.full() == podResource {
		business = u.byControlPlane()
	}
	if !business && !resource.ended(u.was.object) && resource.ended(u.is.object) {
		u.says("its status says that it has ended, which is not for this user to say: what has ended may be deleted")
	}
}

// runs and works are CEL for a pod, and a Job, that has not ended.
func runs(object string) string {
	return "!(" + at(object, `""`, "status", "phase") + " in " + celTexts(endedPhases) + ")"
}

func works(object string) string {
	return "!" + at(object, "[]", "status", "conditions") + ".exists(c, c.type in " + celTexts(endedConditions) + ` && c.status == "True")`
}

// hasEnded is CEL for an old object that has ended, see groupResource.ended.
func hasEnded() string {
	about := func(resource string) string { return weakening{resources: []string{resource}}.about() }
	return anyOf(allOf(about(podResource), "!"+anyOf(runs(oldObject))), allOf(about(jobResource), "!"+anyOf(works(oldObject))),
		allOf(about(replicaSetResource), "oldObject.?spec.?replicas.orValue(1) == 0", "oldObject.?status.?replicas.orValue(0) == 0", isControlled))
}

// isControlled is CEL for an old object that a controller owns.
const isControlled = "oldObject.?metadata.?ownerReferences.orValue([]).exists(o, o.?controller.orValue(false))"

func celTexts(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = fmt.Sprintf("%q", text)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
