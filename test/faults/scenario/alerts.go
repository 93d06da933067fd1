// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"errors"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/test/faults/proxy"
)

// withIdempotent prepares a receiver that recognizes repeats by their key.
func withIdempotent(edits ...func(v1beta1.ReceiverObject)) func(*Environment) {
	return func(e *Environment) { e.createIdempotent("hook", edits...) }
}

// withGotify prepares a receiver that does not recognize repeats.
func withGotify(edits ...func(v1beta1.ReceiverObject)) func(*Environment) {
	return func(e *Environment) { e.createGotify("phone", edits...) }
}

// alertLifecycle creates, changes, resolves and deletes an Alert.
func alertLifecycle(receivers ...string) func(*Environment) {
	return func(e *Environment) {
		a := e.createAlert(e.NewAlert("disk", receivers...))
		e.changeAlert(a, setContent("the disk is still full"))
		e.changeAlert(a, resolve)
		e.remove(a)
		e.waitAlertGone(a)
	}
}

func alertScenarios() []Scenario {
	return []Scenario{
		{Name: "alert", Prepare: withIdempotent(), Steps: alertLifecycle("hook")},
		{Name: "alert-no-key", Prepare: withGotify(), Steps: alertLifecycle("phone")},
		{Name: "alert-at-most-once", Prepare: withIdempotent(setAtMostOnce), Steps: alertLifecycle("hook")},
		{Name: "alert-at-most-once-no-key", Prepare: withGotify(setAtMostOnce), Steps: alertLifecycle("phone")},
		{Name: "alert-three", Prepare: func(e *Environment) {
			e.createIdempotent("hook")
			e.createDiscord("chat")
			e.createGotify("phone", setAtMostOnce)
		}, Steps: alertLifecycle("hook", "chat", "phone")},
		{Name: "alert-anew", Prepare: withIdempotent(), Steps: func(e *Environment) {
			for range 2 {
				a := e.createAlert(e.NewAlert("disk", "hook"))
				e.remove(a)
				e.waitAlertGone(a)
			}
		}},
		{Name: "alert-first", Prepare: func(*Environment) {}, Steps: func(e *Environment) {
			a := e.NewAlert("disk", "hook")
			e.create(a)
			e.waitAlertReason(a, v1beta1.ReasonReceiverNotFound)
			e.createIdempotent("hook")
			e.waitSettled(a)
		}},
		{Name: "alert-back", Prepare: withIdempotent(), Steps: contentReverted},
		{Name: "alert-back-unseen", Prepare: withIdempotent(), Steps: contentRevertedUnseen},
		{Name: "alert-again", Prepare: withIdempotent(), Steps: func(e *Environment) {
			a := e.createAlert(e.NewAlert("disk", "hook"))
			e.changeAlert(a, resolve)
			e.changeAlert(a, fire)
		}},
		{Name: "alert-joins", Prepare: withThreeModes, Steps: instancesJoin},
		// Another fault may last as long as the Alert.
		{Name: "alert-again-expires", Prepare: withIdempotent(), Steps: alertAgainExpires, MaxCrashes: 1},
		{Name: "alert-deleted-firing", Prepare: withIdempotent(), Steps: func(e *Environment) {
			a := e.createAlert(e.NewAlert("disk", "hook"))
			e.remove(a)
			e.waitAlertGone(a)
		}},
		// After an answer 503 the receiver may have the page, so that it is resolved until the timeout.
		{Name: "alert-deleted-undelivered", Prepare: withIdempotent(giveUpSoon), Steps: alertDeletedUndelivered},
		{Name: "alert-deleted-at-once", Prepare: func(*Environment) {}, Steps: func(e *Environment) {
			e.TimingDependent = e.Fault.IsAtReceiver() // a deleted Alert is attempted once
			e.createIdempotent("hook")
			a := e.NewAlert("disk", "hook")
			e.create(a)
			e.remove(a)
			e.waitAlertGone(a)
		}},
		{Name: "alert-ttl", Prepare: withIdempotent(), Steps: func(e *Environment) {
			a := e.NewAlert("disk", "hook")
			a.Spec.TTLSecondsAfterFinished = new(int32(2))
			e.create(a)
			e.waitAlertGone(a)
		}},
		{Name: "alert-ttl-anew", Prepare: withIdempotent(), Steps: func(e *Environment) {
			for range 2 {
				a := e.NewAlert("disk", "hook")
				a.Spec.TTLSecondsAfterFinished = new(int32(1))
				e.create(a)
				e.waitAlertGone(a)
			}
		}},
		{Name: "alert-endures", Prepare: withIdempotent(), Steps: alertEndures},
		{Name: "alert-expired", Prepare: withIdempotent(), Steps: alertExpired},
		{Name: "alert-filtered", Prepare: withIdempotent(criticalOnly), Steps: func(e *Environment) {
			a := e.createAlert(e.NewAlert("disk", "hook"))
			e.changeAlert(a, func(a *v1beta1.Alert) { a.Spec.Severity = v1beta1.SeverityCritical })
		}},
		{Name: "receiver-edited", Prepare: withIdempotent(suspend), Steps: receiverEdited},
		{Name: "receiver-secret-rotated", Prepare: withIdempotent(), Steps: receiverSecretRotated},
		{Name: "receiver-anew", Prepare: withIdempotent(), Steps: receiverRecreated},
		{Name: "receiver-anew-awaited", Prepare: withIdempotent(suspend), Steps: pendingReceiverRecreated},
		{Name: "receiver-by-default", Prepare: func(*Environment) {}, Steps: defaultReceiver},
	}
}

// contentReverted changes a content and changes it back: that is a third message.
func contentReverted(e *Environment) {
	a := e.createAlert(e.NewAlert("disk", "hook"))
	e.changeAlert(a, setContent("the disk is still full"))
	e.changeAlert(a, setContent("the disk is full"))
}

// contentRevertedUnseen does so while the receiver is unavailable: it gets the first content only, and that again, since the second one may
// have arrived.
func contentRevertedUnseen(e *Environment) {
	a := e.createAlert(e.NewAlert("disk", "hook"))
	e.Receivers["hook"].down.Store(true)
	e.RevertedContent = "the disk is still full"
	edit(e, a, setContent(e.RevertedContent))
	e.waitRetrying(a)
	e.Receivers["hook"].down.Store(false)
	e.changeAlert(a, setContent("the disk is full"))
}

// withThreeModes prepares receivers of which one changes its messages, and two cannot.
func withThreeModes(e *Environment) {
	e.createIdempotent("hook")
	e.createDiscord("chat")
	e.createGotify("phone")
}

// instancesJoin has the instances of an Alert grow, shrink and end, and checks who hears of it: all of a join, and nobody of an end, until all have
// ended.
func instancesJoin(e *Environment) {
	a := e.createAlert(e.newGroup("disk", "hook", "chat", "phone"))
	e.changeAlert(a, setInstances(1, "node-2"))
	e.changeAlert(a, setInstances(2, "node-2", "node-3"))
	e.waitNotified(a, "hook")
	e.changeAlert(a, setInstances(2, "node-3"))
	e.changeAlert(a, resolve)
	e.changeAlert(a, func(a *v1beta1.Alert) {
		fire(a)
		setInstances(9, "node-3")(a)
	})
	e.waitNotified(a, "hook")
}

// alertAgainExpires has an Alert fire again when its first time has passed: its expiry counts from then.
func alertAgainExpires(e *Environment) {
	const seconds = 8
	a := e.NewAlert("disk", "hook")
	a.Spec.ExpireAfterSeconds = new(int32(seconds))
	e.createAlert(a)
	e.changeAlert(a, resolve)
	proxy.Sleep(e.Ctx, time.Until(a.CreationTimestamp.Add((seconds+1)*time.Second)))
	edit(e, a, fire)
	e.waitAlertReason(a, v1beta1.ReasonSent)
}

// alertDeletedUndelivered checks that a receiver that was unavailable gets no message of a deleted Alert.
func alertDeletedUndelivered(e *Environment) {
	e.Receivers["hook"].down.Store(true)
	a := e.NewAlert("disk", "hook")
	e.create(a)
	e.waitRetrying(a)
	e.remove(a)
	e.waitAlertGone(a)
	e.Receivers["hook"].down.Store(false)
	e.createAlert(e.NewAlert("memory", "hook"))
}

// alertExpired checks that a receiver that was unavailable gets no message of an expired Alert.
func alertExpired(e *Environment) {
	e.Receivers["hook"].down.Store(true)
	a := e.NewAlert("disk", "hook")
	a.Spec.ExpireAfterSeconds = new(int32(4))
	e.create(a)
	e.waitAlertReason(a, v1beta1.ReasonExpired)
	e.Receivers["hook"].down.Store(false)
	e.createAlert(e.NewAlert("memory", "hook"))
}

// alertEndures checks that an Alert whose time is not over is sent once its receiver is available, and stays when it is resolved.
func alertEndures(e *Environment) {
	e.Receivers["hook"].down.Store(true)
	a := e.NewAlert("disk", "hook")
	a.Spec.ExpireAfterSeconds, a.Spec.TTLSecondsAfterFinished = new(int32(enduranceTime/time.Second)), new(int32(enduranceTime/time.Second))
	e.create(a)
	e.waitRetrying(a)
	e.Receivers["hook"].down.Store(false)
	e.waitSettled(a)
	e.changeAlert(a, resolve)
}

// receiverEdited checks that an edit releases Alerts that wait for the receiver, and repeats nothing.
func receiverEdited(e *Environment) {
	a := e.NewAlert("disk", "hook")
	e.create(a)
	e.waitAlertReason(a, v1beta1.ReasonSuspended)
	r := e.receiverObject("hook")
	edit(e, r, func(r v1beta1.ReceiverObject) { r.Common().Suspend = false })
	e.waitSettled(a)
	edit(e, r, func(r v1beta1.ReceiverObject) { r.Common().TimeoutSeconds = 2 })
	e.changeAlert(a, resolve)
}

// receiverSecretRotated checks the same of a new Secret.
func receiverSecretRotated(e *Environment) {
	hook := e.Receivers["hook"]
	hook.ExpectsRefusals = true
	a := e.createAlert(e.NewAlert("disk", "hook"))
	shown := e.injector.EventCount("secrets/hook")
	e.rotateSecret("hook", rotatedSecret)
	if !e.Fault.HasSuccessor() && !e.Fault.MayHideReceiver() { // otherwise another process lists the Secret, or the event is delayed
		e.await("the operator is shown the Secret", func() error {
			if e.injector.EventCount("secrets/hook") == shown {
				return errors.New("no event")
			}
			return nil
		})
	}
	b := e.NewAlert("memory", "hook")
	e.create(b)
	e.waitAlert(b, b.Name+" is refused", func() bool { // or sent with the former secret, by an operator that had not seen the change
		return isUnauthorized(b) || e.Fault.MayHideReceiver() && b.Status.FinishedTime != nil
	})
	_, right := e.credential()
	e.rotateSecret("hook", right)
	e.waitSettled(b)
	e.changeAlert(a, resolve)
}

// receiverRecreated checks that a receiver that is created again gets new messages, and none twice.
func receiverRecreated(e *Environment) {
	a := e.createAlert(e.NewAlert("disk", "hook"))
	e.recreateReceiver(func(*v1beta1.CommonReceiverSpec) {})
	e.changeAlert(a, setContent("the disk is still full"))
	e.changeAlert(a, resolve)
}

// pendingReceiverRecreated checks that a receiver that is created again gets the Alerts that wait for it.
func pendingReceiverRecreated(e *Environment) {
	a := e.NewAlert("disk", "hook")
	e.create(a)
	e.waitAlertReason(a, v1beta1.ReasonSuspended)
	e.recreateReceiver(func(spec *v1beta1.CommonReceiverSpec) { spec.Suspend = false })
	e.waitSettled(a)
}

// defaultReceiver checks that an Alert without receivers waits for a default one, and does not move to a newer one.
func defaultReceiver(e *Environment) {
	a := e.NewAlert("disk")
	e.create(a)
	e.waitAlertReason(a, v1beta1.ReasonNoReceiver)
	e.createIdempotent("hook", markDefault)
	e.waitSettled(a)
	proxy.Sleep(e.Ctx, time.Second+100*time.Millisecond) // the newest default receiver is used, and creation times are in seconds
	e.createIdempotent("other", markDefault)
	e.changeAlert(a, setContent("the disk is still full"))
	e.createAlert(e.NewAlert("memory"))
}
