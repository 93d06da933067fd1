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
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gophernetes/bellhop/internal/httpserver"
)

func newServers(t *testing.T) *httpserver.Servers {
	t.Helper()
	servers, err := httpserver.New(httpserver.Options{Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	return servers
}

// F-P25: a process that waits for its first certificate is alive, and leaves the address to the manager.
func TestHealthIsServedBeforeTheManager(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	end, err := serveHealth(t.Context(), newServers(t), address)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusNotFound} {
		resp, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	end()
	if listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	listener.Close()
	for _, off := range []string{"", "0"} {
		if end, err := serveHealth(t.Context(), newServers(t), off); err != nil {
			t.Error(err)
		} else {
			end()
		}
	}
}

func TestConnectionsEndWhenStopping(t *testing.T) {
	stopping, stop := context.WithCancel(t.Context())
	server := newWebhookServer(stopping, newServers(t), Options{}, nil)
	connections := map[string]bool{}
	server.Register("/", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { connections[r.RemoteAddr] = true }))
	served := httptest.NewServer(server.WebhookMux())
	defer served.Close()
	call := func() (closed bool) {
		resp, err := served.Client().Get(served.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.Close
	}

	call()
	call()
	if len(connections) != 1 {
		t.Fatalf("%d connections before the end", len(connections))
	}
	stop()
	if !call() || !call() || len(connections) != 2 {
		t.Errorf("a connection stays open: %d", len(connections))
	}
}
