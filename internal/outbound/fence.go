// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"context"
	"net"
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
		return fencedConn{made, g.leads}, nil
	}
}

type fencedConn struct {
	net.Conn
	leads func() error
}

func (c fencedConn) Write(b []byte) (int, error) {
	if c.leads() != nil { // the connection may have written a part of the request before
		return 0, &Error{Kind: Canceled, Message: "the request was cancelled, as another process may lead", Sent: true}
	}
	return c.Conn.Write(b)
}
