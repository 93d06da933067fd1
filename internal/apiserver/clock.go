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

package apiserver

import (
	"net/http"
	"sync"
	"time"
)

// maxStep is how much the Date of two responses may differ from the time between them, as it has whole seconds.
const maxStep = 2 * time.Second

// Clock is the API server's clock, as the Date header of its responses shows it. Between responses it goes on with this machine's
// monotonic clock, which no change of the time of day affects.
type Clock struct {
	mu   sync.Mutex
	date time.Time // of a response
	at   time.Time // when it arrived; it has a monotonic reading
}

// Now returns the API server's time, which may be up to two seconds late; zero before the first response.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now(time.Now())
}

func (c *Clock) now(local time.Time) time.Time {
	if c.date.IsZero() {
		return time.Time{}
	}
	return c.date.Add(local.Sub(c.at))
}

// Observe returns a transport that reads the Date of each response to next.
func (c *Clock) Observe(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err == nil {
			if date, malformed := http.ParseTime(response.Header.Get("Date")); malformed == nil {
				c.set(date, time.Now())
			}
		}
		return response, err
	})
}

// set takes over the date of a response. A date that is late by less than maxStep would only set the clock back.
func (c *Clock) set(date, local time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if behind := c.now(local).Sub(date); !c.date.IsZero() && behind >= 0 && behind <= maxStep {
		return
	}
	c.date, c.at = date, local
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }
