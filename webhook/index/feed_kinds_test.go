package index

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
)

const namespacesKind = "-/v1/namespaces/Namespace"

// forever lists nothing, and its watches never end.
func forever() *fakeAPI {
	return &fakeAPI{list: says(200, listOf("1", "")), watch: (&channel{}).answer}
}

func phasesIn(d *diary) map[string]Phase {
	d.mu.Lock()
	defer d.mu.Unlock()
	got := map[string]Phase{}
	for resource, state := range d.states {
		got[resource.String()] = state.Phase
	}
	return got
}

func TestKindsAreFollowedIfTheyCanBeLostAndRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kinds := &fakeDiscovery{}
		kinds.set(nil, namespacesKind,
			"-/v1/pods/Pod", "-/v1/pods/status/Pod/get,patch", "-/v1/events/Event", "-/v1/endpoints/Endpoints", "-/v1/componentstatuses/ComponentStatus/get,list",
			"events.k8s.io/v1/events/Event", "discovery.k8s.io/v1/endpointslices/EndpointSlice", "coordination.k8s.io/v1/leases/Lease",
			"authentication.k8s.io/v1/tokenreviews/TokenReview/create", "apps/v1/controllerrevisions/ControllerRevision",
			"metrics.k8s.io/v1beta1/pods/PodMetrics", "example.com/v1/noise/Noise", "example.com/v1/odd/Odd/delete,list", "example.com/v1/views/View/list,watch",
		)
		feed, d := newTestFeed(t, forever(), kinds, "noise.example.com")
		defer start(t, feed)()
		synctest.Wait()
		want := map[string]Phase{
			"namespaces": Synced, "pods": Synced, "controllerrevisions.apps": Synced, "views.example.com": Synced, "odd.example.com": Unserved,
		}
		if diff := cmp.Diff(want, phasesIn(d)); diff != "" {
			t.Errorf("the kinds (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(Discovery{Known: true, Unserved: map[string]string{}}, d.found); diff != "" {
			t.Errorf("discovery (-want +got):\n%s", diff)
		}
	})
}

func TestAKindIsFollowedFromItsDefinitionToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const crds = "apiextensions.k8s.io/v1/customresourcedefinitions/CustomResourceDefinition"
		definitionsStream, others := &channel{}, &channel{}
		api := &fakeAPI{list: says(200, listOf("1", "")), watch: func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/apis/apiextensions.k8s.io/v1/customresourcedefinitions" {
				return definitionsStream.answer(r)
			}
			return others.answer(r)
		}}
		kinds := &fakeDiscovery{}
		kinds.set(nil, namespacesKind, crds)
		feed, d := newTestFeed(t, api, kinds)
		defer start(t, feed)()
		time.Sleep(time.Minute)
		synctest.Wait()
		kinds.looked()

		kinds.set(nil, namespacesKind, crds, "example.com/v1/widgets/Widget")
		for range 20 {
			definitionsStream.say(t, eventOf("MODIFIED", "theirs", "8"))
		}
		d.read()
		time.Sleep(settle)
		expect(t, d, "once there is a definition", "widgets.example.com pending", "begin widgets.example.com", "end widgets.example.com", "widgets.example.com synced")
		time.Sleep(lookAgain)
		synctest.Wait()
		if got := kinds.looked(); got != 2 {
			t.Errorf("discovery looked %d times after twenty changes, want 2", got)
		}

		kinds.set(nil, namespacesKind, crds)
		definitionsStream.say(t, eventOf("DELETED", "theirs", "9"))
		time.Sleep(settle)
		expect(t, d, "once it is gone", "forget widgets.example.com")
		if _, err := io.WriteString(others.w, eventOf("ADDED", "ghost", "10")); err == nil {
			t.Error("it is still being watched")
		}
	})
}

func TestAKindIsReadAnewInAnotherVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kinds := widgetsOnly()
		api := forever()
		feed, d := newTestFeed(t, api, kinds)
		defer start(t, feed)()
		synctest.Wait()
		api.requests()
		d.read()
		kinds.set(nil, namespacesKind, "example.com/v2/widgets/Widget")
		time.Sleep(lookEvery + time.Second)
		expect(t, d, "in another version", "widgets.example.com pending", "begin widgets.example.com", "end widgets.example.com", "widgets.example.com synced")
		want := []string{"/apis/example.com/v2/widgets?limit=500", "/apis/example.com/v2/widgets?allowWatchBookmarks=true&resourceVersion=1&watch=true"}
		if diff := cmp.Diff(want, about(api.requests(), "v2")); diff != "" {
			t.Errorf("the requests (-want +got):\n%s", diff)
		}
	})
}

func TestAGroupWhoseServerDoesNotAnswerKeepsItsKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kinds := widgetsOnly()
		feed, d := newTestFeed(t, forever(), kinds)
		defer start(t, feed)()
		synctest.Wait()
		kinds.set(failedGroups("example.com", "metrics.k8s.io"), namespacesKind)
		time.Sleep(lookEvery)
		synctest.Wait()
		if diff := cmp.Diff(map[string]Phase{"namespaces": Synced, widgetKind: Synced}, phasesIn(d)); diff != "" {
			t.Errorf("the kinds (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(Discovery{Known: true, Unserved: map[string]string{"example.com": "no answer"}}, d.found); diff != "" {
			t.Errorf("discovery (-want +got):\n%s", diff)
		}
	})
}

func TestWhileTheKindsCannotBeListedThatIsSaidAndTriedAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		err   error
		kinds []string
		want  string
	}{
		"there is no answer":          {errors.New("connection refused"), nil, "list the kinds: connection refused"},
		"the answer is of no cluster": {nil, []string{"example.com/v1/widgets/Widget"}, "read the list of kinds: there are no namespaces in it"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kinds := &fakeDiscovery{}
				kinds.set(tt.err, tt.kinds...)
				feed, d := newTestFeed(t, forever(), kinds)
				defer start(t, feed)()
				synctest.Wait()
				if diff := cmp.Diff(Discovery{Err: tt.want}, d.found); diff != "" {
					t.Errorf("discovery (-want +got):\n%s", diff)
				}
				kinds.set(nil, namespacesKind, "example.com/v1/widgets/Widget")
				time.Sleep(time.Second)
				synctest.Wait()
				good := map[string]Phase{"namespaces": Synced, widgetKind: Synced}
				if diff := cmp.Diff(good, phasesIn(d)); diff != "" {
					t.Errorf("once there is (-want +got):\n%s", diff)
				}

				kinds.set(tt.err, tt.kinds...)
				time.Sleep(time.Hour)
				synctest.Wait()
				if diff := cmp.Diff(good, phasesIn(d)); diff != "" {
					t.Errorf("when it fails later (-want +got):\n%s", diff)
				}
				if !d.found.Known {
					t.Errorf("when it fails later: %+v", d.found)
				}
			})
		})
	}
}

func TestOnlySoManyPagesAreReadAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{namespacesKind}
		for i := range 3 * maxPages {
			names = append(names, "example.com/v1/kind"+string(rune('a'+i))+"/Kind")
		}
		kinds := &fakeDiscovery{}
		kinds.set(nil, names...)
		var now, most atomic.Int32
		api := &fakeAPI{watch: (&channel{}).answer, list: func(r *http.Request) (*http.Response, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			time.Sleep(time.Second)
			return says(200, listOf("1", ""))(r)
		}}
		feed, d := newTestFeed(t, api, kinds)
		defer start(t, feed)()
		time.Sleep(time.Minute)
		synctest.Wait()
		if most.Load() != maxPages {
			t.Errorf("%d pages were read at once, want %d", most.Load(), maxPages)
		}
		if got := len(about(d.read(), " synced")); got != len(names) {
			t.Errorf("%d kinds are synced, want %d", got, len(names))
		}
	})
}

func TestSecretsNeverComeWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		accepts := map[string]map[string]bool{}
		stream := &channel{}
		note := func(answer func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
			return func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				defer mu.Unlock()
				if accepts[r.URL.Path] == nil {
					accepts[r.URL.Path] = map[string]bool{}
				}
				accepts[r.URL.Path][r.Header.Get("Accept")] = true
				return answer(r)
			}
		}
		kinds := &fakeDiscovery{}
		kinds.set(nil, namespacesKind, "-/v1/secrets/Secret", "-/v1/configmaps/ConfigMap", "-/v1/pods/Pod", "example.com/v1/widgets/Widget")
		feed, _ := newTestFeed(t, &fakeAPI{list: note(says(200, listOf("1", ""))), watch: note(stream.answer)}, kinds)
		defer start(t, feed)()
		synctest.Wait()
		const list = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
		const watch = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
		want := map[string]map[string]bool{
			"/api/v1/secrets":              {list: true, watch: true},
			"/api/v1/configmaps":           {list: true, watch: true},
			"/api/v1/pods":                 {"application/json": true},
			"/apis/example.com/v1/widgets": {list + ",application/json": true, watch + ",application/json": true},
		}
		mu.Lock()
		defer mu.Unlock()
		if diff := cmp.Diff(want, accepts); diff != "" {
			t.Errorf("what is accepted (-want +got):\n%s", diff)
		}
	})
}

func TestOfTooManyKindsThoseThatOthersRestOnAreFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range maxKinds {
			names = append(names, fmt.Sprintf("a.example.com/v1/kind%d/Kind", i))
		}
		kinds := &fakeDiscovery{}
		kinds.set(nil, append(names, namespacesKind, "policy/v1/poddisruptionbudgets/PodDisruptionBudget")...)
		feed, d := newTestFeed(t, forever(), kinds)
		defer start(t, feed)()
		synctest.Wait()
		counts := map[Phase]int{}
		for _, phase := range phasesIn(d) {
			counts[phase]++
		}
		if diff := cmp.Diff(map[Phase]int{Synced: maxKinds, Unserved: 2}, counts); diff != "" {
			t.Errorf("kinds by phase (-want +got):\n%s", diff)
		}
		for _, name := range []string{"namespaces", "poddisruptionbudgets.policy"} {
			if got := d.state(name).Phase; got != Synced {
				t.Errorf("%s: %s", name, got)
			}
		}
	})
}

func TestSomeKindsCannotBeExcluded(t *testing.T) {
	for name, want := range map[string]string{
		"pods":                        `exclude "pods": what depends on other objects can't be known without it`,
		"namespaces":                  `exclude "namespaces": what depends on other objects can't be known without it`,
		"poddisruptionbudgets.policy": `exclude "poddisruptionbudgets.policy": what depends on other objects can't be known without it`,
		"":                            `exclude "": it is not RESOURCE or RESOURCE.GROUP`,
		".example.com":                `exclude ".example.com": it is not RESOURCE or RESOURCE.GROUP`,
		"secrets":                     "",
		"widgets.example.com":         "",
	} {
		_, err := NewFeed(FeedOptions{Config: &rest.Config{Host: "http://api.test"}, Sink: newDiary(), Exclude: []string{name}})
		if got := text(err); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestAFeedNeedsSomebodyToAskAndSomebodyToTell(t *testing.T) {
	for name, o := range map[string]FeedOptions{
		"nobody to ask":           {Sink: newDiary()},
		"nobody to tell":          {Config: &rest.Config{Host: "http://api.test"}},
		"a client that gives up":  {Sink: newDiary(), Config: &rest.Config{Host: "http://api.test"}, HTTPClient: &http.Client{Timeout: time.Second}},
		"an address that is none": {Sink: newDiary(), Config: &rest.Config{Host: "http://%"}},
	} {
		if _, err := NewFeed(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
