// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package outbound makes the requests that leave the cluster. It bounds which addresses they may reach, how long they take, how much of an answer is
// read, and which text describes a failure. Every outside request goes through it.
//
// It knows HTTP, TLS and addresses. It knows nothing of brokers, receivers or Kubernetes, never repeats a request, and keeps
// no state but its own connections.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// DefaultTimeout is how long a request and its answer may take if Options do not say.
	DefaultTimeout = 15 * time.Second
	// DefaultMaxBody is how much of an answer's body is read if Options do not say.
	DefaultMaxBody = 64 << 10
	// MaxRetryAfter bounds the wait that another side may request.
	MaxRetryAfter = 24 * time.Hour

	maxHeader = 64 << 10
	drainTime = 50 * time.Millisecond
)

// Options are the settings of the client of one receiver or broker. The zero value is right for a public address.
type Options struct {
	Timeout time.Duration // for the request and its answer together; the caller's context may be shorter
	MaxBody int64         // bytes

	CABundle           []byte // PEM; if set, nothing else is trusted
	ClientCertificate  []byte // PEM, with ClientKey
	ClientKey          []byte
	InsecureSkipVerify bool

	// AbsoluteNames asks DNS for the name of a host as it is, without the search list of the operator's Pod, by which vault.prod is a Service.
	// Names that have the form of a Service's are not affected.
	AbsoluteNames bool
}

// Client makes requests to one receiver or broker. It is safe for concurrent use.
type Client struct {
	guard    *Guard
	timeout  time.Duration
	maxBody  int64
	tls      *tls.Config
	direct   *http.Transport // guards every dial
	proxied  *http.Transport // dials the operator's proxy and nothing else
	proxy    func(*http.Request) (*url.URL, error)
	proxyTLS *tls.Config // of a connection to the proxy itself
	resolver *net.Resolver
	absolute bool // as Options.AbsoluteNames
}

// NewClient returns a client with connections of its own. An error names the option and nothing of its content.
func NewClient(guard *Guard, o Options) (*Client, error) {
	return newClient(guard, o, http.ProxyFromEnvironment, &net.Resolver{})
}

func newClient(guard *Guard, o Options, proxy func(*http.Request) (*url.URL, error), resolver *net.Resolver) (*Client, error) {
	config, err := tlsConfig(o)
	if err != nil {
		return nil, err
	}
	if guard == nil {
		guard = &Guard{}
	}
	c := &Client{guard: guard, timeout: o.Timeout, maxBody: o.MaxBody, tls: config, proxy: proxy, resolver: resolver, absolute: o.AbsoluteNames}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	if c.maxBody <= 0 {
		c.maxBody = DefaultMaxBody
	}
	c.direct = c.transport(config, c.dialTarget)
	toProxy := &net.Dialer{Timeout: c.timeout, Resolver: resolver}
	c.proxied = c.transport(config, toProxy.DialContext)
	// The authorities and the client certificate are the target's: a proxy gets neither. Of a transport that has a proxy, this is called for
	// the proxy only.
	c.proxyTLS = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	c.proxied.DialTLSContext = c.guard.fenced((&tls.Dialer{NetDialer: toProxy, Config: c.proxyTLS}).DialContext)
	c.proxied.Proxy = func(req *http.Request) (*url.URL, error) {
		via, err := proxy(req)
		if via == nil && err == nil {
			err = errors.New("no proxy") // never past the guard
		}
		return via, err
	}
	return c, nil
}

func tlsConfig(o Options) (*tls.Config, error) {
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: o.InsecureSkipVerify, // whether that may be asked for is the operator's policy
		CipherSuites: []uint16{ // for TLS 1.2: forward secrecy and authenticated encryption
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
	if len(o.CABundle) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(o.CABundle) {
			return nil, errors.New("the CA bundle has no certificate in PEM form")
		}
	}
	if len(o.ClientCertificate) > 0 || len(o.ClientKey) > 0 {
		pair, err := tls.X509KeyPair(o.ClientCertificate, o.ClientKey)
		if err != nil {
			return nil, errors.New("the client certificate and its key must both be given, in PEM form, and belong together")
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func (c *Client) transport(config *tls.Config, dial dialFunc) *http.Transport {
	return &http.Transport{
		DialContext:            keepLastWords(c.guard.fenced(dial)),
		TLSClientConfig:        config.Clone(),
		TLSHandshakeTimeout:    c.timeout,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // MaxBody counts the bytes that are read
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConns:           16,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        30 * time.Second,
		// Without pings, one dead HTTP/2 connection lets every request run into its time limit until TCP gives up.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
}

// control is called with the address that is about to be dialled.
func (c *Client) control(_, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return c.guard.Check(netip.Addr{})
	}
	return c.guard.Check(target.Addr())
}

// Response is an answer of any status: redirects are not followed.
type Response struct {
	StatusCode int
	Header     http.Header
	Body       []byte
	Truncated  bool // the body goes on after the limit
	// BodyErr is an *Error if the body did not come whole; Body has the part that came.
	BodyErr error
	// Trailer has the headers after the body, if the body was read to its end.
	Trailer http.Header
}

// Do sends the request once and reads its answer. Any error is an *Error.
func (c *Client) Do(ctx context.Context, req *http.Request) (*Response, error) {
	return c.DoSelect(ctx, req, func(int, http.Header) bool { return true })
}

// DoSelect is Do for a caller that needs few bodies: it waits only for those that wantBody selects.
func (c *Client) DoSelect(ctx context.Context, req *http.Request, wantBody func(status int, header http.Header) bool) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var p progress
	req = prepare(httptrace.WithClientTrace(ctx, p.trace()), req)
	resp, err := c.roundTrip(req)
	if err != nil {
		return nil, classify(ctx, err, &p)
	}
	defer resp.Body.Close()

	out := &Response{StatusCode: resp.StatusCode, Header: resp.Header}
	if !wantBody(resp.StatusCode, resp.Header) {
		// A connection can be kept only if its body was read to the end, and a short one has most often come with the
		// header. Beyond that it is not worth the wait.
		defer time.AfterFunc(drainTime, cancel).Stop()
		_, _ = io.CopyN(io.Discard, resp.Body, c.maxBody)
		return out, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.maxBody+1))
	if err != nil {
		out.BodyErr = classify(ctx, err, &p)
	}
	out.Truncated = int64(len(body)) > c.maxBody
	out.Body = body[:min(int64(len(body)), c.maxBody)]
	out.Trailer = resp.Trailer
	return out, nil
}

// prepare returns the request as it goes out.
func prepare(ctx context.Context, req *http.Request) *http.Request {
	req = req.Clone(ctx)
	// net/http sends a request again on its own when a kept-alive connection turns out dead: any, if nothing was written;
	// but a POST with one of these headers also when it may have arrived. Whether that is repeated is the caller's decision.
	// net/http looks for the canonical spelling, while on the wire the case of a name does not matter.
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, ok := req.Header[name]; ok {
			delete(req.Header, name)
			req.Header[strings.ToLower(name)] = values
		}
	}
	// A transport, unlike http.Client, leaves this to us.
	if user := req.URL.User; user != nil && req.Header.Get("Authorization") == "" {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	return req
}

// roundTrip uses the transport itself: http.Client follows redirects, or fails on one whose target it cannot parse.
func (c *Client) roundTrip(req *http.Request) (*http.Response, error) {
	transport, err := c.route(req)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	return transport.RoundTrip(req)
}

// route picks the transport, and gives the URL of the request the host that is checked.
func (c *Client) route(req *http.Request) (*http.Transport, error) {
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" || req.URL.Host == "" {
		return nil, &Error{Kind: Refused, Message: "the address is not an absolute http or https URL"}
	}
	if err := setHost(req.URL); err != nil {
		return nil, err
	}
	via, err := c.proxyOf(req)
	if err != nil {
		return nil, err
	}
	if via == nil {
		return c.direct, nil
	}
	return c.proxied, nil
}

// proxyOf returns the proxy of a request; nil: no proxy. Behind a proxy the dial shows only the proxy's address, so proxyOf checks the target's
// addresses. The proxy's own policy has to check the addresses to which the proxy resolves the name.
func (c *Client) proxyOf(req *http.Request) (*url.URL, error) {
	via, err := c.proxy(req)
	if err != nil {
		return nil, &Error{Kind: Unreachable, Message: "the operator's proxy settings are not valid"}
	}
	if via == nil {
		return nil, nil
	}
	name, err := c.nameOf(req.URL.Hostname())
	if err != nil {
		return nil, err
	}
	addrs, err := c.resolver.LookupNetIP(req.Context(), "ip", name)
	if err != nil && c.guard.proxyResolves {
		return via, nil
	}
	if err != nil {
		return nil, err
	}
	for _, addr := range addrs {
		if err := c.guard.Check(addr); err != nil {
			return nil, err
		}
	}
	return via, nil
}

// CloseIdleConnections closes the connections without a request. The client can still be used.
func (c *Client) CloseIdleConnections() {
	c.direct.CloseIdleConnections()
	c.proxied.CloseIdleConnections()
}

// RetryAfter returns how long the header Retry-After asks to wait, in seconds or as a date: never less than 0, at most MaxRetryAfter, and 0 if there
// is no valid header.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	wait := time.Duration(0)
	if isDigits(value) {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(MaxRetryAfter/time.Second) {
			return MaxRetryAfter
		}
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), MaxRetryAfter)
}

func isDigits(s string) bool {
	return s != "" && !slices.ContainsFunc([]byte(s), func(b byte) bool { return b < '0' || b > '9' })
}
