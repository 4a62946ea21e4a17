package pubsub

import (
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
)

type metrics struct {
	failures *prometheus.CounterVec
	unacked  prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer, source string) metrics {
	labels := prometheus.Labels{"source": source}
	m := metrics{
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mollyguard_pubsub_stream_failures_total", ConstLabels: labels,
			Help: "Streams of messages that ended, by gRPC code. Pub/Sub ends each of them with Unavailable from time to time.",
		}, []string{"code"}),
		unacked: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mollyguard_pubsub_unacknowledged_total", ConstLabels: labels,
			Help: "Messages that could not be acknowledged, and come again.",
		}),
	}
	if registerer != nil {
		registerer.MustRegister(m.failures, m.unacked)
	}
	return m
}

func (m metrics) failed(code codes.Code) { m.failures.WithLabelValues(code.String()).Inc() }
