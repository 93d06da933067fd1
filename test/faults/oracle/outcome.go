// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
)

// EqualOutcome reports whether a run ended like the one without faults. After a fault it may be unknown whether a request arrived: a
// receiver with AtMostOnce may have got less, and the Alert says so; a receiver without keys may have got a message twice.
func (c Checker) EqualOutcome(state, expected string) bool {
	if c.HasEndedEarly() {
		return !c.hasObjects()
	}
	if c.RetryRequests > 0 || c.Fault.Kind == proxy.NeighbourEdits {
		state, expected = retryFields.ReplaceAllString(state, ""), retryFields.ReplaceAllString(expected, "")
	}
	if c.Fault.MayLeaveRequestOpen() { // then it may be unknown whose request created a resource with a supplied id
		state = strings.ReplaceAll(state, `"ownershipUnknown":true,`, "")
	}
	if c.TimingDependent || c.isEqual(state, expected) {
		return true
	}
	if c.RevertedContent != "" { // the operator may have missed the revert
		if state, expected = c.withoutReverted(state), c.withoutReverted(expected); c.isEqual(state, expected) {
			return true
		}
	}
	if !c.Fault.MayLoseAnswer() && !c.Fault.MayHideReceiver() {
		return false
	}
	have, haveFiring := splitLines(state, firingLine)
	want, wantFiring := splitLines(expected, firingLine)
	if !c.mayFire(haveFiring, wantFiring) {
		return false
	}
	want = slices.DeleteFunc(want, func(line string) bool { return !slices.Contains(have, line) && c.mayBeOverwritten(line, want, have) })
	late := 0 // messages that only a delayed request explains
	have = slices.DeleteFunc(have, func(line string) bool {
		if slices.Contains(want, line) {
			return false
		}
		isExtra := c.mayBeExtra(line, want)
		if !isExtra && c.mayBeLate(line) {
			late++
			return true
		}
		return isExtra
	})
	want = slices.DeleteFunc(want, func(line string) bool { return !slices.Contains(have, line) && c.mayBeUnknown(line) })
	if len(want) != len(have) || late > 1 {
		return false
	}
	for i := range want {
		if want[i] != have[i] && !c.mayDiffer(have[i], want[i]) {
			return false
		}
	}
	return true
}

// isEqual reports whether two states are equal, but for what a neighbour has edited.
func (c Checker) isEqual(state, expected string) bool {
	return state == expected || c.Fault.Kind == proxy.NeighbourEdits && c.isEqualAfterEdits(state, expected)
}

// hasObjects reports whether the namespace has objects of the operator.
func (c Checker) hasObjects() bool {
	all, err := c.Objects()
	return err != nil || slices.ContainsFunc(all, func(o client.Object) bool { return o.GetNamespace() != "" })
}

// withoutReverted removes messages with the reverted content from a state: an operator that did not see the revert may send it.
func (c Checker) withoutReverted(state string) string {
	lines := slices.DeleteFunc(strings.Split(state, "\n"), func(line string) bool {
		return !objectLine.MatchString(line) && strings.Contains(line, c.RevertedContent)
	})
	return strings.Join(lines, "\n")
}

// splitLines returns the lines of a state that do not match a pattern, and those that do.
func splitLines(state string, pattern *regexp.Regexp) (others, matching []string) {
	for line := range strings.SplitSeq(state, "\n") {
		if pattern.MatchString(line) {
			matching = append(matching, line)
		} else {
			others = append(others, line)
		}
	}
	return others, matching
}

// mayFire reports whether receivers may show other Alerts as firing than expected: one with AtMostOnce may have got no page, or no resolve, of an Alert
// of which an answer may be lost.
func (c Checker) mayFire(have, want []string) bool {
	if len(have) != len(want) {
		return false
	}
	for i, line := range have {
		is, should := firingLine.FindStringSubmatch(line), firingLine.FindStringSubmatch(want[i])
		if is[1] != should[1] {
			return false
		}
		receiver, shows, expected := is[1], strings.Fields(is[2]), strings.Fields(should[2])
		for _, alert := range append(slices.Clone(shows), expected...) {
			isExpected := slices.Contains(shows, alert) == slices.Contains(expected, alert)
			if mayDiffer := c.receiverOf(line).AtMostOnce && c.Fault.MayLoseAnswerTo(receiver, strings.Trim(alert, `"`)); !isExpected && !mayDiffer {
				return false
			}
		}
	}
	return true
}

// mayBeExtra reports whether a line is a message that only a fault causes. A receiver with AtMostOnce may get a change as its first message. A
// receiver without keys may have got the text of a message that was resolved or edited later.
func (c Checker) mayBeExtra(line string, want []string) bool {
	name, text, _ := strings.Cut(line, " ")
	p := c.receiverOf(line)
	if p.AtMostOnce {
		updated := strings.Replace(text, "alert.fired", "alert.updated", 1)
		return c.mayBeUnknown(line) && (slices.Contains(want, name+" "+updated) || slices.Contains(want, name+" Updated: "+text))
	}
	if p.Service == nil || !c.Fault.MayLoseAnswerTo(name, "") && !c.Fault.MayHideReceiver() {
		return false
	}
	return slices.Contains(want, name+" Resolved: "+text) ||
		slices.ContainsFunc(want, func(line string) bool { return c.receiverOf(line).Service != nil && strings.HasSuffix(line, " "+text) })
}

// mayBeUnknown reports whether a line is a message to a receiver with AtMostOnce whose answer may be lost, so that it is not sent again.
func (c Checker) mayBeUnknown(line string) bool {
	name, _, _ := strings.Cut(line, " ")
	alert := ""
	if found := alertOfMessage.FindStringSubmatch(line); found != nil {
		alert = found[1]
	}
	return c.receiverOf(line).AtMostOnce && c.Fault.MayLoseAnswerTo(name, alert)
}

// mayBeLate reports whether a line is a message of the delayed request, which arrived after the end.
func (c Checker) mayBeLate(line string) bool {
	name, _, _ := strings.Cut(line, " ")
	return c.Receivers[name] != nil && c.isDelayed() && name == c.Fault.Receiver()
}

// isDelayed reports whether the request to a receiver is delayed until another process leads.
func (c Checker) isDelayed() bool { return c.Fault.Kind == proxy.Deposed && c.Fault.IsAtReceiver() }

// mayBeOverwritten reports whether a message is not there because a delayed request edited it last: the receiver shows another message instead,
// and without keys it cannot refuse an older edit.
func (c Checker) mayBeOverwritten(line string, want, have []string) bool {
	name, _, _ := strings.Cut(line, " ")
	return c.mayBeLate(line) && strings.HasPrefix(string(c.Fault.At), "PATCH:") && slices.ContainsFunc(have, func(other string) bool {
		return strings.HasPrefix(other, name+" ") && !slices.Contains(want, other)
	})
}

// receiverOf returns the receiver of a message in a state.
func (c Checker) receiverOf(line string) *scenario.FakeReceiver {
	name, _, _ := strings.Cut(line, " ")
	if p := c.Receivers[name]; p != nil {
		return p
	}
	return &scenario.FakeReceiver{}
}

// The Ready condition of receivers as snapshot.Describe writes it.
const (
	notProbedCondition = `"reason":"NotProbed","status":"True","type":"Ready"`
	probedCondition    = `"reason":"Reachable","status":"True","type":"Ready"`
)

// firingText begins what a state says of the Alerts that a receiver shows as firing.
const firingText = "shows as firing: "

var (
	firingLine     = regexp.MustCompile(`^(\S+) ` + firingText + `\[(.*)\]$`)
	alertOfMessage = regexp.MustCompile(`^\S+ alert\.[a-z]+ of (\S+): `)
)

var objectLine = regexp.MustCompile(`^v1beta1\.(Alert|(?:Cluster)?Receiver) (\S+) (.*)$`)

// mayDiffer reports whether a line may differ from the expected one: an Alert whose only difference is an unknown outcome at receivers with
// AtMostOnce; such a receiver; or a receiver whose status a killed process did not record, or an outdated cache did not show.
func (c Checker) mayDiffer(line, expected string) bool {
	is, should := objectLine.FindStringSubmatch(line), objectLine.FindStringSubmatch(expected)
	if is == nil || should == nil || is[1] != should[1] || is[2] != should[2] {
		return false
	}
	if is[1] != "Alert" {
		return c.receiverOf(is[2]).AtMostOnce && c.Fault.MayLoseAnswerTo(is[2], "") || (c.Fault.HasSuccessor() || c.Fault.MayHideReceiver()) && strings.ReplaceAll(strings.ReplaceAll(is[3], notProbedCondition, probedCondition), "NotProbed", "Reachable") == should[3]
	}
	var a, b v1beta1.Alert
	if json.Unmarshal([]byte(is[3]), &a) != nil || json.Unmarshal([]byte(should[3]), &b) != nil || len(a.Status.Deliveries) != len(b.Status.Deliveries) {
		return false
	}
	open := false
	for i, row := range a.Status.Deliveries {
		switch {
		case scenario.IsOutcomeUnknown(row) && c.receiverOf(row.Name).AtMostOnce && c.Fault.MayLoseAnswerTo(row.Name, is[2]):
			open = true
		case row != b.Status.Deliveries[i]:
			return false
		}
	}
	return open && scenario.ReadyReason(&a) == v1beta1.ReasonOutcomeUnknown && fmt.Sprint(a.Spec) == fmt.Sprint(b.Spec)
}

// retryFields differ where the user requested a retry.
var retryFields = regexp.MustCompile(`"(updateRequests|(observedG|reconciledG|g)eneration)":\d+,?|"(rebind|attemptedRebind)":"[^"]*",?`)
