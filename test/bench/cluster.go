package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mollyguard/mollyguard/webhook/index"
)

// fakeCluster is an API server with a cluster in memory. It speaks what the feed and the
// caches of the server ask it: TLS and HTTP/2, discovery, lists in pages and as streams,
// watches with bookmarks. Nothing can be changed in it but by churn.
type fakeCluster struct {
	server      *http.Server
	address     string
	collections map[string]*collection // by path
	writer      writer
	objects     int
	version     atomic.Int64
	// problem is the first request that it could not answer as the API server would.
	problem atomic.Pointer[string]
}

// firstVersion is the version of all that is there at the beginning.
const firstVersion = 1000

// startCluster starts a cluster with so many objects.
func startCluster(objects int, c certificate) (*fakeCluster, error) {
	f := &fakeCluster{collections: map[string]*collection{}, writer: newWriter(), objects: objects}
	f.version.Store(firstVersion)
	byResource := map[string]*collection{}
	for _, k := range kindsOf() {
		one := newCollection(k)
		f.collections[k.path()], byResource[k.resource.String()] = one, one
	}
	var errs []error
	populate(objects, func(o index.Object) {
		data, err := f.writer.write(o, firstVersion)
		if err != nil {
			errs = append(errs, err)
		}
		byResource[o.Resource.String()].add(o, data)
	})
	if len(errs) > 0 {
		return nil, errs[0]
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f.address = listener.Addr().String()
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: 5 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		if err := f.server.ServeTLS(listener, c.file, c.keyFile); !errors.Is(err, http.ErrServerClosed) {
			f.complain("serve: " + err.Error())
		}
	}()
	return f, nil
}

func (f *fakeCluster) stop() {
	_ = f.server.Close() // watches never end by themselves
}

// complain notes what went wrong, once.
func (f *fakeCluster) complain(problem string) { f.problem.CompareAndSwap(nil, &problem) }

// err says what went wrong.
func (f *fakeCluster) err() error {
	if problem := f.problem.Load(); problem != nil {
		return fmt.Errorf("the cluster could not answer: %s", *problem)
	}
	return nil
}

// kubeconfig writes how the cluster is reached, and returns the file.
func (f *fakeCluster) kubeconfig(dir string, c certificate) (string, error) {
	text, err := json.Marshal(map[string]any{ // JSON is YAML
		"apiVersion": "v1", "kind": "Config", "current-context": "bench",
		"clusters": []any{map[string]any{"name": "bench", "cluster": map[string]any{"server": "https://" + f.address, "certificate-authority": c.file}}},
		"users":    []any{map[string]any{"name": "bench", "user": map[string]any{"token": "bench"}}},
		"contexts": []any{map[string]any{"name": "bench", "context": map[string]any{"cluster": "bench", "user": "bench"}}},
	})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "kubeconfig")
	return path, os.WriteFile(path, text, 0o600)
}

// ServeHTTP implements http.Handler.
func (f *fakeCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet { // an Event: what is made is what was given
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		w.WriteHeader(http.StatusCreated)
		_, _ = io.Copy(w, io.LimitReader(r.Body, maxResponse))
		return
	}
	if f.discover(w, r) {
		return
	}
	one := f.collections[r.URL.Path]
	query, accept := r.URL.Query(), r.Header.Get("Accept")
	switch {
	case one == nil:
		f.get(w, r)
	case !one.has(accept):
		f.complain(fmt.Sprintf("%s asked for as %s", r.URL.Path, accept))
		http.Error(w, "no such form", http.StatusNotAcceptable)
	case query.Get("watch") == "true":
		one.watch(r.Context(), w, query, accept, f.version.Load())
	default:
		if err := one.list(w, query, accept, f.version.Load()); err != nil && r.Context().Err() == nil {
			f.complain(fmt.Sprintf("%s: %v", r.URL, err))
		}
	}
}

// get answers a request for one object.
func (f *fakeCluster) get(w http.ResponseWriter, r *http.Request) {
	path, name := cut(r.URL.Path)
	one := f.collections[path]
	if one == nil {
		// /api/v1/namespaces/NAMESPACE/RESOURCE/NAME
		parts := strings.SplitN(path, "/namespaces/", 2)
		if namespace, resource, ok := strings.Cut(parts[len(parts)-1], "/"); ok && len(parts) == 2 {
			one, name = f.collections[parts[0]+"/"+resource], namespace+"/"+name
		}
	} else {
		name = "/" + name
	}
	w.Header().Set("Content-Type", "application/json")
	if data, ok := one.get(name); ok {
		_, _ = w.Write(data)
		return
	}
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"not found","reason":"NotFound","code":404}`)
}
