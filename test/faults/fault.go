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

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A fault is what is done to one run.
type fault struct {
	// kind is what happens; "" is nothing.
	kind string
	// at is the call to which it happens; from, for what needs two, an earlier one.
	at, from point
	// watched is what of a watch it happens to: an event, such as "serviceinstances/db#2", or a
	// resource.
	watched string
	// then is what happens to the process that takes over; nil: nothing.
	then *fault
}

// A point is one of a process's calls since the scenario's preparation was over: the n-th
// of all, such as "3", or of its name, such as "PATCH:alerts/disk/status#2", which finds it
// also where calls come in another order. Who follows a crash begins to count anew.
type point string

// pointOf is the n-th call of its name.
func pointOf(c call, n int) point {
	return point(strings.ReplaceAll(c.name, " ", ":") + "#" + strconv.Itoa(n))
}

// nth is the n-th of all calls.
func nth(n int) point { return point(strconv.Itoa(n)) }

// The kinds of faults, but for those of answers, which are in answers.go.
const (
	crashBefore = "crash-before" // the process is killed, the call never sent
	crashAfter  = "crash-after"  // the call is carried out, then the process is killed
	stale       = "stale"        // killed after the call; the next process begins with what was before the earlier call
	frozen      = "frozen"       // the process sees nothing of what happens between the calls
	standby     = "standby"      // killed after the call; a warm standby that has seen nothing since the earlier call takes over
	deposed     = "deposed"      // the call comes late, when another leads
	hide        = "hide"         // a watch leaves an event out, until the next list
	merge       = "merge"        // a watch makes one of an event and the next about the object
	late        = "late"         // a watch is slow
	watchCut    = "watch-cut"    // all watches end at the call
	watchGone   = "watch-gone"   // and what they have seen is too old to go on from
)

var faultText = func() *regexp.Regexp {
	const point = `\d+|[A-Z]+:[^<+#]+#\d+`
	return regexp.MustCompile(`^([a-z0-9-]+)@(?:(` + point + `)(?:<(` + point + `))?|([a-z]+(?:/[^+]+)?))$`)
}()

// String is how a fault is named on the command line.
func (f fault) String() string {
	if f.kind == "" {
		return "none"
	}
	text := f.kind + "@"
	switch {
	case f.watched != "":
		text += f.watched
	case f.from != "":
		text += string(f.at + "<" + f.from)
	default:
		text += string(f.at)
	}
	if f.then != nil {
		text += "+" + f.then.String()
	}
	return text
}

// parseFault is the reverse of String.
func parseFault(text string) (fault, error) {
	if text == "none" {
		return fault{}, nil
	}
	first, rest, more := strings.Cut(text, "+")
	m := faultText.FindStringSubmatch(first)
	if m == nil || !slices.Contains(faultKinds(), m[1]) {
		return fault{}, fmt.Errorf("%q is no fault: write it like crash-after@3, crash-before@PATCH:alerts/disk/status#2, stale@5<2, hide@serviceinstances/db#2 or crash-after@3+crash-before@1; kinds are %s",
			first, strings.Join(faultKinds(), ", "))
	}
	f := fault{kind: m[1], at: point(m[2]), from: point(m[3]), watched: m[4]}
	if more {
		then, err := parseFault(rest)
		if err != nil {
			return fault{}, err
		}
		f.then = &then
	}
	return f, nil
}

// faultKinds are all there are.
func faultKinds() []string {
	all := []string{crashBefore, crashAfter, stale, frozen, standby, deposed, hide, merge, late, watchCut, watchGone}
	for name := range apiAnswers {
		all = append(all, name)
	}
	for name := range outsideAnswers {
		all = append(all, name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// hasSuccessor says whether another process takes over.
func (f fault) hasSuccessor() bool {
	return slices.Contains([]string{crashBefore, crashAfter, stale, standby, deposed}, f.kind)
}

// needsStandby says whether that one has to be there from the beginning.
func (f fault) needsStandby() bool { return f.kind == standby || f.kind == deposed }

// isAtReceiver says whether it is a receiver that answers otherwise, or late.
func (f fault) isAtReceiver() bool {
	return (f.isOutsideAnswer() || f.kind == deposed) && strings.Contains(string(f.at), strings.ReplaceAll(" "+receiverPrefix, " ", ":"))
}

// isBrokerDelete says whether its call removes an instance or a binding at a broker.
func (f fault) isBrokerDelete() bool {
	return strings.HasPrefix(string(f.at), "DELETE:service_instances")
}

// definiteAnswers are answers that say that nothing was done. A receiver's 409 may be a proxy's, and then says nothing.
var definiteAnswers = []string{"409", "410", "412", "concurrency", "429", "redirect"}

func (f fault) isDefiniteAnswer() bool {
	return slices.Contains(definiteAnswers, f.kind) && (f.kind != "409" || !f.isAtReceiver())
}

// mayLoseAnswer says whether it may not be known afterwards what has become of a request.
func (f fault) mayLoseAnswer() bool {
	return f.losesAnswer() || f.then != nil && f.then.mayLoseAnswer()
}

func (f fault) losesAnswer() bool {
	return f.hasSuccessor() || f.isOutsideAnswer() && !f.isDefiniteAnswer()
}

// maxRepeats is how often a request may be made again: since its answer is lost, or what was recorded of it is
// not seen though later events are, by which the client takes its own writes for seen.
func (f fault) maxRepeats() (n int) {
	if f.losesAnswer() || f.kind == hide || f.kind == merge {
		n++
	}
	if f.then != nil {
		n += f.then.maxRepeats()
	}
	return n
}

// isOutsideAnswer says whether a broker or receiver answers otherwise.
func (f fault) isOutsideAnswer() bool {
	_, outside := outsideAnswers[f.kind]
	return outside
}

// mayHideReceiver: what receivers are told may be by an edition of theirs, or of their Secret, that is over.
func (f fault) mayHideReceiver() bool {
	return strings.HasPrefix(strings.TrimPrefix(f.watched, "cluster"), "receivers") || strings.HasPrefix(f.watched, "secrets") || slices.Contains([]string{watchCut, watchGone, frozen, stale, standby}, f.kind)
}

// mayWriteSecretLate: a former leader writes credentials which the next one, that was not told them, may
// be about to have removed. No lock spans a Secret and a broker; it is replaced soon after.
func (f fault) mayWriteSecretLate() bool {
	return f.kind == deposed && strings.Contains(string(f.at), ":secrets/")
}
