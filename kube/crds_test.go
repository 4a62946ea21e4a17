package kube_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
)

// schema is the part of an OpenAPI schema that is compared.
type schema struct {
	Properties map[string]schema
	Items      *schema
	Enum       []string
	MaxLength  int
	MaxItems   int
	Maximum    int
	Pattern    string
}

// at returns what is below a path of properties; [] stands for the items.
func (s schema) at(t *testing.T, path string) schema {
	t.Helper()
	for name := range strings.SplitSeq(path, ".") {
		name, list := strings.CutSuffix(name, "[]")
		below, ok := s.Properties[name]
		if !ok {
			t.Fatalf("no %s in the schema", path)
		}
		if s = below; list {
			s = *s.Items
		}
	}
	return s
}

func loadSchema(t *testing.T, resource string) schema {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(crds, "mollyguard.dev_"+resource+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct{ OpenAPIV3Schema schema }
			}
		}
	}
	if err := yaml.Unmarshal(data, &crd); err != nil {
		t.Fatal(err)
	}
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema
}

// TestTheSchemasSayWhatPackageBreakglassSays is about what stands twice: in Go,
// and in the markers that the schemas are made of.
func TestTheSchemasSayWhatPackageBreakglassSays(t *testing.T) {
	request, verdict := loadSchema(t, "breakglassrequests"), loadSchema(t, "breakglassverdicts")
	grant, use, floor := loadSchema(t, "grants"), loadSchema(t, "breakglassuses"), loadSchema(t, "floors")

	destructive := slices.DeleteFunc(operation.Verb("").Values(), func(verb string) bool { return verb == string(operation.Update) })
	capitals := func(words []string) []string {
		for i, word := range words {
			words[i] = strings.ToUpper(word[:1]) + word[1:]
		}
		return words
	}
	for _, tt := range []struct {
		name      string
		got, want []string
	}{
		{"verbs of requests", request.at(t, "spec.verbs[]").Enum, destructive},
		{"verbs of grants", grant.at(t, "spec.verbs[]").Enum, destructive},
		{"verbs of uses", use.at(t, "spec.verb").Enum, destructive},
		{"kinds of actors", request.at(t, "spec.requester.kind").Enum, operation.ActorKind("").Values()},
		{"verdicts", verdict.at(t, "spec.verdict").Enum, capitals(breakglass.VerdictKind("").Values())},
		{"doors", verdict.at(t, "spec.door").Enum, []string{string(breakglass.DoorKubernetes), string(breakglass.DoorAPI)}},
		{"states of requests", request.at(t, "status.state").Enum, capitals(breakglass.State("").Values())},
		{"states of uses", use.at(t, "status.state").Enum, capitals([]string{string(breakglass.Reserved), string(breakglass.Confirmed), string(breakglass.Released)})},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s (-in Go +in the schema):\n%s", tt.name, diff)
		}
	}
	for _, tt := range []struct {
		name      string
		got, want int
	}{
		{"names", request.at(t, "spec.requester.name").MaxLength, breakglass.MaxName},
		{"subjects", request.at(t, "spec.subject").MaxLength, breakglass.MaxName},
		{"subjects of grants", grant.at(t, "spec.subject").MaxLength, breakglass.MaxName},
		{"names of targets", request.at(t, "spec.targets[].name").MaxLength, breakglass.MaxName},
		{"reasons", request.at(t, "spec.reason").MaxLength, breakglass.MaxReason},
		{"reasons of verdicts", verdict.at(t, "spec.reason").MaxLength, breakglass.MaxReason},
		{"tickets", request.at(t, "spec.ticket").MaxLength, breakglass.MaxTicket},
		{"decisions", request.at(t, "spec.decision").MaxLength, breakglass.MaxTicket},
		{"targets", request.at(t, "spec.targets").MaxItems, breakglass.MaxTargets},
		{"targets of grants", grant.at(t, "spec.targets").MaxItems, breakglass.MaxTargets},
		{"verbs", request.at(t, "spec.verbs").MaxItems, len(destructive)},
		{"objects", request.at(t, "spec.objects").Maximum, breakglass.MaxObjects},
		{"objects of grants", grant.at(t, "spec.objects").Maximum, breakglass.MaxObjects},
		{"namespaces of a floor", floor.at(t, "spec.namespaces").MaxItems, v1alpha1.MaxFloorNamespaces},
		{"definitions of a floor", floor.at(t, "spec.definitions").MaxItems, v1alpha1.MaxFloorDefinitions},
		{"grants of a floor", floor.at(t, "spec.grants").MaxItems, v1alpha1.MaxFloorGrants},
		{"users in a floor", floor.at(t, "spec.grants[].user").MaxLength, breakglass.MaxName},
	} {
		if tt.got != tt.want {
			t.Errorf("the most of %s: %d in the schema, %d in Go", tt.name, tt.got, tt.want)
		}
	}
}
