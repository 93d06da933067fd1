// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

// A broker is an osbtest.Broker that also records when its requests were open.
type broker struct {
	*osbtest.Broker
	service osbtest.Service // the first service of its catalog
	url     string
	server  *http.Server

	mu    sync.Mutex
	spans []*span
}

// A span is the time in which a request was open.
type span struct{ from, to time.Time }

// newService returns a service with one plan.
func newService(name string, behavior osbtest.Behavior) osbtest.Service {
	return osbtest.Service{
		ID: string(uuid.NewUUID()), Name: name, Description: "A database that nobody needs", Bindable: true,
		InstancesRetrievable: true, BindingsRetrievable: true, PlanUpdateable: true, Behavior: behavior,
		Plans: []osbtest.Plan{{ID: string(uuid.NewUUID()), Name: "basic50", Description: "50 units of it"}},
	}
}

// newBroker serves until close. Tenants have instances of the first service.
func newBroker(ctx context.Context, services ...osbtest.Service) (*broker, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &broker{Broker: osbtest.New(osbtest.Options{Services: services}), service: services[0], url: "http://" + listener.Addr().String()}
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: time.Minute}
	go func() { _ = b.server.Serve(listener) }() // Serve returns only after close
	return b, nil
}

func (b *broker) close() { _ = b.server.Close() } // clients have no open requests by then

// ServeHTTP answers a request, and records its span.
func (b *broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	open := &span{from: time.Now()}
	b.mu.Lock()
	b.spans = append(b.spans, open)
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		open.to = time.Now()
		if r.Context().Err() != nil {
			open.to = open.to.Add(-disconnectDelay)
		}
	}()
	b.Broker.ServeHTTP(w, r)
}

// disconnectDelay is how long the broker may take to notice that the client gave a request up and sent the next one.
const disconnectDelay = 100 * time.Millisecond

// requestCount counts all requests so far.
func (b *broker) requestCount() (sum int) {
	for _, count := range b.Counts() {
		sum += count
	}
	return sum
}

// maxOpenRequests returns the largest number of requests that were open at the same time.
func (b *broker) maxOpenRequests() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maxConcurrent(b.spans, time.Now())
}

func maxConcurrent(spans []*span, now time.Time) int {
	type step struct {
		at time.Time
		by int
	}
	var steps []step
	for _, s := range spans {
		to := s.to
		if to.IsZero() {
			to = now
		}
		if s.from.Before(to) {
			steps = append(steps, step{s.from, 1}, step{to, -1})
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Or(a.at.Compare(b.at), a.by-b.by) })
	open, highest := 0, 0
	for _, s := range steps {
		open += s.by
		highest = max(highest, open)
	}
	return highest
}

// checkContents fails unless the broker has exactly this many instances and bindings, and all are ready.
func (b *broker) checkContents(instances, bindings int) error {
	contents := b.Holds()
	var errs []error
	if len(contents.Instances) != instances || len(contents.Bindings) != bindings {
		errs = append(errs, fmt.Errorf("the broker has %d instances and %d bindings: it should have %d and %d", len(contents.Instances), len(contents.Bindings), instances, bindings))
	}
	for id, i := range contents.Instances {
		if i.State != osbtest.Ready {
			errs = append(errs, fmt.Errorf("the broker is still %s instance %s", i.State, id))
		}
	}
	for id, bound := range contents.Bindings {
		if bound.State != osbtest.Ready {
			errs = append(errs, fmt.Errorf("the broker is still %s binding %s", bound.State, id))
		}
	}
	return joinFirst(errs)
}

// checkHistories fails unless the broker got one PUT and one DELETE for each of this many ids, and holds nothing any more.
func (b *broker) checkHistories(objects int) error {
	errs := []error{b.checkContents(0, 0)}
	histories := b.Histories()
	if len(histories) != objects {
		errs = append(errs, fmt.Errorf("the broker was asked for %d ids: it should be %d", len(histories), objects))
	}
	for _, id := range slices.Sorted(maps.Keys(histories)) {
		if h := histories[id]; h.Puts != 1 || h.Patches != 0 || h.Deletes != 1 {
			errs = append(errs, fmt.Errorf("the broker got %d PUTs, %d PATCHes and %d DELETEs for %s", h.Puts, h.Patches, h.Deletes, id))
		}
	}
	for _, violation := range b.Violations() {
		errs = append(errs, fmt.Errorf("a request broke the protocol: %s", violation))
	}
	return joinFirst(errs)
}

// joinFirst joins the first errors, and counts the others.
func joinFirst(errs []error) error {
	const few = 10
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) > few {
		errs = append(errs[:few:few], fmt.Errorf("and %d more like these", len(errs)-few))
	}
	return errors.Join(errs...)
}
