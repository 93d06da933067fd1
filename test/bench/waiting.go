// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

const aboutWaiting = `
The slowest of all: %.0f ms with, %.0f ms without. Aim: p99 with them below 1000 ms.
p50, p99, max: of an instance that a user creates at an otherwise idle broker, from its accepted create until a watch shows it as
Ready. with: half of the waiting instances are at a broker that answers asynchronously and reports each operation as in progress at
every poll, half at one that answers every request with 500; the operator sent %.0f requests a second for them. without: before any
waiting instance was created.
` + aboutRuns

// waitingPart measures how much instances that poll or retry slow down others.
func (b *bench) waitingPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "waiting: %d instances in a run, %g a second; runs: %d without others, then %d with %d others that poll or retry\n\n",
		b.runInstances, b.rate, b.runs, b.runs, b.waiting)
	t := isolationTable()
	var with, without []isolationFigures
	var requestRate float64
	run := func(ctx context.Context, s *environment, name string, into *[]isolationFigures) error {
		for i := range b.runs {
			logProgress("run %d of %d: %s", i+1, b.runs, name)
			figures, err := b.measureBesideBrokers(ctx, s, b.uniqueName(name), false, nil)
			if err != nil {
				return err
			}
			*into = append(*into, figures)
			t.addRun(fmt.Sprintf("%s-%d", name, i+1), figures)
		}
		return nil
	}
	err := b.runInEnvironment(ctx, environmentOptions{binary: b.operator}, func(ctx context.Context, s *environment) error {
		if err := run(ctx, s, "without", &without); err != nil {
			return err
		}
		var beside failingBrokers
		defer beside.close()
		logProgress("making %d instances that wait", b.waiting)
		if err := beside.createWaiting(ctx, s, b.uniqueName("waiting"), b.waiting, b.creators); err != nil {
			return err
		}
		before, since := beside.requestCount(), time.Now()
		if err := run(ctx, s, "with", &with); err != nil {
			return err
		}
		requestRate = float64(beside.requestCount()-before) / time.Since(since).Seconds()
		return b.cleanUpWaiting(ctx, &beside)
	})
	if err != nil {
		return err
	}
	t.addMedians("median with", with)
	t.addMedians("median without", without)
	t.addRatio("with / without", with, without)
	t.write(out)
	fmt.Fprintf(out, aboutWaiting, milliseconds(maxLatency(with)), milliseconds(maxLatency(without)), requestRate)
	return nil
}

// cleanUpWaiting heals the brokers and removes their instances, where another part uses the same environment afterwards.
func (b *bench) cleanUpWaiting(ctx context.Context, beside *failingBrokers) error {
	if b.shared == nil {
		return nil
	}
	return beside.end(ctx, map[string]int{})
}

// waitingModes are failures that keep instances waiting.
var waitingModes = []failureMode{{"polled", neverFinish}, {"retried", failRequests}}

// failRequests makes the broker answer every call with 500.
func failRequests(_ context.Context, b *broker) (heal func()) {
	return b.Inject(osbtest.Fault{Answer: osbtest.Error(http.StatusInternalServerError, "", "out of order")})
}

// createWaiting creates n instances that wait, and returns once the broker got a request for each.
func (f *failingBrokers) createWaiting(ctx context.Context, s *environment, name string, n, creators int) error {
	if err := f.start(ctx, s.api, waitingModes, name, n, creators); err != nil {
		return err
	}
	for _, one := range *f {
		err := pollUntil(ctx, func(context.Context) (bool, error) { return len(one.broker.Histories()) == one.instanceCount, nil })
		if err != nil {
			return fmt.Errorf("%s instances: the broker got requests for only %d of %d: %w", one.mode, len(one.broker.Histories()), one.instanceCount, err)
		}
	}
	return nil
}

// requestCount counts the requests that the brokers got.
func (f *failingBrokers) requestCount() (sum int) {
	for _, one := range *f {
		sum += one.broker.requestCount()
	}
	return sum
}
