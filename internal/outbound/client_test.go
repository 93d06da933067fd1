// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var loopback = NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, nil)

func noProxy(*http.Request) (*url.URL, error) { return nil, nil }

// deaf resolves what is in the hosts file and nothing else.
var deaf = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("no name server")
}}

func testClient(t *testing.T, guard *Guard, o Options) *Client {
	t.Helper()
	c, err := newClient(guard, o, noProxy, deaf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func testServer(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func post(t *testing.T, target string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// wantError checks kind, honesty about what was sent, what the message says, and that nothing of the URL is in it.
func wantError(t *testing.T, err error, kind Kind, sent bool, says string) {
	t.Helper()
	own, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got %v, want an error of kind %s", err, kind)
	}
	if own.Kind != kind || own.Sent != sent {
		t.Errorf("got %s (%s), sent %t; want %s, sent %t", own.Kind, own.Message, own.Sent, kind, sent)
	}
	if text := fmt.Sprintf("%+v %s", *own, own); strings.Contains(text, "127.0.0.1") || strings.Contains(text, "canary") {
		t.Errorf("the URL is in the error: %s", text)
	}
	if !strings.Contains(own.Message, says) {
		t.Errorf("got %q, want %q in it", own.Message, says)
	}
}

const secretPath = "/canary?k=canary"

func TestDo(t *testing.T) {
	server := testServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		w.Header().Set("Got", r.Header.Get("Accept-Encoding")+"|"+user+"|"+password)
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s", r.Method, body)
	})
	resp, err := testClient(t, loopback, Options{}).Do(t.Context(), post(t, strings.Replace(server.URL, "//", "//me:pw@", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusTeapot || string(resp.Body) != "POST body" || resp.Truncated || resp.BodyErr != nil {
		t.Errorf("got %+v", resp)
	}
	if got := resp.Header.Get("Got"); got != "|me|pw" {
		t.Errorf("got Accept-Encoding|user|password %q: want no compression, and the URL's user", got)
	}
}

func TestRedirectIsReturned(t *testing.T) {
	for _, location := range []string{"/elsewhere", "", "http://[broken", "http://169.254.169.254/"} {
		var hits atomic.Int32
		server := testServer(t, func(w http.ResponseWriter, _ *http.Request) {
			hits.Add(1)
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusTemporaryRedirect)
		})
		resp, err := testClient(t, loopback, Options{}).Do(t.Context(), post(t, server.URL))
		if err != nil || resp.StatusCode != http.StatusTemporaryRedirect || hits.Load() != 1 {
			t.Errorf("Location %q: got %+v, %v after %d requests", location, resp, err, hits.Load())
		}
	}
}

func TestGuardAtDialTime(t *testing.T) {
	var hits atomic.Int32
	server := testServer(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	client := testClient(t, nil, Options{})
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} { // a literal, and a name that resolves to it
		_, err := client.Do(t.Context(), post(t, "http://"+host+":"+port+secretPath))
		wantError(t, err, Refused, false, "a loopback address")
	}
	if hits.Load() != 0 {
		t.Errorf("%d requests got through", hits.Load())
	}
	for _, target := range []string{"ftp://127.0.0.1/canary", "http:///canary", "canary"} {
		_, err := client.Do(t.Context(), post(t, target))
		wantError(t, err, Refused, false, "")
	}
}

func TestNothingSent(t *testing.T) {
	listen := func(t *testing.T) net.Listener {
		t.Helper()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	closed := listen(t)
	closed.Close()
	mute := listen(t) // accepts in the kernel's backlog and never says a word
	rude := listen(t)
	go func() {
		for conn, err := rude.Accept(); err == nil; conn, err = rude.Accept() {
			conn.Close()
		}
	}()
	plain := testServer(t, func(http.ResponseWriter, *http.Request) {})

	for _, c := range []struct {
		why, target string
		kind        Kind
	}{
		{"nobody listens", "http://" + closed.Addr().String(), Unreachable},
		{"no such host", "http://canary.invalid", Unresolved},
		{"a handshake that never ends", "https://" + mute.Addr().String(), Unreachable},
		{"a handshake that is cut short may go well next time", "https://" + rude.Addr().String(), Unreachable},
		{"no TLS", "https://" + plain.Listener.Addr().String(), TLS},
	} {
		t.Run(c.why, func(t *testing.T) {
			_, err := testClient(t, loopback, Options{Timeout: time.Second}).Do(t.Context(), post(t, c.target+secretPath))
			wantError(t, err, c.kind, false, "")
		})
	}
}

func TestMayHaveBeenSent(t *testing.T) {
	for _, c := range []struct {
		why     string
		kind    Kind
		handler http.HandlerFunc
	}{
		{"no answer", Timeout, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}},
		{"connection closed", Broken, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Close()
		}},
		{"not HTTP", Broken, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(conn, "canary 127.0.0.1\r\n\r\n")
			conn.Close()
		}},
		{"endless header", Broken, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 2*maxHeader))
		}},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := testServer(t, c.handler)
			_, err := testClient(t, loopback, Options{Timeout: time.Second}).Do(t.Context(), post(t, server.URL+secretPath))
			wantError(t, err, c.kind, true, "")
		})
	}
}

func TestCanceled(t *testing.T) {
	arrived := make(chan struct{})
	server := testServer(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	client := testClient(t, loopback, Options{})
	_, err := client.Do(ctx, post(t, server.URL+secretPath))
	wantError(t, err, Canceled, true, "")
	client.CloseIdleConnections()
	_, err = client.Do(ctx, post(t, server.URL+secretPath))
	wantError(t, err, Canceled, false, "")
}

// A kept-alive connection that dies under the second request: the request has arrived, so it is not sent again.
func TestStaleConnection(t *testing.T) {
	for _, header := range []string{"Any", "Idempotency-Key", "X-Idempotency-Key"} {
		t.Run(header, func(t *testing.T) {
			var arrived atomic.Int32
			server := testServer(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if r.Header.Get(header) != "1" {
					t.Errorf("the header %s got lost", header)
				}
				if arrived.Add(1) > 1 {
					conn, _, _ := w.(http.Hijacker).Hijack()
					_ = conn.(*net.TCPConn).SetLinger(0) // reset
					conn.Close()
				}
			})
			client := testClient(t, loopback, Options{})
			for _, body := range []io.Reader{bytes.NewReader([]byte("body")), nil} {
				arrived.Store(0)
				send := func() error {
					req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+secretPath, body)
					if err != nil {
						t.Fatal(err)
					}
					req.Header.Set(header, "1")
					_, err = client.Do(t.Context(), req)
					return err
				}
				if err := send(); err != nil {
					t.Fatal(err)
				}
				wantError(t, send(), Broken, true, "")
				if n := arrived.Load(); n != 2 {
					t.Errorf("%d requests arrived, want 2", n)
				}
			}
		})
	}
}

func TestBody(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	}
	hanging := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "begin")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	short := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "begin")
	}
	for _, c := range []struct {
		why       string
		handler   http.HandlerFunc
		length    int
		truncated bool
		kind      Kind
	}{
		{"endless", endless, DefaultMaxBody, true, ""},
		{"hanging", hanging, 5, false, Timeout},
		{"shorter than promised", short, 5, false, Broken},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := testServer(t, c.handler)
			client := testClient(t, loopback, Options{Timeout: 500 * time.Millisecond})
			resp, err := client.Do(t.Context(), post(t, server.URL+secretPath))
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("got %+v, %v", resp, err)
			}
			if len(resp.Body) != c.length || resp.Truncated != c.truncated {
				t.Errorf("got %d bytes, truncated %t", len(resp.Body), resp.Truncated)
			}
			if c.kind != "" {
				wantError(t, resp.BodyErr, c.kind, true, "")
			} else if resp.BodyErr != nil {
				t.Error(resp.BodyErr)
			}

			// Who needs the status only has it long before the time limit.
			patient := testClient(t, loopback, Options{Timeout: time.Minute})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			resp, err = patient.DoSelect(ctx, post(t, server.URL+secretPath), func(status int, _ http.Header) bool { return status != http.StatusOK })
			if err != nil || resp.StatusCode != http.StatusOK || resp.Body != nil || resp.BodyErr != nil || ctx.Err() != nil {
				t.Errorf("status only: got %+v, %v", resp, err)
			}
		})
	}
}

func TestConnectionIsKept(t *testing.T) {
	remotes := map[string]bool{}
	server := testServer(t, func(w http.ResponseWriter, r *http.Request) {
		remotes[r.RemoteAddr] = true // one request at a time
		_, _ = io.WriteString(w, "ok")
	})
	client := testClient(t, loopback, Options{})
	for range 3 {
		if _, err := client.DoSelect(t.Context(), post(t, server.URL), func(int, http.Header) bool { return false }); err != nil {
			t.Fatal(err)
		}
	}
	if len(remotes) != 1 {
		t.Errorf("%d connections for three requests whose short answers nobody wanted", len(remotes))
	}
}

func TestTLS(t *testing.T) {
	var protocol atomic.Value
	server := unstarted(func(_ http.ResponseWriter, r *http.Request) { protocol.Store(r.Proto) })
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	ca := encode("CERTIFICATE", server.Certificate().Raw)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	expired, _, _ := certificate(t, time.Now().Add(-time.Hour))
	stale := unstarted(http.NotFound)
	stale.TLS = &tls.Config{Certificates: []tls.Certificate{expired}}
	stale.StartTLS()
	defer stale.Close()
	old := unstarted(http.NotFound)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	defer old.Close()

	for _, c := range []struct {
		why, target string
		o           Options
		message     string
	}{
		{why: "known authority", target: server.URL, o: Options{CABundle: ca}},
		{why: "not verified", target: server.URL, o: Options{InsecureSkipVerify: true}},
		{why: "unknown authority", target: server.URL, message: "unknown authority"},
		{why: "wrong host name", target: "https://localhost:" + port, o: Options{CABundle: ca}, message: "another host name"},
		{why: "expired", target: stale.URL, o: Options{CABundle: encode("CERTIFICATE", expired.Certificate[0])}, message: "expired"},
		{why: "too old", target: old.URL, o: Options{InsecureSkipVerify: true}, message: "version"},
	} {
		t.Run(c.why, func(t *testing.T) {
			_, err := testClient(t, loopback, c.o).Do(t.Context(), post(t, c.target+secretPath))
			if c.message == "" {
				if err != nil || protocol.Load() != "HTTP/2.0" {
					t.Errorf("got %v over %v", err, protocol.Load())
				}
				return
			}
			wantError(t, err, TLS, false, c.message)
		})
	}
}

// A server that wants a certificate says so by the end of the handshake, which in version 1.3 of TLS is after the client's first request.
func TestClientCertificate(t *testing.T) {
	pair, pemCertificate, pemKey := certificate(t, time.Now().Add(time.Hour))
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, isHTTP2 := range []bool{false, true} {
			server := unstarted(func(http.ResponseWriter, *http.Request) {})
			server.EnableHTTP2 = isHTTP2
			server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool(), MaxVersion: version}
			server.TLS.ClientCAs.AddCert(leaf)
			server.StartTLS()
			defer server.Close()

			with := testClient(t, loopback, Options{InsecureSkipVerify: true, ClientCertificate: pemCertificate, ClientKey: pemKey})
			if _, err := with.Do(t.Context(), post(t, server.URL)); err != nil {
				t.Error(err)
			}
			_, err := testClient(t, loopback, Options{InsecureSkipVerify: true}).Do(t.Context(), post(t, server.URL+secretPath))
			if own, ok := errors.AsType[*Error](err); isHTTP2 && ok && own.Kind == Unreachable { // the alert came before the request
				wantError(t, err, Unreachable, false, "may want a client certificate")
				continue
			}
			wantError(t, err, TLS, version == tls.VersionTLS13, "may want a client certificate")
		}
	}
}

func TestNewClientRefuses(t *testing.T) {
	_, certificatePEM, key := certificate(t, time.Now().Add(time.Hour))
	for _, c := range []struct {
		why, message string
		o            Options
	}{
		{"no certificate in the bundle", "the CA bundle has no certificate", Options{CABundle: []byte("canary")}},
		{"certificate without key", "belong together", Options{ClientCertificate: certificatePEM}},
		{"key without certificate", "belong together", Options{ClientKey: key}},
		{"nonsense", "belong together", Options{ClientCertificate: certificatePEM, ClientKey: []byte("canary")}},
	} {
		_, err := NewClient(loopback, c.o)
		if err == nil || !strings.Contains(err.Error(), c.message) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v", c.why, err)
		}
	}
}

func TestProxy(t *testing.T) {
	target := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "target") }))
	defer target.Close()
	var asked atomic.Int32
	proxy := testServer(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Method != http.MethodConnect {
			_, _ = io.WriteString(w, "proxied "+r.URL.String())
			return
		}
		if r.Host == "203.0.113.9:443" {
			http.Error(w, "canary", http.StatusForbidden)
			return
		}
		tunnel(t, w, target.Listener.Addr().String())
	})
	proxyURL, _ := url.Parse(proxy.URL)
	// The proxy is on loopback, which this guard does not allow: that is for targets.
	client, err := newClient(nil, Options{InsecureSkipVerify: true}, http.ProxyURL(proxyURL), deaf)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	for _, c := range []struct {
		why, target, body string
		kind              Kind
		asked             int32
	}{
		{why: "plain", target: "http://203.0.113.7/x", body: "proxied http://203.0.113.7/x", asked: 1},
		{why: "tunnel", target: "https://203.0.113.7/x", body: "target", asked: 1},
		{why: "the proxy refuses", target: "https://203.0.113.9/canary", kind: Unreachable, asked: 1},
		{why: "a refused address never gets to the proxy", target: "http://127.0.0.1/canary", kind: Refused},
		{why: "nor a name of one", target: "https://localhost/canary", kind: Refused},
		{why: "nor a name that we cannot check", target: "http://canary.invalid/", kind: Unresolved},
	} {
		t.Run(c.why, func(t *testing.T) {
			asked.Store(0)
			resp, err := client.Do(t.Context(), post(t, c.target))
			if c.kind != "" {
				wantError(t, err, c.kind, false, "")
			} else if err != nil || string(resp.Body) != c.body {
				t.Errorf("got %+v, %v", resp, err)
			}
			if asked.Load() != c.asked {
				t.Errorf("the proxy was asked %d times, want %d", asked.Load(), c.asked)
			}
		})
	}
	proxy.Close()
	client.CloseIdleConnections()
	_, err = client.Do(t.Context(), post(t, "http://203.0.113.7/canary"))
	wantError(t, err, Unreachable, false, "proxy")
}

// F-P24: a proxy with https is verified with the system's authorities and gets no client certificate: a receiver's are for the target.
func TestProxyWithTLS(t *testing.T) {
	target := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "target") }))
	defer target.Close()
	pair, pemCertificate, pemKey := certificate(t, time.Now().Add(time.Hour))
	var certificates atomic.Int32
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		certificates.Add(int32(len(r.TLS.PeerCertificates)))
		tunnel(t, w, target.Listener.Addr().String())
	}))
	proxy.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}
	proxy.Config.ErrorLog = log.New(io.Discard, "", 0)
	proxy.StartTLS()
	defer proxy.Close()
	proxyURL, _ := url.Parse(proxy.URL)
	client, err := newClient(nil, Options{InsecureSkipVerify: true, CABundle: pemCertificate, ClientCertificate: pemCertificate, ClientKey: pemKey}, http.ProxyURL(proxyURL), deaf)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	if resp, err := client.Do(t.Context(), post(t, "https://203.0.113.7/x")); err == nil {
		t.Errorf("the receiver's settings are used for the proxy: %+v", resp)
	}
	client.proxyTLS.InsecureSkipVerify = true // as if it had a certificate of the system's authorities
	resp, err := client.Do(t.Context(), post(t, "https://203.0.113.7/x"))
	if err != nil || string(resp.Body) != "target" || certificates.Load() != 0 {
		t.Errorf("got %+v, %v; %d client certificates", resp, err, certificates.Load())
	}
}

// F-P24: names that only the proxy can resolve are used where the operator's administrator says so; literal addresses are checked nevertheless.
func TestProxyResolvesNames(t *testing.T) {
	proxy := testServer(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "proxied "+r.URL.String()) })
	proxyURL, _ := url.Parse(proxy.URL)
	guard := &Guard{}
	guard.LetProxyResolve()
	client, err := newClient(guard, Options{}, http.ProxyURL(proxyURL), deaf)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	if resp, err := client.Do(t.Context(), post(t, "http://hooks.invalid/x")); err != nil || string(resp.Body) != "proxied http://hooks.invalid/x" {
		t.Errorf("got %+v, %v", resp, err)
	}
	_, err = client.Do(t.Context(), post(t, "http://127.0.0.1/x"))
	wantError(t, err, Refused, false, "")
}

func tunnel(t *testing.T, w http.ResponseWriter, target string) {
	upstream, err := net.Dial("tcp", target)
	if err != nil {
		t.Error(err)
		return
	}
	w.WriteHeader(http.StatusOK)
	conn, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	go func() {
		defer upstream.Close()
		_, _ = io.Copy(upstream, bufio.NewReader(buffered))
	}()
	go func() {
		defer conn.Close()
		_, _ = io.Copy(conn, upstream)
	}()
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		why, value string
		want       time.Duration
	}{
		{"absent", "", 0},
		{"seconds", "7", 7 * time.Second},
		{"date", "Sun, 01 Mar 2026 12:01:00 GMT", time.Minute},
		{"a date that is past", "Sun, 01 Mar 2026 11:00:00 GMT", 0},
		{"negative", "-5", 0},
		{"nonsense", "soon", 0},
		{"a year", "31536000", MaxRetryAfter},
		{"more than fits", "99999999999999999999", MaxRetryAfter},
		{"a date in a year", "Mon, 01 Mar 2027 12:00:00 GMT", MaxRetryAfter},
	} {
		header := http.Header{}
		if c.value != "" {
			header.Set("Retry-After", c.value)
		}
		if got := RetryAfter(header, now); got != c.want {
			t.Errorf("%s: got %s, want %s", c.why, got, c.want)
		}
	}
}

// unstarted returns a server that keeps failed handshakes to itself.
func unstarted(handler http.HandlerFunc) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	return server
}

// certificate makes a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T, notAfter time.Time) (pair tls.Certificate, certificatePEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: notAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificatePEM, keyPEM = encode("CERTIFICATE", der), encode("PRIVATE KEY", pkcs8)
	pair, err = tls.X509KeyPair(certificatePEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return pair, certificatePEM, keyPEM
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
