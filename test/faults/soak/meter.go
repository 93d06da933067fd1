// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/faults/harness"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
	"github.com/gophernetes/bellhop/test/internal/metrics"
)

// meter reads memory and goroutines from the metrics of the operator.
type meter struct {
	address, token string
	began          time.Time

	mu      sync.Mutex
	pid     int
	samples []sample
	// first is the first reading of an idle process.
	first sample
}

// sample is one reading.
type sample struct {
	at                   time.Duration
	pid                  int
	resident, goroutines float64
}

const (
	meterInterval = 2 * time.Second
	// An idle process may have so much more than the first one; the number of idle connections varies.
	spareGoroutines, spareMemory = 80, 128 << 20
)

// newMeter returns a meter for processes that serve metrics at its address, which is free now.
func newMeter(ctx context.Context, cluster *harness.Cluster, namespace string) (*meter, error) {
	port, err := local.FreePort()
	if err != nil {
		return nil, err
	}
	token, err := metrics.Token(ctx, cluster.Client, namespace, "meter")
	if err != nil {
		return nil, err
	}
	return &meter{address: fmt.Sprintf("127.0.0.1:%d", port), token: token, began: time.Now()}, nil
}

// setProcess records which process serves the metrics.
func (m *meter) setProcess(pid int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pid = pid
}

// sampleLoop reads until the context ends. Readings that fail, as no process serves metrics, are left out.
func (m *meter) sampleLoop(ctx context.Context) {
	for ctx.Err() == nil {
		if s, err := m.read(ctx); err == nil {
			m.mu.Lock()
			m.samples = append(m.samples, s)
			m.mu.Unlock()
		}
		proxy.Sleep(ctx, meterInterval)
	}
}

// read makes one reading.
func (m *meter) read(ctx context.Context) (s sample, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	families, err := metrics.Read(ctx, "https://"+m.address+"/metrics", m.token)
	if err != nil {
		return s, err
	}
	gauge := func(name string) float64 {
		for _, metric := range families[name].GetMetric() {
			return metric.GetGauge().GetValue()
		}
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return sample{time.Since(m.began), m.pid, gauge("process_resident_memory_bytes"), gauge("go_goroutines")}, nil
}

// checkAtRest reads while the operator is idle, and reports a process that has much more than the first one had.
func (m *meter) checkAtRest(env *scenario.Environment) sample {
	s, err := m.read(env.Ctx)
	if err != nil {
		env.Reportf("reading metrics: %v", err)
		return s
	}
	if m.first.pid == 0 {
		m.first = s
	}
	if s.goroutines > m.first.goroutines+spareGoroutines {
		env.Reportf("an idle operator has %.0f goroutines, and had %.0f at first", s.goroutines, m.first.goroutines)
	}
	if s.resident > m.first.resident+spareMemory {
		env.Reportf("an idle operator has %.0f MiB, and had %.0f at first", s.resident/(1<<20), m.first.resident/(1<<20))
	}
	return s
}

const chartWidth, chartHeight = 720, 160

// chart draws memory and goroutines over time; a new line begins with each process.
func (m *meter) chart() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n", chartWidth+60, 2*chartHeight+70)
	fmt.Fprint(&b, `<rect width="100%" height="100%" fill="white"/>`+"\n")
	m.curve(&b, 20, "resident memory, MiB", func(s sample) float64 { return s.resident / (1 << 20) })
	m.curve(&b, chartHeight+50, "goroutines", func(s sample) float64 { return s.goroutines })
	fmt.Fprintln(&b, `</svg>`)
	return b.Bytes()
}

// curve draws one value over time.
func (m *meter) curve(b *bytes.Buffer, top int, title string, of func(sample) float64) {
	end, most := time.Second, 1.0
	for _, s := range m.samples {
		end, most = max(end, s.at), max(most, of(s))
	}
	fmt.Fprintf(b, `<text x="50" y="%d">%s (0 to %.0f, over %s)</text>`+"\n", top-6, title, most, formatClock(end))
	fmt.Fprintf(b, `<path d="M50 %d V%d H%d" fill="none" stroke="gray"/>`+"\n", top, top+chartHeight, 50+chartWidth)
	fmt.Fprint(b, `<path fill="none" stroke="#0969da" d="`)
	for i, s := range m.samples {
		to := "L"
		if i == 0 || m.samples[i-1].pid != s.pid {
			to = "M"
		}
		fmt.Fprintf(b, "%s%.1f %.1f ", to, 50+chartWidth*float64(s.at)/float64(end), float64(top+chartHeight)-chartHeight*of(s)/most)
	}
	fmt.Fprintln(b, `"/>`)
}
