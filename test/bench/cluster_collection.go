package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mollyguard/mollyguard/webhook/index"
)

const (
	// bookmarkInterval is how often a watch says that it lives, as the API server does.
	bookmarkInterval = time.Minute
	// queued is how many events may wait for a watcher.
	queued = 1000
	// initialEventsEnd marks the bookmark that ends a list which is streamed
	// (k8s.io/apimachinery metav1.InitialEventsAnnotationKey).
	initialEventsEnd = `"annotations":{"k8s.io/initial-events-end":"true"},`
)

// collection is all objects of a kind. It does not keep up with its own events: a list is
// always of the beginning.
type collection struct {
	kind    kind
	items   [][]byte
	names   map[string]int
	whole   bool // items are whole objects, not metadata
	objects []index.Object

	mu       sync.Mutex
	watchers map[*clusterWatch]bool
}

// clusterWatch is somebody who watches a kind.
type clusterWatch struct {
	events chan []byte
	gone   chan struct{} // is closed once nobody reads any more
}

func newCollection(k kind) *collection {
	return &collection{kind: k, names: map[string]int{}, watchers: map[*clusterWatch]bool{}}
}

func (c *collection) add(o index.Object, data []byte) {
	c.names[o.Namespace+"/"+o.Name] = len(c.items)
	c.items, c.objects, c.whole = append(c.items, data), append(c.objects, o), o.Facts != nil
}

// get returns the object NAMESPACE/NAME.
func (c *collection) get(name string) ([]byte, bool) {
	if c == nil {
		return nil, false
	}
	at, ok := c.names[name]
	if !ok {
		return nil, false
	}
	return c.items[at], true
}

// has reports whether the objects are there in a form.
func (c *collection) has(accept string) bool {
	return len(c.items) == 0 || c.whole != strings.Contains(accept, "as="+partialKind)
}

// list writes a page.
func (c *collection) list(to http.ResponseWriter, query url.Values, accept string, version int64) error {
	from, limit := 0, len(c.items)
	var err error
	if text := query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil {
			return fmt.Errorf("limit: %w", err)
		}
	}
	if text := query.Get("continue"); text != "" {
		if from, err = strconv.Atoi(text); err != nil || from > len(c.items) {
			return fmt.Errorf("continue: %q", text)
		}
	}
	end := min(from+limit, len(c.items))
	next, left := "", ""
	if end < len(c.items) {
		next, left = strconv.Itoa(end), fmt.Sprintf(`,"remainingItemCount":%d`, len(c.items)-end)
	}
	to.Header().Set("Content-Type", "application/json")
	w := bufio.NewWriterSize(to, 32<<10)
	kind, apiVersion := c.form(accept)
	fmt.Fprintf(w, `{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":"%d","continue":%q%s},"items":[`, kind+"List", apiVersion, version, next, left)
	for i, item := range c.items[from:end] {
		if i > 0 {
			_ = w.WriteByte(',') // Flush returns the first error
		}
		_, _ = w.Write(item)
	}
	_, _ = w.WriteString("]}\n")
	return w.Flush()
}

// watch writes events until the watcher goes, or its time is over.
func (c *collection) watch(ctx context.Context, w http.ResponseWriter, query url.Values, accept string, version int64) {
	watcher := c.join()
	defer c.leave(watcher)
	seconds, err := strconv.Atoi(query.Get("timeoutSeconds"))
	if err != nil {
		seconds = 1800 // kube-apiserver --min-request-timeout
	}
	over := time.NewTimer(time.Duration(seconds) * time.Second)
	defer over.Stop()
	bookmarks := time.NewTicker(bookmarkInterval)
	defer bookmarks.Stop()
	w.Header().Set("Content-Type", "application/json;stream=watch")
	w.WriteHeader(http.StatusOK)
	if query.Get("sendInitialEvents") == "true" {
		for _, item := range c.items {
			_, _ = w.Write(eventOf("ADDED", item)) // Flush says so
		}
		_, _ = io.WriteString(w, c.bookmark(accept, version, initialEventsEnd))
	}
	flush := http.NewResponseController(w).Flush
	for err := flush(); err == nil; err = flush() {
		event := []byte(nil)
		select {
		case event = <-watcher.events:
		case <-bookmarks.C:
			event = []byte(c.bookmark(accept, version, ""))
		case <-over.C:
			return
		case <-ctx.Done():
			return
		}
		if _, err := w.Write(event); err != nil {
			return
		}
	}
}

func (c *collection) join() *clusterWatch {
	watcher := &clusterWatch{events: make(chan []byte, queued), gone: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers[watcher] = true
	return watcher
}

func (c *collection) leave(watcher *clusterWatch) {
	close(watcher.gone)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.watchers, watcher)
}

// tell tells all watchers, and waits for those that are slow.
func (c *collection) tell(event []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for watcher := range c.watchers {
		select {
		case watcher.events <- event:
		case <-watcher.gone:
		}
	}
}

func eventOf(event string, object []byte) []byte {
	return fmt.Appendf(nil, `{"type":%q,"object":%s}`+"\n", event, object)
}

// bookmark is an event that says nothing but how far the watch has come.
func (c *collection) bookmark(accept string, version int64, annotations string) string {
	kind, apiVersion := c.form(accept)
	return fmt.Sprintf(`{"type":"BOOKMARK","object":{"kind":%q,"apiVersion":%q,"metadata":{%s"resourceVersion":"%d","creationTimestamp":null}}}`+"\n",
		kind, apiVersion, annotations, version)
}

// form is the kind that objects are shown as.
func (c *collection) form(accept string) (kind, apiVersion string) {
	if strings.Contains(accept, "as="+partialKind) {
		return partialKind, "meta.k8s.io/v1"
	}
	return c.kind.kind, c.kind.apiVersion()
}
