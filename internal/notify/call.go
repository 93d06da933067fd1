/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package notify

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// Call lets a provider's library make one request through an outbound.Client, and keeps what came of it: libraries differ in
// how much of that they tell. It has the method Do of an http.Client. Each Send makes its own; it is not safe for concurrent use.
type Call struct {
	Client *outbound.Client
	// Response is the answer, Err the error, of the last request.
	Response *outbound.Response
	Err      error
}

// Do makes a request. An error is an *outbound.Error, which has nothing of the URL.
func (c *Call) Do(req *http.Request) (*http.Response, error) {
	req.Header.Set("User-Agent", UserAgent)
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
		Body:          io.NopCloser(body),
		ContentLength: -1,
		Request:       req,
	}, nil
}

// Failure is what the transport or the status says of the last request; nil means that the status is a success, and only then
// is there surely a Response. Without any request, the library could not make one of the address.
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

func (f errorReader) Read([]byte) (int, error) { return 0, f.err }
