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
	"net/http"
	"net/url"
	"strings"
)

// UserAgent is what receivers see of us.
const UserAgent = "bellhop"

// ParseURL reads the address of a receiver. The error does not repeat it.
func ParseURL(field, value string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(value)) // a Secret made with echo ends in a line break
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, Invalid(field, "must be an absolute http or https URL")
	}
	return u, nil
}

// JSONRequest returns a request that sends the body, which is JSON already: a signature needs the very bytes.
func JSONRequest(ctx context.Context, method string, target *url.URL, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil { // it would quote the URL
		return nil, Invalid("url", "must be an absolute http or https URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", UserAgent)
	return req, nil
}
