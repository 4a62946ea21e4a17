package alert

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mollyguard/mollyguard/ledger"
)

// The results of an attempt to send.
const (
	resultDelivered = "delivered"
	resultFailed    = "failed"
	resultLater     = "later"
	resultRejected  = "rejected"
)

type metrics struct {
	healthy *prometheus.GaugeVec
	sends   *prometheus.CounterVec
	latency *prometheus.HistogramVec
}

// sinkMetrics are those of one sink.
type sinkMetrics struct {
	healthy prometheus.Gauge
	sends   map[string]prometheus.Counter
	latency prometheus.Observer
}

func newMetrics(registerer prometheus.Registerer, l *ledger.Ledger, sinks []string, now func() time.Time) metrics {
	m := metrics{
		healthy: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mollyguard_alert_sink_healthy",
			Help: "1 if the last attempt to reach the sink did, or there was none.",
		}, []string{"sink"}),
		sends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mollyguard_alert_sends_total",
			Help: "Attempts to send an alert, by sink and result (delivered, failed, later, rejected).",
		}, []string{"sink", "result"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mollyguard_alert_delivery_duration_seconds",
			Help: "Time from an alert's way into the queue to its delivery, by sink; updates wait by intent and are not counted.",
			// 5 ms to 23 h: the budget is a second, and an alert is tried for a day.
			Buckets: prometheus.ExponentialBuckets(5e-3, 4, 13),
		}, []string{"sink"}),
	}
	if registerer != nil {
		registerer.MustRegister(m.healthy, m.sends, m.latency, newQueueCollector(l, sinks, now))
	}
	return m
}

func (m metrics) of(sink string) sinkMetrics {
	s := sinkMetrics{healthy: m.healthy.WithLabelValues(sink), sends: map[string]prometheus.Counter{}, latency: m.latency.WithLabelValues(sink)}
	s.healthy.Set(1)
	for _, result := range []string{resultDelivered, resultFailed, resultLater, resultRejected} {
		s.sends[result] = m.sends.WithLabelValues(sink, result) // there from the start, so that an increase shows
	}
	return s
}

func (m sinkMetrics) observe(i item, o outcome, now time.Time) {
	m.sends[o.result].Inc()
	switch o.result {
	case resultDelivered:
		m.healthy.Set(1)
		if i.Revision == 1 {
			m.latency.Observe(max(now.Sub(i.Since), 0).Seconds())
		}
	default:
		m.healthy.Set(0)
	}
}

// queueCollector counts what is in the ledger whenever somebody asks, so that the
// numbers are true even of a sink that is stuck.
type queueCollector struct {
	ledger               *ledger.Ledger
	sinks                []string
	now                  func() time.Time
	length, oldest, dead *prometheus.Desc
}

func newQueueCollector(l *ledger.Ledger, sinks []string, now func() time.Time) *queueCollector {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, []string{"sink"}, nil) }
	return &queueCollector{
		ledger: l, sinks: sinks, now: now,
		length: desc("mollyguard_alert_queue_length", "Incidents that wait for the sink."),
		oldest: desc("mollyguard_alert_queue_oldest_seconds", "Age of what waits longest for the sink; 0 if nothing does."),
		dead:   desc("mollyguard_alert_dead_letters", "Dead letters of the sink; of entries of the outbox (outbox), records that cannot be read (record), of sinks that are not configured (other)."),
	}
}

// Describe implements prometheus.Collector.
func (c *queueCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.length
	descs <- c.oldest
	descs <- c.dead
}

// Collect implements prometheus.Collector. A ledger that cannot be read gives no
// numbers, which shows as what it is.
func (c *queueCollector) Collect(out chan<- prometheus.Metric) {
	length, oldest, dead := map[string]int{}, map[string]time.Time{}, map[string]int{}
	label := func(key string) string {
		sink, _ := splitKey(key)
		if _, ok := slices.BinarySearch(c.sinks, sink); ok || sink == outboxSink || sink == recordSink {
			return sink
		}
		return otherSink
	}
	err := c.ledger.View(context.Background(), func(tx *ledger.Tx) error {
		tx.Scan(ledger.TableQueue, "", "", func(key string, text []byte) bool {
			sink := label(key)
			length[sink]++
			q, err := decodeQueued(text)
			if first, ok := oldest[sink]; err == nil && (!ok || q.Since.Before(first)) {
				oldest[sink] = q.Since
			}
			return true
		})
		tx.Scan(ledger.TableDead, "", "", func(key string, _ []byte) bool { dead[label(key)]++; return true })
		return nil
	})
	if err != nil {
		out <- prometheus.NewInvalidMetric(c.length, err)
		return
	}
	gauge := func(desc *prometheus.Desc, value float64, sink string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, sink)
	}
	for _, sink := range c.sinks {
		gauge(c.length, float64(length[sink]), sink)
		age := 0.0
		if since, ok := oldest[sink]; ok {
			age = max(c.now().Sub(since), 0).Seconds()
		}
		gauge(c.oldest, age, sink)
		gauge(c.dead, float64(dead[sink]), sink)
	}
	for _, label := range []string{outboxSink, recordSink, otherSink} {
		gauge(c.dead, float64(dead[label]), label)
	}
}
