package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// leader is work for the replica that leads: it says in a metric that it does.
func leader(registerer prometheus.Registerer) func(context.Context) error {
	leads := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "mollyguard_leader",
		Help: "1 if this replica does what one alone should, such as keeping the webhook configuration.",
	})
	registerer.MustRegister(leads)
	return func(ctx context.Context) error {
		leads.Set(1)
		defer leads.Set(0)
		<-ctx.Done()
		return nil
	}
}
