// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"syscall"
)

// Kind says how a request without an answer failed. The set is closed.
type Kind string

const (
	// Refused: the guard does not let the request out. Nothing was sent.
	Refused Kind = "Refused"
	// Unresolved: the host name has no address, or could not be looked up. Nothing was sent.
	Unresolved Kind = "Unresolved"
	// Unreachable: there is no connection, also when making it took too long. Nothing was sent.
	Unreachable Kind = "Unreachable"
	// TLS: the two sides did not agree, or a certificate is not good. Nothing was sent, unless Error.Sent is true: a server of TLS 1.3 refuses
	// the client's certificate, or its lack, when the first request may be on its way. It reads no request then.
	TLS Kind = "TLS"
	// Protocol: the server speaks HTTP/1.1, and the request needs HTTP/2. Nothing was carried out.
	Protocol Kind = "Protocol"
	// Timeout: no complete answer within the time limit. Unless Error.Sent is false, the request may have been carried out.
	Timeout Kind = "Timeout"
	// Broken: the connection ended early, or the answer is not HTTP. Unless Error.Sent is false, the request may have been carried out.
	Broken Kind = "Broken"
	// Canceled: the caller's context was cancelled; Error.Sent says whether the request was already under way.
	Canceled Kind = "Canceled"
)

// Error is a request without an answer. The message is composed here and is safe to show: it has nothing of the URL, nor
// any text from net/http, which quotes it.
type Error struct {
	Kind    Kind
	Message string
	// Sent says that the request may have reached the other side. If it is false, nothing has.
	Sent bool
}

func (e *Error) Error() string { return e.Message }

// progress is how far a request has come.
type progress struct {
	connected    atomic.Bool
	badHandshake atomic.Bool
	// nothingWritten reports whether not a byte of the request was written to its connection; nil: that is not known.
	nothingWritten atomic.Pointer[func() bool]
}

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		// Asked for again when a kept-alive connection turned out dead before anything was written to it.
		GetConn: func(string) {
			p.connected.Store(false)
			p.nothingWritten.Store(nil)
		},
		// From here on we take the request for sent. WroteHeaders would be later, but over HTTP/2 it is called after the
		// headers are out.
		GotConn: func(got httptrace.GotConnInfo) {
			p.connected.Store(true)
			p.watch(got.Conn)
		},
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) { p.badHandshake.Store(err != nil) },
	}
}

// watch counts what is written to a connection from now on. That of HTTP/2 is shared by several requests.
func (p *progress) watch(conn net.Conn) {
	encrypted, isEncrypted := conn.(*tls.Conn)
	isShared := isEncrypted && encrypted.ConnectionState().NegotiatedProtocol == "h2"
	if fenced := fencedConnOf(conn); fenced != nil && !isShared {
		before := fenced.written.Load()
		p.nothingWritten.Store(new(func() bool { return fenced.written.Load() == before }))
	}
}

// isUnwritten reports whether not a byte of the request was written.
func (p *progress) isUnwritten() bool {
	nothingWritten := p.nothingWritten.Load()
	return !p.connected.Load() || nothingWritten != nil && (*nothingWritten)()
}

const refusedHandshake = "the server refused the TLS handshake; it may want a client certificate or another version"

// classify turns any error of net/http into an Error.
func classify(ctx context.Context, err error, p *progress) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own // from the guard, within the dialer's error
	}
	if fence, ok := errors.AsType[errFenced](err); ok {
		return &Error{Kind: Canceled, Message: fence.Error(), Sent: !p.isUnwritten()}
	}
	sent := p.connected.Load() && !wasNeverUsed(err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &Error{Kind: Canceled, Message: "the request was cancelled", Sent: sent}
	case sent && timedOut(ctx, err):
		return &Error{Kind: Timeout, Message: "no complete answer within the time limit", Sent: true}
	case sent && isHTTP1(err):
		return &Error{Kind: Protocol, Message: "the server answered by HTTP/1.1, and this request needs HTTP/2", Sent: true}
	case sent && isCertificateAlert(err):
		return &Error{Kind: TLS, Message: refusedHandshake, Sent: true}
	case sent && isAlert(err): // how TLS 1.3 says it, since there the client goes first
		return &Error{Kind: Broken, Message: "the server ended the connection with a TLS alert; it may want a client certificate", Sent: true}
	case sent:
		return &Error{Kind: Broken, Message: "the connection broke before a complete answer came", Sent: true}
	}
	return unsent(ctx, err, p)
}

// unsent classifies a failure before there was a connection.
func unsent(ctx context.Context, err error, p *progress) *Error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" {
		return &Error{Kind: Unreachable, Message: "the operator's proxy cannot be reached"}
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return &Error{Kind: Unresolved, Message: "the host name could not be resolved"}
	}
	if reason := badCertificate(err); reason != "" {
		return &Error{Kind: TLS, Message: reason}
	}
	switch {
	case timedOut(ctx, err):
		return &Error{Kind: Unreachable, Message: "no connection within the time limit"}
	case wasNeverUsed(err):
		return &Error{Kind: Unreachable, Message: "the server closed the connection before the first request; it may want a client certificate"}
	case isAlert(err):
		return &Error{Kind: TLS, Message: refusedHandshake}
	case p.badHandshake.Load() && !isNetwork(err):
		return &Error{Kind: TLS, Message: "the TLS handshake failed; the server may not support TLS 1.2 or later"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Error{Kind: Unreachable, Message: "the connection was refused"}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return &Error{Kind: Unreachable, Message: "there is no route to the address"}
	}
	return &Error{Kind: Unreachable, Message: "the connection could not be opened"}
}

func badCertificate(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the certificate is signed by an unknown authority"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the certificate is for another host name"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "the certificate has expired or is not valid yet"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the certificate cannot be verified"
	}
	return ""
}

func timedOut(ctx context.Context, err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ctx.Err() != nil || ok && timeout.Timeout()
}

// isAlert recognises a TLS alert from the other side; crypto/tls gives it no type of its own.
func isAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}

// isCertificateAlert recognises an alert about the client's certificate, which ends a handshake only.
func isCertificateAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && isAlert(op) && strings.Contains(op.Err.Error(), "certificate")
}

// wasNeverUsed reports whether a connection of HTTP/2 ended before its first request. net/http does not say why, and its error has no type:
// a server of TLS 1.3 that refuses the client's certificate may do so.
func wasNeverUsed(err error) bool {
	return err.Error() == "http2: client conn could not be established"
}

// isHTTP1 reports whether a server of HTTP/1.1 answered to HTTP/2. The error of net/http has no type.
func isHTTP1(err error) bool {
	return strings.Contains(err.Error(), "note that the frame header looked like an HTTP/1.1 header")
}

// isNetwork tells a handshake that the network cut short from one that the two sides could not agree on: the first is
// worth another try.
func isNetwork(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "read" || op.Op == "write") || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
