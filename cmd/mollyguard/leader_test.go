package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestAMetricSaysWhoLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		work := leader(registry)
		says := func(value int) {
			t.Helper()
			synctest.Wait()
			want := fmt.Sprintf("# HELP mollyguard_leader 1 if this replica does what one alone should, such as keeping the webhook configuration.\n"+
				"# TYPE mollyguard_leader gauge\nmollyguard_leader %d\n", value)
			if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
				t.Error(err)
			}
		}
		says(0)
		ctx, lose := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- work(ctx) }()
		says(1)
		lose()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		says(0)
	})
}
