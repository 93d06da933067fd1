// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package httpserver has the HTTP servers of the process. Each listens behind the same kind of bounds, so that no client takes the memory, the
// connections or the processors of the process, or keeps other clients out.
//
// Servers speak HTTP/1.1 only: with HTTP/2 a connection would have many requests.
package httpserver

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/internal/httpserver/limits"
)

const (
	// headerTimeout and bodyTimeout are how long a client may take to send a header and a body, and answerTimeout to read the answer.
	headerTimeout, bodyTimeout, answerTimeout = 10 * time.Second, 10 * time.Second, 10 * time.Second
	// idleTimeout is how long a connection is kept between requests. The API server's client gives one up after 90 seconds, and does not repeat a
	// review that meets the end of its connection: it has to be the first.
	idleTimeout = 2 * time.Minute
	// maxHeader is the size of a header in bytes: a token of a ServiceAccount has about 1 KiB.
	maxHeader = 16 << 10
	// bytesPerLimit is which part of the memory limit the bytes of all requests may have: 64 MiB of 1 GiB. Decoded, they take several times as much.
	bytesPerLimit = 16
	// leastBytes is the minimum for any memory limit: a conversion of the largest size finds room, from an API server or another client.
	leastBytes = 40 * mebibyte
	// defaultBytes is how many bytes they may have if there is no memory limit.
	defaultBytes = 64 * mebibyte
)

// Servers has the bounds and settings that the servers of the process share.
type Servers struct {
	bytes        int64 // of the bodies of all requests in flight
	apiServers   atomic.Pointer[[]netip.Addr]
	controlPlane []netip.Prefix
	handshakes   chan struct{} // one for each handshake that computes; handshakes of API servers do not wait
	listen       ListenFunc
	metrics      *metrics

	mu  sync.Mutex
	all []*limits.Server // that were ever served
}

// ListenFunc returns the listener of an address.
type ListenFunc func(ctx context.Context, network, address string) (net.Listener, error)

// Options are the options of all servers.
type Options struct {
	// Network is where the servers listen; nil: the network of this machine.
	Network ListenFunc
	// MemoryLimit is the memory limit of the process in bytes; 0: no limit.
	MemoryLimit int64
	// ControlPlane has the networks of API servers, in addition to the addresses of SetAPIServers.
	ControlPlane []netip.Prefix
	Metrics      prometheus.Registerer
}

// New returns the servers of a process.
func New(o Options) (*Servers, error) {
	bytes := int64(defaultBytes)
	if o.MemoryLimit > 0 {
		bytes = max(o.MemoryLimit/bytesPerLimit, leastBytes)
	}
	s := &Servers{bytes: bytes, controlPlane: o.ControlPlane, handshakes: make(chan struct{}, max(runtime.GOMAXPROCS(0)/2, 1)), listen: o.Network}
	if s.listen == nil {
		s.listen = (&net.ListenConfig{}).Listen
	}
	s.SetAPIServers(nil)
	m, err := newMetrics(o.Metrics, s.bytesInUse)
	s.metrics = m
	return s, err
}

// bytesInUse returns for how many bytes requests in flight have room.
func (s *Servers) bytesInUse() (bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, bounds := range s.all {
		bytes += bounds.BytesInUse()
	}
	return bytes
}

// SetAPIServers sets the addresses that connections of API servers come from.
func (s *Servers) SetAPIServers(addresses []netip.Addr) { s.apiServers.Store(&addresses) }

// isAPIServer reports whether an address belongs to an API server.
func (s *Servers) isAPIServer(address netip.Addr) bool {
	return slices.Contains(*s.apiServers.Load(), address) ||
		slices.ContainsFunc(s.controlPlane, func(p netip.Prefix) bool { return p.Contains(address) })
}

// Listen returns a server of a kind, and its listener. Without TLS settings it is served in plain text.
func (s *Servers) Listen(ctx context.Context, kind Kind, address string, settings *tls.Config, handler http.Handler) (*http.Server, net.Listener, error) {
	socket, err := s.listen(ctx, "tcp", address)
	if err != nil {
		return nil, nil, err
	}
	server, listener := s.serve(kind, socket, settings, handler)
	return server, listener, nil
}

// serve returns a server of a kind on a socket.
func (s *Servers) serve(kind Kind, socket net.Listener, settings *tls.Config, handler http.Handler) (*http.Server, net.Listener) {
	observer := s.metrics.observe(kind.Name, log.Log.WithName("httpserver").WithValues("server", kind.Name))
	part := s.bytes / partsOfBytes
	bounds := limits.NewServer(limits.Options{
		Connections: kind.Connections, Requests: kind.Requests, HasAPIServers: kind.HasAPIServers,
		APIServerBytes: kind.apiServerBytes * part, Bytes: kind.bytes * part, Largest: kind.largest,
		StallsAfter: kind.stallsAfter, Closed: observer.closed,
	})
	s.mu.Lock()
	s.all = append(s.all, bounds)
	s.mu.Unlock()
	var handshakes chan struct{}
	if settings != nil {
		handshakes = s.handshakes
	}
	listener := net.Listener(newListener(socket, func(client netip.Addr) limits.Client {
		return limits.Client{Address: client, IsAPIServer: kind.HasAPIServers && s.isAPIServer(client)}
	}, bounds, handshakes))
	if settings != nil {
		settings = settings.Clone()
		settings.NextProtos = []string{"http/1.1"}
		listener = tls.NewListener(listener, settings)
	}
	server := &http.Server{
		Handler:           &bounded{kind: kind, handler: handler, observer: observer},
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          observer.errorLog(),
		// "OPTIONS *" would be answered beside the bounds.
		DisableGeneralOptionsHandler: true,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, connectionOf(c).limits)
		},
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateActive {
				connectionOf(c).begin()
				connectionOf(c).limits.SetWaiting(true)
			}
			if state == http.StateIdle {
				connectionOf(c).limits.SetIdle()
			}
		},
	}
	return server, listener
}
