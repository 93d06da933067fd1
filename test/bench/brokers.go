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
	"net/http"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

const aboutBrokers = `
The slowest of all: %.0f ms with, %.0f ms without. Aims: with / without of p99 at most 1.15.
p50, p99, max: of an instance at the healthy broker, from its accepted create until a watch shows it as Ready. with: %s
before that, a third of as many instances was created at each of three brokers: one answers nothing, one makes instances in
its own time and says at each poll that they are not ready yet, one lets its answers come byte by byte and without an end.
without: there is only the healthy broker. Requests that were open at once, at most: %s. Aim: at most 4.
` + aboutRuns

// brokersPart measures what failing brokers cost another one.
func (b *bench) brokersPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "brokers: %d instances in a run, %g a second; runs: %d with %d instances at brokers that fail, %d without, in turn\n\n",
		b.runInstances, b.rate, b.runs, b.runInstances, b.runs)
	open := map[string]int{}
	with, without, err := b.alternate(ctx, out, func(ctx context.Context, s *stage, name string, failing bool) (isolation, error) {
		return b.besideBrokers(ctx, s, name, failing, open)
	})
	if err != nil {
		return err
	}
	var held []string
	for _, kind := range failures {
		held = append(held, fmt.Sprintf("%s %d", kind.name, open[kind.name]))
	}
	fmt.Fprintf(out, aboutBrokers, milliseconds(slowest(with)), milliseconds(slowest(without)), b.settle, strings.Join(held, ", "))
	return nil
}

// A failure is how a broker fails.
type failure struct {
	name string
	// begin has the broker fail until it is healed; then it does all that it was asked.
	begin func(ctx context.Context, b *broker) (heal func())
}

// failures are those of the brokers beside the healthy one. Their catalogs can be read before.
var failures = []failure{{"hanging", hang}, {"unending", unend}, {"dripping", drip}}

// hang has no call answered.
func hang(ctx context.Context, b *broker) (heal func()) {
	healed, end := context.WithCancel(ctx)
	b.Inject(osbtest.Fault{Hold: healed.Done()})
	return end
}

// unend has all done in the broker's own time, which never comes.
func unend(_ context.Context, b *broker) (heal func()) {
	behave := func(how osbtest.Behavior) {
		b.Change(func(o *osbtest.Options) { o.Services[0].Behavior = how })
	}
	behave(osbtest.Behavior{Async: true, Never: true})
	return func() {
		behave(osbtest.Behavior{})
		for id := range b.Holds().Instances {
			b.Finish(id, nil)
		}
	}
}

// drip has all done at once, and answered with an empty object whose end comes when the broker is healed.
func drip(ctx context.Context, b *broker) (heal func()) {
	healed, end := context.WithCancel(ctx)
	lift := b.Inject(osbtest.Fault{Acts: true, Answer: func(w http.ResponseWriter, r *http.Request, c osbtest.Call) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(healed, cancel)()
		status := http.StatusOK
		if c.Operation == osb.ProvisionInstance {
			status = http.StatusCreated
		}
		osbtest.Drip(status, 100*time.Millisecond)(w, r.WithContext(ctx), c) //nolint:contextcheck // it is the request's
		_, _ = io.WriteString(w, "}")
	}})
	return func() { lift(); end() }
}

// besideBrokers makes a run with a healthy broker that is new.
func (b *bench) besideBrokers(ctx context.Context, s *stage, name string, failing bool, open map[string]int) (figures isolation, err error) {
	ctx, cancel := context.WithCancel(ctx) // ends the watches
	defer cancel()
	var beside trouble
	defer beside.close()
	if failing {
		if err := beside.begin(ctx, s.api, failures, name, b.runInstances, b.creators); err != nil {
			return figures, err
		}
		select {
		case <-time.After(b.settle): // what it costs to create them is another matter
		case <-ctx.Done():
			return figures, context.Cause(ctx)
		}
	}
	t, err := enter(ctx, s.api, newService(name+"-"+healthy, osbtest.Behavior{}))
	if err != nil {
		return figures, err
	}
	defer t.broker.close()
	if err := t.instances.warmUp(ctx); err != nil {
		return figures, err
	}
	if figures, err = b.steadily(ctx, b.runInstances, t.instances.create, t.instances.seen.readyAt); err != nil {
		return figures, err
	}
	if err := t.leave(ctx, b.runInstances+1); err != nil {
		return figures, err
	}
	if err := beside.end(ctx, open); err != nil {
		return figures, err
	}
	return figures, t.broker.checkRecord(b.runInstances + 1)
}

// enter makes a tenant of a broker of its own, whose catalog is read. The broker serves until closed.
func enter(ctx context.Context, api client.WithWatch, services ...osbtest.Service) (*tenant, error) {
	t, err := prepare(ctx, api, services...)
	if err != nil {
		return nil, err
	}
	if err := t.addBroker(ctx); err != nil {
		t.broker.close()
		return nil, err
	}
	return t, nil
}

// prepare makes a tenant of a broker that the cluster does not know yet, with the name of the first service.
func prepare(ctx context.Context, api client.WithWatch, services ...osbtest.Service) (*tenant, error) {
	of, err := newBroker(ctx, services...)
	if err != nil {
		return nil, err
	}
	t, err := newTenant(ctx, api, of.service.Name, of)
	if err != nil {
		of.close()
		return nil, err
	}
	return t, nil
}

// leave removes the tenant's instances, which are so many, and its broker.
func (t *tenant) leave(ctx context.Context, instances int) error {
	return errors.Join(t.instances.clear(ctx, instances), t.removeBroker(ctx))
}

// trouble are brokers that fail, each with its tenant.
type trouble []*troubled

type troubled struct {
	*tenant
	kind string
	heal func()
	has  int // instances
}

// begin creates n instances at brokers of all these kinds.
func (t *trouble) begin(ctx context.Context, api client.WithWatch, kinds []failure, name string, n, creators int) error {
	for i, kind := range kinds {
		at, err := enter(ctx, api, newService(name+"-"+kind.name, osbtest.Behavior{}))
		if err != nil {
			return err
		}
		of := &troubled{tenant: at, kind: kind.name, heal: kind.begin(ctx, at.broker), has: (n + i) / len(kinds)}
		*t = append(*t, of)
		if _, err := burst(ctx, of.has, creators, at.instances.create); err != nil {
			return err
		}
	}
	return nil
}

// end heals the brokers, so that nothing is left to wait for when their instances are deleted. open is how many requests each
// kind had open at once in all runs.
func (t *trouble) end(ctx context.Context, open map[string]int) error {
	for _, of := range *t {
		of.heal()
	}
	for _, of := range *t {
		if err := errors.Join(of.leave(ctx, of.has), of.broker.checkHolds(0, 0)); err != nil {
			return fmt.Errorf("%s broker: %w", of.kind, err)
		}
		open[of.kind] = max(open[of.kind], of.broker.mostOpen())
	}
	return nil
}

// close ends the brokers.
func (t *trouble) close() {
	for _, of := range *t {
		of.heal()
		of.broker.close()
	}
}
