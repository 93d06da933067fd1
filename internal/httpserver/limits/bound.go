// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// share is the divisor for the part that one address may have of a bound, and one user of the connections that a server keeps: an eighth.
const share = 8

// Client is the other end of a connection.
type Client struct {
	// Address is its address, without a port.
	Address netip.Addr
	// IsAPIServer says that it is an API server.
	IsAPIServer bool
}

// bound is how much of one resource clients may hold at the same time: API servers have a half, if they are clients, and the other clients share
// the rest. Each operation takes the same time, however many connections and waiters there are.
type bound struct {
	mu                 sync.Mutex
	apiServers, others half
	address            int64              // for one address of the other clients, at most
	tenants            map[Client]*tenant // that hold some, or wait
	visited            int                // connections and waiters that were looked at; tests compare it
}

// half is the part of a bound that all API servers share, or all other clients.
type half struct {
	size, held int64
	turns      list.List // of each *tenant that waits and is not full; the next one first
	candidates candidates
}

// tenant is all API servers, or one address of the other clients.
type tenant struct {
	client     Client
	half       *half
	size, held int64
	waiters    list.List // of *waiter
	turn       *list.Element
	candidates candidates
}

// candidates has each *hold whose connection may be closed for room, since it keeps its server waiting, the one that does so for longest first: in a
// request, or before the first one; and between requests.
type candidates struct{ inRequest, idle list.List }

// state says which side of a connection waits for the other.
type state int

const (
	// serving is that the client waits for the server.
	serving state = iota
	// waiting is that the server waits for bytes of the client, or for the client to read an answer.
	waiting
	// idle is that the server waits for the next request.
	idle
)

// hold is the amount of a bound that a connection holds.
type hold struct {
	bound      *bound
	connection *Connection

	// The lock of the bound guards the rest.
	tenant           *tenant // if the amount is not 0
	amount           int64
	state            state
	since            time.Time     // in the lists
	inHalf, inTenant *list.Element // of the lists below
	ofHalf, ofTenant *list.List
}

// waiter is a connection that waits for room.
type waiter struct {
	hold   *hold
	tenant *tenant
	amount int64
	// granted is closed once the connection holds the amount.
	granted chan struct{}
	element *list.Element // nil: it does not wait any more
}

// newBound returns a bound with an amount for API servers and one for other clients. One address may have an eighth of the latter, at least least.
func newBound(apiServers, others, least int64) *bound {
	b := &bound{tenants: map[Client]*tenant{}, address: max(others/share, least)}
	b.apiServers.size, b.others.size = apiServers, others
	return b
}

// of returns the tenant of a client. forget has to follow.
func (b *bound) of(c Client) *tenant {
	of, size := &b.others, b.address
	if c.IsAPIServer {
		c.Address, of, size = netip.Addr{}, &b.apiServers, b.apiServers.size
	}
	t := b.tenants[c]
	if t == nil {
		t = &tenant{client: c, half: of, size: size}
		b.tenants[c] = t
	}
	return t
}

// forget forgets a tenant that holds nothing, and does not wait.
func (b *bound) forget(t *tenant) {
	if t.held == 0 && t.waiters.Len() == 0 {
		delete(b.tenants, t.client)
	}
}

// isFull reports whether a tenant may not have an amount more, however much others have.
func (t *tenant) isFull(amount int64) bool { return t.held+amount > t.size }

// tryTake takes an amount for a client, if there is room.
func (h *hold) tryTake(c Client, amount int64) bool {
	h.bound.mu.Lock()
	defer h.bound.mu.Unlock()
	t := h.bound.of(c)
	defer h.bound.forget(t)
	return h.takeOf(t, amount)
}

// takeOf takes an amount, if there is room.
func (h *hold) takeOf(t *tenant, amount int64) bool {
	if t.isFull(amount) || t.half.held+amount > t.half.size {
		return false
	}
	t.held += amount
	t.half.held += amount
	h.tenant = t
	h.amount += amount
	h.enlist()
	return true
}

// take takes an amount for a client; without room for it, take returns a waiter.
func (h *hold) take(c Client, amount int64) *waiter {
	h.bound.mu.Lock()
	defer h.bound.mu.Unlock()
	t := h.bound.of(c)
	if h.takeOf(t, amount) {
		return nil
	}
	w := &waiter{hold: h, tenant: t, amount: amount, granted: make(chan struct{})}
	w.element = t.waiters.PushBack(w)
	t.queue()
	return w
}

// queue has a tenant that waits, and is not full, get its turn.
func (t *tenant) queue() {
	if first := t.waiters.Front(); first != nil && t.turn == nil && !t.isFull(first.Value.(*waiter).amount) {
		t.turn = t.half.turns.PushBack(t)
	}
}

// unqueue has a tenant get no turn.
func (t *tenant) unqueue() {
	if t.turn != nil {
		t.half.turns.Remove(t.turn)
		t.turn = nil
	}
}

// wake gives room to those that wait, tenant by tenant. A tenant that is full gets its next turn when it gives some back.
func (b *bound) wake(s *half) {
	for e := s.turns.Front(); e != nil; e = s.turns.Front() {
		b.visited++
		t := e.Value.(*tenant)
		w := t.waiters.Front().Value.(*waiter)
		if s.held+w.amount > s.size {
			return
		}
		t.unqueue()
		if w.hold.takeOf(t, w.amount) {
			w.end()
			close(w.granted)
		}
		t.queue()
	}
}

// end ends the wait.
func (w *waiter) end() {
	w.tenant.waiters.Remove(w.element)
	w.element = nil
}

// leave ends the wait. It returns false if the waiter has been granted its room.
func (w *waiter) leave() bool {
	b := w.hold.bound
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.element == nil {
		return false
	}
	w.end()
	w.tenant.unqueue() // the next one may wait for another amount
	w.tenant.queue()
	b.wake(w.tenant.half)
	b.forget(w.tenant)
	return true
}

// release gives back all that a connection holds.
func (h *hold) release() { h.keep(0) }

// keep gives back all but an amount.
func (h *hold) keep(amount int64) {
	b := h.bound
	b.mu.Lock()
	defer b.mu.Unlock()
	t := h.tenant
	if t == nil || h.amount <= amount {
		return
	}
	t.held -= h.amount - amount
	t.half.held -= h.amount - amount
	if h.amount = amount; amount == 0 {
		h.delist()
		h.tenant = nil
	}
	t.queue()
	b.wake(t.half)
	b.forget(t)
}

// set sets the state of the connection.
func (h *hold) set(s state) {
	h.bound.mu.Lock()
	defer h.bound.mu.Unlock()
	h.delist()
	h.state = s
	h.enlist()
}

// enlist makes a connection that keeps its server waiting the last candidate, unless it is one.
func (h *hold) enlist() {
	if h.inHalf != nil || h.amount == 0 || h.state == serving || h.connection.isEnding.Load() {
		return
	}
	h.ofHalf, h.ofTenant = &h.tenant.half.candidates.inRequest, &h.tenant.candidates.inRequest
	if h.state == idle {
		h.ofHalf, h.ofTenant = &h.tenant.half.candidates.idle, &h.tenant.candidates.idle
	}
	h.since, h.inHalf, h.inTenant = time.Now(), h.ofHalf.PushBack(h), h.ofTenant.PushBack(h)
}

// delist makes it none.
func (h *hold) delist() {
	if h.inHalf != nil {
		h.ofHalf.Remove(h.inHalf)
		h.ofTenant.Remove(h.inTenant)
		h.inHalf, h.inTenant = nil, nil
	}
}

// stalled returns the connection that is closed so that a waiter has room, or nil: the one that keeps its server waiting in a request for longest,
// or else the one that is idle for longest. Where the waiter's address is full, it is one of that address.
func (w *waiter) stalled() *Connection {
	b := w.hold.bound
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.element == nil {
		return nil
	}
	of := &w.tenant.half.candidates
	if w.tenant.isFull(w.amount) {
		of = &w.tenant.candidates
	}
	for _, l := range []*list.List{&of.inRequest, &of.idle} {
		for e := l.Front(); e != nil; e = l.Front() {
			b.visited++
			h := e.Value.(*hold)
			if time.Since(h.since) < h.connection.server.stallsAfter {
				break
			}
			h.delist()
			if h.connection.isEnding.CompareAndSwap(false, true) { // else another bound has it closed
				return h.connection
			}
		}
	}
	return nil
}

// inUse returns the amount that all clients hold.
func (b *bound) inUse() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.apiServers.held + b.others.held
}
