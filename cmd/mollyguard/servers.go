package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mollyguard/mollyguard/certs"
	"github.com/mollyguard/mollyguard/engine"
)

// admissionServer speaks to the API server: HTTP/1.1 to a Service, HTTP/2 to a
// URL. With a client CA it speaks to nobody else. Each handler serves its path and
// what is below it.
func admissionServer(handlers map[string]http.Handler, source certs.Source, clientCA string, log *slog.Logger) (*http.Server, error) {
	mux := http.NewServeMux()
	for path, handler := range handlers {
		mux.Handle(path, handler)
		mux.Handle(path+"/", handler)
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: source.GetCertificate}
	if clientCA != "" {
		bundle, err := os.ReadFile(clientCA)
		if err != nil {
			return nil, fmt.Errorf("server.clientCA: %w", err)
		}
		tlsConfig.ClientCAs, tlsConfig.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !tlsConfig.ClientCAs.AppendCertsFromPEM(bundle) {
			return nil, fmt.Errorf("server.clientCA: no certificate in %s: expected PEM", clientCA)
		}
	}
	return limitedServer(mux, tlsConfig, log), nil
}

// apiServer speaks to people and their tools.
func apiServer(handler http.Handler, source certs.Source, log *slog.Logger) *http.Server {
	return limitedServer(handler, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: source.GetCertificate}, log)
}

// limitedServer is a server with the limits of all of them. Without a TLS
// configuration it speaks plain text.
func limitedServer(handler http.Handler, tlsConfig *tls.Config, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		TLSConfig:         tlsConfig,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// statusServer is for probes and Prometheus.
func statusServer(ready *readiness, registry *prometheus.Registry, log *slog.Logger) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok\n") })
	mux.Handle("GET /readyz", ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	return limitedServer(mux, nil, log)
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	// A prober that has gone away needs no answer.
	_, _ = io.WriteString(w, text)
}

// readiness answers /readyz with one line a check, the way the API server's own
// does.
type readiness struct {
	checks   []check
	stopping atomic.Bool
}

// check says whether something is ready, and what there is to say if it is.
type check struct {
	name  string
	check func() (detail string, err error)
}

func (r *readiness) stop() { r.stopping.Store(true) }

func (r *readiness) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	code := http.StatusOK
	var b strings.Builder
	if r.stopping.Load() {
		code = http.StatusServiceUnavailable
		b.WriteString("[-]stopping\n")
	}
	for _, c := range r.checks {
		detail, err := c.check()
		if err != nil {
			code = http.StatusServiceUnavailable
			fmt.Fprintf(&b, "[-]%s: %v\n", c.name, err)
			continue
		}
		if detail != "" {
			detail = ": " + detail
		}
		fmt.Fprintf(&b, "[+]%s ok%s\n", c.name, detail)
	}
	answer(w, code, b.String())
}

// policyDetail is never an error: an engine always has a good set, and a server
// that goes on with its last good one is better than none.
func policyDetail(e *engine.Engine) string {
	set := e.Current()
	detail := fmt.Sprintf("%d policies, digest %s", len(set.Policies()), set.Digest())
	if stale := e.Stale(); stale != nil {
		detail += "; STALE: " + strings.ReplaceAll(stale.Error(), "\n", "; ")
	}
	return detail
}

func certificateDetail(source certs.Source) string {
	if problem := source.Problem(); problem != nil {
		return "but " + strings.ReplaceAll(problem.Error(), "\n", "; ")
	}
	if at := source.NotAfter(); !at.IsZero() {
		return "until " + at.UTC().Format(time.RFC3339)
	}
	return ""
}
