// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// peer listens, and gives each connection to serve.
func peer(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for accepted, err := l.Accept(); err == nil; accepted, err = l.Accept() {
			t.Cleanup(func() { accepted.Close() })
			go serve(accepted)
		}
	}()
	return l.Addr().String()
}

func dial(ctx context.Context, t *testing.T, client *Client, address string) net.Conn {
	t.Helper()
	made, err := client.Dial(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { made.Close() })
	return made
}

func startSilentServer(net.Conn) {}

func TestDial(t *testing.T) {
	address := peer(t, func(c net.Conn) { _, _ = io.Copy(c, c) })
	made := dial(t.Context(), t, testClient(t, loopback, Options{}), address)
	if _, err := io.WriteString(made, "hello"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(made, got); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDialFails(t *testing.T) {
	address := peer(t, startSilentServer)
	_, port, _ := net.SplitHostPort(address)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithTimeout(t.Context(), -time.Second)
	defer cancelLate()

	for _, c := range []struct {
		why     string
		ctx     context.Context //nolint:containedctx // a case is what is passed to one call
		guard   *Guard
		address string
		kind    Kind
	}{
		{"a literal that is refused", t.Context(), nil, address, Refused},
		{"a name that resolves to it", t.Context(), nil, "localhost:" + port, Refused},
		{"nobody listens", t.Context(), loopback, closed, Unreachable},
		{"no such host", t.Context(), loopback, "canary.invalid:25", Unresolved},
		{"not an address", t.Context(), loopback, "canary", Unreachable},
		{"cancelled", cancelled, loopback, address, Canceled},
		{"too late", late, loopback, address, Unreachable},
	} {
		t.Run(c.why, func(t *testing.T) {
			_, err := testClient(t, c.guard, Options{}).Dial(c.ctx, c.address)
			wantError(t, err, c.kind, false, "")
		})
	}
}

// The proxy is for HTTP.
func TestDialUsesNoProxy(t *testing.T) {
	address := peer(t, func(c net.Conn) { c.Close() })
	client, err := newClient(loopback, Options{}, http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}), deaf)
	if err != nil {
		t.Fatal(err)
	}
	dial(t.Context(), t, client, address)
}

func TestConnEnds(t *testing.T) {
	flood := func(c net.Conn) {
		for block := make([]byte, 4096); ; {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	}
	read := func(c net.Conn) error { _, err := io.Copy(io.Discard, c); return err }
	for _, c := range []struct {
		why   string
		serve func(net.Conn)
		do    func(net.Conn) error
		limit time.Duration // of the context; the client's is a minute
		kind  Kind
		says  string
	}{
		{"nothing comes", startSilentServer, read, time.Second, Timeout, ""},
		{"nothing is taken", startSilentServer, func(c net.Conn) error {
			for block := make([]byte, 1<<16); ; {
				if _, err := c.Write(block); err != nil {
					return err
				}
			}
		}, time.Second, Timeout, ""},
		{"a library gives itself more time", startSilentServer, func(c net.Conn) error {
			for {
				if err := c.SetDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
					return err
				}
				if err := read(c); c.(*conn).isOver() {
					_ = c.SetReadDeadline(time.Now().Add(time.Minute))
					_ = c.SetWriteDeadline(time.Now().Add(time.Minute))
					return errors.Join(err, read(c))
				}
			}
		}, time.Second, Timeout, ""},
		{"a library gives itself less time", startSilentServer, func(c net.Conn) error {
			_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			return read(c)
		}, time.Minute, Timeout, ""},
		{"too much comes", flood, read, time.Minute, Broken, "more than is read"},
		{"reset", func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1)) // connecting has succeeded
			_ = c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}, func(c net.Conn) error { _, _ = c.Write([]byte{0}); return read(c) }, time.Minute, Broken, ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), c.limit)
			defer cancel()
			made := dial(ctx, t, testClient(t, loopback, Options{Timeout: time.Minute}), peer(t, c.serve))
			began := time.Now()
			err := c.do(made)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
			wantError(t, FromConn(ctx, err, Talking), c.kind, false, c.says)
			wantError(t, FromConn(ctx, err, Asked), c.kind, true, c.says)
		})
	}
}

func (c *conn) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

func TestConnEndsWithTheClientsTimeout(t *testing.T) {
	made := dial(t.Context(), t, testClient(t, loopback, Options{Timeout: time.Second}), peer(t, startSilentServer))
	_, err := made.Read(make([]byte, 1))
	wantError(t, FromConn(t.Context(), err, Asked), Timeout, true, "")
}

func TestConnIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	made := dial(ctx, t, testClient(t, loopback, Options{}), peer(t, startSilentServer))
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := made.Read(make([]byte, 1))
	wantError(t, FromConn(ctx, err, Asked), Canceled, true, "")
	wantError(t, FromConn(ctx, err, Handshaking), Canceled, false, "")
}

func TestConnReadsUpToTheLimit(t *testing.T) {
	address := peer(t, func(c net.Conn) { _, _ = io.WriteString(c, strings.Repeat("x", 101)) })
	made := dial(t.Context(), t, testClient(t, loopback, Options{MaxBody: 100}), address)
	got, err := io.ReadAll(made)
	if len(got) != 100 {
		t.Errorf("got %d bytes, want 100", len(got))
	}
	wantError(t, err, Broken, false, "more than is read")
}

func TestDialTLS(t *testing.T) {
	server := unstarted(http.NotFound)
	server.StartTLS()
	defer server.Close()
	strict := unstarted(http.NotFound)
	strict.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}
	strict.StartTLS()
	defer strict.Close()
	old := unstarted(http.NotFound)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	defer old.Close()
	_, certificatePEM, key := certificate(t, time.Now().Add(time.Hour))
	ca := encode("CERTIFICATE", server.Certificate().Raw)

	for _, c := range []struct {
		why, address, name string
		o                  Options
		kind               Kind // "" for none
		says               string
	}{
		{"known authority", server.Listener.Addr().String(), "127.0.0.1", Options{CABundle: ca}, "", ""},
		{"not verified", server.Listener.Addr().String(), "localhost", Options{InsecureSkipVerify: true}, "", ""},
		{"with a client certificate", strict.Listener.Addr().String(), "127.0.0.1",
			Options{InsecureSkipVerify: true, ClientCertificate: certificatePEM, ClientKey: key}, "", ""},
		{"without", strict.Listener.Addr().String(), "127.0.0.1", Options{InsecureSkipVerify: true}, TLS, "client certificate"},
		{"unknown authority", server.Listener.Addr().String(), "127.0.0.1", Options{}, TLS, "unknown authority"},
		{"another name", server.Listener.Addr().String(), "localhost", Options{CABundle: ca}, TLS, "another host name"},
		{"too old", old.Listener.Addr().String(), "127.0.0.1", Options{InsecureSkipVerify: true}, TLS, "version"},
		{"no TLS", peer(t, func(c net.Conn) { _, _ = io.WriteString(c, "220 canary ESMTP\r\n") }), "127.0.0.1", Options{}, TLS, "may not support TLS"},
		{"nothing comes", peer(t, startSilentServer), "127.0.0.1", Options{Timeout: time.Second}, Timeout, ""},
		{"hung up", peer(t, func(c net.Conn) { c.Close() }), "127.0.0.1", Options{}, Broken, ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			client := testClient(t, loopback, c.o)
			secured := tls.Client(dial(t.Context(), t, client, c.address), client.TLSConfig(c.name))
			err := secured.HandshakeContext(t.Context())
			if c.kind == "" {
				if err != nil || secured.ConnectionState().NegotiatedProtocol != "" {
					t.Errorf("got %v, protocol %q", err, secured.ConnectionState().NegotiatedProtocol)
				}
				return
			}
			wantError(t, FromConn(t.Context(), err, Handshaking), c.kind, false, c.says)
		})
	}
}
