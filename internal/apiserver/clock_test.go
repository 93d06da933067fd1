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
	"net/http/httptest"
	"testing"
	"time"
)

// F-P28: the API server's time comes from its responses, whatever this machine's time of day is.
func TestClockShowsTheTimeOfResponses(t *testing.T) {
	var clock Clock
	if now := clock.Now(); !now.IsZero() {
		t.Errorf("before the first response it is %s", now)
	}
	served := time.Date(2030, 3, 1, 12, 0, 0, 0, time.UTC)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", served.Format(http.TimeFormat))
	}))
	defer server.Close()
	client := http.Client{Transport: clock.Observe(http.DefaultTransport)}
	response, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if late := clock.Now().Sub(served); late < 0 || late > time.Minute {
		t.Errorf("the clock is %s after the response", late)
	}
}

func TestClockGoesOnBetweenResponses(t *testing.T) {
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for why, c := range map[string]struct{ after, date, want time.Duration }{
		"without a response it goes on":        {time.Minute, 0, time.Minute},
		"a date has whole seconds":             {1500 * time.Millisecond, time.Second, 1500 * time.Millisecond},
		"it is never late by more than needed": {time.Second, 2 * time.Second, 2 * time.Second},
		"the server's clock was set back":      {time.Second, -time.Hour, -time.Hour},
		"the server's clock was set forward":   {time.Second, time.Hour, time.Hour},
	} {
		var clock Clock
		clock.set(began, began)
		if c.date != 0 {
			clock.set(began.Add(c.date), began.Add(c.after))
		}
		if got := clock.now(began.Add(c.after)).Sub(began); got != c.want {
			t.Errorf("%s: %s, want %s", why, got, c.want)
		}
	}
}
