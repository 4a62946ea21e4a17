package webhook

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

// TestNoWeakeningIsFilteredOut puts random objects together from what the weakenings
// look at, and holds the API server's filter against the mapper: what that would judge
// must be sent. Objects of Kubernetes' own kinds are as the API server decodes them;
// custom resources hold anything anywhere.
func TestNoWeakeningIsFilteredOut(t *testing.T) {
	opts := defaultOptions(t)
	opts.WholeCluster = true
	opts.Agents = []string{"system:serviceaccount:agents:.*"}
	configuration := Configuration(opts).Validating
	server := newAPIServer(t)
	mapper := testMapper(t)
	mapper.agents = append(mapper.agents, patterns(t, opts.Agents...)...)
	random := rand.New(rand.NewPCG(1, 2))
	var odd int
	judged := map[operation.Verb]int{}
	// One object of each kind of custom resource, and everything that the table has of
	// the others: parts of any two are put together.
	pool := map[string][]weakeningTest{}
	for _, tt := range weakeningTable() {
		if tt.old != "" {
			pool[tt.resource] = append(pool[tt.resource], tt)
		}
	}
	for _, resource := range slices.Sorted(maps.Keys(pool)) {
		cases := pool[resource]
		for range 120 {
			old, new := mixed(t, random, cases), mixed(t, random, cases)
			one := cases[random.IntN(len(cases))]
			c := one.call(t)
			if isCustom(resource) && random.IntN(2) == 0 {
				spoil(random, old)
				spoil(random, new)
				odd++
			}
			c.old, c.new, c.typed = old, new, random.IntN(2) == 0
			c.user = []string{"alice", operatorUser, agentUser}[random.IntN(3)]
			op, need, ours := judgedBy(t, mapper, c)
			judged[op.Verb]++
			if harms := ours && op.Verb != operation.Update || len(need.owners) > 0; harms && len(server.called(configuration, c)) != 1 {
				t.Errorf("%s/%s by %s\n%s →\n%s: not sent, but the mapper says %s", resource, c.subresource, c.user, jsonText(t, old), jsonText(t, new), inWords(op))
			}
		}
	}
	for _, verb := range []operation.Verb{operation.Update, operation.Unprotect, operation.ScaleToZero, operation.Unknown} {
		if judged[verb] < 20 {
			t.Errorf("only %d updates are %s: the objects are not what they should be", judged[verb], verb)
		}
	}
	t.Logf("%v, %d with odd types", judged, odd)
}

func isCustom(resource string) bool {
	return slices.Contains([]string{widgets, "keda.sh/scaledobjects", "s3.aws.upbound.io/buckets"}, resource)
}

func jsonText(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// mixed is an object with members of several cases.
func mixed(t testing.TB, random *rand.Rand, cases []weakeningTest) map[string]any {
	t.Helper()
	o := parsed(t, "{}")
	for range 1 + random.IntN(3) {
		one := cases[random.IntN(len(cases))]
		overlay(o, parsed(t, []string{one.old, one.new}[random.IntN(2)]))
	}
	return o
}

func overlay(into, from map[string]any) {
	for key, value := range from {
		inner, isMap := value.(map[string]any)
		if have, ok := into[key].(map[string]any); ok && isMap {
			overlay(have, inner)
		} else {
			into[key] = value
		}
	}
}

// spoil puts a value of any type somewhere below spec.
func spoil(random *rand.Rand, o map[string]any) {
	values := []any{nil, "", "text", "0", "7", int64(0), int64(-1), int64(3), 0.5, true, false, []any{}, []any{"Delete"}, []any{[]any{}}, map[string]any{}, map[string]any{"replicas": "x"}}
	value := values[random.IntN(len(values))]
	spec, ok := o["spec"].(map[string]any)
	if !ok || random.IntN(6) == 0 {
		o["spec"] = value
		return
	}
	fields := []string{
		"replicas", "size", "instances", "minReplicaCount", "maxReplicaCount", "deletionPolicy", "managementPolicies", "deletionProtection", "forProvider",
	}
	spec[fields[random.IntN(len(fields))]] = value
}

// TestOwnersAreLookedUpWhoeverAddsThem is about the cluster's operators, who add owners
// all day: only whether those are there tells.
func TestOwnersAreLookedUpWhoeverAddsThem(t *testing.T) {
	for _, user := range []string{"alice", operatorUser} {
		c := updated("/configmaps", "ConfigMap", ownedText(ownerA), ownedText(ownerA+","+ownerB+","+ownerB)).by(user).call(t)
		_, need, ours := judgedBy(t, testMapper(t), c)
		want := needs{namespace: "shop", owners: []ObjectRef{{APIVersion: "v1", Kind: "ConfigMap", Name: "b", UID: "2"}}}
		if diff := cmp.Diff(want, need, cmp.AllowUnexported(needs{})); diff != "" || !ours {
			t.Errorf("by %s (ours: %v): needs (-want +got):\n%s", user, ours, diff)
		}
	}
}

// TestWhatIsLargeIsSentAndNotComputed is about the cost of CEL: an expression that
// costs too much would refuse the request.
func TestWhatIsLargeIsSentAndNotComputed(t *testing.T) {
	opts := defaultOptions(t)
	opts.WholeCluster = true
	configuration := Configuration(opts).Validating
	server := newAPIServer(t)
	list := func(n int, format string) string {
		items := make([]string, n)
		for i := range items {
			items[i] = fmt.Sprintf(format, i)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	pairs := func(n int) string { return jsonText(t, many(n, "x")) }
	const n = 20_000
	for _, c := range []weakeningCase{
		updated("apps/daemonsets", "DaemonSet", specText(`{"template":{"spec":{"nodeSelector":`+pairs(n)+`}}}`), specText(`{"template":{"spec":{"nodeSelector":`+pairs(n+1)+`}}}`)),
		updated("apiextensions.k8s.io/customresourcedefinitions", "CustomResourceDefinition",
			specText(`{"versions":`+list(n, `{"name":"v%d","served":true,"storage":false}`)+`}`), specText(`{"versions":`+list(n+1, `{"name":"v%d","served":true,"storage":false}`)+`}`)),
		updated("apiextensions.k8s.io/customresourcedefinitions", "CustomResourceDefinition", schemaText(pairs(n)), schemaText(pairs(n+1))),
		updated("/services", "Service", specText(`{"selector":`+pairs(n)+`}`), specText(`{"selector":`+pairs(n+1)+`}`)),
		updated("apps/deployments", "Deployment", finalizedText(true, list(n, `"a/f%d"`)), finalizedText(true, list(n+1, `"a/f%d"`))),
		updated("apps/deployments", "Deployment", ownedText(ownerA), `{"metadata":{"ownerReferences":`+list(n, `{"apiVersion":"v1","kind":"ConfigMap","name":"a","uid":"%d"}`)+`}}`),
		updated("s3.aws.upbound.io/buckets", "Bucket", specText(`{"managementPolicies":`+list(n, `"p%d"`)+`}`), specText(`{"managementPolicies":`+list(n+1, `"p%d"`)+`}`)),
	} {
		k := c.call(t)
		if hooks := server.called(configuration, k); len(hooks) != 1 {
			t.Errorf("%s is sent to %v", c.resource, hooks)
		}
		if op, _, _ := judgedBy(t, testMapper(t), k); len(op.Changes) > maxChanges {
			t.Errorf("%s: %d changes are told", c.resource, len(op.Changes))
		}
	}
}
