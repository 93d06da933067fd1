// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Each kind is written and read on the command line, and shifts a clock, or stops the process.
func TestTimeKinds(t *testing.T) {
	for _, kind := range TimeKinds() {
		f, err := ParseFault(kind + "@3")
		if err != nil || !f.IsOfTime() || f.String() != kind+"@3" {
			t.Errorf("%s: %s, %v", kind, f, err)
		}
	}
}

// dates returns how far ahead the Dates of responses are after a call with a fault; nil: a response has none.
func dates(t *testing.T, kind string, responses int) (ahead []*time.Duration) {
	t.Helper()
	i := NewInjector(nil)
	i.Arm(Fault{Kind: kind, At: Nth(1)})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/call" {
			i.intercept(r.Context(), Call{})
		}
		_, _ = (&datedWriter{ResponseWriter: w, injector: i}).Write([]byte("{}"))
	}))
	defer server.Close()
	for n := range responses {
		path := "/watch"
		if n == 0 {
			path = "/call"
		}
		response, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		date, err := http.ParseTime(response.Header.Get("Date"))
		if err != nil {
			ahead = append(ahead, nil)
			continue
		}
		ahead = append(ahead, new(time.Until(date).Round(10*time.Second)))
	}
	return ahead
}

// The response to the call shows the other time already.
func TestDates(t *testing.T) {
	for kind, want := range map[string][2]time.Duration{
		"date-ahead-1h": {time.Hour, time.Hour}, "date-behind-1h-briefly": {-time.Hour, -time.Hour}, dateAlternates: {alternation, 0}, "clock-ahead-1d": {},
	} {
		got := dates(t, kind, 2)
		if got[0] == nil || got[1] == nil || *got[0] != want[0] || *got[1] != want[1] {
			t.Errorf("%s: %v, want %v", kind, got, want)
		}
	}
	if got := dates(t, dateMissing, 1); got[0] != nil {
		t.Errorf("%s: %v", dateMissing, *got[0])
	}
}

// A process reads the shift of its clock from a file, and the end of the faults sets the clock right.
func TestProcessClock(t *testing.T) {
	i := NewInjector(nil)
	i.ClockFile = filepath.Join(t.TempDir(), "clock")
	i.Arm(Fault{Kind: "start-behind-1h", At: Nth(1)})
	if act := i.intercept(t.Context(), Call{}); !act.killAfter {
		t.Error("the process is not killed")
	}
	read := func() string {
		text, err := os.ReadFile(i.ClockFile)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if got := read(); got != "-1h0m0s" {
		t.Errorf("the file has %q", got)
	}
	i.Disarm()
	if got := read(); got != "0s" {
		t.Errorf("then the file has %q", got)
	}
}
