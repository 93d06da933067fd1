// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"time"
)

// HTTP2 returns a client for requests to one address by HTTP/2 alone, as gRPC needs it: with the scheme http too, where the server is known
// to speak it, and through the operator's proxy by CONNECT with either scheme. It has the settings of this client, reads maxBody bytes of
// a body, and expects serverName in the server's certificate; "": the host of the address.
func (c *Client) HTTP2(scheme, serverName string, maxBody int64) *Client {
	config := c.TLSConfig(serverName)
	config.VerifyConnection = verifyProtocol
	transport := c.transport(config, func(ctx context.Context, _, address string) (net.Conn, error) {
		ctx, cancel := c.WithTimeout(ctx)
		defer cancel()
		return c.connect(ctx, scheme, address)
	})
	transport.Protocols = &http.Protocols{}
	transport.Protocols.SetHTTP2(true)
	transport.Protocols.SetUnencryptedHTTP2(true)
	own := *c
	own.maxBody = maxBody
	own.direct, own.proxied = transport, transport
	own.proxy = func(*http.Request) (*url.URL, error) { return nil, nil } // connect asks for it
	return &own
}

// verifyProtocol returns an error for a server that does not offer HTTP/2.
func verifyProtocol(state tls.ConnectionState) error {
	if state.NegotiatedProtocol == "" {
		return &Error{Kind: TLS, Message: "the server does not offer HTTP/2 in the TLS handshake, by the extension ALPN"}
	}
	return nil
}

// connect makes a connection to host:port that stays open, if the guard lets it. The scheme is http or https, by which the operator's proxy
// is chosen as for requests.
func (c *Client) connect(ctx context.Context, scheme, address string) (net.Conn, error) {
	target := &url.URL{Scheme: scheme, Host: address}
	if err := setHost(target); err != nil {
		return nil, err
	}
	request := &http.Request{Method: http.MethodConnect, URL: target, Host: target.Host, Header: http.Header{}}
	via, err := c.proxyOf(request.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	if via == nil {
		return c.dialTarget(ctx, "tcp", address)
	}
	conn, err := c.dialProxy(ctx, via)
	if err != nil {
		return nil, &net.OpError{Op: "proxyconnect", Net: "tcp", Err: err} // as net/http has it
	}
	if user := via.User; user != nil {
		password, _ := user.Password()
		request.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	made, err := tunnelOf(conn, request)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return made, nil
}

// dialProxy makes a connection to the operator's proxy, which the guard does not check.
func (c *Client) dialProxy(ctx context.Context, via *url.URL) (net.Conn, error) {
	dial, port := c.proxied.DialContext, "80"
	if via.Scheme == "https" {
		dial, port = c.proxied.DialTLSContext, "443"
	} else if via.Scheme != "http" {
		return nil, &Error{Kind: Unreachable, Message: "the operator's proxy is not an HTTP proxy, which this connection needs"}
	}
	if via.Port() != "" {
		port = via.Port()
	}
	return dial(ctx, "tcp", net.JoinHostPort(via.Hostname(), port))
}

// tunnelOf has a proxy connect to the target of the request.
func tunnelOf(conn net.Conn, request *http.Request) (net.Conn, error) {
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	head := &io.LimitedReader{R: conn, N: maxHeader}
	reader := bufio.NewReader(head)
	resp, err := http.ReadResponse(reader, request) //nolint:bodyclose // its body is the rest of the connection
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, &Error{Kind: Unreachable, Message: "the operator's proxy refused the connection"}
	}
	head.N = math.MaxInt64
	return tunneled{conn, reader}, nil
}

// tunneled is a connection of which reader may have the first bytes: without TLS, a server of HTTP/2 may speak first.
type tunneled struct {
	net.Conn
	reader io.Reader
}

func (t tunneled) Read(b []byte) (int, error) { return t.reader.Read(b) }
