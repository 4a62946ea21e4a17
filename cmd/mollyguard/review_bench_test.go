package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/webhook"
)

// BenchmarkReview answers a review from the handler to the decision log with the embedded
// policies: all that a review costs but TLS, HTTP and the cluster. test/bench has those. As
// with HTTP/2, each is answered on a new goroutine.
func BenchmarkReview(b *testing.B) {
	objects, err := os.Open("demo/objects.json")
	if err != nil {
		b.Fatal(err)
	}
	defer objects.Close()
	lookup, err := webhook.NewFileLookup(objects)
	if err != nil {
		b.Fatal(err)
	}
	log := ledger.NewLog(io.Discard)
	defer log.Close()
	registry := prometheus.NewRegistry()
	a, err := assemble(b.Context(), config.Default(), parts{lookup: lookup, recorder: ledger.NewRecent(log), registerer: registry})
	if err != nil {
		b.Fatal(err)
	}
	handler := webhook.NewHandler(webhook.HandlerOptions{Reviewer: a.reviewer, Registerer: registry})
	for _, name := range []string{"delete-production", "delete-dev"} {
		body, err := os.ReadFile("demo/" + name + ".json")
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				answer, done := httptest.NewRecorder(), make(chan struct{})
				go func() {
					defer close(done)
					handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, webhook.Path, bytes.NewReader(body)))
				}()
				<-done
				if answer.Code != http.StatusOK {
					b.Fatal(answer.Body)
				}
			}
		})
	}
}
