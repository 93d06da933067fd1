// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package osbtest has a broker for tests and measurements: a real server that is strict about the protocol, and records its resources and the
// requests. It can be made to be slow, to fail and to give wrong answers. It asserts nothing; tests read its records afterwards.
package osbtest

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
)

// Options are how a broker is. The zero value is one that wants no credentials and offers
// DefaultServices.
type Options struct {
	// Services are the services that it offers; nil: DefaultServices.
	Services []Service
	// Catalog is the body of the catalog, if it is to differ from Services.
	Catalog []byte
	// Username and Password, or Token, are the credentials that it wants with every request.
	Username, Password, Token string
	// Versions are the versions of the API that it takes; nil: 2.17 alone.
	Versions []string
	// Blocking refuses any request while an operation runs, with ConcurrencyError. Otherwise only a request that cannot be carried out is refused
	// so. A removal can be carried out, and ends the operation that runs.
	Blocking bool
	// InUse is the status with which it refuses to deprovision an instance that has bindings; 0: 400.
	InUse int
	// RefusesReuse is the status with which it refuses to create a resource under an id that it once removed; 0: it does not refuse.
	RefusesReuse int
	// Patient is for a platform that may lose the broker's answers. It need not know the name of an operation. It may name the plans before changes
	// until it has named the plan after them, and may name that plan before the change is over.
	Patient bool
	// Terse keeps no calls, only counts.
	Terse bool
	// Now is the clock; nil: the real one.
	Now func() time.Time
}

// Broker is the broker. It is safe for concurrent use.
type Broker struct {
	// URL is where Listen has put it.
	URL string

	server  *http.Server
	serving sync.WaitGroup

	mu         sync.Mutex
	options    Options
	instances  map[string]*instance
	bindings   map[bindingKey]*binding
	removed    map[string]*operation // which removed something, by its key
	history    map[string]*History
	faults     []*Fault
	calls      []*Call
	counts     map[osb.Operation]int
	violations []string
	made       int // operations and credentials, to tell them apart
}

// New returns a broker that does not listen yet; its ServeHTTP can be used.
func New(o Options) *Broker {
	if o.Services == nil {
		o.Services = DefaultServices()
	}
	if o.Versions == nil {
		o.Versions = []string{"2.17"}
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // a server has a clock of its own
	}
	return &Broker{
		options: o, instances: map[string]*instance{}, bindings: map[bindingKey]*binding{},
		removed: map[string]*operation{}, history: map[string]*History{},
		counts: map[osb.Operation]int{},
	}
}

// Test has the methods of a test in any framework.
type Test interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Start returns a broker that listens until the test ends.
func Start(t Test, o Options) *Broker {
	t.Helper()
	b := New(o)
	if err := b.Listen(); err != nil {
		t.Fatalf("starting the broker: %v", err)
	}
	t.Cleanup(b.Close)
	return b
}

// Listen serves on a port of the loopback address; after Close on the same one again.
func (b *Broker) Listen() error {
	address := "127.0.0.1:0"
	if b.URL != "" {
		address = b.URL[len("http://"):]
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", address, err)
	}
	b.URL = "http://" + listener.Addr().String()
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: time.Minute}
	b.serving.Go(func() { _ = b.server.Serve(listener) }) // it ends by Close only
	return nil
}

// Close ends all connections and gives the port back. The broker's resources stay.
func (b *Broker) Close() {
	_ = b.server.Close() // no client is left to answer
	b.serving.Wait()
}

// Change changes how the broker is, from the next request on.
func (b *Broker) Change(change func(*Options)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.options)
}

// Holdings are the resources of a broker, by id.
type Holdings struct {
	Instances map[string]Instance
	Bindings  map[string]Binding
}

// Holds returns the present resources of the broker, in any state.
func (b *Broker) Holds() Holdings {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := Holdings{map[string]Instance{}, map[string]Binding{}}
	for _, i := range b.instances {
		if b.settle(i.entry); !i.removed {
			h.Instances[i.ID] = i.shown()
		}
	}
	for _, bound := range b.bindings {
		if b.settle(bound.entry); !bound.removed {
			h.Bindings[bound.ID] = bound.shown()
		}
	}
	return h
}

// History has the requests about an id, and their results.
type History struct {
	// Puts, Patches and Deletes count the requests, however they were answered.
	Puts, Patches, Deletes int
	// Creations, Updates and Removals count the requests that were carried out.
	Creations, Updates, Removals int
	// Ready: it was once ready for use.
	Ready bool
}

// History returns the history of an instance or a binding, by its id.
func (b *Broker) History(id string) History {
	b.mu.Lock()
	defer b.mu.Unlock()
	return *b.past(id)
}

// Histories returns the histories of all ids that requests have named.
func (b *Broker) Histories() map[string]History {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]History{}
	for id, h := range b.history {
		all[id] = *h
	}
	return all
}

func (b *Broker) past(id string) *History {
	h, ok := b.history[id]
	if !ok {
		h = &History{}
		b.history[id] = h
	}
	return h
}

// Violations are where a request broke the protocol.
func (b *Broker) Violations() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.violations)
}

// Calls are the requests so far, oldest first; of one operation if it is given.
func (b *Broker) Calls(operations ...osb.Operation) []Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	var calls []Call
	for _, c := range b.calls {
		if len(operations) == 0 || slices.Contains(operations, c.Operation) {
			calls = append(calls, *c)
		}
	}
	return calls
}

// Counts returns the number of requests for each operation, including refused ones.
func (b *Broker) Counts() map[osb.Operation]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.counts)
}

// Forget drops the calls, counts and violations so far. The broker's resources and the histories stay.
func (b *Broker) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls, b.violations = nil, nil
	clear(b.counts)
}

// Finish ends the operation that runs on an instance or binding: with success, or with the failure. It reports whether one was running.
func (b *Broker) Finish(id string, failure *Failure) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entries(id) {
		if e.running != nil {
			e.running.failure = failure
			b.end(e)
			return true
		}
	}
	return false
}

func (b *Broker) entries(id string) []*entry {
	var found []*entry
	if i, ok := b.instances[id]; ok {
		found = append(found, i.entry)
	}
	for key, bound := range b.bindings {
		if key.binding == id {
			found = append(found, bound.entry)
		}
	}
	return found
}
