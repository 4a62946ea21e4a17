package api

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// otherPath is how requests for no path of ours are counted.
const otherPath = "other"

type metrics struct{ requests *prometheus.CounterVec }

func newMetrics(registerer prometheus.Registerer) metrics {
	m := metrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "mollyguard_api_requests_total",
		Help: "Requests to the break-glass API, by route and HTTP status.",
	}, []string{"route", "code"})}
	if registerer != nil {
		registerer.MustRegister(m.requests)
	}
	return m
}

func (m metrics) count(route string, code int) {
	m.requests.WithLabelValues(route, strconv.Itoa(code)).Inc()
}
