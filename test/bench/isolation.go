// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// isolationFigures are the figures of one run, of Alerts or instances that go only to receivers or brokers that do not fail.
type isolationFigures struct {
	created float64 // per second
	speed
	busy float64 // CPU time of all processes, in percent of all cores
}

func isolationTable() *table[isolationFigures] {
	return newTable(
		column[isolationFigures]{"created/s", 1, func(i isolationFigures) float64 { return i.created }},
		column[isolationFigures]{"p50 ms", 1, func(i isolationFigures) float64 { return milliseconds(i.p50) }},
		column[isolationFigures]{"p99 ms", 1, func(i isolationFigures) float64 { return milliseconds(i.p99) }},
		column[isolationFigures]{"max ms", 1, func(i isolationFigures) float64 { return milliseconds(i.max) }},
		column[isolationFigures]{"busy %", 0, func(i isolationFigures) float64 { return i.busy }},
	)
}

const aboutIsolation = `
The slowest of all: %.0f ms with, %.0f ms without. Aims: with / without of p99 at most 1.15; none slower than a second.
p50, p99, max: of an Alert, from its accepted create until a watch shows the healthy receiver's row as Sent. with: the
Alerts also go to a receiver that never answers and to one that answers 500 at once. without: to the healthy one alone.
` + aboutRuns

const aboutRuns = `One operator with its default flags serves all runs; each run creates receivers or brokers of its own, and removes them.
busy: CPU time of all processes, in percent of all cores. Near 100, or where created/s is less than -rate, the machine is too
slow for the rate, and the figures say nothing about isolation: choose a lower -rate.

`

const healthy = "healthy"

// The providers of receivers that fail.
const (
	providerWebhook = "webhook"
	providerGRPC    = "grpc"
)

// isolationPart measures how much failing receivers slow down a healthy one.
func (b *bench) isolationPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "isolation: %d Alerts in a run, %g a second; runs: %d with receivers of the provider %s that fail, %d without, in turn\n\n",
		b.runAlerts, b.rate, b.runs, b.failing, b.runs)
	with, without, err := b.alternateRuns(ctx, out, b.measureReceiverIsolation)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, aboutIsolation, milliseconds(maxLatency(with)), milliseconds(maxLatency(without)))
	return nil
}

// A runFunc measures objects that go to something healthy, with or without something else that fails.
type runFunc func(ctx context.Context, s *environment, name string, failing bool) (isolationFigures, error)

// alternateRuns makes runs with and without failures in turn, with one operator, and writes their figures.
func (b *bench) alternateRuns(ctx context.Context, out io.Writer, measure runFunc) (with, without []isolationFigures, err error) {
	t := isolationTable()
	err = b.runInEnvironment(ctx, environmentOptions{binary: b.operator}, func(ctx context.Context, s *environment) error {
		for run := range 2 * b.runs {
			failing, name, runs := run%2 == 0, fmt.Sprintf("with-%d", run/2+1), &with
			if !failing {
				name, runs = fmt.Sprintf("without-%d", run/2+1), &without
			}
			logProgress("run %d of %d: %s", run+1, 2*b.runs, name)
			figures, err := measure(ctx, s, b.uniqueName(name), failing)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			*runs = append(*runs, figures)
			t.addRun(name, figures)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	t.addMedians("median with", with)
	t.addMedians("median without", without)
	t.addRatio("with / without", with, without)
	t.write(out)
	return with, without, nil
}

func maxLatency(runs []isolationFigures) time.Duration {
	return slices.MaxFunc(runs, func(a, b isolationFigures) int { return cmp.Compare(a.max, b.max) }).max
}

// measureReceiverIsolation makes one run in a namespace of its own.
func (b *bench) measureReceiverIsolation(ctx context.Context, s *environment, name string, failing bool) (figures isolationFigures, err error) {
	ctx, cancel := context.WithCancel(ctx) // which ends the watch
	defer cancel()
	ns, err := newAlertNamespace(ctx, s.api, name, isSentToHealthy)
	if err != nil {
		return figures, err
	}
	heal := func() {}
	if failing { // these are named first, so that the order does not favour the healthy receiver
		var stop func()
		if heal, stop, err = b.addFailingReceivers(ctx, ns); err != nil {
			return figures, err
		}
		defer stop()
	}
	recv, err := newReceiver(ctx, respondOK)
	if err != nil {
		return figures, err
	}
	defer recv.close()
	if err := ns.addReceiver(ctx, healthy, recv); err != nil {
		return figures, err
	}
	if err := ns.warmUp(ctx); err != nil {
		return figures, err
	}
	if figures, err = b.measureAtRate(ctx, b.runAlerts, ns.create, ns.timeline.waitReady); err != nil {
		return figures, err
	}
	heal()
	if err := ns.removeAll(ctx, b.runAlerts+1); err != nil {
		return figures, err
	}
	return figures, checkPagedOnce(b.runAlerts+1, recv)
}

func isSentToHealthy(a *v1beta1.Alert) bool {
	return slices.ContainsFunc(a.Status.Deliveries, func(row v1beta1.Delivery) bool {
		return row.Name == healthy && row.State == v1beta1.DeliverySent
	})
}

// addFailingReceivers adds a receiver that never answers and one that answers 500 at once. heal makes both answer 200, so that
// the Alerts can be deleted without waiting for resolveTimeoutSeconds.
func (b *bench) addFailingReceivers(ctx context.Context, ns *alertNamespace) (heal, stop func(), err error) {
	newFailing := newReceiver
	if b.failing == providerGRPC {
		newFailing = newNotifier
	}
	hanging, err := newFailing(ctx, hangUntilHealed)
	if err != nil {
		return nil, nil, err
	}
	refusing, err := newFailing(ctx, respondErrorUntilHealed)
	if err != nil {
		return nil, nil, err
	}
	heal = func() { hanging.heal(); refusing.heal() }
	stop = func() { hanging.close(); refusing.close() }
	return heal, stop, errors.Join(ns.addReceiver(ctx, "hanging", hanging), ns.addReceiver(ctx, "refusing", refusing))
}

// measureAtRate creates objects 1 to n at a steady rate, and returns once all are ready.
func (b *bench) measureAtRate(ctx context.Context, n int, do objectAction, wait waitForAll) (figures isolationFigures, err error) {
	busyBefore, idleBefore := readCPUTimes()
	accepted, err := runAtRate(ctx, n, b.rate, do)
	if err != nil {
		return figures, err
	}
	ready, err := wait(ctx, len(accepted))
	if err != nil {
		return figures, err
	}
	busyAfter, idleAfter := readCPUTimes()
	figures.speed = computeSpeed(accepted, ready)
	accepted = slices.SortedFunc(slices.Values(accepted[1:]), time.Time.Compare)
	figures.created = float64(len(accepted)-1) / accepted[len(accepted)-1].Sub(accepted[0]).Seconds()
	figures.busy = 100 * (busyAfter - busyBefore) / (busyAfter - busyBefore + idleAfter - idleBefore)
	return figures, nil
}
