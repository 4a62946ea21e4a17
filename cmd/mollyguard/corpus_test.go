package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook"
	"github.com/mollyguard/mollyguard/webhook/index"
)

// corpus holds POLICY/{allow,deny}/NAME.json: AdmissionReviews that the policy
// must refuse, and such that are as near to it as can be but must be let
// through. Beside them are NAME.decision.json, the decision record, and where
// the review does not say enough NAME.objects.json, what the cluster holds
// besides the namespaces of objects.json, NAME.dependents.json, what the index
// answers (an index.Answer), and NAME.pace.json, what the actor has done lately.
const corpus = "../../policies/testdata/kubernetes"

// given is what the cluster holds in the case at hand, and what is known of it.
type given struct {
	webhook.Lookup
	recent operation.Recent
	answer index.Answer
	// asked are the questions that the index was asked.
	asked []index.Question
}

// Look and Count make it a guard.Pace.
func (g *given) Look(*operation.Operation) operation.Recent { return g.recent }
func (g *given) Count(*operation.Operation)                 {}

// Lost makes it a webhook.Dependents.
func (g *given) Lost(q index.Question) index.Answer {
	g.asked = append(g.asked, q)
	return g.answer
}

// checkAsked holds that what is known of dependents was asked for, once and of the
// target itself, and not at all where nothing is harmed.
func (g *given) checkAsked(t *testing.T, op *operation.Operation) {
	t.Helper()
	var want, asked []index.Question
	if !slices.Equal(op.Verbs(), []operation.Verb{operation.Update}) && (len(g.asked) > 0 || !cmp.Equal(g.answer, index.Answer{}, cmpopts.EquateEmpty())) {
		want = append(want, index.Question{
			Resource:  schema.GroupResource{Group: op.Target.Group, Resource: op.Target.Resource},
			Namespace: op.Target.Namespace, Name: op.Target.Name, UID: op.Target.UID,
		})
	}
	for _, q := range g.asked { // the rest is what the object says of others
		asked = append(asked, index.Question{Resource: q.Resource, Namespace: q.Namespace, Name: q.Name, UID: q.UID})
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("the index is asked (-want +got):\n%s", diff)
	}
}

// read decodes a file strictly, or leaves into as it is if there is none.
func read(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// about sets what is known in a case.
func (g *given) about(t *testing.T, file string) {
	t.Helper()
	g.set(t, filepath.Join(corpus, "objects.json"), beside(file, "objects"))
	g.recent, g.answer, g.asked = operation.Recent{}, index.Answer{}, nil
	read(t, beside(file, "pace"), &g.recent)
	read(t, beside(file, "dependents"), &g.answer)
}

func (g *given) set(t *testing.T, files ...string) {
	t.Helper()
	var readers []io.Reader
	for _, name := range files {
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		readers = append(readers, bytes.NewReader(data))
	}
	lookup, err := webhook.NewFileLookup(io.MultiReader(readers...))
	if err != nil {
		t.Fatal(err)
	}
	g.Lookup = lookup
}

// beyond names the policies that go beyond another, which then speaks for the same
// target.
var beyond = map[string]string{"cloud-resource": "production-delete", "mass-change": "production-delete"}

// outcomeOf is what a policy does where nothing is configured.
func outcomeOf(c config.Configuration, policy string) operation.Outcome {
	for _, rule := range c.Enforcement {
		if slices.Contains(rule.Policies, policy) {
			return operation.Outcome(rule.Action)
		}
	}
	return operation.OutcomeDeny
}

func TestEveryPolicyRefusesWhatItMustAndNothingElse(t *testing.T) {
	c := config.Default()
	c.Cluster, c.Agents = "prod-eu", []string{"system:serviceaccount:agents:.*"}
	objects := &given{}
	a, err := assemble(t.Context(), c, parts{
		lookup: objects, dependents: objects, pace: objects, recorder: discard{},
		now: func() time.Time { return time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC) },
	})
	if err != nil {
		t.Fatal(err)
	}
	judge := func(t *testing.T, file string) operation.Decision {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		objects.about(t, file)
		answer := a.reviewer.Review(t.Context(), body, "")
		if answer.NotOurs {
			t.Fatal("mollyguard has no say in this")
		}
		objects.checkAsked(t, &answer.Operation)
		answer.Decision.ID = sameID
		return answer.Decision
	}
	var policies []string
	for _, policy := range a.engine.Current().Policies() {
		if slices.Contains(seenAfterwards, policy.Name) || slices.Contains(seenInPlans, policy.Name) { // their corpora are auditCorpus, planCorpus
			continue
		}
		policies = append(policies, policy.Name)
		t.Run(policy.Name, func(t *testing.T) {
			folder := filepath.Join(corpus, policy.Name)
			for _, name := range cases(t, filepath.Join(folder, "deny")) {
				t.Run("denies "+name, func(t *testing.T) {
					file := filepath.Join(folder, "deny", name+".json")
					d := judge(t, file)
					others := slices.DeleteFunc(violated(d), func(name string) bool { return name == beyond[policy.Name] })
					// What does several things at once is denied for each.
					if want := outcomeOf(c, policy.Name); d.Outcome != want || !slices.Contains(others, policy.Name) || len(others) != 1+len(d.Also) {
						t.Errorf("%s by %v %s, want %s by %s, and by no more than it does", d.Outcome, violated(d), d.Error, want, policy.Name)
					}
					compareDecision(t, d, beside(file, "decision"))
				})
			}
			for _, name := range cases(t, filepath.Join(folder, "allow")) {
				t.Run("allows "+name, func(t *testing.T) {
					file := filepath.Join(folder, "allow", name+".json")
					d := judge(t, file)
					if d.Outcome != operation.OutcomeAllow {
						t.Errorf("%s by %v %s, want it allowed", d.Outcome, violated(d), d.Error)
					}
					compareDecision(t, d, beside(file, "decision"))
				})
			}
		})
	}
	entries, err := os.ReadDir(corpus)
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, entry := range entries {
		if entry.IsDir() {
			folders = append(folders, entry.Name())
		}
	}
	if diff := cmp.Diff(policies, folders); diff != "" {
		t.Errorf("policies, and folders of the corpus (-policies +folders):\n%s", diff)
	}
}

// beside names a file that belongs to a case.
func beside(file, what string) string {
	return strings.TrimSuffix(file, ".json") + "." + what + ".json"
}

// cases lists the names of the cases in a folder; there must be one, and nothing
// else than what belongs to them.
func cases(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatalf("a policy needs cases that it denies and such that it allows: %v", err)
	}
	var names, others []string
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), ".json")
		switch {
		case !ok:
			t.Errorf("%s is no case", filepath.Join(folder, entry.Name()))
		case strings.Contains(name, "."):
			others = append(others, name)
		default:
			names = append(names, name)
		}
	}
	for _, other := range others {
		if name, what, _ := strings.Cut(other, "."); !slices.Contains(names, name) || !slices.Contains([]string{"objects", "decision", "dependents", "pace"}, what) {
			t.Errorf("%s.json belongs to no case", filepath.Join(folder, other))
		}
	}
	if len(names) == 0 {
		t.Errorf("no case in %s", folder)
	}
	return names
}

func violated(d operation.Decision) []string {
	var names []string
	for _, v := range d.Violations {
		names = append(names, v.Policy)
	}
	return names
}

func compareDecision(t *testing.T, d operation.Decision, file string) {
	t.Helper()
	got, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: go test ./cmd/mollyguard -update writes it", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
