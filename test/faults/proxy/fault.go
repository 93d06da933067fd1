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

package proxy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A fault is what is done to one run.
type Fault struct {
	// Kind is what happens; "" is nothing.
	Kind string
	// At is the call to which it happens; from, for what needs two, an earlier one.
	At, From Point
	// Watched is what of a watch it happens to: an event, such as "serviceinstances/db#2", or a
	// resource.
	Watched string
	// Then is what happens to the process that takes over; nil: nothing.
	Then *Fault
}

// A point is one of a process's calls since the scenario's preparation was over: the n-th
// of all, such as "3", or of its name, such as "PATCH:alerts/disk/status#2", which finds it
// also where calls come in another order. Who follows a crash begins to count anew.
type Point string

// PointOf is the n-th call of its name.
func PointOf(c Call, n int) Point {
	return Point(strings.ReplaceAll(c.Name, " ", ":") + "#" + strconv.Itoa(n))
}

// Nth is the n-th of all calls.
func Nth(n int) Point { return Point(strconv.Itoa(n)) }

// The kinds of faults, but for those of answers, which are in answers.go.
const (
	CrashBefore = "crash-before" // the process is killed, the call never sent
	CrashAfter  = "crash-after"  // the call is carried out, then the process is killed
	Stale       = "stale"        // killed after the call; the next process begins with what was before the earlier call
	Frozen      = "frozen"       // the process sees nothing of what happens between the calls
	Standby     = "standby"      // killed after the call; a warm standby that has seen nothing since the earlier call takes over
	Deposed     = "deposed"      // the call comes late, when another leads
	Hide        = "hide"         // a watch leaves an event out, until the next list
	Merge       = "merge"        // a watch makes one of an event and the next about the object
	Late        = "late"         // a watch is slow
	WatchCut    = "watch-cut"    // all watches end at the call
	WatchGone   = "watch-gone"   // and what they have seen is too old to go on from
)

var faultText = func() *regexp.Regexp {
	const point = `\d+|[A-Z]+:[^<+#]+#\d+`
	return regexp.MustCompile(`^([a-z0-9-]+)@(?:(` + point + `)(?:<(` + point + `))?|([a-z]+(?:/[^+]+)?))$`)
}()

// String is how a fault is named on the command line.
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

// ParseFault is the reverse of String.
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

// faultKinds are all there are.
func faultKinds() []string {
	all := []string{CrashBefore, CrashAfter, Stale, Frozen, Standby, Deposed, Hide, Merge, Late, WatchCut, WatchGone}
	for name := range apiAnswers {
		all = append(all, name)
	}
	for name := range outsideAnswers {
		all = append(all, name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// HasSuccessor says whether another process takes over.
func (f Fault) HasSuccessor() bool {
	return slices.Contains([]string{CrashBefore, CrashAfter, Stale, Standby, Deposed}, f.Kind)
}

// NeedsStandby says whether that one has to be there from the beginning.
func (f Fault) NeedsStandby() bool { return f.Kind == Standby || f.Kind == Deposed }

// IsAtReceiver says whether it is a receiver that answers otherwise, or late.
func (f Fault) IsAtReceiver() bool {
	return (f.isOutsideAnswer() || f.Kind == Deposed) && strings.Contains(string(f.At), strings.ReplaceAll(" "+ReceiverPrefix, " ", ":"))
}

// IsBrokerDelete says whether its call removes an instance or a binding at a broker.
func (f Fault) IsBrokerDelete() bool {
	return strings.HasPrefix(string(f.At), "DELETE:service_instances")
}

// definiteAnswers are answers that say that nothing was done. A receiver's 409 may be a proxy's, and then says nothing.
var definiteAnswers = []string{"409", "410", "412", "concurrency", "429", "redirect"}

func (f Fault) isDefiniteAnswer() bool {
	return slices.Contains(definiteAnswers, f.Kind) && (f.Kind != "409" || !f.IsAtReceiver())
}

// MayLoseAnswer says whether it may not be known afterwards what has become of a request.
func (f Fault) MayLoseAnswer() bool {
	return f.losesAnswer() || f.Then != nil && f.Then.MayLoseAnswer()
}

func (f Fault) losesAnswer() bool {
	return f.HasSuccessor() || f.isOutsideAnswer() && !f.isDefiniteAnswer()
}

// MaxRepeats is how often a request may be made again: since its answer is lost, or what was recorded of it is
// not seen though later events are, by which the client takes its own writes for seen.
func (f Fault) MaxRepeats() (n int) {
	if f.losesAnswer() || f.Kind == Hide || f.Kind == Merge {
		n++
	}
	if f.Then != nil {
		n += f.Then.MaxRepeats()
	}
	return n
}

// isOutsideAnswer says whether a broker or receiver answers otherwise.
func (f Fault) isOutsideAnswer() bool {
	_, outside := outsideAnswers[f.Kind]
	return outside
}

// MayHideReceiver: what receivers are told may be by an edition of theirs, or of their Secret, that is over.
func (f Fault) MayHideReceiver() bool {
	return strings.HasPrefix(strings.TrimPrefix(f.Watched, "cluster"), "receivers") || strings.HasPrefix(f.Watched, "secrets") || slices.Contains([]string{WatchCut, WatchGone, Frozen, Stale, Standby}, f.Kind)
}

// MayWriteSecretLate: a former leader writes credentials which the next one, that was not told them, may
// be about to have removed. No lock spans a Secret and a broker; it is replaced soon after.
func (f Fault) MayWriteSecretLate() bool {
	return f.Kind == Deposed && strings.Contains(string(f.At), ":secrets/")
}
