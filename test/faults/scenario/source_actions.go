// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/ingest/endpoint"
	"github.com/gophernetes/bellhop/test/faults/proxy"
)

// The times of the operator in scenarios of AlertSources, see sweep.shortTimes.
const (
	// JoinEvery is how often the message about a group notifies.
	JoinEvery = 3 * time.Second
	// Lapse is for how long an alert fires whose end is not posted, unless it is posted again.
	Lapse = 3 * time.Second
)

// repeatEvery is how often alerts are posted again.
const repeatEvery = 2 * time.Second

// prepareSource prepares an AlertSource with a receiver.
func prepareSource(edits ...func(*v1beta1.AlertSource)) func(*Environment) {
	return func(e *Environment) {
		e.createIdempotent("hook")
		e.createSecret(sourceName, map[string]string{endpoint.TokenKey: PlainCanary})
		s := e.sourceObject()
		s.Spec.SecretRef = &v1beta1.SecretReference{Name: sourceName}
		s.Spec.ReceiverRefs = []v1beta1.ReceiverRef{e.receiverRef("hook")}
		for _, edit := range edits {
			edit(s)
		}
		e.create(s)
		e.await("the AlertSource is Ready", func() error {
			if err := e.get(s); err != nil {
				return err
			}
			if !meta.IsStatusConditionTrue(s.Status.Conditions, v1beta1.ConditionReady) {
				return fmt.Errorf("%+v", s.Status)
			}
			return nil
		})
	}
}

func (e *Environment) sourceObject() *v1beta1.AlertSource {
	return &v1beta1.AlertSource{ObjectMeta: e.objectMeta(sourceName)}
}

// ends returns alerts that end.
func (e *Environment) ends(alerts ...ruleAlert) (over []ruleAlert) {
	for _, a := range alerts {
		over = append(over, e.Sender.end(a))
	}
	return over
}

// fire posts alerts until each is in a message of an Alert that fires.
func (e *Environment) fire(alerts ...ruleAlert) { e.postUntil(alerts, "fires", isAnnounced) }

// finish posts the ends of alerts until their Alerts are resolved, and returns them.
func (e *Environment) finish(alerts ...ruleAlert) []ruleAlert {
	over := e.ends(alerts...)
	e.postUntil(over, "is resolved", isResolved)
	return over
}

func isAnnounced(i storedInstance) bool {
	return i.EndsAt == nil && !i.Waiting && isSettledAs(i.alert, v1beta1.AlertFiring)
}

func isResolved(i storedInstance) bool {
	return i.EndsAt != nil && isSettledAs(i.alert, v1beta1.AlertResolved)
}

// isSettledAs reports whether an Alert has a state, and its present version is settled.
func isSettledAs(a *v1beta1.Alert, state v1beta1.AlertState) bool {
	return a.Spec.State == state && a.Status.ObservedGeneration == a.Generation && isSettled(a)
}

// postUntil posts alerts, and again as a sender does, until all are in a state. That is what heals a post that was answered from an outdated
// cache.
func (e *Environment) postUntil(alerts []ruleAlert, what string, is func(storedInstance) bool) {
	e.post(alerts...)
	again := time.Now().Add(repeatEvery)
	e.waitInstances(alerts, what, func(i storedInstance) bool {
		if time.Now().After(again) {
			e.post(alerts...)
			again = time.Now().Add(repeatEvery)
		}
		return is(i)
	})
}

// waitInstances waits until the instances of all alerts are in a state.
func (e *Environment) waitInstances(alerts []ruleAlert, what string, is func(storedInstance) bool) {
	e.await(fmt.Sprintf("%s, of %d, %s", alerts[0].node, len(alerts), what), func() error {
		stored, err := e.instancesByNode()
		if err != nil {
			return err
		}
		for _, a := range alerts {
			found := stored[a.node]
			if found.alert == nil {
				found.alert = &v1beta1.Alert{}
			}
			if !is(found) {
				return fmt.Errorf("%s: %+v, %s, %+v", a.node, found.AlertInstance, found.alert.Spec.State, found.alert.Status)
			}
		}
		return nil
	})
}

// waitAnnounced waits until a message that notifies has a line about an alert.
func (e *Environment) waitAnnounced(a ruleAlert) {
	e.await("the receiver is notified of "+a.node, func() error {
		for text := range e.Receivers["hook"].Received() {
			if strings.HasPrefix(text, "alert.fired ") && strings.Contains(text, a.node+" ") {
				return nil
			}
		}
		return fmt.Errorf("it has %v", e.Receivers["hook"].Received())
	})
}

// pauseFrom waits until a time has passed since another time.
func (e *Environment) pauseFrom(since time.Time, d time.Duration) {
	proxy.Sleep(e.Ctx, time.Until(since.Add(d)))
}

// resolveByPerson resolves the Alert of an alert that goes on.
func (e *Environment) resolveByPerson(a ruleAlert) {
	stored, err := e.instancesByNode()
	e.must(err)
	e.changeAlert(stored[a.node].alert, resolve)
}
