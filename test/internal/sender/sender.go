// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sender posts to AlertSources, as Prometheus and Alertmanager do.
package sender

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"time"
)

// timeout is for how long a sender waits for an answer.
const timeout = 10 * time.Second

// NewClient returns a client with connections of its own. It does not verify the certificate, whose names the suite "certificates" checks.
func NewClient() *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // as documented
}

// Post posts a body of a size in bytes, and returns code and text of the answer.
func Post(ctx context.Context, c *http.Client, url, authorization string, body io.Reader, size int64) (code int, text string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		return 0, "", err
	}
	request.ContentLength = size
	request.Header.Set("Authorization", authorization)
	response, err := c.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, strings.TrimSpace(string(answer)), err
}
