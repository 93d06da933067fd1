/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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

// Metrics of Go, of client-go and of controller-runtime, which every subject has.
const (
	apiRequests = "rest_client_requests_total"
	cpuSeconds  = "process_cpu_seconds_total"
	liveHeap    = "go_gc_heap_live_bytes"
	workers     = "controller_runtime_max_concurrent_reconciles"
)

// A reading is what the metrics of a subject say.
type reading map[string]*dto.MetricFamily

// read asks the subject for its metrics.
func (s *stage) read(ctx context.Context) (reading, error) {
	return metrics.Read(ctx, s.process.MetricsURL, s.token)
}

// readServer asks the API server for its metrics.
func (s *stage) readServer(ctx context.Context) (reading, error) {
	address, err := url.JoinPath(s.cluster.Config.Host, "metrics")
	if err != nil {
		return nil, err
	}
	return metrics.Read(ctx, address, s.token)
}

// sum is of all counters and gauges of a name, or of those that have a label of that value; no number where there are none.
func (r reading) sum(name, value string) float64 {
	family, ok := r[name]
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

// atRest are the metrics of a subject that has nothing to do, and how much of its heap is still in use then. It waits a while
// after garbage collections, in which freed memory goes back to the system.
func (s *stage) atRest(ctx context.Context, while time.Duration) (said reading, heap float64, err error) {
	if heap, err = s.heap(ctx); err != nil {
		return nil, 0, err
	}
	select {
	case <-time.After(while): // nothing else shows it
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	said, err = s.read(ctx)
	return said, heap, err
}

// heap is how much of the heap is in use: the least that some garbage collections found, since each counts what is under way.
func (s *stage) heap(ctx context.Context) (float64, error) {
	const collections = 4 // the first leaves what is pooled
	least := math.Inf(1)
	for range collections {
		var now reading
		err := eventually(ctx, func(ctx context.Context) (_ bool, err error) {
			if err := s.collectGarbage(ctx); err != nil {
				return false, nil //nolint:nilerr // who was just started may be ready, and not serve profiles and metrics yet
			}
			now, err = s.read(ctx)
			return err == nil, nil
		})
		if err != nil {
			return 0, err
		}
		least = min(least, now.sum(liveHeap, ""))
	}
	return least, nil
}

// collectGarbage has the subject collect garbage.
func (s *stage) collectGarbage(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.profiles+"/debug/pprof/heap?gc=1", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// memory is what the subject's process has, and had at most, in MiB; no number where the system does not say.
func (s *stage) memory() (resident, peak float64) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.PID()))
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
