// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"context"
	"net"
	"sync/atomic"
)

// WriteWhile has connections write only while a function returns nil: a process may be stopped after its last decision, while a token is requested or a
// connection is made, and continue when another process has taken over. It is called before the first request.
func (g *Guard) WriteWhile(leads func() error) { g.leads = leads }

// fenced returns a function whose connections follow WriteWhile.
func (g *Guard) fenced(dial dialFunc) dialFunc {
	if g.leads == nil {
		return dial
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		made, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &fencedConn{Conn: made, leads: g.leads}, nil
	}
}

// fencedConn is a connection that writes only while a function returns nil.
type fencedConn struct {
	net.Conn
	leads func() error
	// written counts the bytes.
	written atomic.Int64
}

// errFenced is the error of a request that was not written, or not whole.
type errFenced struct{}

func (errFenced) Error() string { return "the request was cancelled, as another process may lead" }

func (c *fencedConn) Write(b []byte) (int, error) {
	if c.leads() != nil {
		return 0, errFenced{}
	}
	n, err := c.Conn.Write(b)
	c.written.Add(int64(n))
	return n, err
}

// fencedConnOf returns the fenced connection below one of net/http; nil: there is none.
func fencedConnOf(conn net.Conn) *fencedConn {
	for {
		if fenced, ok := conn.(*fencedConn); ok {
			return fenced
		}
		above, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		conn = above.NetConn()
	}
}
