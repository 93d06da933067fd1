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

package operator

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

// Drain returns a context that ends a delay after stopping: until then API servers learn that the webhooks are served elsewhere.
func Drain(stopping context.Context, delay time.Duration) context.Context {
	if delay == 0 {
		return stopping
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(stopping))
	context.AfterFunc(stopping, func() {
		ctrl.Log.Info("Stopping, webhooks are served until then", "delay", delay.String())
		time.AfterFunc(delay, stop)
	})
	return ctx
}

// AddProbes adds /healthz, and /readyz: webhooks are served, and the process is not stopping. Readiness does not wait for caches: their
// first list may need our own conversion webhook.
func AddProbes(stopping context.Context, mgr ctrl.Manager) error {
	return errors.Join(
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("webhooks", mgr.GetWebhookServer().StartedChecker()),
		mgr.AddReadyzCheck("stopping", func(*http.Request) error {
			if stopping.Err() != nil {
				return errors.New("the operator is stopping")
			}
			return nil
		}))
}

// serveHealth serves /healthz until end is called. The manager does so only once it starts: a process that waits longer for its first
// certificate than the liveness probe has patience would be killed, again and again.
func serveHealth(ctx context.Context, address string) (end func(), err error) {
	if address == "" || address == "0" {
		return func() {}, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ends with end
	}()
	return func() {
		_ = server.Close()
		<-ended
	}, nil
}

// drainingServer closes each connection after the next answer once the process is stopping, so that the API server opens its next one to
// another replica, and loses no request when this one ends.
type drainingServer struct {
	webhook.Server
	stopping context.Context //nolint:containedctx // a state of the process
}

// Register serves a webhook.
func (s *drainingServer) Register(path string, hook http.Handler) {
	s.Server.Register(path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.stopping.Err() != nil {
			w.Header().Set("Connection", "close") // with HTTP/2 net/http sends GOAWAY
		}
		hook.ServeHTTP(w, r)
	}))
}
