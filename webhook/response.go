package webhook

import (
	"net/http"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mollyguard/mollyguard/operation"
)

// Response is the admission response to an Answer with a UID.
func Response(answer Answer, advice Advice) *admissionv1.AdmissionResponse {
	decision := answer.Decision
	if answer.Operation.Untrusted != "" { // a grant would not help
		advice.BreakGlass = false
	}
	response := &admissionv1.AdmissionResponse{
		UID:              types.UID(answer.UID),
		Allowed:          answer.NotOurs || !decision.Refused(),
		AuditAnnotations: auditAnnotations(answer),
		Warnings:         Warnings(decision),
	}
	if !response.Allowed {
		code, reason := statusOf(answer)
		response.Result = &metav1.Status{
			Status: metav1.StatusFailure, Code: code, Reason: reason, Message: Message(decision, advice),
		}
	}
	return response
}

// statusOf gives kubectl the word it prints in brackets: a denial is Forbidden,
// the lack of one is somebody's fault.
func statusOf(answer Answer) (int32, metav1.StatusReason) {
	switch {
	case answer.Decision.Outcome == operation.OutcomeDeny:
		return http.StatusForbidden, metav1.StatusReasonForbidden
	case answer.Failure == Undecoded:
		return http.StatusBadRequest, metav1.StatusReasonBadRequest
	case answer.Failure == TimedOut:
		return http.StatusGatewayTimeout, metav1.StatusReasonTimeout
	}
	return http.StatusInternalServerError, metav1.StatusReasonInternalError
}

// auditAnnotations land in the API server's audit event, under the webhook's
// name. They name policies, never what a token or an object holds.
func auditAnnotations(answer Answer) map[string]string {
	if answer.NotOurs {
		return nil
	}
	decision := answer.Decision
	var policies []string
	for _, v := range decision.Violations {
		policies = append(policies, v.Policy+"="+string(v.Enforcement))
	}
	annotations := map[string]string{
		"decision": decision.ID,
		"verb":     string(decision.Verb),
		"outcome":  string(decision.Outcome),
	}
	if len(policies) > 0 {
		annotations["policies"] = strings.Join(policies, ",")
	}
	if decision.Exempt != "" {
		annotations["exempt"] = decision.Exempt
	}
	if decision.Grant != "" {
		annotations["grant"] = decision.Grant
	}
	return annotations
}
