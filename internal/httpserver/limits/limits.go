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
// send nothing, or half of a request, do not lock others out. A connection between two requests is never closed for room: the client may be
// sending a request that it will not repeat.
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
	// stallsAfter is how long a connection keeps its server waiting before it may be closed for room.
	stallsAfter = time.Second
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
	// Closed is called for each connection that these bounds close. It must not wait.
	Closed func(Client, Reason)
}

// Server has the bounds of one server.
type Server struct {
	process               *Process
	connections, requests *bound
	queue                 *bound // of connections that wait
	closed                func(Client, Reason)
}

// Server adds a server.
func (p *Process) Server(o Options) *Server {
	return &Server{
		process: p, closed: o.Closed,
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
	waiting              time.Time
	isOpen, isAdmitted   bool
	inRequest, isEvicted bool
	bytes                int64
}

// Connect takes room for a connection, and waits for it; without room it returns nil. closeConnection has to close the connection, and Disconnect
// has to be called when it is closed.
func (s *Server) Connect(ctx context.Context, client Client, closeConnection func()) *Connection {
	p := s.process
	p.mu.Lock()
	defer p.mu.Unlock()
	// An API server keeps a connection that it has not used yet for its next request.
	c := &Connection{server: s, client: client, close: closeConnection, isOpen: true, isAdmitted: client.IsAPIServer}
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
		c.close()
	}
}

// Disconnect gives the room of a connection back. A request in progress keeps its own until its end.
func (c *Connection) Disconnect() {
	c.server.process.mu.Lock()
	defer c.server.process.mu.Unlock()
	if !c.isOpen {
		return
	}
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
	c.waiting = time.Time{}
	if waits {
		c.waiting = time.Now()
	}
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

// End gives the room of a request back. isAdmitted says whether the server admitted it.
func (c *Connection) End(isAdmitted bool) {
	p := c.server.process
	p.mu.Lock()
	defer p.mu.Unlock()
	c.server.requests.give(c.client, 1)
	p.bytes.give(c.client, c.bytes)
	c.inRequest, c.bytes = false, 0
	c.isAdmitted = c.isAdmitted || isAdmitted
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
			stalled.close()
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

// stalled returns the connection that is closed so that a waiter has room, or nil, and when to look again. It is the one that has kept its server
// waiting for longest, of those that hold what the waiter needs.
func (p *Process) stalled(b *bound, w *waiter) (oldest *Connection, next time.Duration) {
	onlyItsAddress := b.roomFor(w.client, w.amount) == addressIsFull
	for o := range p.connections {
		switch {
		case o.isEvicted || o.waiting.IsZero() || !o.holds(b) || o.client.IsAPIServer != w.client.IsAPIServer:
		case onlyItsAddress && o.client.Address != w.client.Address:
		case oldest == nil || o.waiting.Before(oldest.waiting):
			oldest = o
		}
	}
	if oldest == nil {
		return nil, stallsAfter
	}
	if left := stallsAfter - time.Since(oldest.waiting); left > 0 {
		return nil, left
	}
	oldest.isEvicted = true
	oldest.server.closed(oldest.client, Stalled)
	return oldest, looksAgain
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
