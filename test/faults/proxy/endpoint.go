// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
)

// Endpoint is a proxy in front of a model of a broker or a receiver.
type Endpoint struct {
	Injector       *Injector
	Kill           func()                          // kills the process that sends the request
	Stop           func()                          // stops it for a while
	Name           func(*http.Request) string      // returns the name of a call
	Observe        func(*http.Request)             // sees each call before it is carried out
	ObsoleteCheck  func(*http.Request) func() bool // returns a function that reports, later, whether a delayed request is obsolete
	OnAccepted     func(*http.Request)             // is called when a completed operation is answered with 202
	OperationsFail func() bool                     // reports whether asynchronous operations fail, so that a success must not be answered
	Model          http.Handler
	HasTLS         bool // the server has a certificate, and also speaks HTTP/2, as gRPC requires
}

// ServeHTTP handles a request of the operator. The model completes a request even if the client is gone by then.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	detached := func() *http.Request {
		again := r.Clone(context.WithoutCancel(r.Context()))
		again.Body = io.NopCloser(bytes.NewReader(body))
		return again
	}
	carryOut := func(w http.ResponseWriter) {
		if e.Observe != nil {
			e.Observe(r)
		}
		e.Model.ServeHTTP(w, detached())
	}
	act := e.Injector.intercept(r.Context(), Call{Seam: SeamOutside, Name: methodOf(r) + " " + e.Name(r), Mutates: methodOf(r) != http.MethodGet})
	_, isReplaced := outsideAnswers[act.answer]
	switch {
	case act.stop:
		e.Stop()
	case act.killLater:
		e.Injector.killLater(e.Kill)
	}
	switch {
	case act.killBefore:
		e.Kill()
		panic(http.ErrAbortHandler)
	case act.killAfter:
		carryOut(discardWriter{http.Header{}})
		e.Kill()
		panic(http.ErrAbortHandler)
	case act.delayed:
		isObsolete := e.ObsoleteCheck(r)
		e.Injector.delayGate.wait(context.Background())
		if isObsolete() {
			panic(http.ErrAbortHandler)
		}
		e.Model.ServeHTTP(w, detached()) // not observed: the state that justified the request may have changed since
	case !isReplaced:
		carryOut(w)
	default:
		r.Body = io.NopCloser(bytes.NewReader(body))
		e.replaceAnswer(w, r, act.answer, carryOut)
	}
}

// replaceAnswer writes another answer than the model's. If the answer implies that the request was carried out, it is.
func (e *Endpoint) replaceAnswer(w http.ResponseWriter, r *http.Request, kind string, carryOut func(http.ResponseWriter)) {
	a := outsideAnswers[kind]
	if a.acts || a.accepts || a.removes && r.Method == http.MethodDelete {
		response := httptest.NewRecorder()
		carryOut(response)
		if answer := response.Result(); e.isContradiction(r, kind, answer) {
			copyAnswer(w, answer)
			return
		}
	}
	if kind == accepted {
		e.OnAccepted(r)
	}
	if a.write == nil {
		panic(http.ErrAbortHandler)
	}
	if code, ok := statuses[kind]; ok && r.Header.Get("Content-Type") == grpcType {
		writeStatus(w, r, code)
		return
	}
	a.write(w, r)
}

// copyAnswer writes the answer of the model.
func copyAnswer(w http.ResponseWriter, answer *http.Response) {
	maps.Copy(w.Header(), answer.Header)
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body) // the client may have disconnected
	maps.Copy(w.Header(), answer.Trailer)
}

// isContradiction reports whether an answer would contradict the state of the model, which gave another one: the model refused the
// request, still has the resource, began an operation that fails, or has already created the resource.
func (e *Endpoint) isContradiction(r *http.Request, kind string, right *http.Response) bool {
	a, code := outsideAnswers[kind], right.StatusCode
	isRefused := code/100 != 2 || !slices.Contains([]string{"", "0"}, right.Trailer.Get("Grpc-Status"))
	switch {
	case (a.accepts || strings.HasPrefix(e.Name(r), ReceiverPrefix)) && a.write != nil && isRefused:
		return true
	case a.removes && r.Method == http.MethodDelete && code != http.StatusOK && code != http.StatusGone:
		return true
	case a.accepts && kind != accepted && code == http.StatusAccepted:
		return e.OperationsFail()
	}
	return kind == accepted && r.Method == http.MethodPut && code == http.StatusOK
}

// methodOf returns the method of a request. All calls of gRPC are POST, and a probe only reads.
func methodOf(r *http.Request) string {
	if strings.HasSuffix(r.URL.Path, "/Probe") {
		return http.MethodGet
	}
	return r.Method
}

// Start starts a server.
func (e *Endpoint) Start() *httptest.Server {
	if !e.HasTLS {
		return httptest.NewServer(e)
	}
	server := httptest.NewUnstartedServer(e)
	server.EnableHTTP2 = true
	server.StartTLS()
	return server
}

// ReceiverPrefix begins the names of calls to receivers.
const ReceiverPrefix = "receiver "
