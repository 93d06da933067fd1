// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
		"the server's clock was set back":      {time.Second, -time.Minute + 2*time.Second, -time.Minute + 2*time.Second},
		"the server's clock was set forward":   {time.Second, time.Minute, time.Minute},
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

// R11: a Date that differs by more than a minute makes the time unknown, until all responses have said so for 15 minutes.
func TestClockIsUnknownAfterAJump(t *testing.T) {
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const minute, hour = time.Minute, time.Hour
	type response struct{ after, ahead time.Duration } // when it arrives, and how far its Date is ahead of the first response's clock
	for why, c := range map[string]struct {
		responses []response
		known     bool
		ahead     time.Duration // of the known time
		last      time.Duration // how far the time that was known last is ahead
	}{
		"a jump forward":                    {[]response{{minute, hour}}, false, 0, 0},
		"a jump back":                       {[]response{{minute, -hour}}, false, 0, -hour},
		"a correction by a minute":          {[]response{{minute, minute}}, true, minute, minute},
		"one answer, and the former time":   {[]response{{minute, hour}, {2 * minute, 0}}, false, 0, 0},
		"all agree, for too short a time":   {[]response{{minute, hour}, {6 * minute, hour}, {11 * minute, hour}, {15 * minute, hour}}, false, 0, 0},
		"two agree, with a silence between": {[]response{{minute, hour}, {17 * minute, hour}}, false, 0, 0},
		"all agree, and after a silence":    {[]response{{minute, hour}, {6 * minute, hour}, {12 * minute, hour}, {17 * minute, hour}}, false, 0, 0},
		"all agree for 15 minutes":          {[]response{{minute, hour}, {6 * minute, hour}, {11 * minute, hour}, {16 * minute, hour}}, true, hour, hour},
		"all agree on the former time":      {[]response{{minute, hour}, {2 * minute, 0}, {7 * minute, 0}, {12 * minute, 0}, {17 * minute, 0}}, true, 0, 0},
		"one does not agree":                {[]response{{minute, hour}, {10 * minute, 0}, {11 * minute, hour}, {16 * minute, hour}}, false, 0, 0},
		"two servers differ":                {[]response{{minute, hour}, {2 * minute, 0}, {20 * minute, hour}, {40 * minute, 0}, {60 * minute, hour}}, false, 0, 0},
		"another jump begins anew":          {[]response{{minute, hour}, {15 * minute, 2 * hour}, {16 * minute, 2 * hour}}, false, 0, 0},
		"the first answer was ahead":        {[]response{{minute, -10 * minute}, {2 * minute, 0}, {3 * minute, -10 * minute}, {4 * minute, 0}}, false, 0, -10 * minute}, // F-P47
		"another jump, and agreement on it": {[]response{{minute, hour}, {15 * minute, 2 * hour}, {20 * minute, 2 * hour}, {25 * minute, 2 * hour}, {30 * minute, 2 * hour}}, true, 2 * hour, 2 * hour},
	} {
		var clock Clock
		clock.set(began, began)
		local := began
		for _, r := range c.responses {
			local = began.Add(r.after)
			clock.set(local.Add(r.ahead), local)
		}
		now := clock.now(local)
		switch {
		case now.IsZero() == c.known:
			t.Errorf("%s: the time is %s", why, now)
		case c.known && now.Sub(local) != c.ahead:
			t.Errorf("%s: it is ahead by %s", why, now.Sub(local))
		case c.known != (clock.knownFor(local.Add(time.Second)) > 0):
			t.Errorf("%s: it is known for %s", why, clock.knownFor(local.Add(time.Second)))
		}
		if last := clock.last(local).Sub(local); last != c.last {
			t.Errorf("%s: the time that was known last is ahead by %s", why, last)
		}
	}
}

// A process that was stopped, or that could not reach the API server, does not know whether posts were sent meanwhile.
func TestClockIsKnownSinceTheLastSilence(t *testing.T) {
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const minute = time.Minute
	for why, c := range map[string]struct {
		responses []time.Duration // when they arrive
		at, want  time.Duration
	}{
		"responses arrive often":             {[]time.Duration{0, 4 * minute, 9 * minute}, 10 * minute, 10 * minute},
		"nothing arrives for half an hour":   {[]time.Duration{0}, 30 * minute, 0},
		"it has just arrived after that":     {[]time.Duration{0, 30 * minute}, 30 * minute, 0},
		"it has arrived some time ago":       {[]time.Duration{0, 30 * minute}, 32 * minute, 2 * minute},
		"responses arrive often, after that": {[]time.Duration{0, 30 * minute, 34 * minute, 38 * minute}, 40 * minute, 10 * minute},
	} {
		var clock Clock
		for _, after := range c.responses {
			clock.set(began.Add(after), began.Add(after))
		}
		if got := clock.knownFor(began.Add(c.at)); got != c.want {
			t.Errorf("%s: it is known for %s, not %s", why, got, c.want)
		}
		if now := clock.now(began.Add(c.at)); !now.Equal(began.Add(c.at)) {
			t.Errorf("%s: the time is %s", why, now)
		}
	}
}

// A reading has the time that was known last, which goes on while a jump is doubtful: what begins meanwhile ends neither early nor a day late.
func TestReadingGoesOnAfterAJump(t *testing.T) {
	var clock Clock
	if r := clock.Reading(); !r.Known.IsZero() || !r.Steady.IsZero() {
		t.Errorf("before the first response it is %v", r)
	}
	local := time.Now()
	clock.set(local, local)
	if r := clock.Reading(); r.Known.IsZero() || !r.Steady.Equal(r.Known) {
		t.Errorf("after a response it is %v", r)
	}
	clock.set(local.Add(-24*time.Hour), local)
	if r := clock.Reading(); !r.Known.IsZero() || r.Steady.Sub(local).Abs() > time.Minute {
		t.Errorf("after a jump it is %v", r)
	}
}
