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

package limits

import (
	"net/netip"
	"slices"
)

// share is the part of what clients share that one address may have, and of a server's connections that are kept for one user: an eighth.
const share = 8

// Client is what is known about the other end of a connection.
type Client struct {
	// Address is its address, without a port.
	Address netip.Addr
	// IsAPIServer says that it is an API server.
	IsAPIServer bool
}

// bound is how much of one resource clients may hold at the same time. API servers may have apiServers, and each address of them as much. The
// other clients share others, and one address of them may have address.
type bound struct {
	apiServers, others, address int64

	heldByAPIServers, heldByOthers int64
	heldByAddress                  map[netip.Addr]int64 // of other clients
	waiting                        []*waiter            // in the order in which they get room
}

// waiter waits for room.
type waiter struct {
	client Client
	amount int64
	// granted is closed once it holds the amount.
	granted chan struct{}
}

// newBound divides an amount. One address may always have least, where that is more than its share. Where API servers are clients, half of the
// amount is theirs.
func newBound(amount, least int64, hasAPIServers bool) *bound {
	b := &bound{others: amount, heldByAddress: map[netip.Addr]int64{}}
	if hasAPIServers {
		b.apiServers, b.others = amount/2, amount-amount/2
	}
	b.address = max(b.others/share, least)
	return b
}

// room says what there is no room in.
type room int

const (
	enough room = iota
	// addressIsFull, and there may be room for other addresses.
	addressIsFull
	// shareIsFull for every address.
	shareIsFull
)

// roomFor reports whether a client may have an amount more.
func (b *bound) roomFor(c Client, amount int64) room {
	switch {
	case c.IsAPIServer && b.heldByAPIServers+amount > b.apiServers, !c.IsAPIServer && b.heldByOthers+amount > b.others:
		return shareIsFull
	case !c.IsAPIServer && b.heldByAddress[c.Address]+amount > b.address:
		return addressIsFull
	}
	return enough
}

// tryTake takes an amount, if there is room.
func (b *bound) tryTake(c Client, amount int64) bool {
	if b.roomFor(c, amount) != enough {
		return false
	}
	b.take(c, amount)
	return true
}

func (b *bound) take(c Client, amount int64) {
	if c.IsAPIServer {
		b.heldByAPIServers += amount
		return
	}
	b.heldByOthers += amount
	b.heldByAddress[c.Address] += amount
}

// give gives an amount back, and to the waiters that have room now.
func (b *bound) give(c Client, amount int64) {
	if c.IsAPIServer {
		b.heldByAPIServers -= amount
	} else {
		b.heldByOthers -= amount
		if b.heldByAddress[c.Address] -= amount; b.heldByAddress[c.Address] == 0 {
			delete(b.heldByAddress, c.Address)
		}
	}
	b.waiting = slices.DeleteFunc(b.waiting, func(w *waiter) bool {
		if !b.tryTake(w.client, w.amount) {
			return false
		}
		close(w.granted)
		return true
	})
}

// wait adds a waiter.
func (b *bound) wait(c Client, amount int64) *waiter {
	w := &waiter{client: c, amount: amount, granted: make(chan struct{})}
	b.waiting = append(b.waiting, w)
	return w
}

// isWaiting reports whether a waiter has no room yet.
func (b *bound) isWaiting(w *waiter) bool { return slices.Contains(b.waiting, w) }

// leave removes a waiter.
func (b *bound) leave(w *waiter) {
	b.waiting = slices.DeleteFunc(b.waiting, func(o *waiter) bool { return o == w })
}

// held returns what all clients hold.
func (b *bound) held() int64 { return b.heldByAPIServers + b.heldByOthers }
