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

// Package limits bounds what the clients of a process's servers may hold at the same time: connections, requests, and bytes of requests. It
// knows no network.
//
// A client that finds no room waits. Meanwhile the connection whose client has kept a server waiting for longest is closed, so that clients that
// send nothing, or half of a request, do not lock others out. Where none does, the connection that is idle for longest is closed: its client may be
// sending a request that it will not repeat, but the one that waits would certainly be refused. API servers and other clients never close a
// connection of each other.
package limits

import (
	"context"
	"sync"
	"time"
)

const (
	// MaxWait is how long a client waits for room.
	MaxWait = 2 * time.Second
	// FirstRequest is how long after it was opened a connection is closed that has had no request which its server admitted.
	FirstRequest = 5 * time.Second
	// looksAgain is how long after a connection was closed for room another may be, if there is no room yet.
	looksAgain = 100 * time.Millisecond
)

// Reason is why a connection was closed, or a request refused.
type Reason string

// The reasons.
const (
	// NoRoom is that there was no room within MaxWait.
	NoRoom Reason = "no_room"
	// NoRequest is that a connection had no admitted request within FirstRequest.
	NoRequest Reason = "no_request"
	// Stalled is that a connection kept its server waiting, and others needed the room.
	Stalled Reason = "stalled"
)

// Process has what all servers share.
type Process struct {
	mu          sync.Mutex
	bytes       *bound
	connections map[*Connection]struct{}
}

// New returns the bounds of a process whose requests may have so many bytes in flight. largest is the size of the largest request that has to
// find room.
func New(bytes, largest int64) *Process {
	return &Process{bytes: newBound(max(bytes, 2*largest), largest, true), connections: map[*Connection]struct{}{}}
}

// Bytes returns how many bytes of requests are in flight.
func (p *Process) Bytes() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes.held()
}

// Options are the bounds of one server.
type Options struct {
	// Connections and Requests bound what clients may have at the same time.
	Connections, Requests int64
	// HasAPIServers says that API servers are among its clients: half is theirs.
	HasAPIServers bool
	// StallsAfter is how long a connection keeps the server waiting, or is idle, before it may be closed for room.
	StallsAfter time.Duration
	// Closed is called for each connection that these bounds close. It must not wait.
	Closed func(Client, Reason)
}

// Server has the bounds of one server.
type Server struct {
	process               *Process
	connections, requests *bound
	queue                 *bound // of connections that wait
	stallsAfter           time.Duration
	keptByUser            map[string]int64 // connections
	keptByOneUser         int64            // at most
	closed                func(Client, Reason)
}

// Server adds a server.
func (p *Process) Server(o Options) *Server {
	return &Server{
		process: p, closed: o.Closed, stallsAfter: o.StallsAfter, keptByUser: map[string]int64{}, keptByOneUser: o.Connections / share,
		connections: newBound(o.Connections, 1, o.HasAPIServers),
		requests:    newBound(o.Requests, 1, o.HasAPIServers),
		queue:       newBound(o.Connections, o.Connections/4, o.HasAPIServers),
	}
}

// Connection is a connection of a server, with at most one request at a time.
type Connection struct {
	server *Server
	client Client
	close  func()
	first  *time.Timer // closes it, unless a request is admitted

	// waiting is since when the server waits for bytes of the client, or for the client to read an answer; zero: it does not.
	waiting      time.Time
	isOpen       bool
	isAdmitted   bool   // the connection is kept after the request
	user         string // of the request that was admitted
	isIdle       bool   // the server waits for the next request
	inRequest    bool
	isBeingEnded bool
	bytes        int64
}

// Connect takes room for a connection, and waits for it; without room it returns nil. closeSocket has to close the socket: these bounds call it
// for a connection that they close, perhaps before Connect returns. Disconnect has to be called when anything else closes the connection.
func (s *Server) Connect(ctx context.Context, client Client, closeSocket func()) *Connection {
	p := s.process
	p.mu.Lock()
	defer p.mu.Unlock()
	// An API server keeps a connection that it has not used yet for its next request.
	c := &Connection{server: s, client: client, close: closeSocket, isOpen: true, isAdmitted: client.IsAPIServer}
	if !s.connections.tryTake(client, 1) {
		if !s.queue.tryTake(client, 1) {
			s.closed(client, NoRoom)
			return nil
		}
		took := p.waitFor(ctx, s.connections, c, client, 1)
		s.queue.give(client, 1)
		if !took {
			s.closed(client, NoRoom)
			return nil
		}
	}
	p.connections[c] = struct{}{}
	c.waiting = time.Now()
	c.first = time.AfterFunc(FirstRequest, c.closeUnlessAdmitted)
	return c
}

// closeUnlessAdmitted closes a connection without an admitted request. A request in progress has deadlines of its own.
func (c *Connection) closeUnlessAdmitted() {
	c.server.process.mu.Lock()
	isUnused := c.isOpen && !c.isAdmitted && !c.inRequest
	if isUnused {
		c.server.closed(c.client, NoRequest)
	}
	c.server.process.mu.Unlock()
	if isUnused {
		c.end()
	}
}

// end closes a connection, and gives its room back.
func (c *Connection) end() {
	c.close()
	c.Disconnect()
}

// Disconnect gives the room of a connection back. A request in progress keeps its own until its end.
func (c *Connection) Disconnect() {
	c.server.process.mu.Lock()
	defer c.server.process.mu.Unlock()
	if !c.isOpen {
		return
	}
	c.withdraw()
	c.isOpen = false
	c.first.Stop()
	c.server.connections.give(c.client, 1)
	c.forget()
}

// forget forgets a connection that holds nothing.
func (c *Connection) forget() {
	if !c.isOpen && !c.inRequest {
		delete(c.server.process.connections, c)
	}
}

// SetWaiting says whether the server waits for the client: for bytes of a request, or for the client to read an answer.
func (c *Connection) SetWaiting(waits bool) {
	c.server.process.mu.Lock()
	defer c.server.process.mu.Unlock()
	c.waiting, c.isIdle = time.Time{}, false
	if waits {
		c.waiting = time.Now()
	}
}

// SetIdle says that the server waits for the next request.
func (c *Connection) SetIdle() {
	c.server.process.mu.Lock()
	defer c.server.process.mu.Unlock()
	c.waiting, c.isIdle = time.Now(), true
}

// Admit says that the server knows the client of the request in progress as a user, of whose connections it keeps an eighth of all. Without a name
// no user is known, and the bounds of the address are the only ones.
func (c *Connection) Admit(user string) {
	c.server.process.mu.Lock()
	defer c.server.process.mu.Unlock()
	kept := c.server.keptByUser
	if c.isAdmitted || !c.isOpen || user != "" && kept[user] >= c.server.keptByOneUser {
		return
	}
	c.isAdmitted, c.user = true, user
	if user != "" {
		kept[user]++
	}
}

// IsAdmitted reports whether the connection is kept after the request in progress.
func (c *Connection) IsAdmitted() bool {
	c.server.process.mu.Lock()
	defer c.server.process.mu.Unlock()
	return c.isAdmitted
}

// withdraw forgets what Admit said. An API server is always admitted.
func (c *Connection) withdraw() {
	if kept := c.server.keptByUser; c.user != "" {
		if kept[c.user]--; kept[c.user] == 0 {
			delete(kept, c.user)
		}
	}
	c.isAdmitted, c.user = c.client.IsAPIServer, ""
}

// Recognize says that the client is an API server. It reports whether there is room among those, and waits for it.
func (c *Connection) Recognize(ctx context.Context) bool {
	p, connections := c.server.process, c.server.connections
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.client.IsAPIServer {
		return true
	}
	recognized := Client{Address: c.client.Address, IsAPIServer: true}
	if !p.take(ctx, connections, c, recognized, 1) {
		return false
	}
	if !c.isOpen { // it has given its room back
		connections.give(recognized, 1)
		return false
	}
	connections.give(c.client, 1)
	c.client, c.isAdmitted = recognized, true
	return true
}

// Client returns what is known about the client.
func (c *Connection) Client() Client {
	c.server.process.mu.Lock()
	defer c.server.process.mu.Unlock()
	return c.client
}

// Begin takes room for a request, and waits for it. It reports whether there is room; then End has to be called.
func (c *Connection) Begin(ctx context.Context) bool {
	p := c.server.process
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.take(ctx, c.server.requests, c, c.client, 1) {
		return false
	}
	c.inRequest, c.waiting = true, time.Now()
	c.withdraw() // the request before says nothing about this one
	return true
}

// Received takes room for bytes of the request, and waits for it. It reports whether there is room.
func (c *Connection) Received(ctx context.Context, bytes int) bool {
	p := c.server.process
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.take(ctx, p.bytes, c, c.client, int64(bytes)) {
		return false
	}
	c.bytes += int64(bytes)
	return true
}

// End gives the room of a request back.
func (c *Connection) End() {
	p := c.server.process
	p.mu.Lock()
	defer p.mu.Unlock()
	c.server.requests.give(c.client, 1)
	p.bytes.give(c.client, c.bytes)
	c.inRequest, c.bytes = false, 0
	c.forget()
}

// take takes an amount for a connection, and waits for it. It reports whether there is room.
func (p *Process) take(ctx context.Context, b *bound, c *Connection, client Client, amount int64) bool {
	return b.tryTake(client, amount) || p.waitFor(ctx, b, c, client, amount)
}

// waitFor waits for room for an amount, and has connections closed that stall. It reports whether there is room.
func (p *Process) waitFor(ctx context.Context, b *bound, c *Connection, client Client, amount int64) bool {
	w := b.wait(client, amount)
	if began := time.Now(); !c.waiting.IsZero() { // meanwhile the client waits for the server
		former := c.waiting
		c.waiting = time.Time{}
		defer func() { c.waiting = former.Add(time.Since(began)) }()
	}
	ctx, cancel := context.WithTimeout(ctx, MaxWait)
	defer cancel()
	for ctx.Err() == nil {
		stalled, next := p.stalled(b, w)
		p.mu.Unlock()
		if stalled != nil {
			stalled.end()
		}
		select {
		case <-w.granted:
		case <-ctx.Done():
		case <-time.After(next):
		}
		p.mu.Lock()
		if !b.isWaiting(w) {
			return true
		}
	}
	b.leave(w)
	return false
}

// stalled returns the connection that is closed so that a waiter has room, or nil, and when to look again. It is the first one by goesBefore of
// those that hold what the waiter needs.
func (p *Process) stalled(b *bound, w *waiter) (first *Connection, next time.Duration) {
	onlyItsAddress := b.roomFor(w.client, w.amount) == addressIsFull
	next = looksAgain
	for o := range p.connections {
		if o.isBeingEnded || o.waiting.IsZero() || !o.holds(b) || o.client.IsAPIServer != w.client.IsAPIServer || onlyItsAddress && o.client.Address != w.client.Address {
			continue
		}
		if left := o.server.stallsAfter - time.Since(o.waiting); left > 0 {
			next = min(next, left)
		} else if first == nil || o.goesBefore(first) {
			first = o
		}
	}
	if first != nil {
		first.isBeingEnded = true
		first.server.closed(first.client, Stalled)
	}
	return first, next
}

// goesBefore reports whether a connection is closed before another: one that keeps its server waiting in a request goes before one that is idle.
func (c *Connection) goesBefore(o *Connection) bool {
	if c.isIdle != o.isIdle {
		return o.isIdle
	}
	return c.waiting.Before(o.waiting)
}

// holds reports whether a connection holds something that is bounded.
func (c *Connection) holds(b *bound) bool {
	switch b {
	case c.server.connections:
		return c.isOpen
	case c.server.requests:
		return c.inRequest
	}
	return b == c.server.process.bytes && c.bytes > 0
}
