package conformance

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/mollyguard/mollyguard/operation"
)

// controlPlane are the users for whom Mollyguard is never asked, whatever they do.
var controlPlane = regexp.MustCompile(`^(?:system:serviceaccount:kube-system:.*|system:node:.*|system:kube-controller-manager|system:kube-scheduler|system:apiserver)$`)

// unasked are the resources for which Mollyguard is never asked, whoever does what to
// them.
var unasked = []string{
	"leases", "events", "endpoints", "endpointslices", "nodes", "certificatesigningrequests",
	"tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectreviews",
}

// mollyguard is the server's own user.
const mollyguard = "system:serviceaccount:mollyguard:mollyguard"

// finished are the requests of a life that have been answered, Mollyguard's own left
// out. Watches last as long as they like, and are left out too.
func finished(events []auditv1.Event) []auditv1.Event {
	var list []auditv1.Event
	for _, e := range events {
		if e.Stage == auditv1.StageResponseComplete && e.User.Username != mollyguard && e.Verb != "watch" {
			list = append(list, e)
		}
	}
	return list
}

// decided says that Mollyguard was asked about a request: a hook of its wrote the
// decision's id into the entry.
func decided(e *auditv1.Event) bool {
	for key := range e.Annotations {
		if strings.HasSuffix(key, ".mollyguard.dev/decision") {
			return true
		}
	}
	return false
}

// refusals are requests that Mollyguard, its floor or a hook of its that did not
// answer stopped, or that went through because it did not answer.
func refusals(events []auditv1.Event) []string {
	var list []string
	for _, e := range events {
		message := ""
		if e.ResponseStatus != nil && e.ResponseStatus.Code >= 400 {
			message = e.ResponseStatus.Message
		}
		stopped := strings.Contains(message, "mollyguard") || strings.Contains(message, "webhook") || strings.Contains(message, "ValidatingAdmissionPolicy")
		for key, value := range e.Annotations {
			if strings.HasPrefix(key, "failed-open.") || strings.HasSuffix(key, ".mollyguard.dev/outcome") && value != "allow" {
				stopped, message = true, message+" "+key+"="+value
			}
		}
		if stopped {
			list = append(list, fmt.Sprintf("%s: %s %s: %s", e.User.Username, e.Verb, e.RequestURI, message))
		}
	}
	slices.Sort(list)
	return list
}

// needless are calls of Mollyguard that should not have been made.
func needless(decisions []operation.Decision) []string {
	var list []string
	for _, d := range decisions {
		target, ok := operation.ParseKubernetesRef(d.Target.Ref)
		if !ok || controlPlane.MatchString(d.Actor.Name) || slices.Contains(unasked, target.Resource) {
			list = append(list, fmt.Sprintf("%s: %s of %s", d.Actor.Name, d.Verb, d.Target.Ref))
		}
	}
	slices.Sort(list)
	return list
}

// kindOf is what a request does, to what.
func kindOf(e *auditv1.Event) string {
	if e.ObjectRef == nil {
		return e.Verb + " (no resource)"
	}
	resource := e.ObjectRef.Resource
	if e.ObjectRef.Subresource != "" {
		resource += "/" + e.ObjectRef.Subresource
	}
	return e.Verb + " " + resource
}

// took is how long the API server had a request.
func took(e *auditv1.Event) time.Duration {
	return e.StageTimestamp.Sub(e.RequestReceivedTimestamp.Time)
}
