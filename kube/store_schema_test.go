package kube_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube"
)

// asMap returns an object as kubectl would send it.
func asMap(t *testing.T, kind string, o any) map[string]any {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	m["apiVersion"], m["kind"] = "mollyguard.dev/v1alpha1", kind
	return m
}

// set sets a field by its path.
func set(t *testing.T, m map[string]any, path string, value any) {
	t.Helper()
	if err := unstructured.SetNestedField(m, value, strings.Split(path, ".")...); err != nil {
		t.Fatal(err)
	}
}

func grant(id string) breakglass.Grant {
	r := request(id)
	now := time.Now().UTC().Truncate(time.Second)
	return breakglass.Grant{
		ID: id, Issuer: "prod-eu", Subject: r.Subject, Scope: r.Scope, Approvers: []string{"bob@example.com"},
		ApprovalsDigest: strings.Repeat("0a", 32), NotBefore: now, Expires: now.Add(30 * time.Minute), Seal: "x",
	}
}

// kinds are one good object of each kind.
func kinds(t *testing.T) map[string]map[string]any {
	t.Helper()
	const id = "bg-0000-s001"
	r, err := kube.RequestToObject(request(id))
	if err != nil {
		t.Fatal(err)
	}
	g, err := kube.GrantToObject(grant(id))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]map[string]any{
		"BreakGlassRequest": asMap(t, "BreakGlassRequest", r),
		"BreakGlassVerdict": asMap(t, "BreakGlassVerdict", kube.VerdictToObject(verdict(id, "bob@example.com"))),
		"Grant":             asMap(t, "Grant", g),
		"BreakGlassUse": {
			"apiVersion": "mollyguard.dev/v1alpha1", "kind": "BreakGlassUse",
			"metadata": map[string]any{"name": id + "-0", "labels": map[string]any{kube.LabelRequest: id}},
			"spec": map[string]any{
				"grant": id, "slot": int64(0), "verb": "delete", "actor": "alice@example.com", "at": "2026-11-21T03:12:47.123000Z",
				"target": map[string]any{"resource": "namespaces", "kind": "Namespace", "name": "shop"},
			},
			"status": map[string]any{"state": "Reserved"},
		},
	}
}

func text(t *testing.T, m map[string]any) string {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (s *site) testSchema(t *testing.T) {
	for _, o := range kinds(t) {
		s.kubectlAs(t, s.Admin(), 0, text(t, o), "create", "--dry-run=server", "--filename=-")
		s.kubectlAs(t, s.Admin(), 0, text(t, o), "create", "--filename=-")
	}

	t.Run("what is wrong from the start", func(t *testing.T) {
		manyTargets := make([]any, breakglass.MaxTargets+1)
		for i := range manyTargets {
			manyTargets[i] = map[string]any{"resource": "pods", "namespace": "shop", "name": strings.Repeat("x", i+1)}
		}
		manyGroups := make([]any, 257)
		for i := range manyGroups {
			manyGroups[i] = "g"
		}
		for _, tt := range []struct {
			kind, path string
			value      any
			want       string
		}{
			{"BreakGlassRequest", "metadata.name", "mine", "metadata.name: not a handle such as bg-k7m4-q9tx"},
			{"BreakGlassRequest", "spec.reason", strings.Repeat("x", breakglass.MaxReason+1), "spec.reason: Too long"},
			{"BreakGlassRequest", "spec.reason", "", "spec.reason"},
			{"BreakGlassRequest", "spec.ticket", strings.Repeat("x", breakglass.MaxTicket+1), "spec.ticket: Too long"},
			{"BreakGlassRequest", "spec.subject", strings.Repeat("x", breakglass.MaxName+1), "spec.subject: Too long"},
			{"BreakGlassRequest", "spec.requester.name", strings.Repeat("x", breakglass.MaxName+1), "spec.requester.name: Too long"},
			{"BreakGlassRequest", "spec.requester.groups", manyGroups, "spec.requester.groups: Too many"},
			{"BreakGlassRequest", "spec.requester.kind", "king", "spec.requester.kind: Unsupported value"},
			{"BreakGlassRequest", "spec.targets", manyTargets, "spec.targets: Too many"},
			{"BreakGlassRequest", "spec.targets", []any{}, "spec.targets"},
			{"BreakGlassRequest", "spec.targets", []any{map[string]any{"resource": "pods", "name": "shop/web"}}, "spec.targets[0].name"},
			{"BreakGlassRequest", "spec.targets", []any{map[string]any{"resource": "pods", "name": ""}}, "spec.targets[0].name"},
			{"BreakGlassRequest", "spec.targets", []any{map[string]any{"resource": "pods/eviction", "name": "web"}}, "spec.targets[0].resource"},
			{"BreakGlassRequest", "spec.targets", []any{map[string]any{"resource": "pods", "namespace": "a/b", "name": "web"}}, "spec.targets[0].namespace"},
			{"BreakGlassRequest", "spec.verbs", []any{"update"}, "spec.verbs[0]: Unsupported value"},
			{"BreakGlassRequest", "spec.verbs", []any{}, "spec.verbs"},
			{"BreakGlassRequest", "spec.objects", int64(breakglass.MaxObjects + 1), "spec.objects"},
			{"BreakGlassRequest", "spec.objects", int64(0), "spec.objects"},
			{"BreakGlassRequest", "spec.duration", "59s", "spec.duration: Invalid value: \"59s\": not between 1m and 24h"},
			{"BreakGlassRequest", "spec.duration", "24h0m1s", "spec.duration: Invalid value: \"24h0m1s\": not between 1m and 24h"},
			{"BreakGlassRequest", "spec.duration", "1 day", "spec.duration"},
			{"BreakGlassRequest", "spec.duration", "-30m", "spec.duration"},
			{"BreakGlassRequest", "spec.duration", strings.Repeat("0", 32) + "30m", "spec.duration: Too long"},
			{"BreakGlassRequest", "spec.notBefore", "2026-11-21t10:00:00z", "spec.notBefore"},
			{"BreakGlassRequest", "spec.notBefore", "2026-02-30T10:00:00Z", "spec.notBefore"},
			{"BreakGlassRequest", "spec.notBefore", "2026-11-21T10:00:00", "spec.notBefore"},
			{"BreakGlassRequest", "spec.notBefore", "tomorrow", "spec.notBefore"},
			{"BreakGlassRequest", "spec.approved", true, `unknown field "spec.approved"`},
			{"BreakGlassVerdict", "metadata.name", "bg-0000-s001-deny-0123456789", "metadata.name: not the request, the verdict and ten digits"},
			{"BreakGlassVerdict", "metadata.name", "bg-0000-s002-approve-0123456789", "metadata.name: not the request, the verdict and ten digits"},
			{"BreakGlassVerdict", "metadata.name", "bg-0000-s001-approve-bob", "metadata.name: not the request, the verdict and ten digits"},
			{"BreakGlassVerdict", "spec.request", "bg-uuuu-uuuu", "spec.request"},
			{"BreakGlassVerdict", "spec.verdict", "Maybe", "spec.verdict: Unsupported value"},
			{"BreakGlassVerdict", "spec.by.name", "", "spec.by.name"},
			{"BreakGlassVerdict", "spec.door", "window", "spec.door: Unsupported value"},
			{"BreakGlassVerdict", "spec.reason", strings.Repeat("x", breakglass.MaxReason+1), "spec.reason: Too long"},
			{"Grant", "metadata.name", "mine", "metadata.name: not a handle such as bg-k7m4-q9tx"},
			{"Grant", "spec.expires", "2020-01-01T00:00:00Z", "expires: not after notBefore"},
			{"Grant", "spec.expires", time.Now().Add(8 * 24 * time.Hour).UTC().Format(time.RFC3339), "expires: more than seven days after notBefore"},
			{"Grant", "spec.token", strings.Repeat("x", 4097), "spec.token: Too long"},
			{"Grant", "spec.approvalsDigest", "zz", "spec.approvalsDigest"},
			{"BreakGlassUse", "metadata.name", "bg-0000-s001-1", "metadata.name: not the grant and the slot"},
			{"BreakGlassUse", "metadata.name", "bg-0000-s001-00", "metadata.name: not the grant and the slot"},
			{"BreakGlassUse", "spec.slot", int64(-1), "spec.slot"},
			{"BreakGlassUse", "spec.at", "2026-11-21T03:12:47Z", "spec.at"},
			{"BreakGlassUse", "status.state", "Gone", "status.state: Unsupported value"},
		} {
			t.Run(tt.kind+" "+tt.path, func(t *testing.T) {
				o := kinds(t)[tt.kind]
				if tt.path != "metadata.name" {
					// Another object, but for what is wrong with it.
					name := o["metadata"].(map[string]any)["name"].(string)
					set(t, o, "metadata.name", strings.Replace(name, "s001", "s002", 1))
					for _, field := range []string{"request", "grant"} {
						if spec := o["spec"].(map[string]any); spec[field] != nil {
							spec[field] = "bg-0000-s002"
						}
					}
				}
				set(t, o, tt.path, tt.value)
				got := s.kubectlAs(t, s.Admin(), 1, text(t, o), "create", "--dry-run=server", "--filename=-")
				if !strings.Contains(got.Stderr, tt.want) {
					t.Errorf("the API server says %q, want %q in it", got.Stderr, tt.want)
				}
			})
		}
	})

	t.Run("what is changed afterwards", func(t *testing.T) {
		for _, tt := range []struct{ kind, name, patch, want string }{
			{"breakglassrequest", "bg-0000-s001", `{"spec":{"reason":"another"}}`, "a request is not changed"},
			{"breakglassrequest", "bg-0000-s001", `{"spec":{"decision":"01K"}}`, "a request is not changed"},
			{"breakglassverdict", kube.VerdictName(verdict("bg-0000-s001", "bob@example.com")), `{"spec":{"by":{"name":"carol"}}}`, "a verdict is not changed"},
			{"grant", "bg-0000-s001", `{"spec":{"subject":"mallory"}}`, "a grant is not changed"},
			{"grant", "bg-0000-s001", `{"spec":{"token":"x"}}`, "a grant is not changed"},
			{"breakglassuse", "bg-0000-s001-0", `{"spec":{"target":{"name":"other"}}}`, "a use is not changed"},
		} {
			got := s.kubectl(t, 1, "patch", tt.kind, tt.name, "--type=merge", "--patch="+tt.patch)
			if !strings.Contains(got.Stderr, tt.want) {
				t.Errorf("%s: the API server says %q, want %q in it", tt.patch, got.Stderr, tt.want)
			}
		}
		s.kubectl(t, 0, "patch", "breakglassuse", "bg-0000-s001-0", "--type=merge", `--patch={"status":{"state":"Confirmed"}}`)
	})

	t.Run("a status that comes with a request is dropped", func(t *testing.T) {
		o := kinds(t)["BreakGlassRequest"]
		set(t, o, "metadata.name", "bg-0000-s003")
		set(t, o, "status.state", "Active")
		set(t, o, "status.left", int64(1))
		s.kubectlAs(t, s.Admin(), 0, text(t, o), "create", "--filename=-")
		got := s.kubectl(t, 0, "get", "bgr", "bg-0000-s003", "--output=jsonpath={.status}")
		if got.Stdout != "" {
			t.Errorf("the status is %s", got.Stdout)
		}
	})
}
