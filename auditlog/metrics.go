package auditlog

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	entries   *prometheus.CounterVec
	undecoded *prometheus.CounterVec
	unkept    prometheus.Counter
	lag       *prometheus.HistogramVec
	duration  *prometheus.HistogramVec
}

func newMetrics(registerer prometheus.Registerer) metrics {
	m := metrics{
		entries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mollyguard_audit_entries_total",
			Help: "Log entries, by source and what became of them (ignored, judged, heartbeat, mediated).",
		}, []string{"source", "care"}),
		undecoded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mollyguard_audit_entries_undecoded_total",
			Help: "Log entries that could not be read, and were kept.",
		}, []string{"source"}),
		unkept: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mollyguard_audit_commit_failures_total",
			Help: "Attempts to keep what was read that failed and were repeated.",
		}),
		lag: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mollyguard_audit_lag_seconds",
			Help: "Time from what an entry tells of to its receipt here, by source.",
			// 0.25 s to 1 h: Cloud Logging usually takes seconds.
			Buckets: prometheus.ExponentialBuckets(0.25, 2, 15),
		}, []string{"source"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mollyguard_audit_duration_seconds",
			Help: "Time from the receipt of an entry to its acknowledgement, by source.",
			// 1 ms to 32 s: a sync of the disk is milliseconds.
			Buckets: prometheus.ExponentialBuckets(1e-3, 2, 16),
		}, []string{"source"}),
	}
	if registerer != nil {
		registerer.MustRegister(m.entries, m.undecoded, m.unkept, m.lag, m.duration)
	}
	return m
}

// cares are the values of the label care.
var cares = [...]string{Ignore: "ignored", Judge: "judged", Heartbeat: "heartbeat", Mediated: "mediated"}

func (m metrics) entry(source string, care Care) {
	m.entries.WithLabelValues(source, cares[care]).Inc()
}

func (m metrics) kept(it *item, now time.Time) {
	m.duration.WithLabelValues(it.source).Observe(now.Sub(it.Received).Seconds())
	if at := it.reading.Timestamp; !at.IsZero() {
		m.lag.WithLabelValues(it.source).Observe(max(0, it.Received.Sub(at).Seconds()))
	}
}
