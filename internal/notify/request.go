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
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// UserAgent of requests to receivers.
const UserAgent = "bellhop"

const notURL = "must be an absolute http or https URL"

// ParseURL reads the address of a receiver. The error does not repeat it.
func ParseURL(field, value string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(value)) // a Secret made with echo ends in a line break
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, Invalid(field, notURL)
	}
	return u, nil
}

// ParseBaseURL reads the address of a service that has its API below it, and whose credentials are not in the address.
func ParseBaseURL(field, value string) (*url.URL, error) {
	u, err := ParseURL(field, value)
	if err != nil {
		return nil, err
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, Invalid(field, "must have neither user, query nor fragment: credentials belong into the Secret")
	}
	return u, nil
}

// Request returns a request with the body, which is JSON already: a signature needs the very bytes. A nil body is none.
func Request(ctx context.Context, method string, target *url.URL, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil { // it would quote the URL
		return nil, Invalid("url", notURL)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("User-Agent", UserAgent)
	return req, nil
}

// JSONRequest returns a request with the value as its body.
func JSONRequest(ctx context.Context, method string, target *url.URL, value any) (*http.Request, error) {
	body, err := Encode(value)
	if err != nil {
		return nil, err
	}
	return Request(ctx, method, target, body)
}

// Encode writes what is sent as JSON, without the escapes that only HTML needs: services count them. See PlainJSON.
func Encode(value any) ([]byte, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, Invalid("content", "cannot be written as JSON")
	}
	return bytes.TrimSuffix(body.Bytes(), []byte("\n")), nil
}

// Do makes the request, once. An error is an *result.Error: what failure says of the answer, in which case the answer is returned
// with it, or why there is none.
func Do(ctx context.Context, client *outbound.Client, req *http.Request, failure func(*outbound.Response) *result.Error) (*outbound.Response, error) {
	resp, err := client.Do(ctx, req)
	if err != nil {
		return nil, FromRequest(err)
	}
	if failed := failure(resp); failed != nil {
		return resp, failed
	}
	return resp, nil
}
