package webhook

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/mollyguard/mollyguard/operation"
)

// scaledFields say below spec how many of something run: replicas as Kubernetes and
// most operators call it, size and instances as others do. A custom resource that
// names it otherwise is seen only by its scale sub-resource.
var scaledFields = []string{"replicas", "size", "instances"}

// scalings leave an object in place with nothing running.
var scalings = []weakening{
	{
		name: "a number of replicas goes to zero", verb: operation.ScaleToZero, through: scaling,
		filter: func(generator) string { return anyOf(countsLost()...) },
		judge:  judgeReplicas,
	},
	{
		name: "an autoscaler's bounds go to zero", verb: operation.ScaleToZero, through: itself,
		resources: []string{"autoscaling/horizontalpodautoscalers"},
		filter: func(generator) string {
			return anyOf(
				loses(func(spec string) string { return at(spec, "1", "minReplicas") + " > 0" }),
				loses(func(spec string) string { return at(spec, "0", "maxReplicas") + " > 0" }),
			)
		},
		judge: func(u *update) {
			u.countLost("minReplicas", 1)
			u.countLost("maxReplicas", 0)
		},
	},
	{
		name: "what KEDA scales goes to zero", verb: operation.ScaleToZero, through: itself,
		resources: []string{"keda.sh/scaledobjects", "keda.sh/scaledjobs"},
		filter:    filterKEDA,
		judge: func(u *update) {
			u.countLost("minReplicaCount", 0)
			u.countLost("maxReplicaCount", kedaMax)
		},
	},
	{
		name: "what KEDA scales is held at zero", verb: operation.ScaleToZero, through: itself,
		resources: []string{"keda.sh/scaledobjects"}, meta: true,
		filter: func(generator) string {
			paused := []string{"metadata", "annotations", pausedReplicas}
			return allOf(present(newObject, paused...), changedMeta(paused...))
		},
		judge: func(u *update) {
			if before, after := u.was.marks[pausedReplicas], u.is.marks[pausedReplicas]; isZero(after) && !isZero(before) {
				u.says("annotation %s=%s set: KEDA scales down to that and stays there", pausedReplicas, clipped(after))
			}
		},
	},
	{
		name: "jobs are suspended", verb: operation.ScaleToZero, through: itself,
		resources: []string{"batch/cronjobs", "batch/jobs"},
		filter: func(generator) string {
			return equals(newSpec, "true", "suspend") + " && !(" + equals(oldSpec, "true", "suspend") + ")"
		},
		judge: func(u *update) {
			if !u.was.spec("suspend").yes() && u.is.spec("suspend").yes() {
				u.says("spec.suspend false → true: nothing runs until it is taken back")
			}
		},
	},
	{
		name: "a DaemonSet is kept to fewer nodes", verb: operation.ScaleToZero, through: itself,
		resources: []string{"apps/daemonsets"},
		filter:    filterNodes,
		judge:     judgeNodes,
	},
}

// kedaMax is KEDA's maxReplicaCount where there is none
// (https://keda.sh/docs/latest/reference/scaledobject-spec/).
const kedaMax = 100

func countsLost() []string {
	var terms []string
	for _, field := range scaledFields {
		terms = append(terms, loses(func(spec string) string { return counts(spec, field) }))
	}
	return terms
}

// scaledToZero is the filter for scale sub-resources, which have replicas only.
func scaledToZero() string { return weakened(countsLost()[0]) }

func judgeReplicas(u *update) {
	fields := scaledFields
	if u.request.subResource == "scale" {
		fields = fields[:1] // a Scale has no other (autoscaling/v1)
	}
	was, is := u.was.spec().pick(fields...), u.is.spec()
	for i, field := range fields {
		before, _ := was[i].count()
		if before < 1 {
			continue
		}
		now := is.at(field)
		after, _ := now.count() // absent is 0
		switch {
		case now.faulty():
			*u.is.faults = faults{} // what it was says more
			u.is.faults.add(fmt.Sprintf("spec.%s %s → not a number", field, number(before)))
			return
		case after < 1:
			u.says("spec.%s %s → %s", field, number(before), number(after))
		}
	}
}

// countLost looks at a number below spec that is worth absent where it is not given.
func (u *update) countLost(field string, absent float64) {
	count := func(n node) float64 {
		if count, set := n.count(); set {
			return count
		}
		return absent
	}
	was := u.was.spec(field)
	before := count(was)
	if before < 1 || was.faulty() {
		return
	}
	if after := count(u.is.spec(field)); after < 1 {
		u.says("spec.%s %s → %s", field, number(before), number(after))
	}
}

func number(count float64) string { return strconv.FormatFloat(count, 'f', -1, 64) }

// isZero reports whether a text is a number that is nothing.
func isZero(text string) bool {
	count, err := strconv.ParseFloat(text, 64)
	return err == nil && count < 1
}

func filterKEDA(generator) string {
	min := func(spec string) string { return counts(spec, "minReplicaCount") }
	max := func(spec string) string {
		return "(" + counts(spec, "maxReplicaCount") + " || " + equals(spec, "null", "maxReplicaCount") + ")"
	}
	return anyOf(loses(min), loses(max), "(s != null && type(s) != map)")
}

var (
	nodeSelector = []string{"template", "spec", "nodeSelector"}
	nodeAffinity = []string{"template", "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"}
)

func filterNodes(generator) string {
	was, is := at(oldSpec, "{}", nodeSelector...), at(newSpec, "{}", nodeSelector...)
	narrower := is + " != " + was + " && (size(" + is + ") > " + strconv.Itoa(maxCompared) +
		" || " + is + ".exists(k, !(k in " + was + " && " + was + "[k] == " + is + "[k])))"
	return anyOf("("+narrower+")", allOf(present(newSpec, nodeAffinity...), changed(nodeAffinity...)))
}

// judgeNodes does not know the nodes: whatever keeps a DaemonSet to fewer of them
// may keep it to none.
func judgeNodes(u *update) {
	before, after := u.was.spec(nodeSelector...).pairs(), u.is.spec(nodeSelector...).pairs()
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if value, had := before[key]; !had || value != after[key] {
			u.says("nodeSelector %s → %s: it may match no node",
				u.was.spec(nodeSelector...).brief(), u.is.spec(nodeSelector...).brief())
			break
		}
	}
	if was, is := u.was.spec(nodeAffinity...), u.is.spec(nodeAffinity...); is.there() && !is.same(was) {
		u.says("required nodeAffinity %s → %s: it may match no node", was.brief(), is.brief())
	}
}
