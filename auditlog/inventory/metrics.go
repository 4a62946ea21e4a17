package inventory

import "github.com/prometheus/client_golang/prometheus"

// What became of a question to asset history.
const (
	historyFound       = "found"
	historyUnknown     = "unknown"
	historyTooOld      = "too-old"
	historyForbidden   = "forbidden"
	historyExhausted   = "exhausted"
	historyUnreachable = "unreachable"
	historyPaced       = "paced"
)

type metrics struct{ history *prometheus.CounterVec }

func newMetrics(registerer prometheus.Registerer, i *Inventory) metrics {
	m := metrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "mollyguard_inventory_history_lookups_total",
		Help: "Questions to the history of Cloud Asset Inventory, by result; paced were not asked, to spare the quota.",
	}, []string{"result"})}
	if registerer != nil {
		registerer.MustRegister(m.history,
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "mollyguard_inventory_assets",
				Help: "Number of cloud resources whose labels are known, with those that were deleted lately.",
			}, func() float64 { return float64(i.known.Load()) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "mollyguard_inventory_last_search_success_timestamp_seconds",
				Help: "When the last complete search of cloud resources began; 0 if there was none.",
			}, func() float64 { return float64(i.seeded.Load()) }))
	}
	for _, result := range []string{historyFound, historyUnknown, historyTooOld, historyForbidden, historyExhausted, historyUnreachable, historyPaced} {
		m.history.WithLabelValues(result) // there from the start, so that an increase shows
	}
	return m
}
