// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

// lifecycleFigures are the figures of the objects of one kind.
type lifecycleFigures struct {
	ready, gone phaseFigures
	heap        float64 // bytes that stay in use while an object exists
	peak        float64 // MiB, of the subject in the whole round
}

// phaseFigures are the figures of the phase in which objects of one kind are created, or deleted. Figures per object are means.
type phaseFigures struct {
	speed
	requestCounts               // of the subject to the API server
	puts, deletes, gets float64 // of the subject to the broker
	cpu, serverCPU      float64 // milliseconds of the subject and of the API server
}

func speedTable() *table[lifecycleFigures] {
	return newTable(
		column[lifecycleFigures]{"ready/s", 1, func(l lifecycleFigures) float64 { return l.ready.perSecond }},
		column[lifecycleFigures]{"p50 ms", 0, func(l lifecycleFigures) float64 { return milliseconds(l.ready.p50) }},
		column[lifecycleFigures]{"p99 ms", 0, func(l lifecycleFigures) float64 { return milliseconds(l.ready.p99) }},
		column[lifecycleFigures]{"max ms", 0, func(l lifecycleFigures) float64 { return milliseconds(l.ready.max) }},
		column[lifecycleFigures]{"pace ms", 2, func(l lifecycleFigures) float64 { return l.ready.cpuBaseline }},
		column[lifecycleFigures]{"gone/s", 1, func(l lifecycleFigures) float64 { return l.gone.perSecond }},
		column[lifecycleFigures]{"p50 ms", 0, func(l lifecycleFigures) float64 { return milliseconds(l.gone.p50) }},
		column[lifecycleFigures]{"p99 ms", 0, func(l lifecycleFigures) float64 { return milliseconds(l.gone.p99) }},
		column[lifecycleFigures]{"max ms", 0, func(l lifecycleFigures) float64 { return milliseconds(l.gone.max) }},
		column[lifecycleFigures]{"pace ms", 2, func(l lifecycleFigures) float64 { return l.gone.cpuBaseline }},
	)
}

func costTable() *table[lifecycleFigures] {
	both := func(figure func(phaseFigures) float64) func(lifecycleFigures) float64 {
		return func(l lifecycleFigures) float64 { return figure(l.ready) + figure(l.gone) }
	}
	return newTable(
		column[lifecycleFigures]{"PATCH", 2, both(func(p phaseFigures) float64 { return p.patch })},
		column[lifecycleFigures]{"POST", 2, both(func(p phaseFigures) float64 { return p.post })},
		column[lifecycleFigures]{"DELETE", 2, both(func(p phaseFigures) float64 { return p.del })},
		column[lifecycleFigures]{"GET", 2, both(func(p phaseFigures) float64 { return p.get })},
		column[lifecycleFigures]{"Secret GET", 2, both(func(p phaseFigures) float64 { return p.secretGets })},
		column[lifecycleFigures]{"events", 2, both(func(p phaseFigures) float64 { return p.events })},
		column[lifecycleFigures]{"b.PUT", 2, both(func(p phaseFigures) float64 { return p.puts })},
		column[lifecycleFigures]{"b.DELETE", 2, both(func(p phaseFigures) float64 { return p.deletes })},
		column[lifecycleFigures]{"b.GET", 2, both(func(p phaseFigures) float64 { return p.gets })},
		column[lifecycleFigures]{"CPU ms", 2, both(func(p phaseFigures) float64 { return p.cpu })},
		column[lifecycleFigures]{"server CPU ms", 2, both(func(p phaseFigures) float64 { return p.serverCPU })},
		column[lifecycleFigures]{"heap B", 0, func(l lifecycleFigures) float64 { return l.heap }},
		column[lifecycleFigures]{"peak MiB", 1, func(l lifecycleFigures) float64 { return l.peak }},
	)
}

const aboutServices = `
ready/s: from the first accepted create to the last object that a watch shows as Ready; p50, p99, max: of an object, from
its accepted create until then. gone/s and what follows: the same from accepted deletes until the objects are gone.
pace: CPU time of one small computation, repeated meanwhile, which is longer where the machine is slower; in a phase of
seconds it says little. What one costs is summed up until it is gone. PATCH, POST, DELETE, GET: requests of the subject to the
API server, by its audit log, without Secret GET and events. b.PUT, b.DELETE, b.GET: requests to the broker, by its own
record; GETs are polls. CPU: of the subject, webhooks included. heap: how much more of it is in use at rest while the
object exists. peak: VmHWM of the subject in all. async: the broker reports an operation as done at the first poll.
Each subject has %d workers for each kind, a fresh control plane and broker in each round, and has made and removed an
instance and a binding before. Subject, control plane, clients and broker share the machine; etcd does not wait for the
disk. Aims: bellhop / floor at least 0.9 of ready/s and gone/s; 3 writes for an instance and 5 for a binding.

`

// servicesPart measures how fast the operator and the floor create and delete instances and bindings.
func (b *bench) servicesPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "services: %v instances, then a binding to each, created and then deleted by %d clients as fast as they go; medians of %d rounds, with more than %d objects of one\n",
		&b.services, b.creators, b.rounds, maxSizeForRounds)
	results, err := measureSizes(b, b.services, b.serviceSubjects(), func(sub subject, n int) (serviceFigures, error) { return b.measureServiceSubject(ctx, sub, n) })
	if err != nil {
		return err
	}
	writeServiceTables(out, "ServiceInstances", results, func(l serviceFigures) lifecycleFigures { return l.instances })
	writeServiceTables(out, "ServiceBindings", results, func(l serviceFigures) lifecycleFigures { return l.bindings })
	fmt.Fprintf(out, aboutServices, b.serviceModel.workers)
	return nil
}

// serviceFigures are the figures of a subject in one round.
type serviceFigures struct{ instances, bindings lifecycleFigures }

// writeServiceTables writes the tables of one kind.
func writeServiceTables(out io.Writer, kind string, results *series[serviceFigures], kindOf func(serviceFigures) lifecycleFigures) {
	speeds, costs := speedTable(), costTable()
	addSeries(speeds, results, kindOf, true)
	addSeries(costs, results, kindOf, false)
	fmt.Fprintf(out, "\n%s, how fast they are\n", kind)
	speeds.write(out)
	fmt.Fprintf(out, "\n%s, what one costs\n", kind)
	costs.write(out)
}

// measureServiceSubject measures a subject with n instances and n bindings in an environment of its own.
func (b *bench) measureServiceSubject(ctx context.Context, sub subject, n int) (figures serviceFigures, err error) {
	name := b.uniqueName("services")
	service := newService(name, osbtest.Behavior{Async: sub.async, AsyncBindings: sub.async})
	if sub.loop != "" {
		if b.catalogObjects == nil {
			return figures, errors.New("the floor repeats requests that bellhop made before: -subjects has to leave both")
		}
		service = b.catalogObjects.service
	}
	server, err := newBroker(ctx, service)
	if err != nil {
		return figures, err
	}
	defer server.close()
	o := environmentOptions{binary: sub.binary, args: sub.args(b.serviceModel, server.url), audited: true}
	err = b.runInEnvironment(ctx, o, func(ctx context.Context, s *environment) error {
		t, err := newTenant(ctx, s.api, name, server)
		if err != nil {
			return err
		}
		if sub.loop != "" {
			err = b.catalogObjects.create(ctx, s.api)
		} else {
			err = t.addBroker(ctx)
		}
		if err != nil {
			return err
		}
		if err := b.warmUpServices(ctx, s, t); err != nil {
			return fmt.Errorf("warming up: %w", err)
		}
		if figures, err = b.measureLifecycles(ctx, s, t, n); err != nil {
			return err
		}
		return server.checkHistories(2 * (n + 1))
	})
	return figures, err
}

// warmUpServices creates and deletes one instance and one binding. Of the first subject it records objects and requests.
func (b *bench) warmUpServices(ctx context.Context, s *environment, t *tenant) error {
	if err := t.instances.warmUp(ctx); err != nil {
		return err
	}
	if err := t.bindings.warmUp(ctx); err != nil {
		return err
	}
	var recorded *recordedServices
	if b.serviceModel == nil {
		var err error
		if recorded, err = recordServices(ctx, t); err != nil {
			return err
		}
		if b.catalogObjects, err = t.readCatalogObjects(ctx); err != nil {
			return err
		}
	}
	if err := t.bindings.removeAll(ctx, 1); err != nil {
		return err
	}
	if err := t.instances.removeAll(ctx, 1); err != nil {
		return err
	}
	if recorded == nil {
		return nil
	}
	recorded.addRequests(t.broker)
	var err error
	b.serviceModel, err = b.saveModel(ctx, s, "serviceinstance", recorded)
	return err
}

// recordedServices are the objects of one instance and its binding as the operator left them, and its requests about them.
type recordedServices struct {
	Instance v1beta1.ServiceInstance
	Binding  v1beta1.ServiceBinding
	Secret   corev1.Secret

	Provision, Deprovision, Bind, Unbind brokerRequest
}

// A brokerRequest is one that a broker got.
type brokerRequest struct {
	Method, URI string
	Header      http.Header
	Body        []byte
}

// recordServices reads the objects of the warm-up.
func recordServices(ctx context.Context, t *tenant) (*recordedServices, error) {
	r := &recordedServices{}
	key := client.ObjectKey{Namespace: t.namespace, Name: objectName(0)}
	for _, object := range []client.Object{&r.Instance, &r.Binding, &r.Secret} {
		if err := t.api.Get(ctx, key, object); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// addRequests adds the requests that the broker got about them.
func (r *recordedServices) addRequests(server *broker) {
	for _, call := range server.Calls() {
		switch call.Operation {
		case osb.ProvisionInstance:
			r.Provision = brokerRequest{http.MethodPut, call.URI, call.Header, call.Body}
		case osb.Bind:
			r.Bind = brokerRequest{http.MethodPut, call.URI, call.Header, call.Body}
		case osb.Unbind:
			r.Unbind = brokerRequest{http.MethodDelete, call.URI, call.Header, nil}
		case osb.DeprovisionInstance:
			r.Deprovision = brokerRequest{http.MethodDelete, call.URI, call.Header, nil}
		default:
		}
	}
}

// measureLifecycles creates and deletes n instances and n bindings.
func (b *bench) measureLifecycles(ctx context.Context, s *environment, t *tenant, n int) (figures serviceFigures, err error) {
	i, j := &figures.instances, &figures.bindings
	var heaps [3]float64
	heap := func(into *float64) func() error {
		return func() (err error) { *into, err = s.measureHeap(ctx); return err }
	}
	phase := func(into *phaseFigures, do objectAction, wait waitForAll) func() error {
		return func() (err error) { *into, err = b.measurePhase(ctx, s, t.broker, n, do, wait); return err }
	}
	for _, step := range []func() error{
		heap(&heaps[0]),
		phase(&i.ready, t.instances.create, t.instances.timeline.waitReady),
		heap(&heaps[1]),
		phase(&j.ready, t.bindings.create, t.bindings.timeline.waitReady),
		heap(&heaps[2]),
		func() error { return t.checkComplete(ctx, n) },
		phase(&j.gone, t.bindings.remove, t.bindings.timeline.waitDeleted),
		phase(&i.gone, t.instances.remove, t.instances.timeline.waitDeleted),
		func() error { return t.checkComplete(ctx, 0) },
	} {
		if err := step(); err != nil {
			return figures, err
		}
	}
	i.heap, j.heap = (heaps[1]-heaps[0])/float64(n), (heaps[2]-heaps[1])/float64(n)
	_, i.peak = s.readMemory()
	j.peak = i.peak
	return figures, nil
}

// measurePhase calls an action for n objects of one kind, and measures what the subject needed until all reached the state.
func (b *bench) measurePhase(ctx context.Context, s *environment, server *broker, n int, do objectAction, wait waitForAll) (f phaseFigures, err error) {
	since, err := s.waitForSilence(ctx)
	if err != nil {
		return f, err
	}
	before, err := s.readMetrics(ctx)
	if err != nil {
		return f, err
	}
	serverBefore, err := s.readServerMetrics(ctx)
	if err != nil {
		return f, err
	}
	countsBefore := server.Counts()
	if f.speed, err = measureBurst(ctx, n, b.creators, do, wait); err != nil {
		return f, err
	}
	after, err := s.readMetrics(ctx)
	if err != nil {
		return f, err
	}
	all, err := s.countRequests(ctx, since) // it waits for silence, and so for events
	if err != nil {
		return f, err
	}
	serverAfter, err := s.readServerMetrics(ctx)
	if err != nil {
		return f, err
	}
	objects := float64(n)
	f.requestCounts = all.perObject(objects)
	f.cpu = (after.sum(cpuSeconds, "") - before.sum(cpuSeconds, "")) * 1000 / objects
	f.serverCPU = (serverAfter.sum(cpuSeconds, "") - serverBefore.sum(cpuSeconds, "")) * 1000 / objects
	for operation, count := range server.Counts() {
		each := float64(count-countsBefore[operation]) / objects
		switch operation {
		case osb.ProvisionInstance, osb.Bind:
			f.puts += each
		case osb.DeprovisionInstance, osb.Unbind:
			f.deletes += each
		default:
			f.gets += each
		}
	}
	return f, nil
}
