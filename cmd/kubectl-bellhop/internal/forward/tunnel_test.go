// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// kubelet serves pods/portforward by SPDY as an API server that does not know WebSockets: each connection gets its bytes back.
type kubelet struct {
	t *testing.T
	// fails is what is answered to connections, instead.
	fails string
	// forbidden refuses all requests.
	forbidden bool

	// connections has each connection of a client.
	connections chan httpstream.Connection

	mu       sync.Mutex
	requests []string
}

func newKubelet(t *testing.T) *kubelet {
	return &kubelet{t: t, connections: make(chan httpstream.Connection, 10)}
}

func (k *kubelet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	k.requests = append(k.requests, r.Method+" "+r.URL.Path)
	k.mu.Unlock()
	switch {
	case !strings.HasSuffix(r.URL.Path, "/portforward"):
		http.NotFound(w, r)
	case k.forbidden:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		verb := map[string]string{http.MethodGet: "get", http.MethodPost: "create"}[r.Method]
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"pods \"db-0\" is forbidden: User \"jane\" cannot %s resource \"pods/portforward\" in API group \"\" in the namespace \"ns\""}`, verb)
	case r.Method == http.MethodGet:
		http.Error(w, "no WebSockets", http.StatusBadRequest)
	default:
		k.forward(w, r)
	}
}

func (k *kubelet) forward(w http.ResponseWriter, r *http.Request) {
	if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
		k.t.Error(err)
		return
	}
	var failures sync.Map // error streams by request
	connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, replySent <-chan struct{}) error {
		id := stream.Headers().Get(corev1.PortForwardRequestIDHeader)
		if stream.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
			failures.Store(id, stream)
			return nil
		}
		go func() {
			<-replySent
			if port := stream.Headers().Get(corev1.PortHeader); port != "3306" {
				k.t.Errorf("port %s is connected to", port)
			}
			failed, _ := failures.Load(id)
			if k.fails != "" {
				_, _ = io.WriteString(failed.(io.Writer), k.fails)
			} else {
				_, _ = io.Copy(stream, stream)
			}
			_ = failed.(io.Closer).Close()
			_ = stream.Close()
		}()
		return nil
	})
	if connection == nil {
		return
	}
	k.connections <- connection
	<-connection.CloseChan()
}

// start starts the kubelet, and returns what Open needs.
func (k *kubelet) start() (*rest.Config, coreclient.CoreV1Interface) {
	k.t.Helper()
	server := httptest.NewServer(k)
	k.t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL}
	core, err := coreclient.NewForConfig(config)
	if err != nil {
		k.t.Fatal(err)
	}
	return config, core
}

var mysql = &Target{Namespace: "ns", Pod: "db-0", Port: 3306, Service: "db"}

func dial(t *testing.T, tunnel *Tunnel) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", fmt.Sprintf("%s:%d", Address, tunnel.LocalPort))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestATunnelForwardsConnections(t *testing.T) {
	k := newKubelet(t)
	config, core := k.start()
	tunnel, err := Open(t.Context(), config, core, mysql, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c := dial(t, tunnel)
		if _, err := io.WriteString(c, "SELECT 1"); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 8)
		if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "SELECT 1" {
			t.Fatalf("%q, %v", answer, err)
		}
	}
	tunnel.Close()
	if err := tunnel.Err(); err != nil {
		t.Errorf("after Close: %v", err)
	}
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", fmt.Sprintf("%s:%d", Address, tunnel.LocalPort)); err == nil {
		t.Error("the port is still listened on")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	const path = "/api/v1/namespaces/ns/pods/db-0/portforward"
	if requests := strings.Join(k.requests, ", "); !strings.HasPrefix(requests, "GET "+path+", POST "+path) {
		t.Errorf("requests: %s", requests)
	}
}

func TestALostConnectionEndsATunnel(t *testing.T) {
	k := newKubelet(t)
	config, core := k.start()
	tunnel, err := Open(t.Context(), config, core, mysql, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = (<-k.connections).Close()
	waitForEnd(t, tunnel)
	if err := tunnel.Err(); err == nil || !strings.Contains(err.Error(), "connection to Pod ns/db-0 was lost") {
		t.Errorf("%v", err)
	}
}

func TestAPodThatRefusesEndsATunnel(t *testing.T) {
	k := newKubelet(t)
	k.fails = "dial tcp4 127.0.0.1:3306: connect: connection refused"
	config, core := k.start()
	tunnel, err := Open(t.Context(), config, core, mysql, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(dial(t, tunnel)) // ends with the connection
	waitForEnd(t, tunnel)
	if err := tunnel.Err(); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v", err)
	}
}

func waitForEnd(t *testing.T, tunnel *Tunnel) {
	t.Helper()
	select {
	case <-tunnel.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the tunnel did not end")
	}
}

func TestARefusalNamesTheRight(t *testing.T) {
	k := newKubelet(t)
	k.forbidden = true
	config, core := k.start()
	_, err := Open(t.Context(), config, core, mysql, 0)
	if !apierrors.IsForbidden(err) {
		t.Fatalf("%v", err)
	}
	for _, part := range []string{`user "jane" may not get pods/portforward in namespace "ns"`, "--verb=get,create --resource=pods/portforward"} {
		if text := cli.Explain(err); !strings.Contains(text, part) {
			t.Errorf("%s does not have %s", text, part)
		}
	}
}

func TestAUsedPortIsFoundBeforeAnythingIsSent(t *testing.T) {
	used, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", Address+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = used.Close() })
	k := newKubelet(t)
	config, core := k.start()
	_, err = Open(t.Context(), config, core, mysql, used.Addr().(*net.TCPAddr).Port)
	if err == nil || !strings.Contains(err.Error(), "cannot be listened on") || !strings.Contains(cli.HintOf(err), "free one") {
		t.Errorf("%v", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.requests) > 0 {
		t.Errorf("requests: %q", k.requests)
	}
}

func TestAnInterruptEndsOpening(t *testing.T) {
	blocked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-blocked }))
	defer server.Close()
	defer close(blocked)
	config := &rest.Config{Host: server.URL}
	core, err := coreclient.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, config, core, mysql, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
