package engine

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type engineMetrics struct {
	reloads    *prometheus.CounterVec
	successful prometheus.Gauge
	timestamp  prometheus.Gauge
	policies   prometheus.Gauge
}

func newMetrics(registerer prometheus.Registerer, subsystem string) engineMetrics {
	name := func(name string) string { return prometheus.BuildFQName("mollyguard", subsystem, name) }
	m := engineMetrics{
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("policy_reloads_total"),
			Help: "Attempts to put changed policy files to use, by result (success, failure).",
		}, []string{"result"}),
		successful: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: name("policy_last_reload_successful"),
			Help: "1 if the policy files as they are now are in use, 0 if they were rejected and older ones are.",
		}),
		timestamp: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: name("policy_last_reload_success_timestamp_seconds"),
			Help: "When the policies in use were put to use.",
		}),
		policies: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: name("policies"),
			Help: "Number of policies in use.",
		}),
	}
	if registerer != nil {
		registerer.MustRegister(m.reloads, m.successful, m.timestamp, m.policies)
	}
	return m
}

func (m engineMetrics) loaded(set *Set, at time.Time) {
	m.reloads.WithLabelValues("success").Inc()
	m.successful.Set(1)
	m.timestamp.Set(float64(at.UnixMilli()) / 1000)
	m.policies.Set(float64(len(set.policies)))
}

func (m engineMetrics) failed() {
	m.reloads.WithLabelValues("failure").Inc()
	m.successful.Set(0)
}
