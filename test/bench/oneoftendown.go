// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

const (
	healthyOfTen = 9
	// downShare is the load of the one that may be down, relative to the load of the nine together.
	downShare = 1.0 / healthyOfTen
)

const aboutOneOfTenDown = `
p50, p99, max: of objects at the nine, from their accepted create until a watch shows them as %s. A ninth as many objects of the
tenth are created at the same time. with: the tenth is down, it accepts connections and answers nothing. without: it works as the
others do. The slowest of all: %.0f ms with, %.0f ms without. Aim: with / without of p99 at most 1.15.
` + aboutRuns

// oneOfTenDownPart measures how much one of ten receivers, and one of ten brokers, slows down the other nine while it is down.
func (b *bench) oneOfTenDownPart(ctx context.Context, out io.Writer) error {
	for _, part := range []struct {
		what, done string
		objects    int
		run        runFunc
	}{
		{"Alerts to receivers", "Sent", b.runAlerts, b.measureOneReceiverDown},
		{"instances at brokers", "Ready", b.runInstances, b.measureOneBrokerDown},
	} {
		fmt.Fprintf(out, "tenth, %s: %d in a run, %g a second; runs: %d with a dead one of ten, %d without, in turn\n\n", part.what, part.objects, b.rate, b.runs, b.runs)
		with, without, err := b.alternateRuns(ctx, out, part.run)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, aboutOneOfTenDown, part.done, milliseconds(maxLatency(with)), milliseconds(maxLatency(without)))
	}
	return nil
}

// measureNineAtRate measures n objects of the nine as measureAtRate does, while objects of the tenth are created too. created is
// the number of the latter.
func (b *bench) measureNineAtRate(ctx context.Context, n int, ofNine, ofTenth objectAction, wait waitForAll) (figures isolationFigures, created int, err error) {
	created = int(float64(n)*downShare) + 1
	ended := make(chan error, 1)
	go func() {
		_, err := runAtRate(ctx, created, b.rate*downShare, ofTenth)
		ended <- err
	}()
	figures, err = b.measureAtRate(ctx, n, ofNine, wait)
	return figures, created, errors.Join(err, <-ended)
}

// measureOneReceiverDown makes one run with ten new receivers.
func (b *bench) measureOneReceiverDown(ctx context.Context, s *environment, name string, down bool) (figures isolationFigures, err error) {
	ctx, cancel := context.WithCancel(ctx) // which ends the watches
	defer cancel()
	isSent := func(a *v1beta1.Alert) bool { return a.Status.Sent }
	ofNine, err := newAlertNamespace(ctx, s.api, name, isSent)
	if err != nil {
		return figures, err
	}
	ofNine.roundRobin = true
	ofTenth, err := newAlertNamespace(ctx, s.api, name+"-tenth", isSent)
	if err != nil {
		return figures, err
	}
	respond := respondOK
	if down {
		respond = hangUntilHealed
	}
	tenth, err := newReceiver(ctx, respond)
	if err != nil {
		return figures, err
	}
	defer tenth.close()
	receivers := make([]*receiver, healthyOfTen)
	for i := range receivers {
		if receivers[i], err = newReceiver(ctx, respondOK); err != nil {
			return figures, err
		}
		defer receivers[i].close()
		if err := ofNine.addReceiver(ctx, fmt.Sprintf("%s-%d", healthy, i), receivers[i]); err != nil {
			return figures, err
		}
	}
	if err := errors.Join(ofTenth.addReceiver(ctx, "tenth", tenth), ofNine.warmUp(ctx), ofTenth.create(ctx, 0)); err != nil {
		return figures, err
	}
	figures, created, err := b.measureNineAtRate(ctx, b.runAlerts, ofNine.create, ofTenth.create, ofNine.timeline.waitReady)
	if err != nil {
		return figures, err
	}
	tenth.heal()
	if err := errors.Join(ofNine.removeAll(ctx, b.runAlerts+1), ofTenth.removeAll(ctx, created+1)); err != nil {
		return figures, err
	}
	return figures, checkPagedOnce(b.runAlerts+1, receivers...)
}

// A tenantGroup spreads numbered objects over tenants in turn. Object 0 of each tenant is for warming up.
type tenantGroup []*tenant

// createInstance creates instance i of the group; they are numbered from 1.
func (g tenantGroup) createInstance(ctx context.Context, i int) error {
	t, number := g.locate(i)
	return t.instances.create(ctx, number)
}

// locate returns the tenant of object i of the group, and the object's number there.
func (g tenantGroup) locate(i int) (t *tenant, number int) {
	return g[(i-1)%len(g)], (i-1)/len(g) + 1
}

// countAt returns how many of the first n objects of the group are at tenant number k.
func (g tenantGroup) countAt(k, n int) int { return (n - k + len(g) - 1) / len(g) }

// waitReady waits until the instances of the group with numbers below n were shown as ready, and returns when each was.
func (g tenantGroup) waitReady(ctx context.Context, n int) ([]time.Time, error) {
	all := make([]time.Time, n)
	for k, t := range g {
		ready, err := t.instances.timeline.waitReady(ctx, g.countAt(k, n-1)+1)
		if err != nil {
			return nil, err
		}
		for i, at := range ready[1:] {
			all[i*len(g)+k+1] = at
		}
	}
	return all, nil
}

// measureOneBrokerDown makes one run with ten new brokers.
func (b *bench) measureOneBrokerDown(ctx context.Context, s *environment, name string, down bool) (figures isolationFigures, err error) {
	ctx, cancel := context.WithCancel(ctx) // which ends the watches
	defer cancel()
	var all tenantGroup
	for i := range healthyOfTen + 1 {
		t, err := newRegisteredTenant(ctx, s.api, newService(fmt.Sprintf("%s-%d", name, i), osbtest.Behavior{}))
		if err != nil {
			return figures, err
		}
		defer t.broker.close()
		if err := t.instances.warmUp(ctx); err != nil {
			return figures, err
		}
		all = append(all, t)
	}
	nine, tenth, heal := all[:healthyOfTen], all[healthyOfTen], func() {}
	if down {
		heal = hangRequests(ctx, tenth.broker)
	}
	figures, created, err := b.measureNineAtRate(ctx, b.runInstances, nine.createInstance, tenth.instances.create, nine.waitReady)
	heal()
	if err != nil {
		return figures, err
	}
	if err := errors.Join(tenth.deleteInstancesAndBroker(ctx, created+1), tenth.broker.checkContents(0, 0)); err != nil {
		return figures, fmt.Errorf("the tenth broker: %w", err)
	}
	for k, t := range nine {
		count := nine.countAt(k, b.runInstances) + 1
		if err := errors.Join(t.deleteInstancesAndBroker(ctx, count), t.broker.checkHistories(count)); err != nil {
			return figures, err
		}
	}
	return figures, nil
}
