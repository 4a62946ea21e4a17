package auditlog_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// counts are metrics.
type counts struct{ *prometheus.Registry }

func newCounts() counts { return counts{prometheus.NewRegistry()} }

// by returns the values of a counter by one of its labels.
func (c counts) by(t testing.TB, name, label string) map[string]float64 {
	t.Helper()
	families, err := c.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			key := ""
			for _, pair := range m.GetLabel() {
				if pair.GetName() == label {
					key = pair.GetValue()
				}
			}
			values[key] += m.GetCounter().GetValue()
		}
	}
	return values
}
