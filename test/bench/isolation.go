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
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// isolation are the figures of a run, all about the receiver that does not fail.
type isolation struct {
	created float64 // a second
	speed
	busy float64 // the machine, in percent
}

func isolationTable() *table[isolation] {
	return newTable(
		column[isolation]{"created/s", 1, func(i isolation) float64 { return i.created }},
		column[isolation]{"p50 ms", 1, func(i isolation) float64 { return milliseconds(i.p50) }},
		column[isolation]{"p99 ms", 1, func(i isolation) float64 { return milliseconds(i.p99) }},
		column[isolation]{"max ms", 1, func(i isolation) float64 { return milliseconds(i.max) }},
		column[isolation]{"busy %", 0, func(i isolation) float64 { return i.busy }},
	)
}

const aboutIsolation = `
The slowest of all: %.0f ms with, %.0f ms without. Aims: with / without of p99 at most 1.15; none slower than a second.
p50, p99, max: of an Alert, from its accepted create until a watch shows the healthy receiver's row as Sent. with: the
Alerts also go to a receiver that never answers and to one that answers 500 at once. without: to the healthy one alone.
` + aboutRuns

const aboutRuns = `One operator with its default flags for all runs; all that it talks to is new in each, and gone before the next.
busy: all cores, with whatever. Near 100, or where created/s is less than was asked for, the machine is too slow for the
rate, and the figures say nothing about isolation: lower it (-rate).

`

const healthy = "healthy"

// isolationPart measures what failing receivers cost another one.
func (b *bench) isolationPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "isolation: %d Alerts in a run, %g a second; runs: %d with receivers that fail, %d without, in turn\n\n",
		b.runAlerts, b.rate, b.runs, b.runs)
	with, without, err := b.alternate(ctx, out, b.isolationOf)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, aboutIsolation, milliseconds(slowest(with)), milliseconds(slowest(without)))
	return nil
}

// An isolationRun has the figures of what is healthy, beside what fails or without that.
type isolationRun func(ctx context.Context, s *stage, name string, failing bool) (isolation, error)

// alternate makes runs with and without what fails in turn, by one operator, and writes their figures.
func (b *bench) alternate(ctx context.Context, out io.Writer, of isolationRun) (with, without []isolation, err error) {
	t := isolationTable()
	err = b.onStage(ctx, staging{binary: b.operator}, func(ctx context.Context, s *stage) error {
		for run := range 2 * b.runs {
			failing, name, runs := run%2 == 0, fmt.Sprintf("with-%d", run/2+1), &with
			if !failing {
				name, runs = fmt.Sprintf("without-%d", run/2+1), &without
			}
			progress("run %d of %d: %s", run+1, 2*b.runs, name)
			figures, err := of(ctx, s, b.unused(name), failing)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			*runs = append(*runs, figures)
			t.run(name, figures)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	t.medians("median with", with)
	t.medians("median without", without)
	t.ratio("with / without", with, without)
	t.write(out)
	return with, without, nil
}

func slowest(runs []isolation) time.Duration {
	return slices.MaxFunc(runs, func(a, b isolation) int { return cmp.Compare(a.max, b.max) }).max
}

// isolationOf makes a run in a namespace of its own.
func (b *bench) isolationOf(ctx context.Context, s *stage, name string, failing bool) (figures isolation, err error) {
	ctx, cancel := context.WithCancel(ctx) // ends the watch
	defer cancel()
	at, err := newSite(ctx, s.api, name, sentToHealthy)
	if err != nil {
		return figures, err
	}
	heal := func() {}
	if failing { // named first, so as not to favour the healthy one
		var stop func()
		if heal, stop, err = addFailing(ctx, at); err != nil {
			return figures, err
		}
		defer stop()
	}
	to, err := newReceiver(ctx, confirms)
	if err != nil {
		return figures, err
	}
	defer to.close()
	if err := at.addReceiver(ctx, healthy, to); err != nil {
		return figures, err
	}
	if err := at.warmUp(ctx); err != nil {
		return figures, err
	}
	if figures, err = b.steadily(ctx, b.runAlerts, at.create, at.seen.readyAt); err != nil {
		return figures, err
	}
	heal()
	if err := at.clear(ctx, b.runAlerts+1); err != nil {
		return figures, err
	}
	return figures, checkPages(b.runAlerts+1, to)
}

func sentToHealthy(a *v1beta1.Alert) bool {
	return slices.ContainsFunc(a.Status.Deliveries, func(row v1beta1.Delivery) bool {
		return row.Name == healthy && row.State == v1beta1.DeliverySent
	})
}

// addFailing adds a receiver that never answers and one that refuses at once. heal has them confirm, so that nothing is left
// to wait for when the Alerts are deleted.
func addFailing(ctx context.Context, at *site) (heal, stop func(), err error) {
	hanging, err := newReceiver(ctx, hangs)
	if err != nil {
		return nil, nil, err
	}
	refusing, err := newReceiver(ctx, refuses)
	if err != nil {
		return nil, nil, err
	}
	heal = func() { hanging.heal(); refusing.heal() }
	stop = func() { hanging.close(); refusing.close() }
	return heal, stop, errors.Join(at.addReceiver(ctx, "hanging", hanging), at.addReceiver(ctx, "refusing", refusing))
}

// steadily creates objects 1 to n at a steady rate, and returns once all are ready.
func (b *bench) steadily(ctx context.Context, n int, do doing, seen seeing) (figures isolation, err error) {
	busyBefore, idleBefore := busy()
	accepted, err := steady(ctx, n, b.rate, do)
	if err != nil {
		return figures, err
	}
	ready, err := seen(ctx, len(accepted))
	if err != nil {
		return figures, err
	}
	busyAfter, idleAfter := busy()
	figures.speed = speedOf(accepted, ready)
	accepted = slices.SortedFunc(slices.Values(accepted[1:]), time.Time.Compare)
	figures.created = float64(len(accepted)-1) / accepted[len(accepted)-1].Sub(accepted[0]).Seconds()
	figures.busy = 100 * (busyAfter - busyBefore) / (busyAfter - busyBefore + idleAfter - idleBefore)
	return figures, nil
}
