// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

const aboutBrokers = `
The slowest of all: %.0f ms with, %.0f ms without. Aims: with / without of p99 at most 1.15.
p50, p99, max: of an instance at the healthy broker, from its accepted create until a watch shows it as Ready. with: %s
before that, a third of as many instances was created at each of three brokers: one never answers, one answers asynchronously and
reports each operation as in progress at every poll, one sends its answers byte by byte without an end. without: there is only the
healthy broker. Requests that were open at once, at most: %s. Aim: at most 4.
` + aboutRuns

// brokersPart measures how much failing brokers slow down a healthy one.
func (b *bench) brokersPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "brokers: %d instances in a run, %g a second; runs: %d with %d instances at brokers that fail, %d without, in turn\n\n",
		b.runInstances, b.rate, b.runs, b.runInstances, b.runs)
	open := map[string]int{}
	with, without, err := b.alternateRuns(ctx, out, func(ctx context.Context, s *environment, name string, failing bool) (isolationFigures, error) {
		return b.measureBesideBrokers(ctx, s, name, failing, open)
	})
	if err != nil {
		return err
	}
	var openByMode []string
	for _, mode := range failureModes {
		openByMode = append(openByMode, fmt.Sprintf("%s %d", mode.name, open[mode.name]))
	}
	fmt.Fprintf(out, aboutBrokers, milliseconds(maxLatency(with)), milliseconds(maxLatency(without)), b.settle, strings.Join(openByMode, ", "))
	return nil
}

// A failureMode is one way in which a broker fails.
type failureMode struct {
	name string
	// inject makes the broker fail. heal makes it finish all operations that it was asked for, and work again.
	inject func(ctx context.Context, b *broker) (heal func())
}

// failureModes are those of the brokers beside the healthy one. Their catalogs are read before they fail.
var failureModes = []failureMode{{"hanging", hangRequests}, {"unending", neverFinish}, {"dripping", dripResponses}}

// hangRequests makes the broker answer no request.
func hangRequests(ctx context.Context, b *broker) (heal func()) {
	healed, end := context.WithCancel(ctx)
	b.Inject(osbtest.Fault{Hold: healed.Done()})
	return end
}

// neverFinish makes the broker answer asynchronously, and never finish an operation.
func neverFinish(_ context.Context, b *broker) (heal func()) {
	setBehavior := func(behavior osbtest.Behavior) {
		b.Change(func(o *osbtest.Options) { o.Services[0].Behavior = behavior })
	}
	setBehavior(osbtest.Behavior{Async: true, Never: true})
	return func() {
		setBehavior(osbtest.Behavior{})
		for id := range b.Holds().Instances {
			b.Finish(id, nil)
		}
	}
}

// dripResponses makes the broker carry out each request at once, and answer with an empty object whose end it sends when healed.
func dripResponses(ctx context.Context, b *broker) (heal func()) {
	healed, end := context.WithCancel(ctx)
	lift := b.Inject(osbtest.Fault{Acts: true, Answer: func(w http.ResponseWriter, r *http.Request, c osbtest.Call) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(healed, cancel)()
		status := http.StatusOK
		if c.Operation == osb.ProvisionInstance {
			status = http.StatusCreated
		}
		osbtest.Drip(status, 100*time.Millisecond)(w, r.WithContext(ctx), c) //nolint:contextcheck // the context of the request
		_, _ = io.WriteString(w, "}")
	}})
	return func() { lift(); end() }
}

// measureBesideBrokers makes one run with a healthy broker that is new.
func (b *bench) measureBesideBrokers(ctx context.Context, s *environment, name string, failing bool, open map[string]int) (figures isolationFigures, err error) {
	ctx, cancel := context.WithCancel(ctx) // which ends the watches
	defer cancel()
	var beside failingBrokers
	defer beside.close()
	if failing {
		if err := beside.start(ctx, s.api, failureModes, name, b.runInstances, b.creators); err != nil {
			return figures, err
		}
		select {
		case <-time.After(b.settle): // so that the run does not measure the creation of these instances
		case <-ctx.Done():
			return figures, context.Cause(ctx)
		}
	}
	t, err := newRegisteredTenant(ctx, s.api, newService(name+"-"+healthy, osbtest.Behavior{}))
	if err != nil {
		return figures, err
	}
	defer t.broker.close()
	if err := t.instances.warmUp(ctx); err != nil {
		return figures, err
	}
	if figures, err = b.measureAtRate(ctx, b.runInstances, t.instances.create, t.instances.timeline.waitReady); err != nil {
		return figures, err
	}
	if err := t.deleteInstancesAndBroker(ctx, b.runInstances+1); err != nil {
		return figures, err
	}
	if err := beside.end(ctx, open); err != nil {
		return figures, err
	}
	return figures, t.broker.checkHistories(b.runInstances + 1)
}

// newRegisteredTenant creates a tenant, a broker and its ClusterServiceBroker, and returns once the operator has read the catalog.
// The broker serves until close.
func newRegisteredTenant(ctx context.Context, api client.WithWatch, services ...osbtest.Service) (*tenant, error) {
	t, err := newTenantWithBroker(ctx, api, services...)
	if err != nil {
		return nil, err
	}
	if err := t.addBroker(ctx); err != nil {
		t.broker.close()
		return nil, err
	}
	return t, nil
}

// newTenantWithBroker creates a tenant with the name of the first service, and a broker without a ClusterServiceBroker.
func newTenantWithBroker(ctx context.Context, api client.WithWatch, services ...osbtest.Service) (*tenant, error) {
	server, err := newBroker(ctx, services...)
	if err != nil {
		return nil, err
	}
	t, err := newTenant(ctx, api, server.service.Name, server)
	if err != nil {
		server.close()
		return nil, err
	}
	return t, nil
}

// deleteInstancesAndBroker deletes the tenant's instances, of which there are n, and its ClusterServiceBroker.
func (t *tenant) deleteInstancesAndBroker(ctx context.Context, n int) error {
	return errors.Join(t.instances.removeAll(ctx, n), t.removeBroker(ctx))
}

// failingBrokers are brokers that fail, each with a tenant.
type failingBrokers []*failingBroker

type failingBroker struct {
	*tenant
	mode          string
	heal          func()
	instanceCount int
}

// start creates a failing broker for each mode, and n instances in all.
func (f *failingBrokers) start(ctx context.Context, api client.WithWatch, modes []failureMode, name string, n, creators int) error {
	for i, mode := range modes {
		t, err := newRegisteredTenant(ctx, api, newService(name+"-"+mode.name, osbtest.Behavior{}))
		if err != nil {
			return err
		}
		one := &failingBroker{tenant: t, mode: mode.name, heal: mode.inject(ctx, t.broker), instanceCount: (n + i) / len(modes)}
		*f = append(*f, one)
		if _, err := runBurst(ctx, one.instanceCount, creators, t.instances.create); err != nil {
			return err
		}
	}
	return nil
}

// end heals the brokers, so that their instances can be deleted without delay, and deletes them. It updates the largest number of
// requests that were open at once for each mode.
func (f *failingBrokers) end(ctx context.Context, open map[string]int) error {
	for _, one := range *f {
		one.heal()
	}
	for _, one := range *f {
		if err := errors.Join(one.deleteInstancesAndBroker(ctx, one.instanceCount), one.broker.checkContents(0, 0)); err != nil {
			return fmt.Errorf("%s broker: %w", one.mode, err)
		}
		open[one.mode] = max(open[one.mode], one.broker.maxOpenRequests())
	}
	return nil
}

// close ends the brokers.
func (f *failingBrokers) close() {
	for _, one := range *f {
		one.heal()
		one.broker.close()
	}
}
