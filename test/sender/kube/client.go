// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
)

// ErrCut is the error of a request that does not reach the server.
var ErrCut = errors.New("dial: connection refused")

// Client is a transport to the server. After Cut it reaches it no more: nor do the answers to requests in flight come.
type Client struct {
	server *Server
	ctx    context.Context //nolint:containedctx // ends with Cut
	cut    context.CancelFunc
}

// NewClient returns a transport to the server.
func NewClient(server *Server) *Client {
	c := &Client{server: server}
	c.ctx, c.cut = context.WithCancel(context.Background())
	return c
}

// Cut ends the connection to the server.
func (c *Client) Cut() { c.cut() }

// RoundTrip has the server serve a request.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.ctx.Err() != nil {
		return nil, ErrCut
	}
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(c.ctx, cancel) //nolint:contextcheck // the process ends it as well
	reader, writer := io.Pipe()
	a := &answer{header: http.Header{}, began: make(chan struct{}), body: writer}
	served := r.Clone(ctx)
	if served.Body == nil {
		served.Body = http.NoBody
	}
	go func() {
		defer cancel()
		defer stop()
		c.server.ServeHTTP(a, served)
		a.WriteHeader(http.StatusOK)
		_ = writer.Close()
	}()
	select {
	case <-a.began:
	case <-ctx.Done():
		_ = reader.CloseWithError(ErrCut)
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		return nil, ErrCut
	}
	context.AfterFunc(ctx, func() { _ = writer.Close() }) // a watch ends, and another answer is cut
	return &http.Response{
		Status: http.StatusText(a.code), StatusCode: a.code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: maps.Clone(a.header), Body: body{reader, cancel}, ContentLength: -1, Request: r,
	}, nil
}

// body is the body of an answer, which ends the request when it is closed.
type body struct {
	*io.PipeReader
	end context.CancelFunc
}

// Read reads the body. One that is closed has ended: client-go would hand an error to a reader that has gone, for ever.
func (b body) Read(p []byte) (int, error) {
	n, err := b.PipeReader.Read(p)
	if errors.Is(err, io.ErrClosedPipe) {
		err = io.EOF
	}
	return n, err
}

func (b body) Close() error {
	b.end()
	return b.PipeReader.Close()
}

// answer is an answer that is being written.
type answer struct {
	header http.Header
	once   sync.Once
	code   int
	began  chan struct{}
	body   *io.PipeWriter
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(code int) {
	a.once.Do(func() {
		a.code = code
		close(a.began)
	})
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}
