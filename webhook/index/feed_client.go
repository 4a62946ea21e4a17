package index

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// apiClient reads lists and watches of any kind as streams of JSON, so that neither a
// list nor a page of it is ever in memory, and of each object only what is wanted. It
// may be used concurrently.
type apiClient struct {
	rest *rest.RESTClient
	// slots has an entry for each page that is being read.
	slots chan struct{}
}

// page is where a page of a list ends.
type page struct {
	ResourceVersion string `json:"resourceVersion"`
	// Continue is what the next page is asked for with, empty for the last.
	Continue string `json:"continue"`
}

// list reads a whole list, page by page, and calls each with every object's JSON, which
// it must not keep. It waits for its turn. The pages are of one state of the cluster,
// the newest; it returns the version of that.
func (c *apiClient) list(ctx context.Context, k servedKind, each func(data []byte) error) (resourceVersion string, err error) {
	for next := ""; ; {
		p, err := c.page(ctx, k, next, each)
		if err != nil {
			return "", err
		}
		if p.Continue == "" {
			return p.ResourceVersion, nil
		}
		if p.Continue == next {
			return "", fmt.Errorf("list %s: the page after %q is the same page", k.GroupResource(), next)
		}
		next = p.Continue
	}
}

func (c *apiClient) page(ctx context.Context, k servedKind, next string, each func(data []byte) error) (_ page, err error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return page{}, ctx.Err()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, pageTimeout, fmt.Errorf("a page was not read within %s", pageTimeout))
	defer cancel()
	request := c.get(k, "PartialObjectMetadataList").Param("limit", strconv.Itoa(pageSize))
	if next != "" {
		request.Param("continue", next)
	}
	body, err := request.Stream(ctx)
	if err != nil {
		return page{}, fmt.Errorf("list %s: %w", k.GroupResource(), because(ctx, err))
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	p, err := readPage(body, each)
	if err != nil {
		return page{}, fmt.Errorf("list %s: %w", k.GroupResource(), because(ctx, err))
	}
	return p, nil
}

// watch begins a watch where options say. The body ends when ctx does.
func (c *apiClient) watch(ctx context.Context, k servedKind, options metav1.ListOptions) (io.ReadCloser, error) {
	request := c.get(k, "PartialObjectMetadata").Param("watch", "true").
		Param("resourceVersion", options.ResourceVersion).Param("allowWatchBookmarks", "true")
	if options.TimeoutSeconds != nil {
		request.Param("timeoutSeconds", strconv.FormatInt(*options.TimeoutSeconds, 10))
	}
	body, err := request.Stream(ctx)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", k.GroupResource(), because(ctx, err))
	}
	return body, nil
}

// get begins a request for all objects of a kind. It is tried once: followers have
// pauses of their own.
func (c *apiClient) get(k servedKind, as string) *rest.Request {
	request := c.rest.Get().MaxRetries(0).SetHeader("Accept", accepted(k, as))
	if k.Group == "" {
		return request.AbsPath("/api", k.Version, k.Resource)
	}
	return request.AbsPath("/apis", k.Group, k.Version, k.Resource)
}

// accepted is in which forms a kind may come. What is read as metadata is asked for as
// metadata; a server behind the API server that has no such form may send the objects,
// of which no more is read. The API server itself has it, so that the data of a Secret
// or ConfigMap never comes.
func accepted(k servedKind, as string) string {
	if _, facts := distillerOf(k.GroupResource()); facts {
		return "application/json"
	}
	form := "application/json;as=" + as + ";g=meta.k8s.io;v=v1"
	if k.Group == "" {
		return form
	}
	return form + ",application/json"
}

// because adds to an error what ended ctx, if that is more than that somebody asked for
// it.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// closing is a body that calls ended once it is closed.
type closing struct {
	io.ReadCloser
	ended func()
}

func (c *closing) Close() error {
	c.ended()
	return c.ReadCloser.Close()
}

// silence ends a watch, by cancel, that says nothing for maxSilence.
type silence struct{ timer *time.Timer }

var errSilent = fmt.Errorf("nothing was heard for %s", maxSilence)

func listenFor(cancel context.CancelCauseFunc) silence {
	return silence{time.AfterFunc(maxSilence, func() { cancel(errSilent) })}
}

// heard says that the watch lives.
func (s silence) heard() { s.timer.Reset(maxSilence) }

// end stops waiting.
func (s silence) end() { s.timer.Stop() }
