// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// http2Server starts a server of HTTP/2, with TLS or without.
func http2Server(t *testing.T, scheme string, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := unstarted(handler)
	t.Cleanup(server.Close)
	server.EnableHTTP2 = true
	if scheme == "https" {
		server.StartTLS()
		return server
	}
	server.Config.Protocols = &http.Protocols{}
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	return server
}

// The requests of such a client are guarded, limited and counted as any, and share a connection that outlives their time limit.
func TestHTTP2(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			var connections atomic.Int32
			last := ""
			server := http2Server(t, scheme, func(w http.ResponseWriter, r *http.Request) {
				if r.RemoteAddr != last {
					connections.Add(1)
				}
				last = r.RemoteAddr
				w.Header().Set(http.TrailerPrefix+"X-End", r.Proto)
				_, _ = io.WriteString(w, "hello, you")
			})
			_, err := testClient(t, nil, Options{InsecureSkipVerify: true}).HTTP2(scheme, "", 10).Do(t.Context(), post(t, server.URL))
			wantError(t, err, Refused, false, "a loopback address")

			const limit = time.Second
			client := testClient(t, loopback, Options{Timeout: limit, InsecureSkipVerify: true, MaxBody: 1}).HTTP2(scheme, "", 10)
			defer client.CloseIdleConnections()
			for range 2 {
				ctx, cancel := client.WithTimeout(t.Context())
				resp, err := client.Do(ctx, post(t, server.URL))
				if err != nil || string(resp.Body) != "hello, you" || resp.Truncated || resp.Trailer.Get("X-End") != "HTTP/2.0" {
					t.Errorf("got %+v, %v", resp, err)
				}
				<-ctx.Done()
				cancel()
			}
			if connections.Load() != 1 {
				t.Errorf("%d connections", connections.Load())
			}
			if resp, err := client.HTTP2(scheme, "", 9).Do(t.Context(), post(t, server.URL)); err != nil || !resp.Truncated || len(resp.Body) != 9 {
				t.Errorf("got %+v, %v", resp, err)
			}
		})
	}
}

// A server that does not speak HTTP/2 gets no request.
func TestHTTP2IsRequired(t *testing.T) {
	server := unstarted(func(http.ResponseWriter, *http.Request) { t.Error("a request by HTTP/1.1") })
	server.StartTLS()
	defer server.Close()
	server.TLS.NextProtos = nil
	client := testClient(t, loopback, Options{InsecureSkipVerify: true})
	_, err := client.HTTP2("https", "", 10).Do(t.Context(), post(t, server.URL))
	wantError(t, err, TLS, false, "does not offer HTTP/2")

	plain := testServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "PRI" { // how HTTP/2 begins
			t.Error("a request by HTTP/1.1")
		}
		w.WriteHeader(http.StatusBadGateway)
	})
	_, err = client.HTTP2("http", "", 10).Do(t.Context(), post(t, plain.URL))
	if own, ok := errors.AsType[*Error](err); ok && own.Kind == Unreachable { // the answer came before the request
		wantError(t, err, Unreachable, false, "closed the connection before the first request")
		return
	}
	wantError(t, err, Protocol, true, "answered by HTTP/1.1")
}

// By HTTP/2 the operator's proxy is used as by HTTP/1.1, and without TLS, too, by CONNECT.
func TestHTTP2ThroughProxy(t *testing.T) {
	greet := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }
	targets := map[string]string{}
	for _, scheme := range []string{"http", "https"} {
		targets[scheme] = http2Server(t, scheme, greet).Listener.Addr().String()
	}
	var asked, authorization atomic.Value
	answer := func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.Host)
		authorization.Store(r.Header.Get("Proxy-Authorization"))
		switch r.Host {
		case "203.0.113.9:443":
			http.Error(w, "canary", http.StatusForbidden)
		case "203.0.113.10:443":
			<-r.Context().Done()
		case "203.0.113.7:80":
			tunnel(t, w, targets["http"])
		default:
			tunnel(t, w, targets["https"])
		}
	}
	plain := testServer(t, answer)
	secure := httptest.NewTLSServer(http.HandlerFunc(answer))
	defer secure.Close()
	withUser := strings.Replace(plain.URL, "//", "//me:pw@", 1)
	for _, c := range []struct {
		why, proxy, target string
		kind               Kind
		says               string
		authorization      string
	}{
		{why: "by http", proxy: plain.URL, target: "https://203.0.113.7:443"},
		{why: "by http, without TLS", proxy: plain.URL, target: "http://203.0.113.7:80"},
		{why: "by https", proxy: secure.URL, target: "https://203.0.113.7:443"},
		{why: "by https, without TLS", proxy: secure.URL, target: "http://203.0.113.7:80"},
		{why: "with a password", proxy: withUser, target: "https://203.0.113.7:443", authorization: "Basic bWU6cHc="},
		{why: "the proxy refuses", proxy: plain.URL, target: "https://203.0.113.9:443", kind: Unreachable, says: "proxy refused"},
		{why: "the proxy hangs", proxy: plain.URL, target: "https://203.0.113.10:443", kind: Unreachable, says: "within the time limit"},
		{why: "no proxy there", proxy: "http://127.0.0.1:1", target: "https://203.0.113.7:443", kind: Unreachable, says: "proxy cannot be reached"},
		{why: "another kind of proxy", proxy: "socks5://127.0.0.1:1", target: "https://203.0.113.7:443", kind: Unreachable, says: "not an HTTP proxy"},
		{why: "a refused address never gets to the proxy", proxy: plain.URL, target: "https://" + targets["https"], kind: Refused},
		{why: "nor a name that we cannot check", proxy: plain.URL, target: "https://canary.invalid:443", kind: Unresolved},
	} {
		t.Run(c.why, func(t *testing.T) {
			via, _ := url.Parse(c.proxy)
			chosen := func(r *http.Request) (*url.URL, error) {
				if r.URL.String() != c.target {
					t.Errorf("the proxy is chosen for %s", r.URL)
				}
				return via, nil
			}
			client, err := newClient(nil, Options{Timeout: time.Second, InsecureSkipVerify: true}, chosen, deaf)
			if err != nil {
				t.Fatal(err)
			}
			client.proxyTLS.InsecureSkipVerify = true // as if it had a certificate of the system's authorities
			asked.Store("")
			scheme, address, _ := strings.Cut(c.target, "://")
			client = client.HTTP2(scheme, "", 10)
			defer client.CloseIdleConnections()
			resp, err := client.Do(t.Context(), post(t, c.target))
			if c.kind != "" {
				wantError(t, err, c.kind, false, c.says)
				if never := c.kind == Refused || c.kind == Unresolved; never && asked.Load() != "" {
					t.Errorf("the proxy got %q", asked.Load())
				}
				return
			}
			if err != nil || string(resp.Body) != "hello" {
				t.Fatalf("got %+v, %v", resp, err)
			}
			if asked.Load() != "CONNECT "+address || authorization.Load() != c.authorization {
				t.Errorf("the proxy got %q with %q", asked.Load(), authorization.Load())
			}
		})
	}
}
