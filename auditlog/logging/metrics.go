package logging

import (
	"errors"
	"io"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type metrics struct {
	lists      prometheus.Counter
	failures   *prometheus.CounterVec
	suppressed *prometheus.CounterVec
	again      prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer, source string) metrics {
	labels := prometheus.Labels{"source": source}
	m := metrics{
		lists: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mollyguard_logging_lists_total", ConstLabels: labels,
			Help: "Pages of log entries asked for, of which there is a quota.",
		}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mollyguard_logging_failures_total", ConstLabels: labels,
			Help: "Lists that failed and tails that ended, by gRPC code. A tail ends each hour with OutOfRange.",
		}, []string{"call", "code"}),
		suppressed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mollyguard_logging_suppressed_total", ConstLabels: labels,
			Help: "Entries that the tail left out and that were listed, by Cloud Logging's reason.",
		}, []string{"reason"}),
		again: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mollyguard_logging_repeated_total", ConstLabels: labels,
			Help: "Entries that were handed out already when they came again.",
		}),
	}
	if registerer != nil {
		registerer.MustRegister(m.lists, m.failures, m.suppressed, m.again)
	}
	return m
}

func (m metrics) tailEnded(err error) {
	code := status.Code(err)
	if errors.Is(err, io.EOF) {
		code = codes.OK
	}
	m.failures.WithLabelValues("tail", code.String()).Inc()
}

func (m metrics) listFailed(err error) {
	m.failures.WithLabelValues("list", status.Code(err).String()).Inc()
}

// suppress counts by reason, of which there are those that this version knows.
func (m metrics) suppress(info *loggingpb.TailLogEntriesResponse_SuppressionInfo) {
	reason, known := loggingpb.TailLogEntriesResponse_SuppressionInfo_Reason_name[int32(info.GetReason())]
	if !known {
		reason = "OTHER"
	}
	m.suppressed.WithLabelValues(reason).Add(float64(max(0, info.GetSuppressedCount())))
}
