// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/gophernetes/bellhop/internal/version"
)

const urlProblem = "must be an absolute http or https URL with a host, such as https://example.com/path"

// ParseURL parses the address of a receiver. The error does not have the address.
func ParseURL(field, value string) (*url.URL, error) {
	u, problem := parseURL(value)
	if problem != "" {
		return nil, Invalid(field, problem)
	}
	return u, nil
}

// ParseBaseURL parses the address of a service whose API is below it and whose credentials are not in the address.
func ParseBaseURL(field, value string) (*url.URL, error) {
	u, err := ParseURL(field, value)
	if err != nil {
		return nil, err
	}
	if !isBase(u) {
		return nil, Invalid(field, baseProblem)
	}
	return u, nil
}

// NewRequest returns a request with a body that is JSON already; nil: without a body.
func NewRequest(ctx context.Context, method string, target *url.URL, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil { // the library's error has the URL
		return nil, Invalid("url", urlProblem)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("User-Agent", version.UserAgent())
	return req, nil
}

// Encode returns a value as JSON without the escapes that only HTML needs: services count them. See PlainJSON.
func Encode(value any) ([]byte, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, Invalid("content", "cannot be written as JSON")
	}
	return bytes.TrimSuffix(body.Bytes(), []byte("\n")), nil
}
