// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// Each kind shifts the clocks that its name says, and kills or stops the process if its name says that.
func TestClocksOfKinds(t *testing.T) {
	for _, kind := range TimeKinds() {
		i := NewInjector(nil)
		i.ClockFile = filepath.Join(t.TempDir(), "clock")
		f := Fault{Kind: kind, At: Nth(1)}
		i.Arm(f)
		act := i.intercept(t.Context(), Call{})
		text, _ := os.ReadFile(i.ClockFile) // there is none before a shift
		process, _ := time.ParseDuration(string(text))
		hasPrefix := func(prefixes ...string) bool {
			return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(kind, prefix) })
		}
		isBoth, isServer, isStop := hasPrefix(machineKind, rebootKind), hasPrefix(dateKind, startDateKind, machineKind, rebootKind), hasPrefix(stopped)
		if got := i.server.shift != 0 || i.server.isMissing; got != isServer {
			t.Errorf("%s: the API server's clock is %+v", kind, i.server)
		}
		if got := process != 0; got != (!isServer && !isStop || isBoth) || isBoth && process != i.server.shift {
			t.Errorf("%s: the clock of the process is shifted by %s", kind, process)
		}
		if act.killAfter != hasPrefix(startKind, rebootKind) || act.killLater != hasPrefix(restartKind) || act.stop != isStop {
			t.Errorf("%s: %+v", kind, act)
		}
		if f.HasSuccessor() != (act.killAfter || act.killLater || kind == StoppedLeader) {
			t.Errorf("%s: another process takes over: %v", kind, f.HasSuccessor())
		}
		// The operator has to believe a lasting shift of the API server's clock, and must not believe a brief one.
		if isKept := i.busyUntil.After(time.Now().Add(Agreement)); isKept != (isServer && i.server.shift != 0 && !f.isBrief() && !f.isReboot() && kind != dateAlternates) {
			t.Errorf("%s lasts until %s", kind, i.busyUntil)
		}
	}
	if briefTime >= Agreement || beliefTime <= Agreement {
		t.Error("a brief shift is believed, or a lasting one is not")
	}
}

// What ends by the API server's time ends early, late, not at all, or as if its clock were right.
func TestEndsByTime(t *testing.T) {
	for kind, want := range map[string]struct {
		ahead time.Duration
		held  bool
	}{
		"date-ahead-1h": {time.Hour, false}, "date-ahead-1h-briefly": {}, "date-ahead-58s": {58 * time.Second, false}, "date-ahead-58s-briefly": {58 * time.Second, false},
		"date-behind-1h": {0, true}, "date-behind-58s": {0, true}, "date-behind-1h-briefly": {}, "date-behind-58s-briefly": {},
		"start-date-ahead-1d": {24 * time.Hour, false}, "start-date-behind-58s": {0, true}, "machine-ahead-1h": {time.Hour, false}, "machine-behind-1h": {0, true},
		dateAlternates: {0, true}, startDateMissing: {0, true}, dateMissing: {}, "clock-ahead-1h": {}, "start-behind-1h": {}, "restart-ahead-1d": {}, stopped: {}, CrashAfter: {},
	} {
		f := Fault{Kind: kind, At: Nth(1)}
		if f.MovesAhead() != want.ahead || f.HoldsUp() != want.held {
			t.Errorf("%s: ahead by %s, held up %v", kind, f.MovesAhead(), f.HoldsUp())
		}
	}
}

// Only some kinds shift the clock of the process that leads in the end: not those of the API server, and not one until a restart.
func TestProcessShift(t *testing.T) {
	for kind, want := range map[string]time.Duration{
		"clock-ahead-1h": time.Hour, "clock-behind-58s": -58 * time.Second, "machine-behind-1h": -time.Hour, "start-ahead-1d": 24 * time.Hour,
		"start-date-ahead-1h": 0, startDateMissing: 0, "date-ahead-1h": 0, "date-behind-1h-briefly": 0, dateAlternates: 0,
		"restart-ahead-1d": 0, stopped: 0, CrashAfter: 0,
	} {
		if got := (Fault{Kind: kind, At: Nth(1)}).ProcessShift(); got != want {
			t.Errorf("%s: %s", kind, got)
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
		"machine-ahead-1h": {time.Hour, time.Hour}, "start-date-behind-1h": {-time.Hour, -time.Hour},
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

// A machine starts with a wrong time, and starts again with the right one.
func TestReboot(t *testing.T) {
	i := NewInjector(nil)
	i.ClockFile = filepath.Join(t.TempDir(), "clock")
	i.Arm(Fault{Kind: "reboot-behind-1h", At: Nth(1), Then: &Fault{Kind: CrashAfter, At: Nth(1)}})
	outside := Call{Seam: SeamOutside, Mutates: true}
	for n, step := range []struct {
		call  Call
		next  bool // another process takes over after the call
		want  action
		shift time.Duration
	}{
		{Call{}, true, action{killAfter: true}, -time.Hour},
		{Call{}, false, action{killLater: true}, -time.Hour},
		{Call{}, false, action{}, -time.Hour},
		{outside, true, action{killBefore: true}, 0},
		{Call{}, true, action{killAfter: true}, 0},
		{Call{}, false, action{}, 0},
	} {
		if got := i.intercept(t.Context(), step.call); got != step.want {
			t.Errorf("call %d: %+v", n+1, got)
		}
		if step.next {
			i.NextProcess()
		}
		text, _ := os.ReadFile(i.ClockFile)
		if process, _ := time.ParseDuration(string(text)); process != step.shift || i.server.shift != step.shift {
			t.Errorf("after call %d the clocks are shifted by %s and %s", n+1, process, i.server.shift)
		}
	}
}
