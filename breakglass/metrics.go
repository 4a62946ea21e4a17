package breakglass

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	events *prometheus.CounterVec
}

func newMetrics(registerer prometheus.Registerer) metrics {
	m := metrics{events: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "mollyguard_break_glass_events_total",
		Help: "Steps of break-glass cases, by event.",
	}, []string{"event"})}
	if registerer != nil {
		registerer.MustRegister(m.events)
	}
	for _, kind := range EventKind("").Values() {
		m.events.WithLabelValues(kind) // there from the start, so that an increase shows
	}
	return m
}
