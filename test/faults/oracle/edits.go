// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gophernetes/bellhop/test/faults/scenario"
)

// message is a line of a state about a message that a receiver got.
type message struct {
	event   string // of which Alert, where the receiver says that; "": an Alert fires
	content string
	keys    int
}

var messageLine = regexp.MustCompile(`^(\S+) (alert\.[a-z]+ of \S+: |Updated: |Resolved: |Continued: )?(.*) \(under (\d+) keys\)$`)

// isUpdate reports whether the message changes another one, so that it notifies of nothing.
func (m message) isUpdate() bool {
	return strings.HasPrefix(m.event, "alert.updated ") || m.event == "Updated: " || m.event == "Continued: "
}

// isEdited reports whether the message has what a neighbour wrote.
func (m message) isEdited() bool { return strings.Contains(m.content, scenario.NeighbourText) }

// isEqualAfterEdits reports whether two states are equal but for messages of a content that a neighbour edits, and edits back: both may be sent or not, and
// a message may have the content of the neighbour instead of that of the user. The pages and resolves of an Alert are as many, whatever their content.
func (c Checker) isEqualAfterEdits(state, expected string) bool {
	have, haveLines := splitLines(state, messageLine)
	want, wantLines := splitLines(expected, messageLine)
	if !slices.Equal(have, want) {
		return false
	}
	has, wants := messagesOf(haveLines), messagesOf(wantLines)
	for _, name := range slices.Concat(slices.Collect(maps.Keys(has)), slices.Collect(maps.Keys(wants))) {
		if !isEachExplained(has[name], wants[name]) || !haveEqualNumbers(has[name], wants[name], c.receiverOf(name).Inbox != nil) {
			return false
		}
	}
	return true
}

// messagesOf returns the messages of each receiver.
func messagesOf(lines []string) map[string][]message {
	all := map[string][]message{}
	for _, line := range lines {
		found := messageLine.FindStringSubmatch(line)
		keys, _ := strconv.Atoi(found[4]) // they are digits
		all[found[1]] = append(all[found[1]], message{found[2], found[3], keys})
	}
	return all
}

// isEachExplained reports whether a receiver has no other content than expected but that of the neighbour, and each expected message, or instead of it a change
// to its content, or what the neighbour wrote.
func isEachExplained(have, want []message) bool {
	for _, m := range have {
		isSame := func(other message) bool { return other.content == m.content }
		if !m.isEdited() && !slices.ContainsFunc(want, isSame) {
			return false
		}
	}
	if slices.ContainsFunc(have, message.isEdited) {
		return true
	}
	for _, m := range want {
		isInstead := func(other message) bool {
			return other.content == m.content && (other.event == m.event || other.isUpdate())
		}
		if !slices.ContainsFunc(have, isInstead) {
			return false
		}
	}
	return true
}

// haveEqualNumbers reports whether a receiver has as many pages and resolves as expected. Without keys one text stands for all that are the same, and a page
// may be changed where it is shown.
func haveEqualNumbers(have, want []message, hasKeys bool) bool {
	has, wants := numbers(have), numbers(want)
	for _, event := range slices.Concat(slices.Collect(maps.Keys(has)), slices.Collect(maps.Keys(wants))) {
		n, expected := has[event], wants[event]
		isLost := n == 0 && expected > 0 && event == "Resolved: "
		if n > expected || isLost || n < expected && hasKeys {
			return false
		}
	}
	return true
}

// numbers returns the number of messages of each event, without updates.
func numbers(all []message) map[string]int {
	byEvent := map[string]int{}
	for _, m := range all {
		if !m.isUpdate() {
			byEvent[m.event] += m.keys
		}
	}
	return byEvent
}
