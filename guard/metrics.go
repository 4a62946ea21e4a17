package guard

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mollyguard/mollyguard/operation"
)

type metrics struct {
	decisions  *prometheus.CounterVec
	violations *prometheus.CounterVec
	unrecorded prometheus.Counter
	duration   *prometheus.HistogramVec
}

func newMetrics(registerer prometheus.Registerer) metrics {
	m := metrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mollyguard_decisions_total",
			Help: "Decisions, by surface, verb, outcome and whether an exemption applied.",
		}, []string{"surface", "verb", "outcome", "exempt"}),
		violations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mollyguard_violations_total",
			Help: "Violations of policies, by policy and what the violation did (deny, warn, alert, off).",
		}, []string{"policy", "enforcement"}),
		unrecorded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mollyguard_decisions_unrecorded_total",
			Help: "Decisions that could not be written to the decision log.",
		}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mollyguard_decision_duration_seconds",
			Help: "Time from a mapped operation to its recorded decision, by surface.",
			// 25 µs to 0.8 s: one judgement takes tens of microseconds, the
			// webhook's own time limit is seconds.
			Buckets: prometheus.ExponentialBuckets(25e-6, 2, 16),
		}, []string{"surface"}),
	}
	if registerer != nil {
		registerer.MustRegister(m.decisions, m.violations, m.unrecorded, m.duration)
	}
	return m
}

func (m metrics) observe(d operation.Decision, took time.Duration) {
	m.count(d)
	m.duration.WithLabelValues(string(d.Surface)).Observe(took.Seconds())
}

func (m metrics) count(d operation.Decision) {
	exempt := "false"
	if d.Exempt != "" {
		exempt = "true"
	}
	m.decisions.WithLabelValues(string(d.Surface), string(d.Verb), string(d.Outcome), exempt).Inc()
	for _, v := range d.Violations {
		m.violations.WithLabelValues(v.Policy, string(v.Enforcement)).Inc()
	}
}
