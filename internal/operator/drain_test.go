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
	"testing/synctest"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

func TestDrainEndsAfterTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopping, stop := context.WithCancel(t.Context())
		ctx := Drain(stopping, 5*time.Second)
		time.Sleep(time.Hour)
		stop()
		began := time.Now()
		<-ctx.Done()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("ended after %s", took)
		}
	})
}

// F-P25: a process that waits for its first certificate is alive, and leaves the address to the manager.
func TestHealthIsServedBeforeTheManager(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	end, err := serveHealth(t.Context(), address)
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
		if end, err := serveHealth(t.Context(), off); err != nil {
			t.Error(err)
		} else {
			end()
		}
	}
}

func TestDrainWithoutDelay(t *testing.T) {
	stopping, stop := context.WithCancel(t.Context())
	ctx := Drain(stopping, 0)
	if ctx.Err() != nil {
		t.Error("ended before the process is stopping")
	}
	stop()
	if ctx.Err() == nil {
		t.Error("goes on without a delay")
	}
}

func TestConnectionsEndWhenStopping(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		stopping, stop := context.WithCancel(t.Context())
		mux := http.NewServeMux()
		server := &drainingServer{Server: webhook.NewServer(webhook.Options{WebhookMux: mux}), stopping: stopping}
		connections := map[string]bool{}
		server.Register("/", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { connections[r.RemoteAddr] = true }))
		served := httptest.NewUnstartedServer(mux)
		served.EnableHTTP2 = http2
		served.StartTLS()
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
			t.Fatalf("HTTP/2 %t: %d connections before the end", http2, len(connections))
		}
		stop()
		call()                      // ends the connection
		for len(connections) == 1 { // with HTTP/2 the client may send more requests until it has read GOAWAY
			call()
		}
		if closed := call(); !http2 && !closed {
			t.Errorf("a connection stays open")
		}
	}
}
