package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/identity"
)

// byWebhook is what client-go makes of a webhook's refusal.
func byWebhook(code int32, reason metav1.StatusReason, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: code, Reason: reason, Message: `admission webhook "cases.mollyguard.dev" denied the request: ` + message,
	}}
}

func TestWhatADeskSaysBecomesAnExitCodeAndALine(t *testing.T) {
	requests := schema.GroupResource{Group: "mollyguard.dev", Resource: "breakglassrequests"}
	for _, tt := range []struct {
		name string
		err  error
		code int
		text string
	}{
		{"a refusal", &breakglass.Refusal{Reason: "nobody approves their own request"}, exitDenied, "nobody approves their own request"},
		{"a refusal with an event that was not kept", errors.Join(&breakglass.Refusal{Reason: "no"}, errors.New("disk full")), exitDenied, "no"},
		{"a refusal with the way to a field", &breakglass.Refusal{Reason: "scope.audience: this is lab\nscope.targets[0]: twice\nreason: missing"}, exitDenied, "this is lab\ntargets[0]: twice\nreason: missing"},
		{"nothing there", breakglass.ErrNotFound, exitUndecided, "there is nothing under bg-k7m4-q9tx"},
		{"a bad login", &identity.Rejection{Reason: "the token expired"}, exitUndecided, "the server does not know you: the token expired"},
		{"refused by the webhook", fmt.Errorf("keep: %w", byWebhook(http.StatusForbidden, metav1.StatusReasonForbidden, "ticket: missing\nsay --ticket")), exitDenied, "ticket: missing\nsay --ticket"},
		{
			"not decided by the webhook", byWebhook(http.StatusInternalServerError, metav1.StatusReasonInternalError, "mollyguard could not decide: x"), exitUndecided,
			"mollyguard could not decide: x",
		},
		{
			"refused by RBAC", apierrors.NewForbidden(requests, "", errors.New("User \"alice\" cannot create resource")), exitDenied,
			`breakglassrequests.mollyguard.dev is forbidden: User "alice" cannot create resource`,
		},
		{
			"refused by the schema", apierrors.NewInvalid(schema.GroupKind{Group: "mollyguard.dev", Kind: "BreakGlassRequest"}, "bg-k7m4-q9tx", field.ErrorList{
				field.TooLong(field.NewPath("spec", "reason"), "", 512), field.Required(field.NewPath("spec", "targets"), "at least one"),
			}), exitDenied,
			"spec.reason: Too long: may not be more than 512 bytes\nspec.targets: Required value: at least one",
		},
		{"not logged in", apierrors.NewUnauthorized("who are you"), exitUndecided, "who are you"},
		{"made, and lost sight of", &madeError{"bg-k7m4-q9tx", errors.New("EOF")}, exitUndecided, "the request bg-k7m4-q9tx was made, but cannot be looked at: EOF"},
		{"interrupted", context.Canceled, exitUndecided, "interrupted"},
		{"usage", usageError("", "wrong"), exitUsage, "wrong"},
		{"what moves the cursor", errors.New("a\x1b[2J"), exitUndecided, `a\x1b[2J`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := deskError(tt.err, "bg-k7m4-q9tx")
			if code := exitOf(err); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if diff := cmp.Diff(tt.text, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
	hints := map[string]string{}
	for name, err := range map[string]error{
		"no right at a server":      &breakglass.Refusal{Reason: "bob may not approve"},
		"no right in a cluster":     byWebhook(http.StatusForbidden, metav1.StatusReasonForbidden, "bob may not revoke: no role gives them the verb revoke on breakglassrequests.mollyguard.dev"),
		"a policy's words":          &breakglass.Refusal{Reason: "contractors, such as bob, may not approve on Fridays"},
		"an API server that is not": fmt.Errorf("look up the type pod: %w", &url.Error{Op: "Get", URL: "https://127.0.0.1:1/api", Err: errors.New("connection refused")}),
	} {
		var exit *exitError
		if errors.As(deskError(err, ""), &exit) {
			hints[name] = exit.hint
		}
	}
	want := map[string]string{
		"no right at a server":      "whoever runs the server says who may, in breakGlass.rights of its configuration",
		"no right in a cluster":     rolesHint,
		"a policy's words":          "",
		"an API server that is not": "is the network up? " + contextsHint,
	}
	if diff := cmp.Diff(want, hints); diff != "" {
		t.Errorf("hints (-want +got):\n%s", diff)
	}
	if err := deskError(nil, ""); err != nil {
		t.Errorf("no error became %v", err)
	}
}
