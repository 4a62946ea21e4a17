package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/mollyguard/mollyguard/webhook"
)

// serveReference is a reference server, until it is killed. It says where it
// listens in the words of `mollyguard serve`.
func serveReference(o options, stderr io.Writer) error {
	var handler http.Handler
	switch o.serve {
	case bare:
		handler = http.HandlerFunc(serveBare)
	case noop:
		var err error
		if handler, err = newNoop(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("-serve: no reference %q", o.serve)
	}
	certificate, err := tls.LoadX509KeyPair(o.certificate, o.key)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle(webhook.Path, handler)
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	server := &http.Server{ // as admissionServer in cmd/mollyguard
		Handler: mux,
		TLSConfig: &tls.Config{
			MinVersion:     tls.VersionTLS12,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil },
		},
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      40 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	log.Info(servingMessage, "address", listener.Addr().String())
	return server.ServeTLS(listener, "", "")
}

type bareRequest struct {
	Request struct {
		UID string `json:"uid"`
	} `json:"request"`
}

type bareReview struct {
	Kind       string       `json:"kind"`
	APIVersion string       `json:"apiVersion"`
	Response   bareResponse `json:"response"`
}

type bareResponse struct {
	UID     string `json:"uid"`
	Allowed bool   `json:"allowed"`
}

// serveBare is the least that a webhook written by hand does.
func serveBare(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var review bareRequest
	if err := json.Unmarshal(body, &review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := json.Marshal(bareReview{
		Kind: "AdmissionReview", APIVersion: "admission.k8s.io/v1",
		Response: bareResponse{UID: review.Request.UID, Allowed: true},
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// A client that has gone away needs no answer.
	_, _ = w.Write(answer)
}

// newNoop is what most webhooks start from, with the metrics that the webhook
// server of controller-runtime adds to each.
func newNoop() (http.Handler, error) {
	ctrllog.SetLogger(ctrllog.Log.WithSink(ctrllog.NullLogSink{}))
	allow := func(context.Context, admission.Request) admission.Response { return admission.Allowed("") }
	return admission.StandaloneWebhook(&admission.Webhook{Handler: admission.HandlerFunc(allow)},
		admission.StandaloneOptions{MetricsPath: webhook.Path})
}
