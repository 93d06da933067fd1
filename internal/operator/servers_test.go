// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"github.com/gophernetes/bellhop/internal/httpserver"
	"github.com/gophernetes/bellhop/internal/kube/admission"
	"github.com/gophernetes/bellhop/internal/kube/reviews"
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
	if first, second := call(), call(); !first || !second || len(connections) != 2 {
		t.Errorf("closed: %t and %t, %d connections", first, second, len(connections))
	}
}

// reviewer knows prometheus, who may get /metrics, and a stranger, who may not.
type reviewer struct{}

func (reviewer) AuthenticateToken(_ context.Context, token string) (*authenticator.Response, bool, error) {
	switch token {
	case "prometheus", "stranger", "cannot-be-authorized":
		return &authenticator.Response{User: &user.DefaultInfo{Name: token}}, true, nil
	case "busy":
		return nil, false, reviews.ErrBusy
	}
	return nil, false, nil
}

func (reviewer) authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	switch {
	case a.GetUser().GetName() == "cannot-be-authorized":
		return authorizer.DecisionNoOpinion, "", errors.New("the API server is away")
	case a.GetUser().GetName() == "prometheus" && a.GetVerb() == "get" && a.GetPath() == "/metrics" && !a.IsResourceRequest():
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

// F-U40: metrics are for users who may read them, and the response says what is missing.
func TestReadersOfMetrics(t *testing.T) {
	handler := serveReaders(reviewer{}, authorizer.AuthorizerFunc(reviewer{}.authorize), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up 1") }))
	for _, test := range []struct {
		method, authorization string
		code                  int
		says                  string
	}{
		{http.MethodGet, "Bearer prometheus", http.StatusOK, "up 1"},
		{http.MethodGet, "bearer prometheus", http.StatusOK, "up 1"},
		{http.MethodPost, "Bearer prometheus", http.StatusMethodNotAllowed, ""},
		{http.MethodGet, "", http.StatusUnauthorized, "no bearer token"},
		{http.MethodGet, "Bearer ", http.StatusUnauthorized, "no bearer token"},
		{http.MethodGet, "Basic cHJvbWV0aGV1cw==", http.StatusUnauthorized, "no bearer token"},
		{http.MethodGet, "Bearer guessed", http.StatusUnauthorized, "not valid for the API server"},
		{http.MethodGet, "Bearer stranger", http.StatusForbidden, "the user stranger may not get the path /metrics"},
		{http.MethodGet, "Bearer busy", http.StatusServiceUnavailable, "cannot be reviewed now"},
		{http.MethodGet, "Bearer cannot-be-authorized", http.StatusServiceUnavailable, "cannot be reviewed now"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), test.method, "/metrics", http.NoBody)
		r.Header.Set("Authorization", test.authorization)
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != test.code || !strings.Contains(w.Body.String(), test.says) {
			t.Errorf("%s with %q: %d %q, want %d %q", test.method, test.authorization, w.Code, w.Body, test.code, test.says)
		}
	}
}

// F-U40: results of reviews are kept under what was asked. A client with a token chooses nothing of that: no other method or path is asked about.
func TestWhatIsAskedAboutReadersOfMetrics(t *testing.T) {
	asked := map[string]int{}
	authorize := func(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
		asked[a.GetVerb()+" "+a.GetPath()]++
		return authorizer.DecisionNoOpinion, "", nil
	}
	handler := serveReaders(reviewer{}, authorizer.AuthorizerFunc(authorize), http.NotFoundHandler())
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions, strings.Repeat("M", 8<<10)} {
		for _, path := range []string{"/metrics", "/metrics?a=" + strings.Repeat("b", 8<<10), "/metrics/", "/metrics/a", "//metrics", "/", "/" + strings.Repeat("a", 8<<10)} {
			r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
			r.Header.Set("Authorization", "Bearer stranger")
			handler.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	if len(asked) != 2 || asked["get /metrics"] != 2 || asked["head /metrics"] != 2 {
		t.Errorf("asked %v", asked)
	}
}

// F-P52, F-S59: the connections of readers of metrics are kept, and of every client of the webhooks, but none of the probes.
func TestConnectionsThatAreKept(t *testing.T) {
	webhooks := newWebhookServer(t.Context(), newServers(t), Options{}, nil)
	webhooks.Register("/review", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	metrics := serveReaders(reviewer{}, authorizer.AuthorizerFunc(reviewer{}.authorize), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	health := probes(map[string]healthz.Checker{"ping": healthz.Ping}, nil)
	for _, test := range []struct {
		kind        httpserver.Kind
		handler     http.Handler
		path, token string
		isKept      bool
	}{
		{httpserver.Webhooks, webhooks.WebhookMux(), "/review", "", true},
		{httpserver.Webhooks, webhooks.WebhookMux(), "/other", "", false},
		{httpserver.Metrics, metrics, "/metrics", "prometheus", true},
		{httpserver.Metrics, metrics, "/metrics", "stranger", false},
		{httpserver.Metrics, metrics, "/metrics", "guessed", false},
		{httpserver.Probes, health, "/healthz", "", false},
		{httpserver.Probes, health, "/other", "", false},
	} {
		server, listener, err := newServers(t).Listen(t.Context(), test.kind, "127.0.0.1:0", nil, test.handler)
		if err != nil {
			t.Fatal(err)
		}
		go server.Serve(listener) //nolint:errcheck // ends with Close
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+test.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+test.token)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.Close == test.isKept {
			t.Errorf("%s%s with the token %q: %s, closed: %t", test.kind.Name, test.path, test.token, response.Status, response.Close)
		}
		_ = server.Close()
	}
}

// F-S60: webhooks learn from which client a request is, and whether it is an API server.
func TestWebhooksKnowTheCaller(t *testing.T) {
	for _, isAPIServer := range []bool{false, true} {
		local := netip.MustParseAddr("127.0.0.1")
		servers := newServers(t)
		if isAPIServer {
			servers.SetAPIServers([]netip.Addr{local})
		}
		var caller admission.Caller
		webhooks := newWebhookServer(t.Context(), servers, Options{}, nil)
		webhooks.Register("/review", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { caller = admission.CallerOf(r.Context()) }))
		server, listener, err := servers.Listen(t.Context(), httpserver.Webhooks, "127.0.0.1:0", nil, webhooks.WebhookMux())
		if err != nil {
			t.Fatal(err)
		}
		go server.Serve(listener) //nolint:errcheck // ends with Close
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+"/review", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		_ = server.Close()
		if want := (admission.Caller{Address: local, IsAPIServer: isAPIServer}); caller != want {
			t.Errorf("%v, want %v", caller, want)
		}
	}
}

func TestBytesInFlightFollowTheMemoryLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	for _, test := range []struct {
		container string
		goLimit   int64
		want      int64
	}{
		{"", math.MaxInt64, 0}, {"1073741824", math.MaxInt64, 1 << 30}, {"1073741824", 5, 1 << 30}, {"", 1 << 20, 1 << 20}, {"1Gi", math.MaxInt64, 0},
	} {
		t.Setenv(memoryLimitVariable, test.container)
		debug.SetMemoryLimit(test.goLimit)
		if got := memoryLimit(); got != test.want {
			t.Errorf("container %q, Go %d: %d", test.container, test.goLimit, got)
		}
	}
}
