// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/gophernetes/bellhop/internal/httpserver/limits"
)

// connectionKey is the key of a connection's bounds in the context of its requests.
type connectionKey struct{}

// listener accepts connections within bounds. Those that wait for room do not keep it from accepting others.
type listener struct {
	net.Listener
	clientAt func(netip.Addr) limits.Client
	bounds   *limits.Server
	accepted chan accepted
	// handshakes bounds the TLS handshakes that compute at the same time; nil: the listener has no TLS.
	handshakes chan struct{}
	ctx        context.Context //nolint:containedctx // ends with Close
	end        context.CancelFunc
}

// accepted is the result of Accept.
type accepted struct {
	connection *connection
	err        error
}

func newListener(socket net.Listener, clientAt func(netip.Addr) limits.Client, bounds *limits.Server, handshakes chan struct{}) *listener {
	ctx, end := context.WithCancel(context.Background())
	l := &listener{Listener: socket, clientAt: clientAt, bounds: bounds, handshakes: handshakes, accepted: make(chan accepted), ctx: ctx, end: end}
	go l.accept()
	return l
}

// accept accepts connections until the listener is closed.
func (l *listener) accept() {
	for {
		socket, err := l.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			l.end()
			return
		case err != nil:
			l.hand(accepted{err: err})
		default:
			go l.admit(socket)
		}
	}
}

// admit hands a connection to Accept once there is room, or closes it.
func (l *listener) admit(socket net.Conn) {
	c := &connection{Conn: socket}
	remote, _ := netip.ParseAddrPort(socket.RemoteAddr().String()) // a socket of another kind has none
	client := l.clientAt(remote.Addr().Unmap().WithZone(""))
	if c.limits = l.bounds.Connect(l.ctx, client, func() { _ = socket.Close() }); c.limits == nil {
		_ = socket.Close()
		return
	}
	if l.handshakes != nil && !client.IsAPIServer {
		c.handshakes.Store(&l.handshakes)
	}
	l.hand(accepted{connection: c})
}

func (l *listener) hand(a accepted) {
	select {
	case l.accepted <- a:
	case <-l.ctx.Done():
		if a.connection != nil {
			_ = a.connection.Close()
		}
	}
}

// Accept returns the next connection that there is room for.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case a := <-l.accepted:
		if a.err != nil {
			return nil, a.err
		}
		return a.connection, nil
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close ends the listener.
func (l *listener) Close() error {
	l.end()
	return l.Listener.Close()
}

// connection is a connection within bounds. A TLS handshake computes in turn, from each read until the next read or write: a client without
// credentials can begin any number of handshakes.
type connection struct {
	net.Conn
	limits *limits.Connection
	// handshakes bounds the handshakes that compute; nil: the handshake is complete, or does not wait.
	handshakes atomic.Pointer[chan struct{}]
	computing  atomic.Pointer[chan struct{}] // the same, while this one computes
	isUsed     atomic.Bool                   // it has had a request
}

// connectionOf returns the connection below TLS.
func connectionOf(c net.Conn) *connection {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	return c.(*connection)
}

// begin says that the first request begins.
func (c *connection) begin() {
	c.isUsed.Store(true)
	c.handshakes.Store(nil)
	c.endComputing()
}

func (c *connection) endComputing() {
	if computing := c.computing.Swap(nil); computing != nil {
		<-*computing
	}
}

// Read reads from the client.
func (c *connection) Read(p []byte) (int, error) {
	c.endComputing()
	n, err := c.Conn.Read(p)
	if handshakes := c.handshakes.Load(); handshakes != nil && n > 0 {
		*handshakes <- struct{}{} // never for long: no handshake reads or writes meanwhile
		c.computing.Store(handshakes)
	}
	return n, err
}

// SetReadDeadline sets the time until which the client has to send the bytes that are being read. An API server keeps a connection that it has not
// used yet, and does not repeat a review that meets its end: until its first request, the connection counts as idle.
func (c *connection) SetReadDeadline(t time.Time) error {
	if !t.IsZero() && !c.isUsed.Load() && c.limits.Client().IsAPIServer {
		t = t.Add(idleTimeout - headerTimeout)
	}
	return c.Conn.SetReadDeadline(t)
}

// Write writes to the client.
func (c *connection) Write(p []byte) (int, error) {
	c.endComputing()
	return c.Conn.Write(p)
}

// Close closes the connection.
func (c *connection) Close() error {
	c.endComputing()
	c.limits.Disconnect()
	return c.Conn.Close()
}
