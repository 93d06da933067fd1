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
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

const (
	nine = 9
	// perTenth is what the tenth gets of what the nine get.
	perTenth = 1.0 / nine
)

const aboutTenth = `
p50, p99, max: of what goes to the nine, from its accepted create until a watch shows it as %s. A ninth as many go to the tenth
at the same time. with: the tenth is dead, it takes connections and answers nothing. without: it is as the others are.
The slowest of all: %.0f ms with, %.0f ms without. Aim: with / without of p99 at most 1.15.
` + aboutRuns

// tenthPart measures what a dead one of ten receivers, and of ten brokers, costs the other nine.
func (b *bench) tenthPart(ctx context.Context, out io.Writer) error {
	for _, of := range []struct {
		what, done string
		objects    int
		run        isolationRun
	}{
		{"Alerts to receivers", "Sent", b.runAlerts, b.besideTenthReceiver},
		{"instances at brokers", "Ready", b.runInstances, b.besideTenthBroker},
	} {
		fmt.Fprintf(out, "tenth, %s: %d in a run, %g a second; runs: %d with a dead one of ten, %d without, in turn\n\n", of.what, of.objects, b.rate, b.runs, b.runs)
		with, without, err := b.alternate(ctx, out, of.run)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, aboutTenth, of.done, milliseconds(slowest(with)), milliseconds(slowest(without)))
	}
	return nil
}

// steadilyTen is steadily for what goes to the nine, while objects of the tenth are created too.
func (b *bench) steadilyTen(ctx context.Context, n int, nine, tenth doing, seen seeing) (figures isolation, ofTenth int, err error) {
	ofTenth = int(float64(n)*perTenth) + 1
	created := make(chan error, 1)
	go func() {
		_, err := steady(ctx, ofTenth, b.rate*perTenth, tenth)
		created <- err
	}()
	figures, err = b.steadily(ctx, n, nine, seen)
	return figures, ofTenth, errors.Join(err, <-created)
}

// besideTenthReceiver makes a run with ten receivers that are new.
func (b *bench) besideTenthReceiver(ctx context.Context, s *stage, name string, dead bool) (figures isolation, err error) {
	ctx, cancel := context.WithCancel(ctx) // ends the watches
	defer cancel()
	isSent := func(a *v1beta1.Alert) bool { return a.Status.Sent }
	at, err := newSite(ctx, s.api, name, isSent)
	if err != nil {
		return figures, err
	}
	at.inTurn = true
	beside, err := newSite(ctx, s.api, name+"-tenth", isSent)
	if err != nil {
		return figures, err
	}
	answers := confirms
	if dead {
		answers = hangs
	}
	tenth, err := newReceiver(ctx, answers)
	if err != nil {
		return figures, err
	}
	defer tenth.close()
	receivers := make([]*receiver, nine)
	for i := range receivers {
		if receivers[i], err = newReceiver(ctx, confirms); err != nil {
			return figures, err
		}
		defer receivers[i].close()
		if err := at.addReceiver(ctx, fmt.Sprintf("%s-%d", healthy, i), receivers[i]); err != nil {
			return figures, err
		}
	}
	if err := errors.Join(beside.addReceiver(ctx, "tenth", tenth), at.warmUp(ctx), beside.create(ctx, 0)); err != nil {
		return figures, err
	}
	figures, ofTenth, err := b.steadilyTen(ctx, b.runAlerts, at.create, beside.create, at.seen.readyAt)
	if err != nil {
		return figures, err
	}
	tenth.heal()
	if err := errors.Join(at.clear(ctx, b.runAlerts+1), beside.clear(ctx, ofTenth+1)); err != nil {
		return figures, err
	}
	return figures, checkPages(b.runAlerts+1, receivers...)
}

// tenants have objects in turn. The first object of each is the one that warms it up.
type tenants []*tenant

// createInstance makes the i-th of all that are not for warming up; they are numbered from 1.
func (t tenants) createInstance(ctx context.Context, i int) error {
	of, at := t.place(i)
	return of.instances.create(ctx, at)
}

// place is whose the i-th is, and its number there.
func (t tenants) place(i int) (of *tenant, at int) { return t[(i-1)%len(t)], (i-1)/len(t) + 1 }

// has is how many there are at a tenant, if n are everywhere, but for those that warm up.
func (t tenants) has(tenant, n int) int { return (n - tenant + len(t) - 1) / len(t) }

// readyAt is when instances were shown as ready: those numbered below n.
func (t tenants) readyAt(ctx context.Context, n int) ([]time.Time, error) {
	all := make([]time.Time, n)
	for k, of := range t {
		ready, err := of.instances.seen.readyAt(ctx, t.has(k, n-1)+1)
		if err != nil {
			return nil, err
		}
		for i, at := range ready[1:] {
			all[i*len(t)+k+1] = at
		}
	}
	return all, nil
}

// besideTenthBroker makes a run with ten brokers that are new.
func (b *bench) besideTenthBroker(ctx context.Context, s *stage, name string, dead bool) (figures isolation, err error) {
	ctx, cancel := context.WithCancel(ctx) // ends the watches
	defer cancel()
	var all tenants
	for i := range nine + 1 {
		t, err := enter(ctx, s.api, newService(fmt.Sprintf("%s-%d", name, i), osbtest.Behavior{}))
		if err != nil {
			return figures, err
		}
		defer t.broker.close()
		if err := t.instances.warmUp(ctx); err != nil {
			return figures, err
		}
		all = append(all, t)
	}
	others, tenth, heal := all[:nine], all[nine], func() {}
	if dead {
		heal = hang(ctx, tenth.broker)
	}
	figures, ofTenth, err := b.steadilyTen(ctx, b.runInstances, others.createInstance, tenth.instances.create, others.readyAt)
	heal()
	if err != nil {
		return figures, err
	}
	if err := errors.Join(tenth.leave(ctx, ofTenth+1), tenth.broker.checkHolds(0, 0)); err != nil {
		return figures, fmt.Errorf("the tenth broker: %w", err)
	}
	for k, t := range others {
		has := others.has(k, b.runInstances) + 1
		if err := errors.Join(t.leave(ctx, has), t.broker.checkRecord(has)); err != nil {
			return figures, err
		}
	}
	return figures, nil
}
