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
