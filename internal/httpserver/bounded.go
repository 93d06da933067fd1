// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package httpserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/gophernetes/bellhop/internal/httpserver/limits"
)

// maxRead is how many bytes are read before there is room for them.
const maxRead = 16 << 10

// The reasons for refused requests, beside limits.NoRoom.
const (
	tooLarge   limits.Reason = "too_large"
	incomplete limits.Reason = "incomplete"
)

// bounded is a handler whose requests have bounds.
type bounded struct {
	kind     Kind
	handler  http.Handler
	observer *observer
}

// Admit says that a handler has authenticated the client of a request as a user, or knows that clients have no credentials: then user is empty.
// The connection is kept for the client's next request, unless connections of the user are an eighth of the server's. Without Admit a connection
// is closed after its answer.
func Admit(ctx context.Context, user string) {
	if c, ok := ctx.Value(connectionKey{}).(*limits.Connection); ok { // else the bounds are not these
		c.Admit(user)
	}
}

// ClientOf returns the client of a request; the zero value if no server of this package serves the request.
func ClientOf(ctx context.Context) limits.Client {
	if c, ok := ctx.Value(connectionKey{}).(*limits.Connection); ok { // else the bounds are not these
		return c.Client()
	}
	return limits.Client{}
}

// ServeHTTP serves a request, if there is room for it and its bytes.
func (b *bounded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := r.Context().Value(connectionKey{}).(*limits.Connection)
	// With --webhook-client-ca a handshake succeeds only with a certificate that the authority of the API server's issued.
	isKnown := !b.kind.HasAPIServers || r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || c.Recognize(r.Context())
	answer, control := &response{ResponseWriter: w, handler: b, connection: c}, http.NewResponseController(w)
	if !isKnown || !c.Begin(r.Context()) {
		_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // net/http reads a part of the body after the answer
		answer.refuse(limits.NoRoom)
		return
	}
	defer c.End()
	b.observer.request(c.Client().IsAPIServer)

	_ = control.SetWriteDeadline(time.Time{}) // of the answer before
	if r.Body == http.NoBody {
		c.Complete()
	} else {
		_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
		maximum := b.kind.maxBody(r)
		length := r.ContentLength
		if length < 0 { // it is not announced
			length = maximum
		}
		r.Body = &body{ReadCloser: http.MaxBytesReader(w, r.Body, maximum), request: r, connection: c, answer: answer, control: control, length: length, maximum: maximum}
	}
	b.handler.ServeHTTP(answer, r)
	answer.WriteHeader(http.StatusOK)
}

// body counts the bytes of a request that have arrived. If the body is not complete, the response replaces the handler's answer by a refusal.
type body struct {
	io.ReadCloser
	request    *http.Request
	connection *limits.Connection
	answer     *response
	control    *http.ResponseController
	// length is how many bytes it has at most, and maximum how many it may have.
	length, maximum int64
}

// Read reads from the body.
func (b *body) Read(p []byte) (int, error) {
	if b.length > b.maximum {
		b.answer.refusal = tooLarge
		return 0, &http.MaxBytesError{Limit: b.maximum}
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), maxRead)])
	if n > 0 && !b.connection.Received(b.request.Context(), n, b.length) {
		b.answer.refusal = limits.NoRoom
		return 0, errors.New("there is no room for the request")
	}
	if err == nil {
		return n, nil
	}
	switch _, isTooLarge := errors.AsType[*http.MaxBytesError](err); {
	case isTooLarge:
		b.answer.refusal = tooLarge
	case errors.Is(err, io.EOF):
		b.connection.Complete()
		_ = b.control.SetReadDeadline(time.Time{}) // else it would end the context of a handler that takes longer
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.answer.refusal = incomplete
	}
	return n, err
}

// response is an answer to a request.
type response struct {
	http.ResponseWriter
	handler    *bounded
	connection *limits.Connection
	// refusal is the reason for which the request is refused; it replaces any answer of the handler.
	refusal limits.Reason
	code    int
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader begins an answer.
func (w *response) WriteHeader(code int) {
	switch {
	case w.code != 0:
		return
	case w.refusal != "":
		w.refuse(w.refusal)
		return
	}
	w.begin(code)
}

// begin begins an answer. After one to a request that is not admitted the connection is closed.
func (w *response) begin(code int) {
	w.code = code
	if !w.connection.IsAdmitted() || w.refusal != "" {
		w.Header().Set("Connection", "close")
	}
	w.connection.SetWaiting(true)
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(answerTimeout))
	w.ResponseWriter.WriteHeader(code)
}

// Write writes a part of an answer.
func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.refusal != "" {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// refusals are the answers to requests that are refused. The code for a temporary reason is 503, so that a sender posts again, and the API server
// repeats a review.
var refusals = map[limits.Reason]struct {
	code int
	text string
}{
	limits.NoRoom: {http.StatusServiceUnavailable, "there is no room for the request; send it again"},
	incomplete:    {http.StatusServiceUnavailable, "the body of the request was not complete in time; send it again"},
	tooLarge:      {http.StatusRequestEntityTooLarge, "the body of the request is too large"},
}

// refuse answers a request that is refused.
func (w *response) refuse(reason limits.Reason) {
	w.refusal = reason
	w.handler.observer.refused(w.connection.Client(), reason)
	refusal, header := refusals[reason], w.Header()
	clear(header)
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	if refusal.code == http.StatusServiceUnavailable {
		header.Set("Retry-After", "1")
	}
	w.begin(refusal.code)
	_, _ = io.WriteString(w.ResponseWriter, refusal.text+"\n") // the client may be gone
}
