// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package oracle says what must hold in each run, whatever the fault.
package oracle

import (
	"regexp"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/test/faults/scenario"
)

// oracles are the properties that each run must have, with a pattern of the violations that each reports.
var oracles = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"reached", regexp.MustCompile(`: not within `)},
	{"end", regexp.MustCompile(`^the end state differs from the run without faults`)},
	{"rest", regexp.MustCompile(`^the operator does not become idle`)},
	{"orphan", regexp.MustCompile(`^the broker has .*, which no object claims`)},
	{"recorded", regexp.MustCompile(`^PUT of .*, which no object has`)},
	{"finalizer", regexp.MustCompile(` is gone, and the broker still has `)},
	{"truth", regexp.MustCompile(` is Ready, and the broker has nothing of its id| reports that .*, which did not arrive$`)},
	{"in use", regexp.MustCompile(`^DELETE of .*, which the undeleted .* uses$`)},
	{"stranger", regexp.MustCompile(`, which the operator did not create$`)},
	{"protocol", regexp.MustCompile(`^protocol violation`)},
	{"once", regexp.MustCompile(`^receiver .* received \d+ times`)},
	{"key", regexp.MustCompile(`^receiver .* received .* under the key of`)},
	{"refused", regexp.MustCompile(`^receiver .* refused \d+ requests`)},
	{"secret", regexp.MustCompile(`^Secret .* belongs to a binding that is gone|is Ready without its Secret|has other credentials than the broker|has credentials that the broker does not have|whose credentials are in Secret|^a Secret of another owner`)},
	{"canary", regexp.MustCompile(`^a credential is in`)},
	{"panic", regexp.MustCompile(`^the operator panicked`)},
	{"asked", regexp.MustCompile(`^the user had to request`)},
	{"unasked", regexp.MustCompile(`^Alert .* fires, and its object has not failed`)},
	{"warning", regexp.MustCompile(`^nothing failed, and there is the event`)},
	{"answer", regexp.MustCompile(`^a post was answered with `)},
	{"notified", regexp.MustCompile(`^receiver .* was notified `)},
	{"joined", regexp.MustCompile(`^Alert .* notifies of what joins `)},
	{"ended", regexp.MustCompile(`^the instance .* has ended, which its sender has not said$`)},
	{"mention", regexp.MustCompile(`^the API server refused \d+ writes, which no condition mentions$`)},
	{"repeats", regexp.MustCompile(`^the broker got \d+ requests `)},
	{"resolved", regexp.MustCompile(`^receiver .* has not received the end of `)},
	{"goroutine", regexp.MustCompile(`^an idle operator has the goroutine`)},
}

// NameOf returns the name of the oracle that reported a violation; "": none.
func NameOf(problem string) string {
	for _, o := range oracles {
		if o.pattern.MatchString(problem) {
			return o.name
		}
	}
	return ""
}

// Checker checks an environment, and reports violations to it.
type Checker struct {
	*scenario.Environment

	joins *joinTimes
	// hasMention: a condition has mentioned a write that the API server refused.
	hasMention *atomic.Bool
}

// NewChecker returns a checker of an environment.
func NewChecker(env *scenario.Environment) Checker {
	return Checker{env, &joinTimes{last: map[types.UID]time.Time{}}, &atomic.Bool{}}
}

// Check checks all objects, the broker and the receivers; before the operator is idle, only what must hold at any time.
func (c Checker) Check(atRest bool) {
	all, err := c.Objects()
	if err != nil {
		c.Reportf("listing the objects: %v", err)
		return
	}
	if atRest {
		c.checkBroker(all)
		c.checkSecrets(all)
		c.checkResolved()
	}
	for _, o := range all {
		c.checkCanary(o)
	}
	c.checkEvents()
	c.checkMention()
	c.checkReceivers(all)
	if c.Broker == nil {
		return
	}
	for _, violation := range c.Broker.Violations() {
		c.Reportf("protocol violation: %s", violation)
	}
}

// Names returns the names of all oracles.
func Names() (names []string) {
	for _, o := range oracles {
		names = append(names, o.name)
	}
	return names
}
