package webhook_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook"
)

func staticOptions(t *testing.T) webhook.StaticOptions {
	return webhook.StaticOptions{FloorOptions: floorOptions(t), BypassGroup: webhook.BypassGroup, CloseExit: true}
}

func policyNames(policies []webhook.FloorPolicy) []string {
	var names []string
	for _, p := range policies {
		names = append(names, p.Policy.Name)
	}
	return names
}

// TestAStaticFloorKeepsToTheRulesForFiles: an API server does not start with a file
// that breaks one of them (k8s.io/apiserver pkg/admission/plugin/policy/manifest).
func TestAStaticFloorKeepsToTheRulesForFiles(t *testing.T) {
	policies := webhook.StaticFloor(staticOptions(t))
	if diff := cmp.Diff([]string{"mollyguard-floor.static.k8s.io", "mollyguard-exit.static.k8s.io"}, policyNames(policies)); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	for _, p := range policies {
		want := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{TypeMeta: p.Binding.TypeMeta}
		want.Name, want.Spec.PolicyName = p.Policy.Name, p.Policy.Name
		want.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}
		if diff := cmp.Diff(want, p.Binding); diff != "" {
			t.Errorf("binding of %s (-want +got):\n%s", p.Policy.Name, diff)
		}
		if p.Policy.Spec.ParamKind != nil || *p.Policy.Spec.FailurePolicy != admissionregistrationv1.Fail {
			t.Errorf("%s has a parameter, or fails open: %v %v", p.Policy.Name, p.Policy.Spec.ParamKind, *p.Policy.Spec.FailurePolicy)
		}
		text, err := json.Marshal(p.Policy)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "params.") {
			t.Errorf("%s looks at a parameter, of which there is none: %s", p.Policy.Name, text)
		}
	}
}

func TestWhatAStaticFloorConsistsOf(t *testing.T) {
	off := []guard.EnforcementRule{{Action: operation.EnforceOff}}
	for _, tt := range []struct {
		name string
		edit func(*webhook.StaticOptions)
		want []string
	}{
		{"both", func(*webhook.StaticOptions) {}, []string{"mollyguard-floor.static.k8s.io", "mollyguard-exit.static.k8s.io"}},
		{"the exit stays open", func(o *webhook.StaticOptions) { o.CloseExit = false }, []string{"mollyguard-floor.static.k8s.io"}},
		{"nothing is ever denied", func(o *webhook.StaticOptions) { o.Enforcement = off }, nil},
		{"only a weakened guard is", func(o *webhook.StaticOptions) {
			o.Enforcement = append([]guard.EnforcementRule{{Policies: []string{"guard-weakened"}, Action: operation.EnforceDeny}}, off...)
		}, []string{"mollyguard-floor.static.k8s.io", "mollyguard-exit.static.k8s.io"}},
		{"a weakened guard never is", func(o *webhook.StaticOptions) {
			o.Enforcement = []guard.EnforcementRule{{Policies: []string{"guard-weakened"}, Action: operation.EnforceAlert}}
		}, []string{"mollyguard-floor.static.k8s.io"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := staticOptions(t)
			tt.edit(&opts)
			if diff := cmp.Diff(tt.want, policyNames(webhook.StaticFloor(opts))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// variable is the expression of one, or empty.
func variable(p webhook.FloorPolicy, name string) string {
	for _, v := range p.Policy.Spec.Variables {
		if v.Name == name {
			return v.Expression
		}
	}
	return ""
}

func TestWhoAStaticFloorLetsThrough(t *testing.T) {
	for _, tt := range []struct{ name, group, granted, next string }{
		{"a group", "oncall", `has(request.userInfo.groups) && "oncall" in request.userInfo.groups`, `"A file of this API server refuses it to all but the group oncall, whatever was granted: ask the owners of mollyguard on this cluster"`},
		{"nobody", "", "false", `"A file of this API server refuses it to everybody, whatever was granted: ask the owners of mollyguard on this cluster"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := staticOptions(t)
			opts.BypassGroup = tt.group
			for _, p := range webhook.StaticFloor(opts) {
				if diff := cmp.Diff([]string{tt.granted, tt.next}, []string{variable(p, "granted"), variable(p, "next")}); diff != "" {
					t.Errorf("%s (-want +got):\n%s", p.Policy.Name, diff)
				}
			}
		})
	}
}

func TestAStaticFloorOnlyWarnsInADryRun(t *testing.T) {
	opts := staticOptions(t)
	opts.DryRun = true
	for _, p := range webhook.StaticFloor(opts) {
		want := []admissionregistrationv1.ValidationAction{admissionregistrationv1.Warn, admissionregistrationv1.Audit}
		if diff := cmp.Diff(want, p.Binding.Spec.ValidationActions); diff != "" {
			t.Errorf("%s (-want +got):\n%s", p.Policy.Name, diff)
		}
	}
}

func TestHooksInFilesNeedAURL(t *testing.T) {
	opts := staticOptions(t).ConfigurationOptions
	if hooks, err := webhook.StaticHooks(opts); err == nil {
		t.Errorf("there are some without one: %v", hooks)
	}
}

func TestHooksInFilesAreTheUsualOnesByURL(t *testing.T) {
	opts := staticOptions(t).ConfigurationOptions
	opts.URL, opts.CallSecret, opts.Cases = "https://10.0.0.1:8443", "secret", true
	hooks, err := webhook.StaticHooks(opts)
	if err != nil {
		t.Fatal(err)
	}
	usual := opts
	usual.CallSecret, usual.Floor = "", true
	want := webhook.Configuration(usual)
	exit := admissionregistrationv1.MatchCondition{Name: "not-the-emergency-exit", Expression: `request.resource.group != "admissionregistration.k8s.io"`}
	want.Validating.Name, want.Validating.Labels = "mollyguard.static.k8s.io", nil
	want.Mutating.Name, want.Mutating.Labels = "mollyguard.static.k8s.io", nil
	for i, hook := range want.Validating.Webhooks {
		if hook.Rules[0].APIGroups[0] == "*" {
			want.Validating.Webhooks[i].MatchConditions = append(hook.MatchConditions, exit)
		}
	}
	for i, hook := range want.Mutating.Webhooks {
		want.Mutating.Webhooks[i].MatchConditions = append(hook.MatchConditions, exit)
	}
	if diff := cmp.Diff(want, hooks); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, hook := range hooks.Validating.Webhooks {
		if hook.ClientConfig.Service != nil || !strings.HasPrefix(*hook.ClientConfig.URL, "https://10.0.0.1:8443/v1/") || strings.Contains(*hook.ClientConfig.URL, "secret") {
			t.Errorf("%s is called at %v", hook.Name, hook.ClientConfig)
		}
	}
}
