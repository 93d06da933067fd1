// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/gophernetes/bellhop/test/internal/metrics"
)

// Names of metrics of Go, client-go and controller-runtime, which every subject serves.
const (
	apiRequests = "rest_client_requests_total"
	cpuSeconds  = "process_cpu_seconds_total"
	liveHeap    = "go_gc_heap_live_bytes"
	workers     = "controller_runtime_max_concurrent_reconciles"
	reconciles  = "controller_runtime_reconcile_total"
	queued      = "workqueue_depth"
)

// metricFamilies are the metrics of a process at one moment.
type metricFamilies map[string]*dto.MetricFamily

// readMetrics reads the metrics of the subject.
func (env *environment) readMetrics(ctx context.Context) (metricFamilies, error) {
	return metrics.Read(ctx, env.process.MetricsURL, env.token)
}

// readServerMetrics reads the metrics of the API server.
func (env *environment) readServerMetrics(ctx context.Context) (metricFamilies, error) {
	address, err := url.JoinPath(env.cluster.Config.Host, "metrics")
	if err != nil {
		return nil, err
	}
	return metrics.Read(ctx, address, env.token)
}

// sum adds up the counters and gauges of a name that have a label with this value, or all of them where value is empty. It is NaN
// where there are none.
func (m metricFamilies) sum(name, value string) float64 {
	family, ok := m[name]
	if !ok {
		return math.NaN()
	}
	sum := 0.0
	for _, metric := range family.GetMetric() {
		hasValue := func(label *dto.LabelPair) bool { return label.GetValue() == value }
		if value == "" || slices.ContainsFunc(metric.GetLabel(), hasValue) {
			sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return sum
}

// readAtRest returns the metrics of an idle subject, and its live heap. Before it reads the metrics it waits for a while after
// garbage collections, so that the runtime returns freed memory to the system.
func (env *environment) readAtRest(ctx context.Context, duration time.Duration) (families metricFamilies, heap float64, err error) {
	if heap, err = env.measureHeap(ctx); err != nil {
		return nil, 0, err
	}
	select {
	case <-time.After(duration): // the runtime returns memory in the background, and no metric tells when it is done
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	families, err = env.readMetrics(ctx)
	return families, heap, err
}

// measureHeap returns the smallest live heap of several garbage collections, since each also counts objects that are in use briefly.
func (env *environment) measureHeap(ctx context.Context) (float64, error) {
	const collections = 4 // the first leaves pooled objects
	least := math.Inf(1)
	for range collections {
		var families metricFamilies
		err := pollUntil(ctx, func(ctx context.Context) (_ bool, err error) {
			if err := env.collectGarbage(ctx); err != nil {
				return false, nil //nolint:nilerr // who was just started may be ready, and not serve profiles and metrics yet
			}
			families, err = env.readMetrics(ctx)
			return err == nil, nil
		})
		if err != nil {
			return 0, err
		}
		least = min(least, families.sum(liveHeap, ""))
	}
	return least, nil
}

// collectGarbage makes the subject collect garbage, through its profiles.
func (env *environment) collectGarbage(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+env.profilesAddress+"/debug/pprof/heap?gc=1", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// readMemory returns the present and the largest resident memory of the subject in MiB; NaN where the system does not tell.
func (env *environment) readMemory() (resident, peak float64) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", env.process.PID()))
	return mebibytes(status, "VmRSS"), mebibytes(status, "VmHWM")
}

func mebibytes(status []byte, field string) float64 {
	match := regexp.MustCompile(`(?m)^` + field + `:\s+(\d+) kB$`).FindSubmatch(status)
	if match == nil {
		return math.NaN()
	}
	kibibytes, err := strconv.ParseFloat(string(match[1]), 64)
	if err != nil {
		return math.NaN()
	}
	return kibibytes / 1024
}
