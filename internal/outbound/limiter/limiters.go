// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter

import (
	"maps"
	"sync"
	"time"
)

// sweepFrom is the number of Limiters from which idle ones are dropped.
const sweepFrom = 1024

// Limiters has a Limiter for each endpoint. The zero value is ready to use.
type Limiters[K comparable] struct {
	// OnRecovery is called with the key of an endpoint that has recovered: a request succeeds after the endpoint had failed; it may
	// be nil.
	OnRecovery func(K)
	// TenantOf returns the tenant that has defined an endpoint: all endpoints of a tenant share a bound; "": none. It may be nil.
	TenantOf func(K) string

	mu      sync.Mutex
	of      map[K]*endpoint
	tenants map[string]*tenant
	sweepAt int // of so many
}

// keepAfterUse is how long an idle Limiter is kept after Of has returned it: the caller may not have entered it yet, and two Limiters of
// one endpoint would permit twice its requests.
const keepAfterUse = time.Minute

type endpoint struct {
	Limiter

	used time.Time // when Of returned it last
}

// Of returns the Limiter of an endpoint, and creates it if necessary. An idle one may be replaced keepAfterUse later.
func (l *Limiters[K]) Of(key K, now time.Time) *Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.of[key]; ok {
		e.used = now
		return &e.Limiter
	}
	if l.of == nil {
		l.of = map[K]*endpoint{}
	}
	if len(l.of) >= l.sweepAt {
		l.dropIdle(now)
		l.sweepAt = 2*len(l.of) + sweepFrom
	}
	e := &endpoint{used: now}
	e.tenant = l.tenant(key)
	if l.OnRecovery != nil {
		e.onRecovery = func() { l.OnRecovery(key) }
	}
	l.of[key] = e
	return &e.Limiter
}

// dropIdle drops the Limiters of idle endpoints, and tenants without another.
func (l *Limiters[K]) dropIdle(now time.Time) {
	maps.DeleteFunc(l.of, func(_ K, e *endpoint) bool { return now.Sub(e.used) >= keepAfterUse && e.Idle(now) })
	used := map[*tenant]bool{}
	for _, e := range l.of {
		used[e.tenant] = true
	}
	maps.DeleteFunc(l.tenants, func(_ string, t *tenant) bool { return !used[t] })
}

// tenant returns the tenant of an endpoint; nil: none.
func (l *Limiters[K]) tenant(key K) *tenant {
	if l.TenantOf == nil {
		return nil
	}
	name := l.TenantOf(key)
	if name == "" {
		return nil
	}
	if l.tenants == nil {
		l.tenants = map[string]*tenant{}
	}
	if l.tenants[name] == nil {
		l.tenants[name] = newTenant()
	}
	return l.tenants[name]
}

// Known returns the Limiter of an endpoint; nil: no request was sent yet.
func (l *Limiters[K]) Known(key K) *Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b, ok := l.of[key]; ok {
		return &b.Limiter
	}
	return nil
}

// Cancel drops a place in the queue of an endpoint, if there is one.
func (l *Limiters[K]) Cancel(key K, who any, now time.Time) {
	if b := l.Known(key); b != nil {
		b.Cancel(who, now)
	}
}

// Postpone gives up the slot that is kept at an endpoint, if there is one. The place in its queue is kept.
func (l *Limiters[K]) Postpone(key K, id any, now time.Time) {
	if b := l.Known(key); b != nil {
		b.Postpone(id, now)
	}
}
