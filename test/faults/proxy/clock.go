// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// The kinds of faults of clocks, from a call on until the steps have ended: date-… of the API server, as its responses show it, clock-… of the
// processes while they run, machine-… of both, as where one machine runs the API server and the processes, start-… of the process that takes over
// after the call, start-date-… of the API server as that process sees it, from its first response on, restart-… of the process, which is killed soon
// after: the next one has the right time, and reboot-… of both in the process that takes over after the call, which is killed soon after, too, as where
// a machine starts before it knows the time. Each is followed by a name of shifts; with date-…, -briefly may follow that. Timers, and what the
// processes measure with the monotonic clock, are not affected.
const (
	dateKind      = "date-"
	clockKind     = "clock-"
	machineKind   = "machine-"
	startKind     = "start-"
	startDateKind = "start-date-"
	restartKind   = "restart-"
	rebootKind    = "reboot-"
	briefly       = "-briefly"

	dateAlternates   = "date-alternates"    // two API servers, whose clocks differ, answer in turn
	dateMissing      = "date-missing"       // responses have no Date
	startDateMissing = "start-date-missing" // the process that takes over after the call knows no Date
	stopped          = "stopped"            // the process does not run for a while after the request is sent

	// StoppedLeader: the same, and meanwhile a standby is elected.
	StoppedLeader = "stopped-leader"
)

const (
	// Agreement is how long the responses of the API server have to agree after a jump until the operator under test believes them:
	// times.Agreement is edited to be this.
	Agreement = 6 * time.Second
	// briefTime is how long a brief shift lasts. It is shorter than Agreement, so that the operator never believes it.
	briefTime = 3 * time.Second
	// beliefTime is how long a lasting shift of the API server's clock lasts at least, although the steps may end before. It is longer than Agreement,
	// so that the operator believes it, and does what follows from it.
	beliefTime = Agreement + 3*time.Second
	// respondTime is how long after a change of the API server's clock processes at rest see it.
	respondTime = 500 * time.Millisecond
	// processTime is how long a lasting shift of the clock of a process lasts at least, so that the process does what follows from it.
	processTime = 5 * time.Second
	// restartDelay is how long a process has a wrong clock until it is killed, unless it sends another request to a broker or a receiver before.
	restartDelay = 3 * time.Second
	// alternation is by how much the clocks of two API servers differ.
	alternation = 90 * time.Second
	// StopDuration is how long a stopped process does not run. It is longer than its requests may take, than its first delays, and than a lease and
	// an election.
	StopDuration = 8 * time.Second
)

// shifts are by how much a clock differs. The operator takes over an API server's clock that differs by less than a minute.
var shifts = map[string]time.Duration{
	"behind-1h": -time.Hour, "behind-58s": -58 * time.Second, "ahead-58s": 58 * time.Second, "ahead-1h": time.Hour, "ahead-1d": 24 * time.Hour, "ahead-1y": 365 * 24 * time.Hour,
}

// TimeKinds returns the kinds of faults of clocks, and of a process that does not run for a while.
func TimeKinds() []string {
	all := []string{dateAlternates, dateMissing, startDateMissing, stopped, StoppedLeader}
	for _, shift := range slices.Sorted(maps.Keys(shifts)) {
		all = append(all, dateKind+shift, dateKind+shift+briefly, clockKind+shift, machineKind+shift, startKind+shift, startDateKind+shift, restartKind+shift, rebootKind+shift)
	}
	return all
}

// IsOfTime reports whether the fault is one of TimeKinds.
func (f Fault) IsOfTime() bool { return slices.Contains(TimeKinds(), f.Kind) }

// startsShifted reports whether the process that takes over begins with another time.
func (f Fault) startsShifted() bool { return strings.HasPrefix(f.Kind, startKind) }

// isUntilRestart reports whether the clock is right again in the process that takes over.
func (f Fault) isUntilRestart() bool { return strings.HasPrefix(f.Kind, restartKind) }

// isReboot reports whether all clocks are wrong in the process that takes over, and right again in the one after that.
func (f Fault) isReboot() bool { return strings.HasPrefix(f.Kind, rebootKind) }

// shift returns by how much the fault shifts a clock.
func (f Fault) shift(kind string) time.Duration {
	return shifts[strings.TrimSuffix(strings.TrimPrefix(f.Kind, kind), briefly)]
}

// dateShift returns by how much the API server's time differs once the operator believes it. A brief shift is believed, at once, only if it is small.
func (f Fault) dateShift() time.Duration {
	for _, kind := range []string{dateKind, startDateKind, machineKind} {
		if by := f.shift(kind); strings.HasPrefix(f.Kind, kind) && (!f.isBrief() || by.Abs() < time.Minute) {
			return by
		}
	}
	return 0
}

func (f Fault) isBrief() bool { return strings.HasSuffix(f.Kind, briefly) }

// MovesAhead returns how much of the API server's time seems to have passed that has not: what ends by it within this time may end early.
func (f Fault) MovesAhead() time.Duration {
	if f.isReboot() {
		return max(0, f.shift(rebootKind))
	}
	return max(0, f.dateShift())
}

// ProcessShift returns by how much the clock of the process that leads differs for as long as the steps take.
func (f Fault) ProcessShift() time.Duration {
	if strings.HasPrefix(f.Kind, startDateKind) {
		return 0
	}
	for _, kind := range []string{clockKind, machineKind, startKind} {
		if strings.HasPrefix(f.Kind, kind) {
			return f.shift(kind)
		}
	}
	return 0
}

// HoldsUp reports whether the API server's time is behind, or not known, for as long as the steps take: what ends by it does not end, or ends late.
// With dateMissing the process goes on with the time that it knows; after a brief shift the right time is known again.
func (f Fault) HoldsUp() bool {
	return f.Kind == dateAlternates || f.Kind == startDateMissing || f.dateShift() < 0 && !f.isBrief()
}

// serverClock is the API server's clock as its responses show it. The zero value is right.
type serverClock struct {
	shift time.Duration
	// until is when the clock is right again; zero: with the end of the fault.
	until time.Time
	// alternates: every other response has the time of another clock.
	alternates bool
	isMissing  bool
	responses  int
}

// setDate sets the Date of a response. Where the clock is right, the server of the proxy sets it.
func (c *serverClock) setDate(header http.Header, now time.Time) {
	c.responses++
	shift := c.shift
	if !c.until.IsZero() && now.After(c.until) || c.alternates && c.responses%2 == 0 {
		shift = 0
	}
	switch {
	case c.isMissing:
		header["Date"] = nil // net/http sets none then
	case shift != 0:
		header.Set("Date", now.Add(shift).UTC().Format(http.TimeFormat))
	}
}

// beginShift begins a fault of a clock.
func (i *Injector) beginShift(f *Fault) {
	switch {
	case f.Kind == dateAlternates:
		i.server = serverClock{shift: alternation, alternates: true}
	case f.Kind == dateMissing, f.Kind == startDateMissing:
		i.server = serverClock{isMissing: true}
	case f.isBrief():
		i.server = serverClock{shift: f.shift(dateKind), until: time.Now().Add(briefTime)}
		i.respondAfter(briefTime + respondTime)
		i.respondAfter(briefTime + Agreement + 2*respondTime) // the operator knows the time again
	case f.dateShift() != 0:
		i.server = serverClock{shift: f.dateShift()}
		i.busyUntil = time.Now().Add(beliefTime)
		i.respondAfter(respondTime)
		i.respondAfter(Agreement + 2*respondTime)
		if strings.HasPrefix(f.Kind, machineKind) {
			i.setProcessClock(f.dateShift())
		}
	case f.isReboot():
		i.server = serverClock{shift: f.shift(rebootKind)}
		i.setProcessClock(f.shift(rebootKind))
		i.busyUntil = time.Now().Add(restartDelay + 2*time.Second)
	case f.startsShifted():
		i.setProcessClock(f.shift(startKind))
		i.busyUntil = time.Now().Add(processTime)
	case f.isUntilRestart():
		i.setProcessClock(f.shift(restartKind))
		i.isRestarting, i.busyUntil = true, time.Now().Add(restartDelay+time.Second)
	default:
		i.setProcessClock(f.shift(clockKind))
		i.busyUntil = time.Now().Add(processTime)
	}
}

// respondAfter has the API server respond after a while also to processes that are at rest: the open watches are cut, so that new ones are begun.
func (i *Injector) respondAfter(delay time.Duration) {
	time.AfterFunc(delay, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.cutWatches()
	})
}

// killLater kills the process after restartDelay, unless it is killed before.
func (i *Injector) killLater(kill func()) {
	killed := i.KillSignal()
	time.AfterFunc(restartDelay, func() {
		select {
		case <-killed.Done:
		default:
			kill()
		}
	})
}

// endShifts sets all clocks right.
func (i *Injector) endShifts() {
	i.server = serverClock{}
	i.setProcessClock(0)
}

// ClockVariable is the environment variable with the path of a file from which a process reads by how much its time of day is shifted.
const ClockVariable = "BELLHOP_CLOCK_SHIFT"

// setProcessClock shifts the time of day of the processes.
func (i *Injector) setProcessClock(by time.Duration) {
	if i.ClockFile == "" {
		return
	}
	next := i.ClockFile + ".next" // a process reads the one or the other
	if os.WriteFile(next, []byte(by.String()), 0o600) == nil {
		_ = os.Rename(next, i.ClockFile)
	}
}

// datedWriter writes a response of the API server with the Date that its clock shows.
type datedWriter struct {
	http.ResponseWriter
	injector *Injector
	isDated  bool
}

// WriteHeader sets the Date before the header is written.
func (w *datedWriter) WriteHeader(code int) {
	if !w.isDated {
		w.isDated = true
		w.injector.mu.Lock()
		w.injector.server.setDate(w.Header(), time.Now())
		w.injector.mu.Unlock()
	}
	w.ResponseWriter.WriteHeader(code)
}

// Write writes the header first, as net/http does.
func (w *datedWriter) Write(body []byte) (int, error) {
	if !w.isDated {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(body)
}

// Unwrap is for http.ResponseController.
func (w *datedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
