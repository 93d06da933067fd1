// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"regexp"
	"strings"

	"github.com/gophernetes/bellhop/test/internal/panics"
)

// stackFunctions matches the functions in the stack of a goroutine.
var stackFunctions = regexp.MustCompile(`(?m)^[^\s(]+\.[^\s]+`)

// moduleFrame matches a stack with a function of this module. File paths, which follow a tab, may contain its name, too.
var moduleFrame = regexp.MustCompile(`(?m)^(created by )?github\.com/gophernetes/bellhop/`)

// logFrame matches a function through which libraries, too, write log messages, such as those of work queues about themselves.
var logFrame = regexp.MustCompile(`(?m)^github\.com/gophernetes/bellhop/internal/operator\.(quiet|\(\*quiet\))\..*`)

// permanentGoroutines match goroutines that run as long as the process, such as informers, the renewal of the lease, those of a watch that waits for the API server, and
// those that read from idle connections of receivers and brokers. The server of webhooks, and what starts an informer of labelled objects, have
// other names in former versions: see hack/skew.sh.
var permanentGoroutines = regexp.MustCompile(`operator\.(ReturnMemory|\(\*exclusiveLock\)\.|\(\*(webhook|draining)Server\)\.Start)|httpserver\.\(\*listener\)\.[aA]ccept|alert\.\(\*Reconciler\)\.drain|repost\.\(\*Loop\)\.Start|health\.\(\*objects\)\.start(Kind|One)|apiserver\.(FollowAddresses|roundTripper\.RoundTrip)|outbound\.\(\*listeningConn\)\.Read`)

// raceText begins the output of the race detector.
const raceText = "WARNING: DATA RACE"

// CheckLog checks the output of the processes, and, if the last one was idle, the goroutines that it had.
func (c Checker) CheckLog(log string, atRest bool) {
	log, dump, _ := strings.Cut(log, "SIGQUIT: quit")
	if lines := panics.Lines(log, false); len(lines) > 0 {
		c.Reportf("the operator panicked: %s", lines[0][:min(len(lines[0]), 400)])
	}
	if _, race, found := strings.Cut(log, raceText); found {
		c.Reportf("the operator panicked: %s%s", raceText, race[:min(len(race), 400)])
	}
	c.checkText("the log", log)
	if !atRest {
		return
	}
	for stack := range strings.SplitSeq(dump, "\n\n") {
		if moduleFrame.MatchString(logFrame.ReplaceAllString(stack, "")) && !permanentGoroutines.MatchString(stack) {
			c.Reportf("an idle operator has the goroutine: %s", strings.Join(stackFunctions.FindAllString(stack, -1), " < "))
		}
	}
}
