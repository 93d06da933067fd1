// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package limits bounds the connections, requests, and bytes of requests that the clients of a process's servers may hold at the same time. It knows
// no network.
//
// A request takes the room for its whole body at once, and gives back the room for the first part before: requests that each held a part and waited
// for the rest would wait for each other.
//
// A client that finds no room waits. Meanwhile the connection whose client has kept a server waiting for longest is closed, so that clients that
// send nothing, or half of a request, do not lock others out. Where no client has, the connection that is idle for longest is closed: its client may
// be sending a request that it will not repeat, but the one that waits would certainly be refused. API servers and other clients never close a
// connection of each other.
package limits

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MaxWait is how long a request waits for room in all, together with its connection if that is new.
	MaxWait = 2 * time.Second
	// firstBytes is the size of the first part of a body. Once more has arrived, the request takes room for all of it: a length that is only
	// announced takes no more than the first part.
	firstBytes = 16 << 10
	// small is the size of the largest body for which room is kept that larger ones cannot take: an eighth.
	small = 256 << 10
	// pace is the part of a body that a client has to send within Options.StallsAfter, or it stalls: a tenth.
	pace = 10
	// FirstRequest is how long after it was opened a connection is closed that has had no request which its server admitted.
	FirstRequest = 5 * time.Second
	// looksAgain is how often a client that waits looks for a connection that stalls.
	looksAgain = 100 * time.Millisecond
	// maxWaiting and maxWaitingOfAddress are how many connections may wait for room, of all clients but API servers and of one address of those.
	maxWaiting, maxWaitingOfAddress = 64, 8
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

// Options are the bounds of one server.
type Options struct {
	// Connections and Requests bound how many of them clients may have at the same time.
	Connections, Requests int64
	// HasAPIServers says that API servers are among its clients: half of these is theirs.
	HasAPIServers bool
	// APIServerBytes and Bytes bound the bodies of requests in flight: from API servers, and from other clients. One address may have an eighth of
	// Bytes, or Largest, the size of the largest body, for which seven eighths have to suffice.
	APIServerBytes, Bytes, Largest int64
	// StallsAfter is how long a connection keeps the server waiting for a tenth of a body, or for anything else, or is idle, before it may be closed
	// for room.
	StallsAfter time.Duration
	// Closed is called for each connection that these bounds close, perhaps for several at the same time. It must not wait.
	Closed func(Client, Reason)
}

// Server has the bounds of one server. Servers share none, so that the clients of one delay no request to another.
type Server struct {
	connections, requests *bound
	queue                 *bound // of connections that wait
	// bytes is taken by each body. One that is not small takes large before, which is smaller by the room that is kept for small bodies.
	bytes, large  *bound
	stallsAfter   time.Duration
	keptByOneUser int64 // connections, at most
	closed        func(Client, Reason)

	mu         sync.Mutex // is taken before the mutex of a bound
	keptByUser map[string]int64
}

// NewServer returns the bounds of a server.
func NewServer(o Options) *Server {
	ofAPIServers := func(amount int64) int64 {
		if o.HasAPIServers {
			return amount / 2
		}
		return 0
	}
	inHalves := func(amount int64) *bound { return newBound(ofAPIServers(amount), amount-ofAPIServers(amount), 1) }
	return &Server{
		closed: o.Closed, stallsAfter: o.StallsAfter, keptByUser: map[string]int64{}, keptByOneUser: o.Connections / share,
		connections: inHalves(o.Connections),
		requests:    inHalves(o.Requests),
		queue:       newBound(ofAPIServers(o.Connections), maxWaiting, maxWaitingOfAddress),
		bytes:       newBound(o.APIServerBytes, o.Bytes, o.Largest+o.Largest/share), // a body of unknown length, beside small ones of its address
		large:       newBound(o.APIServerBytes-o.APIServerBytes/share, o.Bytes-o.Bytes/share, o.Largest),
	}
}

// BytesInUse returns for how many bytes requests in flight have room.
func (s *Server) BytesInUse() int64 { return s.bytes.inUse() }

// Connection is a connection of a server, with at most one request at a time.
type Connection struct {
	server   *Server
	close    func()
	isEnding atomic.Bool   // it is closed, or about to be
	ended    chan struct{} // closed with it
	// request, large and bytes are held by a request in progress.
	request, large, bytes hold

	// Of the request in progress, whose goroutine has them: how many bytes of the body have arrived, now and when the time was last renewed after
	// which the client stalls; for how many there is room; and how long the request has waited.
	arrived, renewed, room int64
	waited                 time.Duration

	// The lock of the server guards the rest.
	client     Client
	open       *hold // the connection itself
	state      state
	isOpen     bool
	isAdmitted bool   // the connection is kept after the request
	user       string // of the request that was admitted
	inRequest  bool
	first      *time.Timer // closes it, unless a request is admitted
}

// Connect takes room for a connection, and waits for it; without room it returns nil. closeSocket has to close the socket: these bounds call it
// for a connection that they close, perhaps before Connect returns. Disconnect has to be called when anything else closes the connection.
func (s *Server) Connect(ctx context.Context, client Client, closeSocket func()) *Connection {
	// An API server keeps a connection that it has not used yet for its next request.
	c := &Connection{server: s, client: client, close: closeSocket, ended: make(chan struct{}), isOpen: true, isAdmitted: client.IsAPIServer}
	c.open, c.request = &hold{bound: s.connections, connection: c}, hold{bound: s.requests, connection: c}
	c.large, c.bytes = hold{bound: s.large, connection: c}, hold{bound: s.bytes, connection: c}
	if !c.open.tryTake(client, 1) {
		place := hold{bound: s.queue, connection: c}
		took := place.tryTake(client, 1) && c.take(ctx, c.open, client, 1)
		place.release()
		if !took {
			s.closed(client, NoRoom)
			return nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.first = time.AfterFunc(FirstRequest, c.closeUnlessAdmitted)
	c.set(waiting)
	return c
}

// closeUnlessAdmitted closes a connection without an admitted request. A request in progress has deadlines of its own.
func (c *Connection) closeUnlessAdmitted() {
	c.server.mu.Lock()
	isUnused := c.isOpen && !c.isAdmitted && !c.inRequest
	c.server.mu.Unlock()
	if isUnused {
		c.end(NoRequest)
	}
}

// end closes a connection, and gives its room back.
func (c *Connection) end(reason Reason) {
	c.server.closed(c.Client(), reason)
	c.close()
	c.Disconnect()
}

// Disconnect gives the room of a connection back. A request in progress keeps its own until its end.
func (c *Connection) Disconnect() {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if !c.isOpen {
		return
	}
	c.withdraw()
	c.isOpen = false
	close(c.ended)
	c.isEnding.Store(true)
	c.set(serving)
	c.first.Stop()
	c.open.release()
}

// set sets the state of the connection, and returns the former one. The lock of the server is held.
func (c *Connection) set(s state) (former state) {
	former, c.state = c.state, s
	for _, h := range []*hold{c.open, &c.request, &c.large, &c.bytes} {
		h.set(s)
	}
	return former
}

// SetWaiting says whether the server waits for the client: for bytes of a request, or for the client to read an answer.
func (c *Connection) SetWaiting(waits bool) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if waits {
		c.set(waiting)
	} else {
		c.set(serving)
	}
}

// SetIdle says that the server waits for the next request.
func (c *Connection) SetIdle() {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.set(idle)
}

// Admit says that the server knows the client of the request in progress as a user, of whose connections it keeps an eighth of all. Without a name
// no user is known, and the bounds of the address are the only ones.
func (c *Connection) Admit(user string) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
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
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.isAdmitted
}

// withdraw undoes Admit. An API server is always admitted.
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
	client := c.Client()
	if client.IsAPIServer {
		return true
	}
	client.IsAPIServer = true
	recognized := &hold{bound: c.server.connections, connection: c}
	if !c.take(ctx, recognized, client, 1) {
		return false
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if !c.isOpen { // it has given its room back
		recognized.release()
		return false
	}
	c.open.release()
	c.open, c.client, c.isAdmitted = recognized, client, true
	recognized.set(c.state)
	return true
}

// Client returns the client of the connection.
func (c *Connection) Client() Client {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.client
}

// Begin takes room for a request, and waits for it. It reports whether there is room; then End has to be called.
func (c *Connection) Begin(ctx context.Context) bool {
	if !c.take(ctx, &c.request, c.Client(), 1) {
		return false
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.inRequest = true
	c.set(waiting)
	c.withdraw() // the request before says nothing about this one
	return true
}

// Received says that bytes of a body have arrived, which has at most length bytes. It takes room for the body, and waits for it.
// It reports whether there is room.
func (c *Connection) Received(ctx context.Context, bytes int, length int64) bool {
	c.arrived += int64(bytes)
	if c.arrived <= firstBytes {
		length = min(length, firstBytes)
	}
	if length > c.room {
		c.release()
		client := c.Client()
		// In this order: a body that has large waits for small ones only, and these hold all they need.
		if length > small && !c.take(ctx, &c.large, client, length) || !c.take(ctx, &c.bytes, client, length) {
			return false
		}
		c.room = length
	}
	if c.arrived-c.renewed >= c.room/pace {
		c.renewed = c.arrived
		c.SetWaiting(true)
	}
	return true
}

// Complete says that the body has arrived. Room for more is given back.
func (c *Connection) Complete() {
	c.SetWaiting(false)
	c.bytes.keep(c.arrived)
	c.large.keep(c.arrived)
}

// release gives the room for bytes back.
func (c *Connection) release() {
	c.bytes.release()
	c.large.release()
}

// End gives the room of a request back.
func (c *Connection) End() {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.inRequest = false
	c.request.release()
	c.release()
	c.arrived, c.renewed, c.room, c.waited = 0, 0, 0, 0
}

// take takes an amount for a connection, and waits for it. It reports whether there is room.
func (c *Connection) take(ctx context.Context, h *hold, client Client, amount int64) bool {
	w := h.take(client, amount)
	return w == nil || c.waitFor(ctx, w)
}

// waitFor waits for room, and has connections closed that stall. It reports whether there is room.
func (c *Connection) waitFor(ctx context.Context, w *waiter) bool {
	c.server.mu.Lock()
	former := c.set(serving) // meanwhile the client waits for the server
	c.server.mu.Unlock()
	defer func() {
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		c.set(former)
	}()
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, MaxWait-c.waited)
	defer func() {
		cancel()
		c.waited += time.Since(began)
	}()
	for {
		if stalled := w.stalled(); stalled != nil {
			stalled.end(Stalled)
		}
		select {
		case <-w.granted:
			return true
		case <-ctx.Done():
			return !w.leave()
		case <-c.ended: // net/http does not end the context of a request whose body is not read
			return !w.leave()
		case <-time.After(looksAgain):
		}
	}
}
