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
	if c.Fault.Kind == proxy.NeighbourEdits {
		state, expected = withoutMessages(state), withoutMessages(expected)
	}
	if state == expected || c.TimingDependent {
		return true
	}
	if c.RevertedContent != "" { // the operator may have missed the revert
		if state, expected = c.withoutReverted(state), c.withoutReverted(expected); state == expected {
			return true
		}
	}
	if !c.Fault.MayLoseAnswer() && !c.Fault.MayHideReceiver() {
		return false
	}
	want, have := strings.Split(expected, "\n"), strings.Split(state, "\n")
	want = slices.DeleteFunc(want, func(line string) bool { return !slices.Contains(have, line) && c.mayBeOverwritten(line, want, have) })
	have = slices.DeleteFunc(have, func(line string) bool { return !slices.Contains(want, line) && c.mayBeExtra(line, want) })
	want = slices.DeleteFunc(want, func(line string) bool { return !slices.Contains(have, line) && c.receiverOf(line).AtMostOnce })
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if want[i] != have[i] && !c.mayDiffer(have[i], want[i]) {
			return false
		}
	}
	return true
}

// hasObjects reports whether the namespace has objects of the operator.
func (c Checker) hasObjects() bool {
	all, err := c.Objects()
	return err != nil || slices.ContainsFunc(all, func(o client.Object) bool { return o.GetNamespace() != "" })
}

// withoutMessages removes what receivers got from a state: what a neighbour edits, and edits back, may be sent or not.
func withoutMessages(state string) string {
	lines := slices.DeleteFunc(strings.Split(state, "\n"), func(line string) bool { return receivedLine.MatchString(line) })
	return strings.Join(lines, "\n")
}

// withoutReverted removes messages with the reverted content from a state: an operator that did not see the revert may send it.
func (c Checker) withoutReverted(state string) string {
	lines := slices.DeleteFunc(strings.Split(state, "\n"), func(line string) bool {
		return !objectLine.MatchString(line) && strings.Contains(line, c.RevertedContent)
	})
	return strings.Join(lines, "\n")
}

// mayBeExtra reports whether a line is a message that only a fault causes. A receiver with AtMostOnce may get a change as its first message. A
// receiver without keys may have got the text of a message that was resolved or edited later. A delayed request may arrive after the end.
func (c Checker) mayBeExtra(line string, want []string) bool {
	name, text, _ := strings.Cut(line, " ")
	p := c.Receivers[name]
	if p == nil { // the line is not a message
		return false
	}
	if c.isDelayed() { // the delayed request arrived last
		return true
	}
	if p.AtMostOnce && strings.HasPrefix(text, firingText) { // it may have got no resolve
		return true
	}
	if p.AtMostOnce {
		updated := strings.Replace(text, "alert.fired", "alert.updated", 1)
		return slices.Contains(want, name+" "+updated) || slices.Contains(want, name+" Updated: "+text)
	}
	return p.Service != nil && (slices.Contains(want, name+" Resolved: "+text) || slices.ContainsFunc(want, func(line string) bool { return c.receiverOf(line).Service != nil && strings.HasSuffix(line, " "+text) }))
}

// isDelayed reports whether the request to a receiver is delayed until another process leads.
func (c Checker) isDelayed() bool { return c.Fault.Kind == proxy.Deposed && c.Fault.IsAtReceiver() }

// mayBeOverwritten reports whether a message is not there because a delayed request edited it last: the receiver shows another message instead,
// and without keys it cannot refuse an older edit.
func (c Checker) mayBeOverwritten(line string, want, have []string) bool {
	name, _, _ := strings.Cut(line, " ")
	edit := regexp.MustCompile("^PATCH:receiver:" + regexp.QuoteMeta(name) + "#")
	return c.isDelayed() && edit.MatchString(string(c.Fault.At)) && slices.ContainsFunc(have, func(other string) bool {
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

var receivedLine = regexp.MustCompile(` \(under \d+ keys\)$|^\S+ ` + firingText)

var objectLine = regexp.MustCompile(`^v1beta1\.(Alert|(?:Cluster)?Receiver) (\S+) (.*)$`)

// mayDiffer reports whether a line may differ from the expected one: an Alert whose only difference is an unknown outcome at receivers with
// AtMostOnce; such a receiver; or a receiver whose status a killed process did not record, or an outdated cache did not show.
func (c Checker) mayDiffer(line, expected string) bool {
	is, should := objectLine.FindStringSubmatch(line), objectLine.FindStringSubmatch(expected)
	if is == nil || should == nil || is[1] != should[1] || is[2] != should[2] {
		return false
	}
	if is[1] != "Alert" {
		return c.Receivers[is[2]].AtMostOnce || (c.Fault.HasSuccessor() || c.Fault.MayHideReceiver()) && strings.ReplaceAll(strings.ReplaceAll(is[3], notProbedCondition, probedCondition), "NotProbed", "Reachable") == should[3]
	}
	var a, b v1beta1.Alert
	if json.Unmarshal([]byte(is[3]), &a) != nil || json.Unmarshal([]byte(should[3]), &b) != nil || len(a.Status.Deliveries) != len(b.Status.Deliveries) {
		return false
	}
	open := false
	for i, row := range a.Status.Deliveries {
		switch {
		case scenario.IsOutcomeUnknown(row) && c.Receivers[row.Name].AtMostOnce:
			open = true
		case row != b.Status.Deliveries[i]:
			return false
		}
	}
	return open && scenario.ReadyReason(&a) == v1beta1.ReasonOutcomeUnknown && fmt.Sprint(a.Spec) == fmt.Sprint(b.Spec)
}

// retryFields differ where the user requested a retry.
var retryFields = regexp.MustCompile(`"(updateRequests|(observedG|reconciledG|g)eneration)":\d+,?|"(rebind|attemptedRebind)":"[^"]*",?`)
