// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Fault is what is done to one run. The zero value does nothing.
type Fault struct {
	// Kind is what happens; "": nothing.
	Kind string
	// At is the call that the fault affects; From is an earlier call, for the kinds with two.
	At, From Point
	// Watched is the watch event that the fault affects, such as "serviceinstances/db#2", or a resource.
	Watched string
	// Then is the fault of the process that takes over; nil: none.
	Then *Fault
}

// Point names a call of one process after the scenario was prepared: by its number among all calls, such as "3", or by its name and its
// number among the calls of that name, such as "PATCH:alerts/disk/status#2", which also finds it where calls come in another order. The
// process that takes over after a crash counts from 1 again.
type Point string

// PointOf returns the point of the n-th call of its name.
func PointOf(c Call, n int) Point {
	return Point(strings.ReplaceAll(c.Name, " ", ":") + "#" + strconv.Itoa(n))
}

// Nth returns the point of the n-th of all calls.
func Nth(n int) Point { return Point(strconv.Itoa(n)) }

// The kinds of faults. The names of answers, which are in answers.go, are kinds, too.
const (
	CrashBefore = "crash-before" // the process is killed before the call is carried out
	CrashAfter  = "crash-after"  // the call is carried out, then the process is killed
	Stale       = "stale"        // the process is killed after the call; the next one begins with the state before the earlier call
	Frozen      = "frozen"       // the watches of the process show nothing between the two calls
	Standby     = "standby"      // the process is killed after the call; a standby whose watches stopped at the earlier call takes over
	Deposed     = "deposed"      // the call is carried out when another process leads
	Hide        = "hide"         // a watch omits an event until the next list
	Merge       = "merge"        // a watch merges an event with the next one of the object
	Late        = "late"         // a watch shows its events with a delay
	WatchCut    = "watch-cut"    // all watches end at the call
	WatchGone   = "watch-gone"   // all watches end at the call, and their resourceVersion has expired
)

var faultText = func() *regexp.Regexp {
	const point = `\d+|[A-Z]+:[^<+#]+#\d+`
	return regexp.MustCompile(`^([a-z0-9-]+)@(?:(` + point + `)(?:<(` + point + `))?|([a-z]+(?:/[^+]+)?))$`)
}()

// String returns the fault as it is written on the command line.
func (f Fault) String() string {
	if f.Kind == "" {
		return "none"
	}
	text := f.Kind + "@"
	switch {
	case f.Watched != "":
		text += f.Watched
	case f.From != "":
		text += string(f.At + "<" + f.From)
	default:
		text += string(f.At)
	}
	if f.Then != nil {
		text += "+" + f.Then.String()
	}
	return text
}

// ParseFault reads what String returns.
func ParseFault(text string) (Fault, error) {
	if text == "none" {
		return Fault{}, nil
	}
	first, rest, more := strings.Cut(text, "+")
	m := faultText.FindStringSubmatch(first)
	if m == nil || !slices.Contains(faultKinds(), m[1]) {
		return Fault{}, fmt.Errorf("%q is no fault: write it like crash-after@3, crash-before@PATCH:alerts/disk/status#2, stale@5<2, hide@serviceinstances/db#2 or crash-after@3+crash-before@1; kinds are %s",
			first, strings.Join(faultKinds(), ", "))
	}
	f := Fault{Kind: m[1], At: Point(m[2]), From: Point(m[3]), Watched: m[4]}
	if more {
		then, err := ParseFault(rest)
		if err != nil {
			return Fault{}, err
		}
		f.Then = &then
	}
	return f, nil
}

// faultKinds returns all kinds, sorted.
func faultKinds() []string {
	all := append(slices.Concat(TimeKinds(), NeighbourKinds()), CrashBefore, CrashAfter, Stale, Frozen, Standby, Deposed, Hide, Merge, Late, WatchCut, WatchGone)
	for name := range apiAnswers {
		all = append(all, name)
	}
	for name := range outsideAnswers {
		all = append(all, name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// HasSuccessor reports whether another process takes over.
func (f Fault) HasSuccessor() bool {
	return slices.Contains([]string{CrashBefore, CrashAfter, Stale, Standby, Deposed, StoppedLeader}, f.Kind) || f.startsShifted() || f.isUntilRestart() || f.isReboot()
}

// Successors returns how many processes take over, one after the other.
func (f Fault) Successors() int {
	switch {
	case f.isReboot():
		return 2
	case f.HasSuccessor():
		return 1
	}
	return 0
}

// NeedsStandby reports whether the process that takes over runs from the beginning.
func (f Fault) NeedsStandby() bool { return f.Kind == Standby || f.IsOverlap() }

// IsOverlap reports whether the process that led continues for a while when another one leads.
func (f Fault) IsOverlap() bool { return f.Kind == Deposed || f.Kind == StoppedLeader }

// IsAtReceiver reports whether the fault changes or delays the answer of a receiver.
func (f Fault) IsAtReceiver() bool {
	return (f.isOutsideAnswer() || f.Kind == Deposed) && f.Receiver() != ""
}

// receiverCall matches the point of a call to a receiver, and alertCall that of a request about an Alert.
var (
	receiverCall = regexp.MustCompile("^[A-Z]+:" + strings.ReplaceAll(ReceiverPrefix, " ", ":") + `([^#]+)#`)
	alertCall    = regexp.MustCompile(`^[A-Z]+:alerts/([^/#]+)`)
)

// Receiver returns the name of the receiver to which the call of the fault goes; "": it goes elsewhere, or the point is a number.
func (f Fault) Receiver() string { return firstGroup(receiverCall, f.At) }

// IsAt reports whether the call of the fault has a name, or may have it because the point is a number.
func (f Fault) IsAt(name string) bool {
	return f.At.isNumber() || strings.HasPrefix(string(f.At), strings.TrimSuffix(string(PointOf(Call{Name: name}, 0)), "0"))
}

// firstGroup returns what the first group of a pattern matches in a point; "": the pattern does not match.
func firstGroup(pattern *regexp.Regexp, at Point) string {
	if found := pattern.FindStringSubmatch(string(at)); found != nil {
		return found[1]
	}
	return ""
}

// isNumber reports whether the point is the number of a call, whose name is not known.
func (p Point) isNumber() bool { return !strings.Contains(string(p), "#") }

// IsLatePage reports whether the call of the fault has an Alert fire, or resolves it, when another process leads.
func (f Fault) IsLatePage() bool {
	return f.Kind == Deposed && strings.HasPrefix(string(f.At), "PATCH:alerts/")
}

// IsBrokerDelete reports whether the call of the fault deletes an instance or a binding at a broker.
func (f Fault) IsBrokerDelete() bool {
	return strings.HasPrefix(string(f.At), "DELETE:service_instances")
}

// definiteAnswers say that nothing was done. A 409 from a receiver may come from a proxy in front of it, and then says nothing.
var definiteAnswers = []string{"409", "410", "412", "concurrency", "429", "redirect"}

// isDefiniteAnswer reports whether the answer proves that the request was not carried out.
func (f Fault) isDefiniteAnswer() bool {
	return slices.Contains(definiteAnswers, f.Kind) && (f.Kind != "409" || !f.IsAtReceiver())
}

// MayLoseAnswer reports whether the operator may not know the outcome of a request, because of this fault or the one that follows.
func (f Fault) MayLoseAnswer() bool {
	return f.losesAnswer() || f.Then != nil && f.Then.MayLoseAnswer()
}

// MayLoseAnswerTo reports whether the operator may not know the outcome of a message about an Alert to a receiver, because of this fault or the one that
// follows. The name of the Alert is empty where the message does not have it.
func (f Fault) MayLoseAnswerTo(receiver, alert string) bool {
	return f.losesAnswer() && f.concerns(receiver, alert) || f.Then != nil && f.Then.MayLoseAnswerTo(receiver, alert)
}

// concerns reports whether a message about an Alert to a receiver may be the call of the fault, or in flight at that call. A replaced answer is that to one
// call. A process that is killed or stopped loses the answers to all calls in flight, to each receiver: those about the Alert of the call, where it names one,
// unless the process ends later than at the call.
func (f Fault) concerns(receiver, alert string) bool {
	named := firstGroup(alertCall, f.At)
	switch {
	case f.At.isNumber(), f.isUntilRestart(), f.isReboot(), f.Kind == Deposed:
		return true
	case f.isOutsideAnswer():
		return f.Receiver() == receiver
	}
	return named == "" || alert == "" || named == alert
}

// losesAnswer is MayLoseAnswer without the fault that follows.
func (f Fault) losesAnswer() bool {
	return f.HasSuccessor() || f.Kind == stopped || f.isOutsideAnswer() && !f.isDefiniteAnswer()
}

// MaxRepeats returns how many times a request may be repeated: its answer is lost, or the watch events with its record are not shown
// though later events are, from which the client concludes that it has seen its own writes.
func (f Fault) MaxRepeats() (n int) {
	if f.losesAnswer() || f.Kind == Hide || f.Kind == Merge {
		n++
	}
	if f.Then != nil {
		n += f.Then.MaxRepeats()
	}
	return n
}

// MayLeaveRequestOpen reports whether a status may have a request whose outcome is not known: its answer is lost, or the API server has carried
// out the write before it and its answer is lost, so that the request is not sent.
func (f Fault) MayLeaveRequestOpen() bool {
	return f.MaxRepeats() > 0 || apiAnswers[f.Kind].acts || f.Then != nil && f.Then.MayLeaveRequestOpen()
}

// isOutsideAnswer reports whether the fault replaces an answer of a broker or a receiver.
func (f Fault) isOutsideAnswer() bool {
	_, outside := outsideAnswers[f.Kind]
	return outside
}

// MayHideReceiver reports whether the operator may send to a receiver with an outdated version of the receiver or of its Secret.
func (f Fault) MayHideReceiver() bool {
	return strings.HasPrefix(strings.TrimPrefix(f.Watched, "cluster"), "receivers") || strings.HasPrefix(f.Watched, "secrets") || slices.Contains([]string{WatchCut, WatchGone, Frozen, Stale, Standby}, f.Kind)
}

// MayWriteSecretLate reports whether a former leader may write credentials into a Secret while the next leader, to which the broker does not
// reveal them, removes that binding. No lock covers both a Secret and a broker; the next leader replaces the Secret soon after.
func (f Fault) MayWriteSecretLate() bool {
	return f.Kind == Deposed && strings.Contains(string(f.At), ":secrets/")
}
