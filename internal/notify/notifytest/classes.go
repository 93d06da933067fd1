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

package notifytest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/notify/result"
)

func (conf conformance) classes(t *testing.T) {
	contentType, body := conf.ErrorBody("no such thing")
	for _, c := range []struct {
		why    string
		status int
		header []string
		class  result.Class
		reason string
		wait   time.Duration
	}{
		{"no credential", 401, nil, result.Configuration, result.ReasonUnauthorized, 0},
		{"F-P44 a missing right, or a firewall", 403, nil, result.Configuration, result.ReasonForbidden, 0},
		{"not found", 404, nil, result.Configuration, result.ReasonNotFound, 0},
		{"wrong method", 405, nil, result.Configuration, result.ReasonRejected, 0},
		{"server's time limit", 408, nil, result.Unknown, result.ReasonTimeout, 0},
		{"F-P18 conflict", 409, []string{"Retry-After", "3"}, result.Unknown, result.ReasonConflict, 3 * time.Second},
		{"gone", 410, nil, result.Configuration, result.ReasonGone, 0},
		{"F-P18 misdirected", 421, nil, result.Configuration, result.ReasonRejected, 0},
		{"F-P18 locked", 423, nil, result.Temporary, result.ReasonServerError, 0},
		{"too early", 425, nil, result.Unknown, result.ReasonServerError, 0},
		{"a rate limit", 429, []string{"Retry-After", "7"}, result.Temporary, result.ReasonRateLimited, 7 * time.Second},
		{"F-P18 unavailable for legal reasons", 451, nil, result.Configuration, result.ReasonRejected, 0},
		{"server error", 500, nil, result.Unknown, result.ReasonServerError, 0},
		{"F-P1 not implemented", 501, nil, result.Unknown, result.ReasonServerError, 0},
		{"bad gateway", 502, nil, result.Unknown, result.ReasonServerError, 0},
		{"maintenance", 503, []string{"Retry-After", "9"}, result.Unknown, result.ReasonServerError, 9 * time.Second},
		{"gateway's time limit", 504, nil, result.Unknown, result.ReasonTimeout, 0},
		{"redirect", 307, []string{"Location", "/canary-elsewhere"}, result.Configuration, result.ReasonRedirected, 0},
	} {
		if own, ok := conf.Overrides[c.status]; ok {
			c.class, c.reason, c.wait = own.Class, own.Reason, own.RetryAfter
		}
		t.Run(c.why, func(t *testing.T) {
			conf.server.Answer(Status(c.status, body, append(c.header, "Content-Type", contentType)...))
			e := conf.failure(t.Context(), t)
			if e.Class != c.class || e.Reason != c.reason || e.RetryAfter != c.wait {
				t.Errorf("got %s, %s, %s; want %s, %s, %s", e.Class, e.Reason, e.RetryAfter, c.class, c.reason, c.wait)
			}
			if !strings.HasPrefix(e.Message, fmt.Sprintf("HTTP %d ", c.status)) || strings.Contains(e.Message, "elsewhere") {
				t.Errorf("got message %q", e.Message)
			}
			if quoted := strings.Contains(e.Message, "no such thing"); c.status >= 400 && quoted == conf.QuotesNothing {
				t.Errorf("the text of the response is quoted: %t, want %t: %q", quoted, !conf.QuotesNothing, e.Message)
			}
			if n := len(conf.server.Requests()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
			for form, body := range proxyBodies {
				conf.server.Answer(Status(c.status, body, c.header...))
				if e := conf.failure(t.Context(), t); e.Class != c.class || e.Reason != c.reason || e.RetryAfter != c.wait {
					t.Errorf("%s: got %s, %s, %s; want %s, %s, %s", form, e.Class, e.Reason, e.RetryAfter, c.class, c.reason, c.wait)
				}
			}
			conf.server.Requests()
		})
	}
}

// proxyBodies are bodies of a proxy, an ingress or a gateway between the operator and a service.
var proxyBodies = map[string]string{
	"HTML":                 "<html><head><title>Bad Request</title></head><body>nginx</body></html>",
	"empty":                "",
	"text":                 "no healthy upstream",
	"JSON object":          `{"code":400,"status":400,"message":"no such route","error":"Bad Request","errors":[]}`,
	"JSON object in error": `{"ok":true,"error":{"code":502,"message":"no such route","type":"gateway","status":"INVALID_ARGUMENT"}}`,
	"JSON list":            `["no such route"]`,
}

// refusals: an answer is Permanent only where it refuses the content in the service's own error format, and is complete (R12).
func (conf conformance) refusals(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity} {
		answers := map[string]http.HandlerFunc{}
		for form, body := range proxyBodies {
			answers[form] = Status(status, body)
		}
		if conf.RefusalBody != nil {
			contentType, body := conf.RefusalBody(status)
			conf.server.Answer(Status(status, body, "Content-Type", contentType))
			if e := conf.failure(t.Context(), t); e.Class != result.Permanent || e.Reason != result.ReasonRejected {
				t.Errorf("HTTP %d, the documented format: got %s, %s; want %s, %s", status, e.Class, e.Reason, result.Permanent, result.ReasonRejected)
			}
			answers["the documented format, cut off"] = Status(status, body, "Content-Type", contentType, "Content-Length", strconv.Itoa(len(body)+1))
		} else {
			contentType, body := conf.ErrorBody("no such thing")
			answers["an undocumented format"] = Status(status, body, "Content-Type", contentType)
		}
		for form, answer := range answers {
			conf.server.Answer(answer)
			if e := conf.failure(t.Context(), t); e.Class != result.Configuration || e.Reason != result.ReasonRejected {
				t.Errorf("HTTP %d, %s: got %s, %s; want %s, %s", status, form, e.Class, e.Reason, result.Configuration, result.ReasonRejected)
			}
		}
	}
	conf.server.Requests()
}
