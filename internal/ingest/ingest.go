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
// Package ingest is the listener to which Prometheus, Alertmanager and programs like them post alerts. Each replica serves it. A post is
// answered with success once its Alerts are stored.
//
// A sender repeats what is answered with 5xx and drops what is answered with another 4xx, so that everything that may pass is 503: load, an API
// server that is away, an Alert that is being deleted.
package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// maxConnections bounds the connections, so that clients that send nothing cost little.
	maxConnections = 512
	// headerTimeout is for how long a client may take to send the header of a request.
	headerTimeout = 5 * time.Second
	// idleTimeout is after which time a connection without requests is closed. Senders post each minute at least.
	idleTimeout = 2 * time.Minute
	// maxHeader is the size of a header in bytes: a token of a ServiceAccount has about 1 KiB.
	maxHeader = 16 << 10
	// stopTimeout is for how long requests may take when the process stops.
	stopTimeout = requestTimeout + time.Second
)

// Listener serves the handler. It needs no leader.
type Listener struct {
	Address string
	Handler http.Handler
	// TLS sets the certificate.
	TLS []func(*tls.Config)
}

// NeedLeaderElection is false: each replica serves.
func (l *Listener) NeedLeaderElection() bool { return false }

// Start serves until the context ends, and then completes what it has begun.
func (l *Listener) Start(ctx context.Context) error {
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	for _, set := range l.TLS {
		set(config)
	}
	socket, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.Address)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: l.Handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	log.FromContext(ctx).Info("Serving AlertSources", "address", socket.Addr().String())
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		stopped <- server.Shutdown(end)
	}()
	if err := server.Serve(tls.NewListener(netutil.LimitListener(socket, maxConnections), config)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
