// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/version"
)

// Call makes the requests of a provider's library through an outbound.Client, and records the response: the errors of libraries
// lose it. It implements the Do method of an http.Client. A Call is made for one Send; it is not safe for concurrent use.
type Call struct {
	Client *outbound.Client
	// Response and Err are the response and the error of the last request.
	Response *outbound.Response
	Err      error
}

// Do makes a request. An error is an *outbound.Error, which has no part of the URL.
func (c *Call) Do(req *http.Request) (*http.Response, error) {
	req.Header.Set("User-Agent", version.UserAgent())
	c.Response, c.Err = c.Client.Do(req.Context(), req)
	if c.Err != nil {
		return nil, c.Err
	}
	var body io.Reader = bytes.NewReader(c.Response.Body)
	if c.Response.BodyErr != nil {
		body = io.MultiReader(body, errorReader{c.Response.BodyErr})
	}
	return &http.Response{
		StatusCode: c.Response.StatusCode,
		Status:     StatusLine(c.Response.StatusCode)[len("HTTP "):],
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        c.Response.Header,
		Trailer:       c.Response.Trailer,
		Body:          io.NopCloser(body),
		ContentLength: -1,
		Request:       req,
	}, nil
}

// Failure returns the error of the last request, by its transport or its status. After nil, Response is not nil and its
// status is a success. Where no request was made, the library could not parse the address.
func (c *Call) Failure(now time.Time) *result.Error {
	switch {
	case c.Err != nil:
		return FromRequest(c.Err)
	case c.Response != nil:
		return FromStatus(c.Response, now)
	}
	return Invalid("url", urlProblem)
}

type errorReader struct{ err error }

func (e errorReader) Read([]byte) (int, error) { return 0, e.err }
