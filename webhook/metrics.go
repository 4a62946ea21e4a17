package webhook

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type handlerMetrics struct {
	inFlight prometheus.Gauge
	duration *prometheus.HistogramVec
	failures *prometheus.CounterVec
}

func newHandlerMetrics(registerer prometheus.Registerer) handlerMetrics {
	m := handlerMetrics{
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mollyguard_webhook_requests_in_flight",
			Help: "Admission reviews being answered.",
		}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mollyguard_webhook_request_duration_seconds",
			Help: "Time to answer an admission review, from its first byte, by whether the request was allowed.",
			// 50 µs to 26 s, around the API server's longest time limit.
			Buckets: prometheus.ExponentialBuckets(50e-6, 3, 13),
		}, []string{"allowed"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mollyguard_webhook_failures_total",
			Help: "Admission reviews that could not be judged, by cause (undecodable, timeout, panic, undecided, overloaded).",
		}, []string{"cause"}),
	}
	if registerer != nil {
		registerer.MustRegister(m.inFlight, m.duration, m.failures)
	}
	return m
}

func (m handlerMetrics) observe(answer Answer, took time.Duration) {
	allowed := "true"
	if !answer.NotOurs && answer.Decision.Refused() {
		allowed = "false"
	}
	m.duration.WithLabelValues(allowed).Observe(took.Seconds())
	if answer.Failure != None {
		m.failures.WithLabelValues(string(answer.Failure)).Inc()
	}
}
