// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"time"
)

// Dial makes a TCP connection to host:port for a protocol other than HTTP, if the guard lets it. The connection, and all reads and writes on it, end
// when ctx does, and after the client's time limit at the latest. At most MaxBody bytes are read from it. The caller must close it. An error is an
// *Error; FromConn makes one of a later error.
//
// The operator's HTTP proxy is not for such connections: they are dialled from here for any value of HTTPS_PROXY.
func (c *Client) Dial(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	tcp, err := c.guard.fenced(c.dialTarget)(ctx, "tcp", address)
	if err != nil {
		defer cancel()
		return nil, classify(ctx, err, &progress{})
	}
	made := &conn{Conn: tcp, cancel: cancel, left: c.maxBody}
	made.stop = context.AfterFunc(ctx, made.expire)
	return made, nil
}

// dialTarget connects to a receiver or broker. The address is checked only when it is dialled: a name can resolve to another address by then.
func (c *Client) dialTarget(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host, err = c.nameOf(host); err != nil {
		return nil, err
	}
	return (&net.Dialer{Timeout: c.timeout, Resolver: c.resolver, Control: c.control}).DialContext(ctx, network, net.JoinHostPort(host, port))
}

// nameOf returns a host as it is resolved.
func (c *Client) nameOf(host string) (string, error) {
	host, err := Host(host)
	if err != nil {
		return "", err
	}
	if _, isLiteral := Literal(host); c.absolute && !isLiteral && !IsServiceName(host) && !strings.HasSuffix(host, ".") {
		host += "."
	}
	return host, nil
}

// WithTimeout returns a context that ends after the client's time limit at the latest.
func (c *Client) WithTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.timeout)
}

// TLSConfig is for TLS on a connection that Dial made: the client's own, with the name that the certificate must be for.
func (c *Client) TLSConfig(serverName string) *tls.Config {
	config := c.tls.Clone()
	config.ServerName = serverName
	return config
}

// conn is a connection that ends with a context.
type conn struct {
	net.Conn
	stop   func() bool // does not wait for the context any more
	cancel func()

	mu   sync.Mutex
	over bool // the context has ended
	left int64
}

// expire ends present and later reads and writes.
func (c *conn) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	_ = c.Conn.SetDeadline(time.Unix(1, 0))
}

func (c *conn) Read(b []byte) (int, error) {
	c.mu.Lock()
	left := c.left
	c.mu.Unlock()
	if left <= 0 {
		return 0, &Error{Kind: Broken, Message: "the server sends more than is read"}
	}
	n, err := c.Conn.Read(b[:min(int64(len(b)), left)])
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left -= int64(n)
	return n, err
}

// A library that sets deadlines of its own can shorten the time, but not prolong it.

func (c *conn) SetDeadline(t time.Time) error      { return c.limit(c.Conn.SetDeadline, t) }
func (c *conn) SetReadDeadline(t time.Time) error  { return c.limit(c.Conn.SetReadDeadline, t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.limit(c.Conn.SetWriteDeadline, t) }

func (c *conn) limit(set func(time.Time) error, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil
	}
	return set(t)
}

func (c *conn) Close() error {
	c.stop()
	c.cancel()
	return c.Conn.Close()
}

// Phase is how far an exchange over a connection has come.
type Phase int

const (
	// Handshaking: TLS is being agreed on.
	Handshaking Phase = iota
	// Talking: the exchange has begun, and has no effect if it ends here.
	Talking
	// Asked: the request may have been carried out.
	Asked
)

// FromConn classifies an error of a connection that Dial made, or of TLS on top of it.
func FromConn(ctx context.Context, err error, at Phase) *Error {
	var p progress
	p.connected.Store(at != Handshaking || timedOut(ctx, err) || isNetwork(err))
	p.badHandshake.Store(at == Handshaking)
	failure := *classify(ctx, err, &p)
	failure.Sent = at == Asked
	return &failure
}
