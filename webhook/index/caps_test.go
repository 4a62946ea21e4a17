package index

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"

	"github.com/mollyguard/mollyguard/operation"
)

// many are so many labels, and what more says.
func many(n int, more ...string) map[string]string {
	set := with(nil, more...)
	for i := range n - len(set) {
		set[fmt.Sprintf("label-%d", i)] = "x"
	}
	return set
}

// manyNames are so many names.
func manyNames(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("name-%06d", i))
	}
	return names
}

func production(o *Object) { o.Labels = with(o.Labels, "env", "production") }

// strange is a pod in staging.
func strange(facts Pod, more ...func(*Object)) Object {
	o := Object{Resource: pods, Kind: "Pod", Namespace: "staging", Name: "strange", UID: "strange", Facts: &facts}
	for _, f := range more {
		f(&o)
	}
	return o
}

func labelled(set map[string]string) func(*Object) {
	return func(o *Object) { o.Labels = set }
}

func TestWhatWasLeftOutCountsAndIsSaid(t *testing.T) {
	long := labels.SelectorFromSet(many(maxRequirements + 1))
	oneMore := make([]string, maxAccounts+1)
	for i := range oneMore {
		oneMore[i] = fmt.Sprintf("ci/%d", i)
	}
	pod := func(via operation.Via, production int, names ...string) []operation.Dependents {
		return []operation.Dependents{{Kind: "Pod", Via: via, Count: len(names), Production: production, Names: names}}
	}
	ofStaging := func(selector string) Question {
		return Question{Resource: services, Namespace: "staging", Name: "web", Selector: mustSelect(selector)}
	}
	for _, tt := range []struct {
		name string
		put  Object
		ask  Question
		want Answer
	}{
		{"a pod with as many labels as are kept is not selected by what it does not match", strange(Pod{}, labelled(many(maxLabels, "env", "production"))), ofStaging("app=web"), Answer{
			Dependents: pod(selected, 0, "web"),
		}},
		{"a pod with more labels may be selected by anything", strange(Pod{}, labelled(many(maxLabels+1, "env", "production"))), ofStaging("app=web"), Answer{
			Dependents: pod(selected, 1, "strange", "web"), Unknown: []string{tooManyLabels},
		}},
		{"so may one whose labels are long", strange(Pod{}, labelled(with(nil, "env", "production", "app", strings.Repeat("x", maxText)))), ofStaging("app=web"), Answer{
			Dependents: pod(selected, 1, "strange", "web"), Unknown: []string{tooManyLabels},
		}},
		{"where it is not production nothing need be said", strange(Pod{}, labelled(many(maxLabels+1))), ofStaging("app=web"), Answer{
			Dependents: pod(selected, 0, "strange", "web"),
		}},
		{"what selects all selects it for sure", strange(Pod{}, labelled(many(maxLabels+1, "env", "production"))), Question{
			Resource: networkPolicies, Namespace: "staging", Name: "all", Selector: labels.Everything(),
		}, Answer{Dependents: pod(selected, 1, "strange", "web")}},
		{"a pod that is done needs nothing", strange(Pod{Done: true}, labelled(many(maxLabels+1, "env", "production"))), ofStaging("app=web"), Answer{
			Dependents: pod(selected, 0, "web"),
		}},
		{"a selector that is too long may select anything", strange(Pod{}, production), Question{
			Resource: networkPolicies, Namespace: "staging", Name: "long", Selector: long,
		}, Answer{Dependents: pod(selected, 1, "strange", "web"), Unknown: []string{tooLongSelect}}},
		{"so may one with too many values", strange(Pod{}, production), ofStaging("a in (" + strings.Join(manyNames(maxRequirements+1), ",") + ")"), Answer{
			Dependents: pod(selected, 1, "strange", "web"), Unknown: []string{tooLongSelect},
		}},
		{"and that of a Service in the index", Object{Resource: services, Kind: "Service", Namespace: "shop", Name: "long", Facts: &Service{Selector: long}},
			Question{Resource: services, Namespace: "shop", Name: "long"}, Answer{
				Dependents: pod(selected, 3, "db-0", "web-1-a", "web-1-b", "agent"), Unknown: []string{tooLongSelect},
			}},
		{"a budget that is too long covers nothing", Object{Resource: budgets, Kind: "PodDisruptionBudget", Namespace: "shop", Name: "web", Facts: &Budget{Selector: long}},
			Question{Resource: pods, Namespace: "shop", Name: "web-1-a"}, Answer{}},
		{"a pod with too many labels is covered by none but a budget for all", strange(Pod{Node: "n9"}, labelled(many(maxLabels+1, "env", "production"))),
			Question{Resource: nodes, Name: "n9"}, Answer{Dependents: pod(scheduled, 1, "staging/strange")}},
		{"a pod with more names may mount any secret", strange(Pod{Secrets: manyNames(maxText / 10)}, production), Question{Resource: secrets, Namespace: "staging", Name: "other"}, Answer{
			Dependents: pod(mounted, 1, "strange"), Unknown: []string{tooManyNames},
		}},
		{"and any config map", strange(Pod{Secrets: manyNames(maxText / 10)}, production), Question{Resource: configMaps, Namespace: "staging", Name: "other"}, Answer{
			Dependents: pod(mounted, 1, "strange"), Unknown: []string{tooManyNames},
		}},
		{"a pod with more claims may mount any of its namespace", strange(Pod{Claims: manyNames(maxClaims + 1)}, production), Question{
			Resource: claims, Namespace: "staging", Name: "other",
		}, Answer{Dependents: pod(mounted, 1, "strange"), Unknown: []string{tooManyClaims}}},
		{"but none of another", strange(Pod{Claims: manyNames(maxClaims + 1)}, production), Question{Resource: claims, Namespace: "shop", Name: "other"}, Answer{}},
		{"an object with more labels than are read is production", widget("a", labelled(many(maxRead+1))), Question{Resource: deployments, Namespace: "shop", Name: "x", Scales: &Reference{Resource: widgets, Name: "a"}}, Answer{
			Dependents: []operation.Dependents{{Kind: "Widget", Via: scaled, Count: 1, Production: 1, Names: []string{"a"}}},
		}},
		{"a binding of too many accounts is one of all", Object{Resource: roleBindings, Kind: "RoleBinding", Namespace: "staging", Name: "many", Facts: &Binding{RoleKind: "Role", RoleName: "many", Accounts: oneMore}},
			Question{Resource: roles, Namespace: "staging", Name: "many"}, Answer{
				Dependents: pod(uses, 3, "shop/db-0", "shop/web-1-a", "shop/web-1-b", "shop/agent", "web"),
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := shop()
			x.Put(tt.put)
			if diff := cmp.Diff(tt.want, x.Lost(tt.ask), equateEmpty); diff != "" {
				t.Errorf("Lost (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAVolumeThatAnyPodMayMountIsProduction(t *testing.T) {
	x := New(Options{Production: byEnvironment})
	readAll(x)
	x.Put(Object{Resource: claims, Kind: "PersistentVolumeClaim", Namespace: "staging", Name: "data", UID: "c", Facts: &Claim{Volume: "pv"}})
	x.Put(strange(Pod{Claims: manyNames(maxClaims + 1)}, production))
	want := []operation.Volume{{Claim: "staging/data", Name: "pv", Production: true}}
	if diff := cmp.Diff(want, x.Lost(Question{Resource: claims, Namespace: "staging", Name: "data", UID: "c"}).Volumes); diff != "" {
		t.Errorf("Volumes (-want +got):\n%s", diff)
	}
}

func TestOwnersThatAreNotFollowedRaiseADoubt(t *testing.T) {
	owners := func(o *Object) {
		for i := range maxOwners + 1 {
			o.Owners = append(o.Owners, Owner{UID: uidNumber(i)})
		}
	}
	ask := func(namespace string, number int) Question {
		return Question{Resource: gadgets, Namespace: namespace, Name: fmt.Sprint(number), UID: uidNumber(number)}
	}
	child := []operation.Dependents{{Kind: "Widget", Via: ownedBy, Count: 1, Production: 1, Names: []string{"child"}}}
	doubt := []string{tooManyOwners}
	orphan := ask("shop", maxOwners)
	orphan.Orphan = true
	for _, tt := range []struct {
		name  string
		child Object
		ask   Question
		want  Answer
	}{
		{"the first of them are", widget("child", production, owners), ask("shop", maxOwners-1), Answer{Dependents: child, Unknown: doubt}},
		{"of the others it is said", widget("child", production, owners), ask("shop", maxOwners), Answer{Unknown: doubt}},
		{"not where dependents stay", widget("child", production, owners), orphan, Answer{}},
		{"not in another namespace", widget("child", production, owners), ask("staging", maxOwners), Answer{}},
		{"not of what is in none", widget("child", production, owners), ask("", maxOwners), Answer{}},
		{"not if it is not production", widget("child", owners), ask("shop", maxOwners), Answer{}},
		{"nor if there are as many as are followed", widget("child", production, owners, func(o *Object) { o.Owners = o.Owners[:maxOwners] }), ask("shop", maxOwners), Answer{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := New(Options{Production: byEnvironment})
			readAll(x)
			x.Put(tt.child)
			if diff := cmp.Diff(tt.want, x.Lost(tt.ask), equateEmpty); diff != "" {
				t.Errorf("Lost (-want +got):\n%s", diff)
			}
			for resource := range universe {
				x.Forget(resource)
			}
			if diff := cmp.Diff(leftovers{}, whatIsLeft(x)); diff != "" {
				t.Errorf("an index that was emptied still holds (-want +got):\n%s", diff)
			}
		})
	}
}

// counting is a selector that counts how many pods it is asked about.
type counting struct {
	labels.Selector
	asked *int
}

func (c counting) Matches(of labels.Labels) bool {
	*c.asked++
	return c.Selector.Matches(of)
}

func TestAQuestionLooksAtNoMoreLabelsThanItMay(t *testing.T) {
	x := New(Options{Production: byEnvironment})
	readAll(x)
	set := many(maxLabels - 1)
	const each = maxLabels // the pod, and each label of the selector
	const n = maxCompared/each + 100
	for i := range n {
		// None is like another, so that each must be looked at.
		x.Put(Object{
			Resource: pods, Kind: "Pod", Namespace: "shop", Name: fmt.Sprint(i), UID: fmt.Sprint(i),
			Labels: with(set, "id", fmt.Sprint(i)), Facts: &Pod{Node: "n1"},
		})
	}
	asked := 0
	selector := counting{labels.SelectorFromSet(set), &asked}
	got := x.Lost(Question{Resource: services, Namespace: "shop", Name: "all", Selector: selector})
	if diff := cmp.Diff([]string{tooManyPods}, got.Unknown); diff != "" {
		t.Errorf("Unknown (-want +got):\n%s", diff)
	}
	if most := maxCompared/each + 1; asked > most || asked < most/2 || got.Dependents[0].Count != asked {
		t.Errorf("%d pods of %d were compared, and %d counted, want at most %d", asked, n, got.Dependents[0].Count, most)
	}

	asked = 0
	x.Put(Object{Resource: budgets, Kind: "PodDisruptionBudget", Namespace: "shop", Name: "all", Facts: &Budget{Selector: selector}})
	got = x.Lost(Question{Resource: nodes, Name: "n1"})
	if diff := cmp.Diff([]string{tooManyPods}, got.Unknown); diff != "" || asked > maxCompared/each+1 {
		t.Errorf("%d pods of a node were compared, Unknown (-want +got):\n%s", asked, diff)
	}
}

func TestAHugePodTakesNoMoreThanAnother(t *testing.T) {
	const n = 160
	set, some := many(8000), manyNames(8000)
	x := New(Options{Production: byEnvironment})
	x.Put(strange(Pod{})) // the first takes the tables
	before := heap()
	for i := range n {
		x.Put(Object{
			Resource: pods, Kind: "Pod", Namespace: "shop", Name: fmt.Sprint(i), UID: fmt.Sprint(i), Labels: with(set, "id", fmt.Sprint(i)),
			Facts: &Pod{Claims: slices.Clone(some), Secrets: slices.Clone(some), ConfigMaps: slices.Clone(some)},
		})
	}
	// Other tests leave some 100 KB in pools. Without bounds a pod takes more than 1 MB.
	if each := (heap() - before) / n; each > 2<<10 {
		t.Errorf("%d bytes a pod, want some %d", each, maxBytes)
	}
	if x.Len() != n+1 || len(set) != len(some) {
		t.Errorf("%d objects, want %d", x.Len(), n+1)
	}
}

func TestAPackedListFindsWhatIsInIt(t *testing.T) {
	word := rapid.StringMatching(`[a-z./-]{0,8}`)
	rapid.Check(t, func(t *rapid.T) {
		set := rapid.MapOf(word, word).Draw(t, "set")
		packed, words := packLabels(set), pack(slices.Collect(maps.Keys(set)))
		for _, key := range append(slices.Collect(maps.Keys(set)), word.Draw(t, "another")) {
			want, in := set[key]
			if got, ok := packed.lookup(key); got != want || ok != in || words.has(key) != in {
				t.Fatalf("%q: %q %t, and %t among the words, want %q %t", key, got, ok, words.has(key), want, in)
			}
		}
	})
}
