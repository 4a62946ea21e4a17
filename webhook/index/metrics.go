package index

import "github.com/prometheus/client_golang/prometheus"

// Len returns how many objects there are.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.records.len()
}

// Kinds counts the kinds by how far their reading has come. All phases are there.
func (x *Index) Kinds() map[Phase]int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	count := map[Phase]int{Pending: 0, Synced: 0, Forbidden: 0, Unserved: 0}
	for _, id := range x.kindIDs {
		count[x.kinds.at(id).state.Phase]++
	}
	return count
}

var kindsMetric = prometheus.NewDesc("mollyguard_index_kinds",
	"Kinds of objects by how far their reading has come (pending, synced, forbidden, unserved).", []string{"phase"}, nil)

// kindsCollector gives the kinds by phase.
type kindsCollector struct{ x *Index }

func (c kindsCollector) Describe(out chan<- *prometheus.Desc) { out <- kindsMetric }

func (c kindsCollector) Collect(out chan<- prometheus.Metric) {
	for phase, count := range c.x.Kinds() {
		out <- prometheus.MustNewConstMetric(kindsMetric, prometheus.GaugeValue, float64(count), string(phase))
	}
}

func (x *Index) register(registerer prometheus.Registerer) {
	if registerer == nil {
		return
	}
	registerer.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "mollyguard_index_objects", Help: "Objects in the index of what lives in the cluster.",
		}, func() float64 { return float64(x.Len()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "mollyguard_index_synced", Help: "1 if every kind that can be had has been read, else 0.",
		}, func() float64 {
			if x.Synced() != nil {
				return 0
			}
			return 1
		}),
		kindsCollector{x},
	)
}
