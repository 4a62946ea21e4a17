package operation_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

var update = flag.Bool("update", false, "rewrite the schema that policies are compiled against")

const schemaFile = "../policies/schema/input.json"

func TestTheSchemaPoliciesAreCompiledAgainstIsTheOneOfTheTypes(t *testing.T) {
	got, err := operation.InputSchema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is out of date, run go test ./operation -update (-file +types):\n%s", schemaFile, diff)
	}
}

func TestEveryFieldOfTheSchemaIsDescribedAndTyped(t *testing.T) {
	data, err := operation.InputSchema()
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, schema map[string]any)
	walk = func(path string, schema map[string]any) {
		properties, _ := schema["properties"].(map[string]any)
		for name, value := range properties {
			property := value.(map[string]any)
			if property["description"] == "" {
				t.Errorf("%s.%s has no description: give its field a desc tag", path, name)
			}
			if name == "" || name == "-" {
				t.Errorf("%s has a property without a JSON name", path)
			}
			walk(path+"."+name, property)
		}
		if items, ok := schema["items"].(map[string]any); ok {
			walk(path+"[]", items)
		}
	}
	walk("input", root)
}

func TestKubernetesRef(t *testing.T) {
	for _, tt := range []struct{ name, group, namespace, want string }{
		{"a namespaced object of a named group", "apps", "shop", "k8s://prod-eu/apps/deployments/shop/web"},
		{"the empty group is written core", "", "shop", "k8s://prod-eu/core/deployments/shop/web"},
		{"a cluster-scoped object has no namespace segment", "apps", "", "k8s://prod-eu/apps/deployments/web"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := operation.KubernetesRef("prod-eu", tt.group, "deployments", tt.namespace, "web"); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestParseKubernetesRef(t *testing.T) {
	for _, tt := range []struct {
		ref  string
		want operation.KubernetesName
		ok   bool
	}{
		{"k8s://prod-eu/apps/deployments/shop/web", operation.KubernetesName{Cluster: "prod-eu", Group: "apps", Resource: "deployments", Namespace: "shop", Name: "web"}, true},
		{"k8s://prod-eu/core/namespaces/shop", operation.KubernetesName{Cluster: "prod-eu", Resource: "namespaces", Name: "shop"}, true},
		{"k8s:///core/namespaces/shop", operation.KubernetesName{Resource: "namespaces", Name: "shop"}, true},
		{"k8s://prod-eu/core/namespaces/", operation.KubernetesName{}, false},
		{"k8s://prod-eu/core//shop", operation.KubernetesName{}, false},
		{"k8s://prod-eu/core/pods//web", operation.KubernetesName{}, false},
		{"k8s://prod-eu//pods/shop/web", operation.KubernetesName{}, false},
		{"k8s://prod-eu/core/pods/shop/web/log", operation.KubernetesName{}, false},
		{"k8s://prod-eu/shop", operation.KubernetesName{}, false},
		{"gcp://prod-eu/core/namespaces/shop", operation.KubernetesName{}, false},
		{"", operation.KubernetesName{}, false},
	} {
		got, ok := operation.ParseKubernetesRef(tt.ref)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s: got %+v, %t", tt.ref, got, ok)
		}
	}
}

func TestPrintableShowsWhatWouldHideOrForge(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain text stays", "Deployment shop/web (label env=production)", "Deployment shop/web (label env=production)"},
		{"letters of any script stay", "bücher-書", "bücher-書"},
		{"a terminal escape is shown", "\x1b[2Jok", `\x1b[2Jok`},
		{"a line break is shown", "web\nallowed", `web\nallowed`},
		{"a right-to-left override is shown", "web\u202egnp", `web\u202egnp`},
		{"a zero-width space is shown", "pro\u200bd", `pro\u200bd`},
		{"invalid UTF-8 is shown as the replacement it reads as", "web\xff", `web\ufffd`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := operation.Printable(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestADecisionRecordHasEveryListAndReadsBackWhole(t *testing.T) {
	want := operation.Decision{
		ID: "01JD6Q", Time: time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC),
		Surface: operation.Kubernetes, Verb: operation.Delete, Phase: operation.Requested, Outcome: operation.OutcomeDeny,
		Actor:      operation.Identity{Name: "alice@example.com", Kind: operation.Human, Via: "kubectl"},
		Target:     operation.Reference{Ref: "k8s://prod-eu/apps/deployments/shop/web", Kind: "Deployment", Namespace: "shop", Name: "web"},
		Production: operation.Production{Is: true, Because: []string{"label env=production"}},
		Violations: []operation.Violation{
			{Policy: "a", Severity: operation.High, Enforcement: operation.EnforceDeny, Message: "m", BreakGlass: operation.BreakGlass{Approvals: 2}},
			{Policy: "b", Severity: operation.Low, Enforcement: operation.EnforceWarn, Message: "m", BreakGlass: operation.BreakGlass{Never: true}},
		},
		Changes: []string{}, Dependents: []operation.Dependents{}, Also: []operation.Verb{operation.Empty}, GrantRefused: []string{"bg-k7m4-q9tx: expired"}, Unknown: []string{},
		Source: operation.Source{UID: "u"},
	}
	line, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	const text = `{"id":"01JD6Q","time":"2026-11-21T03:12:47Z","surface":"kubernetes","verb":"delete","also":["empty"],"phase":"requested","outcome":"deny",` +
		`"actor":{"name":"alice@example.com","kind":"human","via":"kubectl"},` +
		`"target":{"ref":"k8s://prod-eu/apps/deployments/shop/web","kind":"Deployment","namespace":"shop","name":"web","uid":""},` +
		`"production":{"is":true,"target":false,"because":["label env=production"]},"changes":[],"dependents":[],` +
		`"violations":[{"policy":"a","severity":"high","enforcement":"deny","message":"m","break_glass":{"approvals":2}},` +
		`{"policy":"b","severity":"low","enforcement":"warn","message":"m","break_glass":"never"}],` +
		`"grant":"","grant_pending":"","grant_refused":["bg-k7m4-q9tx: expired"],"dry_run":false,"exempt":"","unknown":[],"error":"","source":{"uid":"u"}}`
	if diff := cmp.Diff(text, string(line)); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	var got operation.Decision
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestWhatIsNotABreakGlassIsRefused(t *testing.T) {
	for _, text := range []string{`"always"`, `1`, `{"approvals":"two"}`, `{"aprovals":1}`, `[]`} {
		var b operation.BreakGlass
		if err := json.Unmarshal([]byte(text), &b); err == nil {
			t.Errorf("%s was read as %+v", text, b)
		}
	}
}

func TestASecretIsNeverPrinted(t *testing.T) {
	secret := operation.NewSecret("tOkEn")
	holder := struct {
		Token  operation.Secret
		Tokens []operation.Secret
	}{secret, []operation.Secret{secret}}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("m", "token", secret, "holder", holder)
	encoded, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{logged.String(), string(encoded), secret.String(), fmt.Errorf("token: %w", errors.New(fmt.Sprint(holder))).Error()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T", "%p", "%08.3f"} {
		texts = append(texts, fmt.Sprintf(verb, secret), fmt.Sprintf(verb, holder), fmt.Sprintf(verb, &holder))
	}
	for _, text := range texts {
		if strings.Contains(text, "tOkEn") || strings.Contains(text, "744f6b456e") {
			t.Errorf("printed: %s", text)
		}
	}
	if secret.Reveal() != "tOkEn" {
		t.Error("Reveal does not give the text")
	}
}

func TestATextIsClippedAtACharacter(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		limit      int
		want       string
	}{
		{"what fits", "mollyguard", 10, "mollyguard"},
		{"what is too long", "mollyguard", 9, "mollyg…"},
		{"in the middle of a character", "aüüü", 6, "aü…"},
		{"at the end of one", "aüüü…", 8, "aüü…"},
		{"to next to nothing", "mollyguard", 2, "…"},
		{"what is no text", "\xff\xff\xff\xff\xff\xff", 5, "\xff\xff…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := operation.Clip(tt.text, tt.limit); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
