package index

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// widgetsOnly is a cluster with one kind, beside namespaces.
func widgetsOnly() *fakeDiscovery {
	kinds := &fakeDiscovery{}
	kinds.set(nil, "-/v1/namespaces/Namespace", "example.com/v1/widgets/Widget")
	return kinds
}

const widgetKind = "widgets.example.com"

func expect(t *testing.T, d *diary, when string, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, about(d.read(), widgetKind)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

func TestAKindIsSyncedOnceAllPagesAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := &channel{}
		second := make(chan struct{})
		api := &fakeAPI{watch: stream.answer, list: func(r *http.Request) (*http.Response, error) {
			if r.URL.Query().Get("continue") == "" {
				return says(200, listOf("7", "more", "a", "b"))(r)
			}
			<-second
			return says(200, listOf("7", "", "c"))(r)
		}}
		feed, d := newTestFeed(t, api, widgetsOnly())
		defer start(t, feed)()

		expect(t, d, "after the first page", "widgets.example.com pending", "begin widgets.example.com", "put widgets.example.com shop/a", "put widgets.example.com shop/b")
		close(second)
		expect(t, d, "after the second", "put widgets.example.com shop/c", "end widgets.example.com", "widgets.example.com synced")

		stream.say(t, eventOf("ADDED", "d", "8")+eventOf("MODIFIED", "a", "9")+eventOf("BOOKMARK", "", "10")+eventOf("DELETED", "b", "11"))
		expect(t, d, "after events", "put widgets.example.com shop/d", "put widgets.example.com shop/a", "remove widgets.example.com shop/b")
		stream.end(t)
		synctest.Wait()
		want := []string{
			"/apis/example.com/v1/widgets?limit=500",
			"/apis/example.com/v1/widgets?continue=more&limit=500",
			"/apis/example.com/v1/widgets?allowWatchBookmarks=true&resourceVersion=7&watch=true",
			"/apis/example.com/v1/widgets?allowWatchBookmarks=true&resourceVersion=11&watch=true",
		}
		if diff := cmp.Diff(want, api.requests()); diff != "" {
			t.Errorf("the requests (-want +got):\n%s", diff)
		}
	})
}

func TestAListThatBreaksOffIsNotBelieved(t *testing.T) {
	whole := listOf("7", "", "a", "b")
	// What is wrong is in the library's words, which differ from process to process.
	for name, tt := range map[string]struct{ body, problem string }{
		"it is cut off":                  {whole[:len(whole)-20], `unexpected EOF within "/items/1/metadata"`},
		"an object can't be read":        {`{"metadata":{},"items":[{"metadata":{"name":1}}]}`, `unmarshal JSON number into Go string within "/metadata/name"`},
		"it is something else":           {`{"kind":"Table","rows":[]}`, "the answer is not a list"},
		"it is no object":                {`[]`, "the answer is not a list"},
		"its items are no list":          {`{"items":{}}`, "the answer is not a list"},
		"its pages never come to an end": {listOf("7", "more"), `the page after "more" is the same page`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				feed, d := newTestFeed(t, &fakeAPI{list: says(200, tt.body)}, widgetsOnly())
				defer start(t, feed)()
				synctest.Wait()
				got := d.state(widgetKind)
				if !strings.HasPrefix(got.Err, "list widgets.example.com: ") || !strings.Contains(got.Err, tt.problem) {
					t.Errorf("it says %q, want %q", got.Err, tt.problem)
				}
				got.Err = ""
				if diff := cmp.Diff(State{Phase: Unserved, Namespaced: true}, got); diff != "" {
					t.Errorf("the state (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestAKindThatMayNotBeListedIsForbiddenUntilItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := &channel{}
		api := &fakeAPI{watch: stream.answer, list: refuses(403, "Forbidden")}
		feed, d := newTestFeed(t, api, widgetsOnly())
		defer start(t, feed)()
		expect(t, d, "at first", "widgets.example.com pending", "begin widgets.example.com", "widgets.example.com forbidden list widgets.example.com: it is Forbidden")

		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(about(d.read(), "begin")); n < 12 || n > 30 {
			t.Errorf("it was tried %d times in an hour; pauses of up to five minutes are meant", n)
		}
		api.set(says(200, listOf("7", "", "a")), nil)
		time.Sleep(5 * time.Minute)
		expect(t, d, "once it may", "begin widgets.example.com", "put widgets.example.com shop/a", "end widgets.example.com", "widgets.example.com synced")
	})
}

func TestWhatWasReadIsBelievedForAMinuteWithoutAWatch(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		down       error
	}{
		{"the network is down", `list widgets.example.com: Get "http://api.test/apis/example.com/v1/widgets?limit=500": no route to host`, syscall.EHOSTUNREACH},
		// Then the reflector would go on with the old version for as long as it takes.
		{"nobody listens", `connection refused`, syscall.ECONNREFUSED},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := &channel{}
				api := &fakeAPI{watch: stream.answer, list: says(200, listOf("7", "", "a"))}
				feed, d := newTestFeed(t, api, widgetsOnly())
				defer start(t, feed)()
				time.Sleep(time.Minute) // the reflector lists anew after a watch of less than a second
				synctest.Wait()
				d.read()

				down := func(*http.Request) (*http.Response, error) { return nil, tt.down }
				api.set(down, down)
				stream.end(t)
				time.Sleep(maxStale - time.Second)
				synctest.Wait()
				if got := d.state(widgetKind); got.Phase != Synced {
					t.Errorf("within a minute: %+v", got)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if got := d.state(widgetKind); got.Phase != Unserved || !strings.HasSuffix(got.Err, tt.want) {
					t.Errorf("after a minute: %+v", got)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				d.read()

				api.set(says(200, listOf("9", "", "b")), stream.answer)
				time.Sleep(2 * time.Minute)
				expect(t, d, "once it answers", "begin widgets.example.com", "put widgets.example.com shop/b", "end widgets.example.com", "widgets.example.com synced")
				if _, ok := d.object(widgetKind, "shop/a"); ok {
					t.Error("what went meanwhile is still there")
				}
			})
		})
	}
}

func TestAWatchThatNeverAnswersIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &fakeAPI{list: says(200, listOf("7", "", "a")), watch: func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}}
		feed, d := newTestFeed(t, api, widgetsOnly())
		defer start(t, feed)()
		time.Sleep(maxStale + time.Second)
		synctest.Wait()
		want := State{Phase: Unserved, Namespaced: true, Err: "no watch could be begun for 1m0s"}
		if diff := cmp.Diff(want, d.state(widgetKind)); diff != "" {
			t.Errorf("the state (-want +got):\n%s", diff)
		}
		time.Sleep(maxSilence)
		synctest.Wait()
		if got := len(about(d.read(), "end widgets")); got != 2 {
			t.Errorf("it was listed %d times; it should be listed again once the watch was given up", got)
		}
	})
}

func TestASilentWatchIsBegunAgainWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := &channel{}
		api := &fakeAPI{watch: stream.answer, list: says(200, listOf("7", "", "a"))}
		feed, d := newTestFeed(t, api, widgetsOnly())
		defer start(t, feed)()
		synctest.Wait()
		for range 4 { // bookmarks are signs of life
			time.Sleep(time.Minute)
			stream.say(t, eventOf("BOOKMARK", "", "12"))
			synctest.Wait()
		}
		if got := len(api.requests()); got != 2 {
			t.Errorf("%d requests while the watch lived, want a list and a watch", got)
		}
		d.read()
		time.Sleep(maxSilence)
		synctest.Wait()
		want := []string{"/apis/example.com/v1/widgets?allowWatchBookmarks=true&resourceVersion=12&watch=true"}
		if diff := cmp.Diff(want, api.requests()); diff != "" {
			t.Errorf("the requests (-want +got):\n%s", diff)
		}
		stream.say(t, eventOf("DELETED", "a", "13"))
		expect(t, d, "after the silence", "remove widgets.example.com shop/a")
	})
}

func TestAVersionThatIsTooOldMakesANewList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := &channel{}
		api := &fakeAPI{watch: stream.answer, list: says(200, listOf("7", "", "a"))}
		feed, d := newTestFeed(t, api, widgetsOnly())
		defer start(t, feed)()
		synctest.Wait()
		d.read()
		api.set(says(200, listOf("70", "", "b")), nil)
		stream.say(t, `{"type":"ERROR","object":{"kind":"Status","status":"Failure","reason":"Expired","message":"too old resource version","code":410}}`+"\n")
		time.Sleep(2 * time.Second)
		expect(t, d, "after 410", "begin widgets.example.com", "put widgets.example.com shop/b", "end widgets.example.com")
		if _, ok := d.object(widgetKind, "shop/a"); ok {
			t.Error("what is not in the new list is still there")
		}
	})
}

func TestAnEventThatCannotBeReadMakesANewList(t *testing.T) {
	for name, text := range map[string]string{
		"it is no JSON":           "<html>\n",
		"its type is unknown":     eventOf("EXPLODED", "a", "8"),
		"its object is no object": `{"type":"ADDED","object":[]}` + "\n",
		"its error is none":       `{"type":"ERROR","object":[]}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := &channel{}
				api := &fakeAPI{watch: stream.answer, list: says(200, listOf("7", "", "a"))}
				feed, d := newTestFeed(t, api, widgetsOnly())
				defer start(t, feed)()
				synctest.Wait()
				d.read()
				stream.say(t, text)
				time.Sleep(2 * time.Second)
				expect(t, d, "after the event", "begin widgets.example.com", "put widgets.example.com shop/a", "end widgets.example.com")
			})
		})
	}
}

func TestAPanicIsAKindThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := &channel{}
		api := &fakeAPI{watch: stream.answer, list: says(200, listOf("7", "", "a"))}
		feed, d := newTestFeed(t, api, widgetsOnly())
		feed.sink = &bomb{diary: d}
		defer start(t, feed)()
		synctest.Wait()
		want := State{Phase: Unserved, Namespaced: true, Err: "the feed panicked: boom"}
		if diff := cmp.Diff(want, d.state(widgetKind)); diff != "" {
			t.Errorf("the state (-want +got):\n%s", diff)
		}
	})
}

// bomb is a sink that panics.
type bomb struct{ *diary }

func (*bomb) Put(Object) { panic("boom") }
