// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// metrics of the listener. No label has a value that a sender chooses.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  prometheus.Histogram
	alerts   *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bellhop_ingest_requests_total", Help: "Requests to AlertSources, by kind and code of the answer.",
		}, []string{"kind", "code"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "bellhop_ingest_request_duration_seconds", Help: "How long requests to AlertSources took.", Buckets: []float64{.005, .01, .025, .05, .1, .2, .5, 1, 2.5, 8},
		}),
		alerts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bellhop_ingest_writes_total", Help: "Alerts that posts wrote, problems with posted alerts (wrong, at most 101 for each post), and posted alerts that fire and for which no Alert had room (cut), by namespace.",
		}, []string{"namespace", "result"}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.alerts} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) observe(kind string, code int, took time.Duration) {
	m.requests.WithLabelValues(kind, strconv.Itoa(code)).Inc()
	m.seconds.Observe(took.Seconds())
}

func (m *metrics) count(source *v1beta1.AlertSource, result stored, wrong int) {
	m.alerts.WithLabelValues(source.Namespace, "written").Add(float64(result.written))
	m.alerts.WithLabelValues(source.Namespace, "cut").Add(float64(result.cut))
	m.alerts.WithLabelValues(source.Namespace, "wrong").Add(float64(wrong))
}
