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

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

// life are the figures of the objects of one kind.
type life struct {
	ready, gone phase
	heap        float64 // bytes that stay while an object is there
	peak        float64 // MiB, of the subject in all
}

// A phase is one in which objects of one kind are made, or removed. What is said of an object is the mean.
type phase struct {
	speed
	requests                    // of the subject to the API server
	puts, deletes, gets float64 // of the subject to the broker
	cpu, serverCPU      float64 // of the subject and of the API server, in milliseconds
}

func speedTable() *table[life] {
	return newTable(
		column[life]{"ready/s", 1, func(l life) float64 { return l.ready.perSecond }},
		column[life]{"p50 ms", 0, func(l life) float64 { return milliseconds(l.ready.p50) }},
		column[life]{"p99 ms", 0, func(l life) float64 { return milliseconds(l.ready.p99) }},
		column[life]{"max ms", 0, func(l life) float64 { return milliseconds(l.ready.max) }},
		column[life]{"pace ms", 2, func(l life) float64 { return l.ready.pace }},
		column[life]{"gone/s", 1, func(l life) float64 { return l.gone.perSecond }},
		column[life]{"p50 ms", 0, func(l life) float64 { return milliseconds(l.gone.p50) }},
		column[life]{"p99 ms", 0, func(l life) float64 { return milliseconds(l.gone.p99) }},
		column[life]{"max ms", 0, func(l life) float64 { return milliseconds(l.gone.max) }},
		column[life]{"pace ms", 2, func(l life) float64 { return l.gone.pace }},
	)
}

func costTable() *table[life] {
	both := func(of func(phase) float64) func(life) float64 {
		return func(l life) float64 { return of(l.ready) + of(l.gone) }
	}
	return newTable(
		column[life]{"PATCH", 2, both(func(p phase) float64 { return p.patch })},
		column[life]{"POST", 2, both(func(p phase) float64 { return p.post })},
		column[life]{"DELETE", 2, both(func(p phase) float64 { return p.del })},
		column[life]{"GET", 2, both(func(p phase) float64 { return p.get })},
		column[life]{"Secret GET", 2, both(func(p phase) float64 { return p.secretGets })},
		column[life]{"events", 2, both(func(p phase) float64 { return p.events })},
		column[life]{"b.PUT", 2, both(func(p phase) float64 { return p.puts })},
		column[life]{"b.DELETE", 2, both(func(p phase) float64 { return p.deletes })},
		column[life]{"b.GET", 2, both(func(p phase) float64 { return p.gets })},
		column[life]{"CPU ms", 2, both(func(p phase) float64 { return p.cpu })},
		column[life]{"server CPU ms", 2, both(func(p phase) float64 { return p.serverCPU })},
		column[life]{"heap B", 0, func(l life) float64 { return l.heap }},
		column[life]{"peak MiB", 1, func(l life) float64 { return l.peak }},
	)
}

const aboutServices = `
ready/s: from the first accepted create to the last object that a watch shows as Ready; p50, p99, max: of an object, from
its accepted create until then. gone/s and what follows: the same from accepted deletes until the objects are gone.
pace: CPU time that the same small work took meanwhile, which is longer where the machine is slower; in a phase of
seconds it says little. What one costs is all until it is gone. PATCH, POST, DELETE, GET: requests of the subject to the
API server, by its audit log; not among them Secret GET and events. b.PUT, b.DELETE, b.GET: requests to the broker, by its
own record; GETs are polls. CPU: of the subject, webhooks included. heap: how much more of it is in use at rest while the
object is there. peak: VmHWM of the subject in all. async: an operation is done when it is first polled for.
Each subject has %d workers for each kind, a fresh control plane and broker in each round, and has made and removed an
instance and a binding before. Subject, control plane, clients and broker share the machine; etcd does not wait for the
disk. Aims: bellhop / floor at least 0.9 of ready/s and gone/s; 3 writes for an instance and 5 for a binding.

`

// servicesPart measures how fast instances and bindings are made and removed, by the operator and by the floor in turn.
func (b *bench) servicesPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "services: %v instances, then a binding to each, created and then deleted by %d clients as fast as they go; medians of %d rounds, with more than %d objects of one\n",
		&b.services, b.creators, b.rounds, many)
	measured, err := along(b, b.services, b.providers(), func(which subject, n int) (lives, error) { return b.livesOf(ctx, which, n) })
	if err != nil {
		return err
	}
	writeLives(out, "ServiceInstances", measured, func(l lives) life { return l.instances })
	writeLives(out, "ServiceBindings", measured, func(l lives) life { return l.bindings })
	fmt.Fprintf(out, aboutServices, b.serviceModel.workers)
	return nil
}

// lives are the figures of a subject in a round.
type lives struct{ instances, bindings life }

// writeLives writes the tables of a kind.
func writeLives(out io.Writer, kind string, measured *curve[lives], of func(lives) life) {
	speeds, costs := speedTable(), costTable()
	fill(speeds, measured, of, true)
	fill(costs, measured, of, false)
	fmt.Fprintf(out, "\n%s, how fast they are\n", kind)
	speeds.write(out)
	fmt.Fprintf(out, "\n%s, what one costs\n", kind)
	costs.write(out)
}

// livesOf measures a subject on a control plane of its own, with n instances and n bindings.
func (b *bench) livesOf(ctx context.Context, which subject, n int) (figures lives, err error) {
	name := b.unused("services")
	service := newService(name, osbtest.Behavior{Async: which.async, AsyncBindings: which.async})
	if which.loop != "" {
		if b.offer == nil {
			return figures, errors.New("it makes the requests that bellhop has made before: -subjects has to leave both")
		}
		service = b.offer.service
	}
	of, err := newBroker(ctx, service)
	if err != nil {
		return figures, err
	}
	defer of.close()
	play := staging{binary: which.binary, args: which.args(b.serviceModel, of.url), audited: true}
	err = b.onStage(ctx, play, func(ctx context.Context, s *stage) error {
		t, err := newTenant(ctx, s.api, name, of)
		if err != nil {
			return err
		}
		if which.loop != "" {
			err = b.offer.make(ctx, s.api)
		} else {
			err = t.addBroker(ctx)
		}
		if err != nil {
			return err
		}
		if err := b.rehearse(ctx, s, t); err != nil {
			return fmt.Errorf("warming up: %w", err)
		}
		if figures, err = b.live(ctx, s, t, n); err != nil {
			return err
		}
		return of.checkRecord(2 * (n + 1))
	})
	return figures, err
}

// rehearse has an instance and a binding made and removed. Of the first subject it keeps what that did.
func (b *bench) rehearse(ctx context.Context, s *stage, t *tenant) error {
	if err := t.instances.warmUp(ctx); err != nil {
		return err
	}
	if err := t.bindings.warmUp(ctx); err != nil {
		return err
	}
	var done *deeds
	if b.serviceModel == nil {
		var err error
		if done, err = deedsOf(ctx, t); err != nil {
			return err
		}
		if b.offer, err = t.offered(ctx); err != nil {
			return err
		}
	}
	if err := t.bindings.clear(ctx, 1); err != nil {
		return err
	}
	if err := t.instances.clear(ctx, 1); err != nil {
		return err
	}
	if done == nil {
		return nil
	}
	done.addRequests(t.broker)
	var err error
	b.serviceModel, err = b.take(ctx, s, "serviceinstance", done)
	return err
}

// deeds are what the operator did for an instance and a binding.
type deeds struct {
	Instance v1beta1.ServiceInstance
	Binding  v1beta1.ServiceBinding
	Secret   corev1.Secret

	Provision, Deprovision, Bind, Unbind request
}

// A request is one to a broker.
type request struct {
	Method, URI string
	Header      http.Header
	Body        []byte
}

// deedsOf reads what the warm-up has made.
func deedsOf(ctx context.Context, t *tenant) (*deeds, error) {
	d := &deeds{}
	key := client.ObjectKey{Namespace: t.namespace, Name: objectName(0)}
	for _, object := range []client.Object{&d.Instance, &d.Binding, &d.Secret} {
		if err := t.api.Get(ctx, key, object); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// addRequests adds what the broker got.
func (d *deeds) addRequests(from *broker) {
	for _, call := range from.Calls() {
		switch call.Operation {
		case osb.ProvisionInstance:
			d.Provision = request{http.MethodPut, call.URI, call.Header, call.Body}
		case osb.Bind:
			d.Bind = request{http.MethodPut, call.URI, call.Header, call.Body}
		case osb.Unbind:
			d.Unbind = request{http.MethodDelete, call.URI, call.Header, nil}
		case osb.DeprovisionInstance:
			d.Deprovision = request{http.MethodDelete, call.URI, call.Header, nil}
		default:
		}
	}
}

// live has n instances and bindings made and removed.
func (b *bench) live(ctx context.Context, s *stage, t *tenant, n int) (figures lives, err error) {
	i, j := &figures.instances, &figures.bindings
	var heaps [3]float64
	heap := func(of *float64) func() error {
		return func() (err error) { *of, err = s.heap(ctx); return err }
	}
	phase := func(of *phase, do doing, seen seeing) func() error {
		return func() (err error) { *of, err = b.phase(ctx, s, t.broker, n, do, seen); return err }
	}
	for _, step := range []func() error{
		heap(&heaps[0]),
		phase(&i.ready, t.instances.create, t.instances.seen.readyAt),
		heap(&heaps[1]),
		phase(&j.ready, t.bindings.create, t.bindings.seen.readyAt),
		heap(&heaps[2]),
		func() error { return t.check(ctx, n) },
		phase(&j.gone, t.bindings.remove, t.bindings.seen.goneAt),
		phase(&i.gone, t.instances.remove, t.instances.seen.goneAt),
		func() error { return t.check(ctx, 0) },
	} {
		if err := step(); err != nil {
			return figures, err
		}
	}
	i.heap, j.heap = (heaps[1]-heaps[0])/float64(n), (heaps[2]-heaps[1])/float64(n)
	_, i.peak = s.memory()
	j.peak = i.peak
	return figures, nil
}

// phase does something for all n objects of a kind, and reads what the subject needed until that was seen.
func (b *bench) phase(ctx context.Context, s *stage, of *broker, n int, do doing, seen seeing) (f phase, err error) {
	since, err := s.silence(ctx)
	if err != nil {
		return f, err
	}
	before, err := s.read(ctx)
	if err != nil {
		return f, err
	}
	serverBefore, err := s.readServer(ctx)
	if err != nil {
		return f, err
	}
	asked := of.Counts()
	if f.speed, err = timed(ctx, n, b.creators, do, seen); err != nil {
		return f, err
	}
	after, err := s.read(ctx)
	if err != nil {
		return f, err
	}
	all, err := s.requests(ctx, since) // waits for silence, and so for events
	if err != nil {
		return f, err
	}
	serverAfter, err := s.readServer(ctx)
	if err != nil {
		return f, err
	}
	objects := float64(n)
	f.requests = all.each(objects)
	f.cpu = (after.sum(cpuSeconds, "") - before.sum(cpuSeconds, "")) * 1000 / objects
	f.serverCPU = (serverAfter.sum(cpuSeconds, "") - serverBefore.sum(cpuSeconds, "")) * 1000 / objects
	for operation, count := range of.Counts() {
		each := float64(count-asked[operation]) / objects
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
