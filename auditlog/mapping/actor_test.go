package mapping

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

func TestTools(t *testing.T) {
	for userAgent, want := range map[string]string{
		"": "",
		"google-api-go-client/0.5 Terraform/1.7.5 (+https://www.terraform.io) Terraform-Plugin-SDK/2.31.0 terraform-provider-google/5.22.0,gzip(gfe)":               "Terraform/1.7.5",
		"google-cloud-sdk gcloud/552.0.0 command/gcloud.container.clusters.delete invocation-id/0a1b environment/None python/3.13 term/xterm (Linux 6.1),gzip(gfe)": "gcloud/552.0.0",
		"kubectl/v1.36.0 (linux/amd64) kubernetes/abc": "kubectl/v1.36.0",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36,gzip(gfe),gzip(gfe)": "console (browser)",
		"google-api-go-client/0.5,gzip(gfe)":              "client library (google-api-go-client/0.5)",
		"gl-python/3.12 grpc/1.66 gax/2.19,gzip(gfe)":     "client library (gl-python/3.12)",
		"kube-controller-manager/v1.36.1 (linux/amd64) x": "kube-controller-manager/v1.36.1",
		"stubby_client":                         "console",
		"eyJhbGciOiJFZERTQSJ9.e30.c2ln kubectl": "[redacted]",
	} {
		if got := tool(redact(userAgent)); got != want {
			t.Errorf("%s: got %q, want %q", userAgent, got, want)
		}
	}
}

func TestWhoActsThroughAServiceAccount(t *testing.T) {
	m := testMapper(t, Options{})
	var long, wantLong []string
	for i := range 20 {
		long = append(long, fmt.Sprintf(`{"firstPartyPrincipal":{"principalEmail":"n%d@example.com"}}`, i))
	}
	for _, i := range []int{19, 18, 17, 16, 15, 14, 13, 0} {
		wantLong = append(wantLong, fmt.Sprintf("n%d@example.com", i))
	}
	for _, tt := range []struct {
		name, chain string
		want        []string
	}{
		{"nobody", `[]`, nil},
		{"a person", `[{"firstPartyPrincipal":{"principalEmail":"alice@example.com"}}]`, []string{"alice@example.com"}},
		{"a subject", `[{"principalSubject":"user:alice@example.com"}]`, []string{"alice@example.com"}},
		{"a service account's subject", `[{"principalSubject":"serviceAccount:p.svc.id.goog[ns/sa]"}]`, []string{"p.svc.id.goog[ns/sa]"}},
		{"another subject", `[{"principalSubject":"principal://iam.googleapis.com/x/subject/y"}]`, []string{"principal://iam.googleapis.com/x/subject/y"}},
		{"somebody of another provider", `[{"thirdPartyPrincipal":{"thirdPartyClaims":{"sub":"s1"}}}]`, []string{"third party: s1"}},
		{"somebody of another provider, unnamed", `[{"thirdPartyPrincipal":{"thirdPartyClaims":{"x":"y"}}}]`, []string{"somebody of another identity provider"}},
		{"an empty link", `[{}]`, nil},
		{"the nearest first", `[{"principalSubject":"user:alice@example.com"},{"principalSubject":"serviceAccount:ci@p.iam.gserviceaccount.com"}]`, []string{"ci@p.iam.gserviceaccount.com", "alice@example.com"}},
		{"a long chain keeps who began", "[" + strings.Join(long, ",") + "]", wantLong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := mapped(t, m, with(t, deletion, "protoPayload/authenticationInfo/serviceAccountDelegationInfo", tt.chain)).Operation
			if diff := cmp.Diff(tt.want, op.Origin.Delegation); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestActors(t *testing.T) {
	for _, tt := range []struct {
		name, info string
		want       operation.Identity
	}{
		{"a person", `{"principalEmail":"alice@example.com"}`, operation.Identity{Name: "alice@example.com", Kind: operation.Human}},
		{"a service account", `{"principalEmail":"ci@p.iam.gserviceaccount.com"}`, operation.Identity{Name: "ci@p.iam.gserviceaccount.com", Kind: operation.Service}},
		{"a subject", `{"principalSubject":"serviceAccount:ci@p.iam.gserviceaccount.com"}`, operation.Identity{Name: "ci@p.iam.gserviceaccount.com", Kind: operation.Service}},
		{"the control plane", `{"principalEmail":"system:kube-scheduler"}`, operation.Identity{Name: "system:kube-scheduler", Kind: operation.Controller}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := mapped(t, testMapper(t, Options{}), with(t, deletion, "protoPayload/authenticationInfo", tt.info)).Operation.Actor.Identity
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	m := testMapper(t, Options{KindOf: func(string) operation.ActorKind { return operation.Agent }})
	if got := mapped(t, m, with(t, deletion)).Operation.Actor.Kind; got != operation.Agent {
		t.Errorf("the configuration says agent, the mapper %s", got)
	}
}

func TestAReasonPresentsHandlesAndNeverShowsTokens(t *testing.T) {
	const token = "eyJhbGciOiJFZERTQSIsInR5cCI6Im0rand0In0.eyJqdGkiOiJiZy1rN200LXE5dHgifQ.c2lnbmF0dXJl"
	m := testMapper(t, Options{})
	for _, tt := range []struct {
		name, reason, shown string
		presented           []string
	}{
		{"a handle", "OPS-1 bg-k7m4-q9tx", "OPS-1 bg-k7m4-q9tx", []string{"bg-k7m4-q9tx"}},
		{"two, one of them twice", "bg-k7m4-q9tx,bg-aaaa-bbbb bg-k7m4-q9tx", "bg-k7m4-q9tx,bg-aaaa-bbbb bg-k7m4-q9tx", []string{"bg-k7m4-q9tx", "bg-aaaa-bbbb"}},
		{"a token", "use " + token + ".", "use [redacted]", []string{token}},
		{"half a token", token[:30], "[redacted]", []string{token[:30]}},
		{"a token in quotes", `"` + token + `"`, `"[redacted]"`, []string{token}},
		{"no handle", "bg-k7m4-q9txx abg-k7m4-q9tx bg-iiii-oooo", "bg-k7m4-q9txx abg-k7m4-q9tx bg-iiii-oooo", nil},
		{"nothing", "", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := mapped(t, m, with(t, deletion, "protoPayload/requestMetadata/requestAttributes/reason", fmt.Sprintf("%q", tt.reason))).Operation
			if op.Origin.Reason != tt.shown {
				t.Errorf("shown %q, want %q", op.Origin.Reason, tt.shown)
			}
			var got []string
			for _, secret := range op.Presented {
				got = append(got, secret.Reveal())
			}
			if diff := cmp.Diff(tt.presented, got); diff != "" {
				t.Errorf("presented (-want +got):\n%s", diff)
			}
		})
	}
	// Wherever what is shown is cut off, no beginning of a token is left.
	for n := range 40 {
		reason := strings.Repeat("x", maxText-n) + " " + token
		op := mapped(t, m, with(t, deletion, "protoPayload/requestMetadata", fmt.Sprintf(`{"requestAttributes":{"reason":%q},"callerSuppliedUserAgent":%q}`, reason, strings.Repeat("x", maxText)+reason))).Operation
		if strings.Contains(op.Origin.Reason+op.Origin.UserAgent+op.Actor.Via, "eyJ") {
			t.Errorf("after %d bytes, a token is shown: %s", maxText-n, op.Origin.Reason)
		}
	}
}

// A handle is read without asking package breakglass; what that makes is found.
func TestEveryHandleIsFound(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	for range 100 {
		handle, err := breakglass.NewHandle(random)
		if err != nil {
			t.Fatal(err)
		}
		if got := presented("because of " + handle); len(got) != 1 || got[0].Reveal() != handle {
			t.Errorf("%s was not found", handle)
		}
	}
}
