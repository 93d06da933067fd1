// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"reflect"
	"testing"
)

func TestMetricsAreFound(t *testing.T) {
	const source = `package p

var desc = prometheus.NewDesc("a_objects", "Objects.", []string{"kind", "ready"}, nil)

func f(name string) {
	_ = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "a_requests_total", Help: "Requests."}, []string{"class"})
	_ = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "a_seconds", Help: "Duration.", Buckets: []float64{1}})
	_ = prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "a_info", Help: "Version.", ConstLabels: prometheus.Labels{"version": v}}, one)
}
`
	want := []metric{
		{"a_objects", "gauge", "Objects.", []string{"kind", "ready"}},
		{"a_requests_total", "counter", "Requests.", []string{"class"}},
		{"a_seconds", "histogram", "Duration.", nil},
		{"a_info", "gauge", "Version.", []string{"version"}},
	}
	if found, err := metricsIn([]byte(source)); err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("got %+v, %v, want %+v", found, err, want)
	}
}

func TestAMetricWithoutALiteralNameIsAnError(t *testing.T) {
	if _, err := metricsIn([]byte("package p\n\nvar desc = prometheus.NewDesc(name, \"Objects.\", nil, nil)\n")); err == nil {
		t.Error("no error")
	}
}
