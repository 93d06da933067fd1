// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gophernetes/bellhop/internal/httpserver/limits"
)

var (
	theAPIServer = netip.MustParseAddr("10.0.0.1")
	aPod         = netip.MustParseAddr("10.244.0.7")
)

// network is a listener whose connections are pipes, so that tests do not wait.
type network struct {
	accepted chan net.Conn
	closed   chan struct{}
	close    sync.Once
}

func newNetwork() *network {
	return &network{accepted: make(chan net.Conn), closed: make(chan struct{})}
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.accepted:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error {
	n.close.Do(func() { close(n.closed) })
	return nil
}

func (n *network) Addr() net.Addr { return &net.TCPAddr{} }

// pipe is the server's end of a connection from an address.
type pipe struct {
	net.Conn
	from netip.Addr
}

func (p pipe) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.from, 1)) }

// dial opens a connection from an address.
func (n *network) dial(from netip.Addr) net.Conn {
	client, server := net.Pipe()
	n.accepted <- pipe{server, from}
	return client
}

// fixture is a server on a network.
type fixture struct {
	*network
	t       *testing.T
	servers *Servers
	metrics *prometheus.Registry
}

// metric returns the value of a counter's series with a value of a label.
func (f *fixture) metric(t *testing.T, name, label string) (sum float64) {
	t.Helper()
	families, err := f.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name && strings.Contains(m.String(), `"`+label+`"`) {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// newFixture serves a kind to a network, with room for 64 MiB.
func newFixture(t *testing.T, kind Kind, handler http.HandlerFunc) *fixture {
	t.Helper()
	return newSecuredFixture(t, kind, nil, handler)
}

// newSecuredFixture serves a kind with TLS settings, if there are any.
func newSecuredFixture(t *testing.T, kind Kind, settings *tls.Config, handler http.HandlerFunc) *fixture {
	t.Helper()
	return newProcess(t, 1<<30).serve(kind, settings, handler)
}

// newProcess returns a fixture without a server, in a process with a memory limit.
func newProcess(t *testing.T, memoryLimit int64) fixture {
	t.Helper()
	registry := prometheus.NewRegistry()
	servers, err := New(Options{MemoryLimit: memoryLimit, Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	servers.SetAPIServers([]netip.Addr{theAPIServer})
	return fixture{t: t, servers: servers, metrics: registry}
}

// serve returns the fixture with a server of its process.
func (f fixture) serve(kind Kind, settings *tls.Config, handler http.HandlerFunc) *fixture {
	t, servers := f.t, f.servers
	f.network = newNetwork()
	server, listener := servers.serve(kind, f.network, settings, handler)
	ended := make(chan error)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		time.Sleep(time.Second) // net/http closes connections
		if n := servers.bytesInUse(); n != 0 {
			t.Errorf("%d bytes are in flight at the end", n)
		}
	})
	return &f
}

// echoLength answers with the number of bytes of the body.
func echoLength(w http.ResponseWriter, r *http.Request) {
	Admit(r.Context(), "")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // what a handler answers to a body that it could not read is replaced
	}
	fmt.Fprint(w, len(body))
}

// send sends a request from an address, and returns the answer, whether the connection is open after it, and how long it took.
func (f *fixture) send(from netip.Addr, request io.Reader) (answer string, isOpen bool, took time.Duration) {
	f.t.Helper()
	c := f.dial(from)
	defer c.Close()
	began := time.Now()
	go io.Copy(c, request) //nolint:errcheck // the server may not read all
	return f.answer(c, began)
}

func (f *fixture) answer(c net.Conn, began time.Time) (answer string, isOpen bool, took time.Duration) {
	f.t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	took = time.Since(began)
	if err != nil {
		return "", false, took
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		f.t.Error(err)
	}
	return fmt.Sprintf("%d %s", response.StatusCode, strings.TrimSpace(string(body))), !response.Close, took
}

func post(path string, length int, body io.Reader) io.Reader {
	return io.MultiReader(strings.NewReader(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", path, length)), body)
}

func chunked(path string, body io.Reader) io.Reader {
	return io.MultiReader(strings.NewReader("POST "+path+" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"), &chunks{body: body})
}

// chunks encodes a body whose length is not announced.
type chunks struct {
	body io.Reader
	next bytes.Buffer
	end  bool
}

func (c *chunks) Read(p []byte) (int, error) {
	if c.next.Len() == 0 {
		if c.end {
			return 0, io.EOF
		}
		chunk := make([]byte, 64<<10)
		n, err := io.ReadFull(c.body, chunk)
		if n > 0 {
			fmt.Fprintf(&c.next, "%x\r\n%s\r\n", n, chunk[:n])
		}
		if c.end = err != nil; c.end {
			c.next.WriteString("0\r\n\r\n")
		}
	}
	return c.next.Read(p)
}

func zeros(n int64) io.Reader { return io.LimitReader(endless{}, n) }

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// stalled sends nothing more.
type stalled struct{ ctx context.Context } //nolint:containedctx // the test's

func (s stalled) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, io.EOF
}

// F-S59: a body has a bound, whatever the handler reads and answers, and whether its length is announced or not.
func TestTheSizeOfABody(t *testing.T) {
	for _, test := range []struct {
		kind    Kind
		path    string
		maximum int
	}{
		{Webhooks, "/mutate", 7 << 20}, {Webhooks, "/convert", 8 << 20}, {Posts, "/", 4 << 20}, {Metrics, "/", 1 << 20}, {Probes, "/", 1 << 20},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, test.kind, echoLength)
			n := test.maximum
			for name, request := range map[string]io.Reader{"announced": post(test.path, n, zeros(int64(n))), "chunked": chunked(test.path, zeros(int64(n)))} {
				if answer, isOpen, _ := f.send(aPod, request); answer != fmt.Sprint("200 ", n) || !isOpen {
					t.Errorf("%s%s: the maximum, %s: %q, open: %t", test.kind.Name, test.path, name, answer, isOpen)
				}
			}
			for name, request := range map[string]io.Reader{
				"announced": post(test.path, n+1, zeros(int64(n)+1)), "endless": chunked(test.path, zeros(1<<30)),
			} {
				if answer, isOpen, _ := f.send(aPod, request); !strings.HasPrefix(answer, "413 ") || isOpen {
					t.Errorf("%s%s: too large, %s: %q, open: %t", test.kind.Name, test.path, name, answer, isOpen)
				}
			}
			if n := f.metric(t, "bellhop_http_server_requests_refused_total", "too_large"); n != 2 {
				t.Errorf("%v are counted", n)
			}
		})
	}
}

// F-S59: bodies that stop before their end. The bytes of one address are bounded, other clients and API servers are served, and after 10 s all
// is free.
func TestSlowBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Webhooks, echoLength)
		var slow []net.Conn
		for range 100 {
			c := f.dial(aPod)
			slow = append(slow, c)
			go io.Copy(c, post("/mutate", 7<<20-10, io.MultiReader(zeros(6<<20), stalled{t.Context()}))) //nolint:errcheck // the server closes it
		}
		synctest.Wait()
		if n := f.servers.bytesInUse(); n > 8<<20 {
			t.Errorf("%d bytes are in flight", n)
		}
		for _, client := range []netip.Addr{theAPIServer, netip.MustParseAddr("10.244.0.8")} {
			if answer, _, took := f.send(client, post("/mutate", 7<<20, zeros(7<<20))); answer != "200 7340032" || took != 0 {
				t.Errorf("another client: %q after %s", answer, took)
			}
		}
		time.Sleep(bodyTimeout + limits.MaxWait)
		synctest.Wait()
		if n := f.servers.bytesInUse(); n != 0 {
			t.Errorf("%d bytes are in flight after the deadline", n)
		}
		for _, c := range slow {
			c.Close()
		}
	})
}

// The deadlines of a client: for its first request, a header, a body, and between requests.
func TestDeadlines(t *testing.T) {
	const header = "GET / HTTP/1.1\r\nHost: x\r\n"
	for name, test := range map[string]struct {
		from    netip.Addr
		sends   io.Reader
		answers string
		after   time.Duration
	}{
		"nothing is sent":                  {aPod, strings.NewReader(""), "", limits.FirstRequest},
		"half of a header":                 {aPod, strings.NewReader(header), "", limits.FirstRequest},
		"nothing, by an API server":        {theAPIServer, strings.NewReader(""), "", idleTimeout},
		"half of an API server's header":   {theAPIServer, strings.NewReader(header), "", idleTimeout},
		"half of a body":                   {aPod, post("/", 10, strings.NewReader("half")), "503 the body of the request was not complete in time; send it again", bodyTimeout},
		"half of an API server's body":     {theAPIServer, post("/", 10, strings.NewReader("half")), "503 the body of the request was not complete in time; send it again", bodyTimeout},
		"half of a header after a request": {aPod, io.MultiReader(strings.NewReader(header+"\r\n"), strings.NewReader(header)), "200 0", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, Webhooks, echoLength)
			answer, _, took := f.send(test.from, io.MultiReader(test.sends, stalled{t.Context()}))
			if answer != test.answers || took != test.after {
				t.Errorf("%s: %q after %s, want %q after %s", name, answer, took, test.answers, test.after)
			}
		})
	}
}

// A connection that had a request which was admitted is kept for two minutes: the API server's client gives it up after 90 seconds, and must be
// the first, since it does not repeat a review that meets the end of its connection.
func TestIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Webhooks, echoLength)
		c := f.dial(aPod)
		for range 3 {
			go io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") //nolint:errcheck // the answer shows it
			if answer, isOpen, _ := f.answer(c, time.Now()); answer != "200 0" || !isOpen {
				t.Errorf("%q, open: %t", answer, isOpen)
			}
			time.Sleep(idleTimeout - 1)
		}
		began := time.Now()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) || time.Since(began) != 1 {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// A handler that takes longer than a body may is not ended by the deadline of its body.
func TestADeadlineOfABodyEndsNoHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Webhooks, func(w http.ResponseWriter, r *http.Request) {
			echoed := httptest.NewRecorder()
			echoLength(echoed, r)
			select {
			case <-r.Context().Done():
			case <-time.After(2 * bodyTimeout):
				fmt.Fprint(w, echoed.Body)
			}
		})
		if answer, isOpen, _ := f.send(aPod, post("/", 10, zeros(10))); answer != "200 10" || !isOpen {
			t.Errorf("%q, open: %t", answer, isOpen)
		}
	})
}

// A client that does not read its answer keeps the bytes of its request no longer than answerTimeout.
func TestAnAnswerThatIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Webhooks, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Write(body) //nolint:errcheck // the client does not read it
		})
		c := f.dial(aPod)
		go io.Copy(c, post("/", 1<<20, zeros(1<<20))) //nolint:errcheck // the bytes in flight show it
		synctest.Wait()
		if n := f.servers.bytesInUse(); n != 1<<20 {
			t.Errorf("%d bytes", n)
		}
		time.Sleep(answerTimeout)
		synctest.Wait()
		if n := f.servers.bytesInUse(); n != 0 {
			t.Errorf("%d bytes after the deadline", n)
		}
	})
}

// F-S59: a Pod that fills the door has none of 600 reviews at once refused, which the API server sends from one address.
func TestReviewsBesideAFullDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const reviews = 600
		var served atomic.Int64
		f := newFixture(t, Webhooks, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/review" {
				served.Add(1)
				time.Sleep(10 * time.Millisecond)
			}
			echoLength(w, r)
		})
		for n := range 3000 { // from 7 addresses, which each have their share
			c := f.dial(netip.AddrFrom4([4]byte{10, 244, 1, byte(n % 7)}))
			defer c.Close()
			switch n % 3 {
			case 0: // sends nothing
			case 1:
				go io.Copy(c, post("/fill", 7<<20, io.MultiReader(zeros(1<<20), stalled{t.Context()}))) //nolint:errcheck // the server closes it
			case 2:
				go io.Copy(c, io.MultiReader(strings.NewReader("POST /fill HTTP/1.1\r\n"), stalled{t.Context()})) //nolint:errcheck // the server closes it
			}
		}
		synctest.Wait()
		if n := f.servers.bytesInUse(); n != 2*7<<20 {
			t.Errorf("%d bytes are in flight", n)
		}
		var running sync.WaitGroup
		var refused atomic.Int64
		for range reviews {
			running.Go(func() {
				if answer, isOpen, _ := f.send(theAPIServer, post("/review", 10<<10, zeros(10<<10))); answer != "200 10240" || !isOpen {
					refused.Add(1)
				}
			})
		}
		running.Wait()
		if refused.Load() != 0 || served.Load() != reviews {
			t.Errorf("%d of %d reviews are refused, %d are served", refused.Load(), reviews, served.Load())
		}
		// A newcomer that is no API server is served as well: the connections of the Pods stall.
		if answer, _, took := f.send(netip.MustParseAddr("10.244.2.1"), post("/fill", 10, zeros(10))); answer != "200 10" || took > limits.MaxWait {
			t.Errorf("another Pod: %q after %s", answer, took)
		}
	})
}

// F-S59: a request that finds no room, and whose body does not come, leaves no connection without a deadline.
func TestARefusedRequestHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Posts, func(_ http.ResponseWriter, r *http.Request) {
			Admit(r.Context(), "")
			if r.URL.Path == "/served" {
				<-t.Context().Done()
			}
		})
		refused := f.dial(aPod)
		defer refused.Close()
		f.ask(refused, get)
		for range Posts.Requests / 8 { // as many as one address may have
			c := f.dial(aPod)
			defer c.Close()
			go io.WriteString(c, "GET /served HTTP/1.1\r\nHost: x\r\n\r\n") //nolint:errcheck // the refusal shows it
		}
		synctest.Wait()
		answer, _ := f.ask(refused, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
		if !strings.HasPrefix(answer, "503 there is no room") {
			t.Fatalf("%q", answer)
		}
		began := time.Now()
		_ = refused.SetReadDeadline(began.Add(time.Hour))
		if _, err := refused.Read(make([]byte, 1)); err == nil || time.Since(began) > bodyTimeout+time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// F-S59: at each memory limit, any number of Pods that send to the webhooks, and stop or are slow, delay no post of any size.
func TestPostsBesideStrangers(t *testing.T) {
	for _, test := range []struct {
		memoryLimit int64
		pods, size  int
	}{{1, 1, MaxPost}, {256 << 20, 1, MaxPost}, {1 << 30, 1, MaxPost}, {1, 100, MaxPost}, {256 << 20, 100, MaxPost}, {1 << 30, 100, MaxPost}, {1 << 30, 100, 64 << 10}} {
		synctest.Test(t, func(t *testing.T) {
			process := newProcess(t, test.memoryLimit)
			webhooks, posts := process.serve(Webhooks, nil, echoLength), process.serve(Posts, nil, echoLength)
			for n := range 3 * test.pods {
				c := webhooks.dial(podAt(n % test.pods))
				defer c.Close()
				go io.Copy(c, post("/convert", maxConversion, io.MultiReader(zeros(maxConversion-1), stalled{t.Context()}))) //nolint:errcheck // the server closes it
			}
			synctest.Wait()
			for range 10 {
				for name, request := range map[string]io.Reader{"announced": post("/", test.size, zeros(int64(test.size))), "chunked": chunked("/", zeros(int64(test.size)))} {
					if answer, _, took := posts.send(podAt(200), request); answer != fmt.Sprint("200 ", test.size) || took != 0 {
						t.Errorf("%d Pods at a limit of %d: a post of %d bytes, %s: %q after %s", test.pods, test.memoryLimit, test.size, name, answer, took)
					}
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
}

// A post of unknown length has to have room for the largest one. It finds that beside small posts of its address, such as a gateway's.
func TestAChunkedPostBesideSmallOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newProcess(t, 1<<30).serve(Posts, nil, func(w http.ResponseWriter, r *http.Request) {
			echoLength(w, r)
			time.Sleep(500 * time.Millisecond)
		})
		go func() {
			for range 40 {
				go f.send(aPod, post("/", 1000, zeros(1000)))
				time.Sleep(100 * time.Millisecond)
			}
		}()
		time.Sleep(time.Second)
		if answer, _, _ := f.send(aPod, chunked("/", zeros(64<<10))); answer != "200 65536" {
			t.Error(answer)
		}
		time.Sleep(10 * time.Second)
	})
}

// TestNetwork: servers listen on the network that they are given.
func TestNetwork(t *testing.T) {
	socket := newNetwork()
	servers, err := New(Options{Metrics: prometheus.NewRegistry(), Network: func(_ context.Context, _, address string) (net.Listener, error) {
		if address != "bellhop:9444" {
			return nil, fmt.Errorf("there is no address %s", address)
		}
		return socket, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	server, listener, err := servers.Listen(t.Context(), Posts, "bellhop:9444", nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Close() //nolint:errcheck // the end of the test
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return socket.dial(aPod), nil }}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://bellhop:9444/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		t.Errorf("the answer is %s", response.Status)
	}
}
