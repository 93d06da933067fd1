// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"fmt"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// sourceScenarios are about Alerts that senders post to an AlertSource.
func sourceScenarios() []Scenario {
	all := []Scenario{
		{Name: "source", ShortTimes: true, Steps: func(e *Environment) {
			first := e.Sender.start("Disk", "node-1")
			e.fire(first)
			over := e.finish(first)
			e.pauseFrom(first.startsAt, JoinEvery+time.Second)
			e.pauseFrom(over[0].endsAt, time.Second) // the times of instances are in whole seconds
			again := e.Sender.start("Disk", "node-1")
			e.fire(again)
			e.post(over...) // again, as Prometheus does for 15 minutes
			e.finish(again)
		}},
		{Name: "source-many", MaxFaults: 60, Prepare: prepareSource(func(s *v1beta1.AlertSource) { s.Spec.MaxAlerts = 48 }), Steps: func(e *Environment) {
			var all []ruleAlert
			for n := range 50 {
				all = append(all, e.Sender.start(fmt.Sprintf("Disk%02d", n), fmt.Sprintf("node-%02d", n)))
			}
			e.fire(all...)
			e.finish(all...)
		}},
		{Name: "source-grows", ShortTimes: true, timingDependent: true, Steps: groupGrows},
		{Name: "source-lapses", ShortTimes: true, Steps: alertLapses},
		{Name: "source-replicas", Replicas: true, Steps: func(e *Environment) {
			a := e.Sender.start("Disk", "node-1")
			e.post(a)
			e.fire(a)
			e.post(a)
			e.post(a)
			e.post(e.Sender.end(a))
			e.finish(a)
		}},
		{Name: "source-resolved-by-person", ShortTimes: true, Steps: func(e *Environment) {
			a := e.Sender.start("Disk", "node-1")
			e.fire(a)
			e.resolveByPerson(a)
			e.pauseFrom(a.startsAt, JoinEvery+time.Second)
			a.endsAt = time.Now().Add(2 * time.Hour) // with each evaluation it is later
			e.post(a)
			e.post(a)
			e.finish(a)
			e.pauseFrom(time.Now(), time.Second) // the times of instances are in whole seconds
			again := e.Sender.start("Disk", "node-1")
			e.fire(again)
			e.finish(again)
		}},
		{Name: "source-webhook", Steps: func(e *Environment) {
			all := []ruleAlert{e.Sender.start("Disk", "node-1"), e.Sender.start("Disk", "node-2")}
			e.postWebhook(all...)
			e.waitInstances(all, "fires", isAnnounced)
			e.postWebhook(e.Sender.end(all[0]), all[1])
			e.waitInstances(all[1:], "fires", isAnnounced)
			e.postWebhook(e.ends(all...)...)
			e.waitInstances(all, "is resolved", isResolved)
		}},
		{Name: "source-deleted", Steps: func(e *Environment) {
			a := e.Sender.start("Disk", "node-1")
			e.fire(a)
			e.remove(e.sourceObject())
			e.waitInstances([]ruleAlert{a}, "says that its source was deleted", func(i storedInstance) bool {
				return strings.Contains(i.alert.Spec.Content, "was deleted") && isAnnounced(i)
			})
		}},
	}
	for i := range all {
		if all[i].Prepare == nil {
			all[i].Prepare = prepareSource()
		}
		all[i].Ingest = true
	}
	return all
}

// groupGrows has a group grow, and shrink, of which nobody is notified. How many messages are about what joins depends on how fast it is posted.
func groupGrows(e *Environment) {
	a := e.Sender.start("Disk", "node-1")
	e.fire(a)
	e.pauseFrom(time.Now(), time.Second) // what begins in the second of a message is a part of it
	b := e.Sender.start("Disk", "node-2")
	e.post(a, b)
	c := e.Sender.start("Disk", "node-3")
	e.fire(a, b, c) // c is a part of the message about b if it began just before that one
	e.waitAnnounced(b)
	e.pauseFrom(time.Now(), time.Second) // messages are told apart by the second
	over := e.Sender.end(b)
	e.postUntil([]ruleAlert{over}, "has ended", func(i storedInstance) bool {
		return i.EndsAt != nil && !strings.Contains(i.alert.Spec.Content, "node-2") && isSettledAs(i.alert, v1beta1.AlertFiring)
	})
	e.finish(a, c)
}

// alertLapses has an alert lapse that is no longer posted, but not while nothing is.
func alertLapses(e *Environment) {
	a, b := e.Sender.start("Disk", "node-1"), e.Sender.start("Memory", "node-2")
	a.endsAt, b.endsAt = time.Time{}, time.Time{}
	e.fire(a, b)
	e.pauseFrom(time.Now(), Lapse+2*time.Second)
	e.Sender.letEnd(b)
	e.waitInstances([]ruleAlert{b}, "is resolved", func(i storedInstance) bool {
		a.percent++
		e.post(a)
		return isResolved(i)
	})
	e.finish(a)
}
