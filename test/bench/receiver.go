package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/mollyguard/mollyguard/alert"
)

// receiver is whom alerts are sent to.
type receiver struct {
	server *http.Server
	url    string

	lock sync.Mutex
	// told is when the first alert about a target arrived, by its name.
	told map[string]time.Time
	err  error
}

func startReceiver() (*receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{url: "http://" + listener.Addr().String(), told: map[string]time.Time{}}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: requestTimeout}
	// Serve ends with an error of no interest when stop ends it.
	go func() { _ = r.server.Serve(listener) }()
	return r, nil
}

func (r *receiver) stop() { _ = r.server.Close() }

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	at := time.Now()
	w.WriteHeader(http.StatusNoContent)
	var event struct{ Data alert.Alert }
	if err == nil {
		err = json.Unmarshal(body, &event)
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	if err != nil && r.err == nil {
		r.err = err
	}
	for _, o := range event.Data.Operations {
		if _, known := r.told[o.Target.Name]; !known {
			r.told[o.Target.Name] = at
		}
	}
}

// when says when people were told of a target.
func (r *receiver) when(target string) (at time.Time, told bool, err error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	at, told = r.told[target]
	return at, told, r.err
}
