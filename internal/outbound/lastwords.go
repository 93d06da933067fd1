// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"context"
	"net"
	"sync"
	"time"
)

// lastWords is for how long the reason of a server is waited for that has closed the connection.
const lastWords = 100 * time.Millisecond

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// keepLastWords returns a function whose connections return an error of Write only after one of Read. A server of TLS 1.3 that refuses the
// client's certificate says so, and closes the connection while the first request is written: net/http would report the closing alone.
func keepLastWords(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		made, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &listeningConn{Conn: made, ended: make(chan struct{})}, nil
	}
}

// listeningConn is a connection whose Write waits, after an error, until Read has failed or the connection is closed.
type listeningConn struct {
	net.Conn
	once  sync.Once
	ended chan struct{}
}

// NetConn returns the connection below.
func (c *listeningConn) NetConn() net.Conn { return c.Conn }

func (c *listeningConn) end() { c.once.Do(func() { close(c.ended) }) }

func (c *listeningConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.end()
	}
	return n, err
}

func (c *listeningConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err != nil {
		select {
		case <-c.ended:
		case <-time.After(lastWords):
		}
	}
	return n, err
}

func (c *listeningConn) Close() error {
	c.end()
	return c.Conn.Close()
}
