package index

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// fakeAPI answers requests without a network, so that time can be made to pass: the
// real API server is asked in TestTheFeedFollowsACluster.
type fakeAPI struct {
	mu sync.Mutex
	// asked are the requests since the last look, as PATH?QUERY, but those for namespaces,
	// of which there are none.
	asked []string
	// list answers a list, watch a watch. A watch stays open until its writer is closed.
	list, watch func(r *http.Request) (*http.Response, error)
}

func (a *fakeAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	query := r.URL.Query()
	watching := query.Get("watch") == "true"
	query.Del("timeoutSeconds") // is random
	if r.URL.Path == "/api/v1/namespaces" {
		return quiet(r, watching)
	}
	a.mu.Lock()
	a.asked = append(a.asked, r.URL.Path+"?"+query.Encode())
	answer := a.list
	if watching {
		answer = a.watch
	}
	a.mu.Unlock()
	response, err := answer(r)
	if response != nil {
		response.Request = r
		response.Header.Set("Content-Type", "application/json")
	}
	return response, err
}

// quiet has nothing in it and never changes.
func quiet(r *http.Request, watching bool) (*http.Response, error) {
	answer := says(200, listOf("1", ""))
	if watching {
		answer = (&channel{}).answer
	}
	return answer(r)
}

func (a *fakeAPI) requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := a.asked
	a.asked = nil
	return asked
}

func (a *fakeAPI) set(list, watch func(r *http.Request) (*http.Response, error)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if list != nil {
		a.list = list
	}
	if watch != nil {
		a.watch = watch
	}
}

func says(code int, body string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func refuses(code int, reason string) func(*http.Request) (*http.Response, error) {
	return says(code, fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":%q,"reason":%q,"code":%d}`, "it is "+reason, reason, code))
}

func listOf(version, next string, names ...string) string {
	var items []string
	for _, name := range names {
		items = append(items, `{"metadata":{"namespace":"shop","name":"`+name+`","uid":"`+name+`","resourceVersion":"1"}}`)
	}
	return fmt.Sprintf(`{"kind":"PartialObjectMetadataList","metadata":{"resourceVersion":%q,"continue":%q},"items":[%s]}`, version, next, strings.Join(items, ","))
}

func eventOf(kind, name, version string) string {
	return fmt.Sprintf(`{"type":%q,"object":{"metadata":{"namespace":"shop","name":%q,"uid":%q,"resourceVersion":%q}}}`+"\n", kind, name, name, version)
}

// channel is a watch that a test writes to.
type channel struct {
	mu sync.Mutex
	w  *io.PipeWriter
}

func (c *channel) answer(r *http.Request) (*http.Response, error) {
	reader, writer := io.Pipe()
	context.AfterFunc(r.Context(), func() { writer.CloseWithError(r.Context().Err()) })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.w = writer
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: reader}, nil
}

func (c *channel) say(t *testing.T, text string) {
	t.Helper()
	c.mu.Lock()
	w := c.w
	c.mu.Unlock()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// end ends the watch as the server does when its time is over.
func (c *channel) end(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.w.Close(); err != nil {
		t.Fatal(err)
	}
}

// fakeDiscovery says which kinds there are.
type fakeDiscovery struct {
	mu    sync.Mutex
	lists []*metav1.APIResourceList
	err   error
	looks int
}

func (d *fakeDiscovery) ServerPreferredResourcesWithContext(context.Context) ([]*metav1.APIResourceList, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looks++
	return d.lists, d.err
}

func (d *fakeDiscovery) looked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.looks
	d.looks = 0
	return n
}

// set sets the kinds: GROUP/VERSION/RESOURCE/KIND, with "-" for the core group, that can
// be listed, watched and deleted.
func (d *fakeDiscovery) set(err error, kinds ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lists, d.err = nil, err
	for _, k := range kinds {
		parts := strings.Split(k, "/")
		verbs := metav1.Verbs{"delete", "list", "watch"}
		if len(parts) > 4 {
			verbs = strings.Split(parts[4], ",")
		}
		gv := schema.GroupVersion{Group: strings.Trim(parts[0], "-"), Version: parts[1]}
		d.lists = append(d.lists, &metav1.APIResourceList{GroupVersion: gv.String(), APIResources: []metav1.APIResource{
			{Name: parts[2], Kind: parts[3], Namespaced: parts[2] != "namespaces", Verbs: verbs},
		}})
	}
}

func failedGroups(groups ...string) error {
	err := &discovery.ErrGroupDiscoveryFailed{Groups: map[schema.GroupVersion]error{}}
	for _, group := range groups {
		err.Groups[schema.GroupVersion{Group: group, Version: "v1"}] = errors.New("no answer")
	}
	return err
}

// newTestFeed returns a feed that follows the kinds of discovery.
func newTestFeed(t *testing.T, api *fakeAPI, kinds *fakeDiscovery, exclude ...string) (*Feed, *diary) {
	t.Helper()
	d := newDiary()
	feed, err := NewFeed(FeedOptions{
		Config: &rest.Config{Host: "http://api.test", QPS: -1}, HTTPClient: &http.Client{Transport: api}, Sink: d, Exclude: exclude,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	feed.discoverer = kinds
	return feed, d
}

// start runs a feed; the function that it returns ends it.
func start(t *testing.T, feed *Feed) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- feed.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}
