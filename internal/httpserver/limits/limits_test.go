// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const mebibyte = 1 << 20

// address returns the n-th of many addresses.
func address(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}) }

func pod(n int) Client { return Client{Address: address(n)} }

func apiServer(n int) Client { return Client{Address: address(n), IsAPIServer: true} }

// bench is a server whose connections close as those of a network do.
type bench struct {
	*Server
	t      *testing.T
	mu     sync.Mutex
	closed map[Reason]int
}

func newBench(t *testing.T, connections, requests int64) *bench {
	b := &bench{t: t, closed: map[Reason]int{}}
	b.Server = NewServer(Options{
		Connections: connections, Requests: requests, HasAPIServers: true, APIServerBytes: 32 * mebibyte, Bytes: 32 * mebibyte, Largest: 8 * mebibyte,
		StallsAfter: time.Second, Closed: b.close,
	})
	return b
}

func (b *bench) close(_ Client, reason Reason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed[reason]++
}

// connect opens a connection.
func (b *bench) connect(client Client) *Connection {
	b.t.Helper()
	return b.Connect(b.t.Context(), client, func() {})
}

// serve opens a connection and begins a request.
func (b *bench) begin(client Client) *Connection {
	b.t.Helper()
	c := b.connect(client)
	if c == nil || !c.Begin(b.t.Context()) {
		b.t.Fatal("there is no room for a request")
	}
	return c
}

// closings returns how many connections were closed for a reason.
func (b *bench) closings(reason Reason) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed[reason]
}

// connected reports whether a connection is open.
func (c *Connection) connected() bool {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.isOpen
}

// isEmpty checks that nothing is held.
func (b *bench) isEmpty() {
	b.t.Helper()
	for name, bound := range map[string]*bound{"connections": b.connections, "requests": b.requests, "queue": b.queue, "bytes": b.bytes, "large": b.large} {
		if bound.inUse() != 0 || len(bound.tenants) != 0 {
			b.t.Errorf("%s: %d are held, tenants %v", name, bound.inUse(), bound.tenants)
		}
		for _, h := range []*half{&bound.apiServers, &bound.others} {
			if h.turns.Len()+h.candidates.inRequest.Len()+h.candidates.idle.Len() != 0 {
				b.t.Errorf("%s: %d wait, %d and %d may be closed", name, h.turns.Len(), h.candidates.inRequest.Len(), h.candidates.idle.Len())
			}
		}
	}
	if n := len(b.keptByUser); n != 0 {
		b.t.Errorf("connections of %d users are kept", n)
	}
}

// receive has a body of so many bytes arrive. It reports whether there is room.
func (b *bench) receive(c *Connection, bytes int) bool {
	b.t.Helper()
	return c.Received(b.t.Context(), bytes, int64(bytes))
}

// F-S59: one address has room for one request of the largest size, all addresses for half of the bytes, and API servers for the other half. Large
// bodies leave an eighth for small ones.
func TestBytesInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1024, 1024)
		var all []*Connection
		fill := func(client Client, size int) (bytes int) {
			for {
				c := b.begin(client)
				all = append(all, c)
				if !b.receive(c, size) {
					return bytes
				}
				bytes += size
			}
		}
		for n := range 3 {
			if got := fill(pod(n), 4*mebibyte); got != 8*mebibyte {
				t.Errorf("Pod %d: %d bytes", n, got)
			}
		}
		if got := fill(pod(3), 4*mebibyte); got != 4*mebibyte {
			t.Errorf("the last Pod with large bodies: %d bytes", got)
		}
		if got := fill(pod(4), small); got != 4*mebibyte {
			t.Errorf("a Pod with small bodies: %d bytes", got)
		}
		began := time.Now()
		if got := fill(pod(5), 1); got != 0 {
			t.Errorf("a Pod beyond the bound: %d bytes", got)
		}
		if took := time.Since(began); took != MaxWait {
			t.Errorf("refused after %s", took)
		}
		for _, size := range []struct{ of, want int }{{4 * mebibyte, 28 * mebibyte}, {small, 4 * mebibyte}} {
			if got := fill(apiServer(9), size.of); got != size.want {
				t.Errorf("an API server with bodies of %d bytes: %d bytes", size.of, got)
			}
		}
		if got := b.BytesInUse(); got != 64*mebibyte {
			t.Errorf("%d bytes are in flight", got)
		}
		for _, c := range all {
			c.End()
			c.Disconnect()
		}
		b.isEmpty()
	})
}

// With little memory there is room for two requests of the largest size by API servers, and for one by Pods, beside small ones of another Pod.
func TestTheLargestRequestFindsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(Options{
			Connections: 64, Requests: 64, HasAPIServers: true, APIServerBytes: 20 * mebibyte, Bytes: 10 * mebibyte, Largest: 8 * mebibyte,
			StallsAfter: time.Hour, Closed: func(Client, Reason) {},
		})
		receive := func(client Client, bytes int) bool {
			c := s.Connect(t.Context(), client, func() {})
			return c.Begin(t.Context()) && c.Received(t.Context(), bytes, int64(bytes))
		}
		for _, test := range []struct {
			client Client
			bytes  int
			want   bool
		}{
			{pod(1), 8 * mebibyte, true}, {pod(1), small, true}, {pod(1), mebibyte, false}, {pod(2), mebibyte, false}, {pod(2), small, true},
			{apiServer(1), 8 * mebibyte, true}, {apiServer(1), 8 * mebibyte, true}, {apiServer(1), small, true},
		} {
			if got := receive(test.client, test.bytes); got != test.want {
				t.Errorf("%v has room for %d bytes: %t", test.client, test.bytes, got)
			}
		}
	})
}

// A request that waits for room gets it in the order of arrival, once another ends.
func TestARequestWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 64, 2) // one request of an API server at a time
		first := b.begin(apiServer(1))
		first.SetWaiting(false)
		got := make(chan int, 3)
		for n := range 3 {
			go func() {
				c := b.begin(apiServer(n))
				got <- n
				time.Sleep(time.Second / 2)
				c.End()
				c.Disconnect()
			}()
			synctest.Wait()
		}
		time.Sleep(time.Second / 2)
		first.End()
		first.Disconnect()
		for n := range 3 {
			if was := <-got; was != n {
				t.Errorf("request %d got room before request %d", was, n)
			}
		}
		time.Sleep(time.Second)
		b.isEmpty()
	})
}

// F-P52: a connection that sends no request is closed after 5 s, and one whose request was admitted is kept.
func TestTheFirstRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 64, 64)
		silent, slow, refused, admitted, known := b.connect(pod(1)), b.begin(pod(2)), b.begin(pod(3)), b.begin(pod(4)), b.connect(apiServer(5))
		refused.End()
		admitted.Admit("team-a")
		admitted.End()
		time.Sleep(FirstRequest - 1)
		if b.closings(NoRequest) != 0 {
			t.Errorf("closed too early: %v", b.closed)
		}
		time.Sleep(2 * time.Nanosecond)
		synctest.Wait()
		for name, c := range map[string]struct {
			*Connection
			isOpen bool
		}{
			"without a request": {silent, false}, "with a request in progress": {slow, true}, "whose request was refused": {refused, false},
			"whose request was admitted": {admitted, true}, "of an API server": {known, true},
		} {
			if c.isOpen != c.connected() {
				t.Errorf("a connection %s: open is %t", name, c.connected())
			}
		}
		if b.closings(NoRequest) != 2 {
			t.Errorf("closed: %v", b.closed)
		}
	})
}

// One address has at most an eighth of what other clients than API servers have.
func TestOneAddressHasAnEighth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 64, 64)
		admit := func(client Client) bool {
			c := b.connect(client)
			if c == nil {
				return false
			}
			c.Begin(t.Context())
			c.SetWaiting(false) // the server works for it, and it is not closed for room
			return true
		}
		for _, test := range []struct {
			client Client
			want   int
		}{{pod(1), 4}, {pod(2), 4}, {apiServer(3), 32}} {
			got := 0
			for admit(test.client) {
				got++
			}
			if got != test.want {
				t.Errorf("%v has %d connections, want %d", test.client, got, test.want)
			}
		}
		if b.closings(Stalled) != 0 || b.closings(NoRoom) != 3 {
			t.Errorf("closed: %v", b.closed)
		}
	})
}

// F-S59, F-P52: connections that stall make room for others, then those between two requests, and those that the server works for do not.
func TestStalledConnectionsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 32, 32)
		keep, idle := make([]*Connection, 0, 2), make([]*Connection, 0, 2)
		for n := range 4 { // admitted before, or served now
			c := b.begin(pod(n))
			c.SetWaiting(false)
			if n%2 == 0 {
				keep = append(keep, c)
				continue
			}
			c.Admit("")
			c.End()
			c.SetIdle()
			idle = append(idle, c)
		}
		for n := range 12 { // the others send half of a request, or nothing
			if c := b.connect(pod(4 + n%6)); n%2 == 0 {
				c.Begin(t.Context())
			}
		}
		began := time.Now()
		if b.connect(pod(100)) == nil || time.Since(began) != time.Second {
			t.Errorf("a newcomer, after %s: %v", time.Since(began), b.closed)
		}
		for n := range 11 {
			if b.connect(pod(101+n)) == nil {
				t.Errorf("newcomer %d is refused", n)
			}
		}
		for _, c := range append(idle, keep...) {
			if !c.connected() {
				t.Error("a connection that does not stall is closed")
			}
		}
		for n := range idle {
			if b.connect(pod(200+n)) == nil {
				t.Errorf("newcomer %d beside idle connections is refused", n)
			}
		}
		for n := range 2 {
			if idle[n].connected() || !keep[n].connected() {
				t.Errorf("idle connection %d is open: %t, one that is served: %t", n, idle[n].connected(), keep[n].connected())
			}
		}
		if b.closings(Stalled) != 14 || b.closings(NoRoom) != 0 {
			t.Errorf("closed: %v", b.closed)
		}
	})
}

// A stalled connection of another address does not make room where the share of an address is full.
func TestAnAddressMakesRoomForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 32, 32)
		other := b.connect(pod(1))
		own := []*Connection{b.connect(pod(2)), b.connect(pod(2))}
		time.Sleep(2 * time.Second)
		if b.connect(pod(2)) == nil || !other.connected() || own[0].connected() && own[1].connected() {
			t.Errorf("another is open: %t; its own: %t, %t", other.connected(), own[0].connected(), own[1].connected())
		}
	})
}

// Clients of the Pods' share never close a connection of an API server, nor take its room.
func TestPodsDoNotCloseConnectionsOfAPIServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 32, 32)
		known := b.begin(apiServer(1)) // half of a request
		for n := range 100 {
			b.connect(pod(n))
		}
		if !known.connected() {
			t.Error("the connection of the API server is closed")
		}
		for range 15 {
			began := time.Now()
			if b.connect(apiServer(1)) == nil || time.Since(began) != 0 {
				t.Error("an API server waits, or is refused")
			}
		}
	})
}

// A client that turns out to be an API server leaves the room of the others.
func TestRecognize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 32, 32)
		c := b.connect(pod(1))
		for range 2 {
			if !c.Recognize(t.Context()) || !c.Client().IsAPIServer {
				t.Error("not recognized")
			}
		}
		if b.connections.others.held != 0 || b.connections.apiServers.held != 1 {
			t.Errorf("%d and %d", b.connections.others.held, b.connections.apiServers.held)
		}
		time.Sleep(2 * FirstRequest)
		if !c.connected() {
			t.Error("closed like one of another client")
		}
		c.Disconnect()
		b.isEmpty()
	})
}

func visited(b *bound) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.visited
}

// F-S59: waiting costs the others nothing: of any number of connections and waiters, room that is given back, and each search for a connection to
// close, look at the first ones only.
func TestAnyNumberOfWaitersIsPassedBy(t *testing.T) {
	visits := func(addresses int) (given, searched int) {
		synctest.Test(t, func(t *testing.T) {
			s := NewServer(Options{
				Connections: 1 << 14, Requests: 1 << 14, HasAPIServers: true, APIServerBytes: 2 * mebibyte, Bytes: 2 * mebibyte, Largest: mebibyte,
				StallsAfter: time.Hour, Closed: func(Client, Reason) {},
			})
			begin := func(client Client) *Connection {
				c := s.Connect(t.Context(), client, func() {})
				if c == nil || !c.Begin(t.Context()) {
					t.Fatal("there is no room for a request")
				}
				return c
			}
			full, other := begin(pod(0)), begin(apiServer(0))
			full.Received(t.Context(), mebibyte, mebibyte)
			for range mebibyte / small {
				begin(pod(1000)).Received(t.Context(), small, small)
			}
			for n := range addresses {
				for range 4 {
					c := begin(pod(n))
					go c.Received(t.Context(), 1024, 1024)
				}
			}
			synctest.Wait()
			before := visited(s.bytes)
			other.Received(t.Context(), 1, 1)
			other.End()
			given = visited(s.bytes) - before
			before = visited(s.bytes)
			time.Sleep(looksAgain)
			synctest.Wait()
			searched = visited(s.bytes) - before
			before = visited(s.bytes)
			full.End()
			synctest.Wait()
			if granted := int(s.BytesInUse()-mebibyte) / 1024; granted != 4*addresses || visited(s.bytes)-before > 2*granted+addresses {
				t.Errorf("%d waiters get room after %d visits", granted, visited(s.bytes)-before)
			}
		})
		return given, searched
	}
	for _, addresses := range []int{50, 100} {
		given, searched := visits(addresses)
		if given != 0 || searched > 4*addresses {
			t.Errorf("%d waiters: %d are visited as others have theirs, %d by a search of each", 4*addresses, given, searched)
		}
	}
}

// F-S59: a server's connections, and those that wait for one, do not hold what another server needs.
func TestServersShareNoLock(t *testing.T) {
	server := func() *Server {
		return NewServer(Options{Connections: 64, Requests: 64, Bytes: 64 * mebibyte, Largest: 8 * mebibyte, Closed: func(Client, Reason) {}})
	}
	busy, other := server(), server()
	for _, held := range []*sync.Mutex{&busy.mu, &busy.connections.mu, &busy.requests.mu, &busy.queue.mu, &busy.bytes.mu, &busy.large.mu} {
		held.Lock()
		defer held.Unlock()
	}
	c := other.Connect(t.Context(), pod(1), func() {})
	if !c.Begin(t.Context()) || !c.Received(t.Context(), 1, 1) {
		t.Error("there is no room")
	}
	c.End()
	c.Disconnect()
}

// F-S59: 8 connections of an address wait for room, and 64 of all that are no API servers; the rest is closed at once.
func TestFewConnectionsWait(t *testing.T) {
	for _, test := range []struct {
		name   string
		client func(n int) Client
		wait   int
	}{
		{"of one address", func(int) Client { return pod(1) }, 8},
		{"of 20 addresses", func(n int) Client { return pod(n % 20) }, 64},
		{"of an API server", func(int) Client { return apiServer(1) }, 128},
	} {
		synctest.Test(t, func(t *testing.T) {
			const all = 200
			b := newBench(t, 256, 256)
			for n := range 128 {
				c := b.begin(Client{Address: pod(n % 8).Address, IsAPIServer: test.client(n).IsAPIServer})
				c.SetWaiting(false)
			}
			for n := range all {
				go b.connect(test.client(n))
			}
			synctest.Wait()
			if n := b.closings(NoRoom); n != all-test.wait {
				t.Errorf("%s: %d are closed at once", test.name, n)
			}
			time.Sleep(MaxWait)
			synctest.Wait()
			if n := b.closings(NoRoom); n != all {
				t.Errorf("%s: %d are closed", test.name, n)
			}
		})
	}
}

// F-S59: an address that waits with many requests has turns with the others.
func TestAddressesHaveTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(Options{
			Connections: 1 << 10, Requests: 1 << 10, HasAPIServers: true, APIServerBytes: 2 * mebibyte, Bytes: 2 * mebibyte, Largest: mebibyte,
			StallsAfter: time.Hour, Closed: func(Client, Reason) {},
		})
		begin := func(n int) *Connection {
			c := s.Connect(t.Context(), pod(n), func() {})
			c.Begin(t.Context())
			return c
		}
		held := begin(1)
		for _, c := range []*Connection{held, begin(1)} {
			c.Received(t.Context(), mebibyte/2, mebibyte/2)
		}
		for range mebibyte / small {
			begin(4).Received(t.Context(), small, small)
		}
		var got sync.Map
		for n, address := range []int{2, 2, 2, 2, 3} {
			go func() {
				if begin(address).Received(t.Context(), small, small) {
					got.Store(n, true)
				}
			}()
			synctest.Wait()
		}
		held.End()
		synctest.Wait()
		for n, want := range []bool{true, false, false, false, true} {
			if _, ok := got.Load(n); ok != want {
				t.Errorf("waiter %d has room: %t", n, ok)
			}
		}
	})
}

// F-S59: a connection that is closed while its request waits for room gives back at once what the request holds.
func TestAClosedConnectionDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 64, 64)
		full, c := b.begin(pod(1)), b.begin(pod(1))
		b.receive(full, 8*mebibyte)
		began := time.Now()
		time.AfterFunc(time.Millisecond, c.Disconnect)
		if b.receive(c, 2*mebibyte) || time.Since(began) != time.Millisecond {
			t.Errorf("ended after %s", time.Since(began))
		}
		c.End()
		full.End()
		full.Disconnect()
		b.isEmpty()
	})
}

// transfer is a body that arrives in chunks, each after some time, and is then worked on for a moment. It ends with the connection.
type transfer struct {
	client       Client
	bytes, chunk int
	each, work   time.Duration
}

// run sends a request, and reports whether it was served and how long it took.
func (b *bench) run(s transfer) (isServed bool, took time.Duration) {
	began := time.Now()
	c := b.connect(s.client)
	if c == nil {
		return false, time.Since(began)
	}
	defer c.Disconnect()
	if !c.Begin(b.t.Context()) {
		return false, time.Since(began)
	}
	defer c.End()
	for sent := 0; sent < s.bytes; sent += s.chunk {
		if !c.Received(b.t.Context(), min(s.chunk, s.bytes-sent), int64(s.bytes)) {
			return false, time.Since(began)
		}
		select {
		case <-time.After(s.each):
		case <-c.ended:
			return false, time.Since(began)
		}
	}
	c.Complete()
	time.Sleep(s.work)
	return true, time.Since(began)
}

// F-S59: large requests never wait for each other: any number of senders, of one address, gets as many served as there is room for, none waits for
// longer than 2 s, and small requests do not notice them.
func TestLargeRequestsDoNotWaitForEachOther(t *testing.T) {
	const lasts = 20 * time.Second
	for name, test := range map[string]struct {
		large  func(n int) Client
		beside Client
	}{
		"of an API server":     {func(int) Client { return apiServer(1) }, apiServer(1)},
		"of Pods":              {pod, pod(100)},
		"of Pods, beside them": {pod, apiServer(1)},
	} {
		served := map[int]int64{}
		for _, senders := range []int{10, 40, 160} {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 2048, 2048)
				var largest, large atomic.Int64
				var running sync.WaitGroup
				began := time.Now()
				for n := range senders {
					running.Go(func() {
						for time.Since(began) < lasts {
							isServed, took := b.run(transfer{test.large(n), 3 * mebibyte, 16 << 10, 8 * time.Millisecond, 50 * time.Millisecond})
							if isServed {
								large.Add(1)
								took -= 3*mebibyte/(16<<10)*8*time.Millisecond + 50*time.Millisecond
							}
							if waited := int64(took - 8*time.Millisecond); waited > largest.Load() { // refused ones have had a chunk
								largest.Store(waited)
							}
						}
					})
				}
				for time.Since(began) < lasts {
					if isServed, took := b.run(transfer{test.beside, 64 << 10, 16 << 10, 8 * time.Millisecond, 50 * time.Millisecond}); !isServed || took != 82*time.Millisecond {
						t.Errorf("%s, %d senders: one of 64 KiB is served: %t, after %s", name, senders, isServed, took)
					}
					time.Sleep(100 * time.Millisecond)
				}
				running.Wait()
				if largest.Load() > int64(MaxWait) || b.closings(Stalled) != 0 {
					t.Errorf("%s, %d senders: one waits for %s, closed: %v", name, senders, time.Duration(largest.Load()), b.closed)
				}
				served[senders] = large.Load()
				b.isEmpty()
			})
		}
		if served[40] < served[10] || served[160] < served[10] {
			t.Errorf("%s: served by the number of senders: %v", name, served)
		}
	}
}

// F-S59: a client that sends less than a tenth of its body in a second is closed where another needs the room, whatever it sends else, and one that
// sends more is not.
func TestSlowBodiesMakeRoom(t *testing.T) {
	for name, slow := range map[string]transfer{
		"stop":         {bytes: 8 * mebibyte, chunk: 4 * mebibyte, each: time.Minute},
		"are too slow": {bytes: 8 * mebibyte, chunk: 16 << 10, each: 100 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, 64, 64)
			steady := transfer{bytes: 4 * mebibyte, chunk: 64 << 10, each: 100 * time.Millisecond}
			var served [4]bool
			var running sync.WaitGroup
			for n, s := range []transfer{steady, slow, slow, slow} { // these have all room that large bodies of Pods have
				s.client = pod(n)
				running.Go(func() { served[n], _ = b.run(s) })
				time.Sleep(time.Millisecond)
			}
			time.Sleep(2 * time.Second)
			if b.closings(Stalled) != 0 {
				t.Error("a connection is closed while none waits")
			}
			if isServed, took := b.run(transfer{client: pod(9), bytes: 8 * mebibyte, chunk: 8 * mebibyte}); !isServed || took != 0 {
				t.Errorf("bodies that %s: another is served: %t, after %s", name, isServed, took)
			}
			running.Wait()
			if want := [4]bool{true, false, true, true}; served != want || b.closings(Stalled) != 1 {
				t.Errorf("bodies that %s: served are %v, want %v; closed: %v", name, served, want, b.closed)
			}
			b.isEmpty()
		})
	}
}

// F-S59: a length that is only announced takes no more room than the first part of a body, and a complete body keeps no more than has arrived.
func TestBytesCountAsTheyArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2048, 2048)
		for n := range 100 {
			b.begin(pod(n)).Received(t.Context(), firstBytes, 8*mebibyte)
		}
		if got := b.BytesInUse(); got != 100*firstBytes {
			t.Errorf("bodies of which %d bytes have arrived have room for %d", 100*firstBytes, got)
		}
		c := b.begin(pod(200))
		for _, bytes := range []int{1, firstBytes, small} {
			c.Received(t.Context(), bytes, 8*mebibyte)
		}
		c.Complete()
		if got, want := c.bytes.amount, int64(1+firstBytes+small); got != want || c.large.amount != want {
			t.Errorf("a body of %d bytes has room for %d and %d", want, got, c.large.amount)
		}
	})
}

// F-S59: a request waits for 2 s in all, whatever it waits for.
func TestARequestWaitsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1024, 2)
		first, full := b.begin(apiServer(1)), b.connect(apiServer(1))
		first.SetWaiting(false)
		b.receive(full, 28*mebibyte)
		full.SetWaiting(false)
		time.AfterFunc(MaxWait*3/4, first.End)
		began := time.Now()
		if c := b.begin(apiServer(1)); !c.Received(t.Context(), firstBytes, mebibyte) || c.Received(t.Context(), 1, mebibyte) || time.Since(began) != MaxWait {
			t.Errorf("refused after %s", time.Since(began))
		}
	})
}
