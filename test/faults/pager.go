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
	"errors"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// withWebhook prepares a world with one receiver that knows keys.
func withWebhook(edits ...func(v1beta1.ReceiverObject)) func(*environment) {
	return func(w *environment) { w.createWebhook("hook", edits...) }
}

// withGotify prepares one with a receiver that does not.
func withGotify(edits ...func(v1beta1.ReceiverObject)) func(*environment) {
	return func(w *environment) { w.createGotify("phone", edits...) }
}

// alertLifecycle is what becomes of most Alerts.
func alertLifecycle(receivers ...string) func(*environment) {
	return func(w *environment) {
		a := w.createAlert(w.newAlert("disk", receivers...))
		w.changeAlert(a, setContent("the disk is still full"))
		w.changeAlert(a, resolve)
		w.remove(a)
		w.waitAlertGone(a)
	}
}

func alertScenarios() []Scenario {
	return []Scenario{
		{name: "alert", prepare: withWebhook(), steps: alertLifecycle("hook")},
		{name: "alert-no-key", prepare: withGotify(), steps: alertLifecycle("phone")},
		{name: "alert-at-most-once", prepare: withWebhook(setAtMostOnce), steps: alertLifecycle("hook")},
		{name: "alert-at-most-once-no-key", prepare: withGotify(setAtMostOnce), steps: alertLifecycle("phone")},
		{name: "alert-three", prepare: func(w *environment) {
			w.createWebhook("hook")
			w.createDiscord("chat")
			w.createGotify("phone", setAtMostOnce)
		}, steps: alertLifecycle("hook", "chat", "phone")},
		{name: "alert-anew", prepare: withWebhook(), steps: func(w *environment) {
			for range 2 {
				a := w.createAlert(w.newAlert("disk", "hook"))
				w.remove(a)
				w.waitAlertGone(a)
			}
		}},
		{name: "alert-first", prepare: func(*environment) {}, steps: func(w *environment) {
			a := w.newAlert("disk", "hook")
			w.create(a)
			w.waitAlertReason(a, v1beta1.ReasonReceiverNotFound)
			w.createWebhook("hook")
			w.waitSettled(a)
		}},
		{name: "alert-back", prepare: withWebhook(), steps: contentReverted},
		{name: "alert-back-unseen", prepare: withWebhook(), steps: contentRevertedUnseen},
		{name: "alert-again", prepare: withWebhook(), steps: func(w *environment) {
			a := w.createAlert(w.newAlert("disk", "hook"))
			w.changeAlert(a, resolve)
			w.changeAlert(a, fire)
		}},
		{name: "alert-deleted-firing", prepare: withWebhook(), steps: func(w *environment) {
			a := w.createAlert(w.newAlert("disk", "hook"))
			w.remove(a)
			w.waitAlertGone(a)
		}},
		{name: "alert-deleted-undelivered", prepare: withWebhook(), steps: alertDeletedUndelivered},
		{name: "alert-deleted-at-once", prepare: func(*environment) {}, steps: func(w *environment) {
			w.timingDependent = w.fault.isAtReceiver() // there is one attempt
			w.createWebhook("hook")
			a := w.newAlert("disk", "hook")
			w.create(a)
			w.remove(a)
			w.waitAlertGone(a)
		}},
		{name: "alert-ttl", prepare: withWebhook(), steps: func(w *environment) {
			a := w.newAlert("disk", "hook")
			a.Spec.TTLSecondsAfterFinished = new(int32(2))
			w.create(a)
			w.waitAlertGone(a)
		}},
		{name: "alert-ttl-anew", prepare: withWebhook(), steps: func(w *environment) {
			for range 2 {
				a := w.newAlert("disk", "hook")
				a.Spec.TTLSecondsAfterFinished = new(int32(1))
				w.create(a)
				w.waitAlertGone(a)
			}
		}},
		{name: "alert-expired", prepare: withWebhook(), steps: alertExpired},
		{name: "alert-filtered", prepare: withWebhook(criticalOnly), steps: func(w *environment) {
			a := w.createAlert(w.newAlert("disk", "hook"))
			w.changeAlert(a, func(a *v1beta1.Alert) { a.Spec.Severity = v1beta1.SeverityCritical })
		}},
		{name: "receiver-edited", prepare: withWebhook(suspend), steps: receiverEdited},
		{name: "receiver-secret-rotated", prepare: withWebhook(), steps: receiverSecretRotated},
		{name: "receiver-anew", prepare: withWebhook(), steps: receiverRecreated},
		{name: "receiver-anew-awaited", prepare: withWebhook(suspend), steps: pendingReceiverRecreated},
		{name: "receiver-by-default", prepare: func(*environment) {}, steps: defaultReceiver},
	}
}

// contentReverted goes from A to B and back: that is a third message.
func contentReverted(w *environment) {
	a := w.createAlert(w.newAlert("disk", "hook"))
	w.changeAlert(a, setContent("the disk is still full"))
	w.changeAlert(a, setContent("the disk is full"))
}

// contentRevertedUnseen does so while the receiver is away: it is told A only, and that anew, as B
// may have arrived.
func contentRevertedUnseen(w *environment) {
	a := w.createAlert(w.newAlert("disk", "hook"))
	w.receivers["hook"].down.Store(true)
	w.revertedContent = "the disk is still full"
	edit(w, a, setContent(w.revertedContent))
	w.waitRetrying(a)
	w.receivers["hook"].down.Store(false)
	w.changeAlert(a, setContent("the disk is full"))
}

// alertDeletedUndelivered: who is away hears nothing of it later.
func alertDeletedUndelivered(w *environment) {
	w.receivers["hook"].down.Store(true)
	a := w.newAlert("disk", "hook")
	w.create(a)
	w.waitRetrying(a)
	w.remove(a)
	w.waitAlertGone(a)
	w.receivers["hook"].down.Store(false)
	w.createAlert(w.newAlert("memory", "hook"))
}

// alertExpired: nor of what has expired.
func alertExpired(w *environment) {
	w.receivers["hook"].down.Store(true)
	a := w.newAlert("disk", "hook")
	a.Spec.ExpireAfterSeconds = new(int32(4))
	w.create(a)
	w.waitAlertReason(a, v1beta1.ReasonExpired)
	w.receivers["hook"].down.Store(false)
	w.createAlert(w.newAlert("memory", "hook"))
}

// receiverEdited: an edit lets go what waits for it, and sends nothing again.
func receiverEdited(w *environment) {
	a := w.newAlert("disk", "hook")
	w.create(a)
	w.waitAlertReason(a, v1beta1.ReasonSuspended)
	r := w.receiverObject("hook")
	edit(w, r, func(r v1beta1.ReceiverObject) { r.Common().Suspend = false })
	w.waitSettled(a)
	edit(w, r, func(r v1beta1.ReceiverObject) { r.Common().TimeoutSeconds = 2 })
	w.changeAlert(a, resolve)
}

// receiverSecretRotated: so does another Secret.
func receiverSecretRotated(w *environment) {
	hook := w.receivers["hook"]
	hook.expectsRefusals = true
	a := w.createAlert(w.newAlert("disk", "hook"))
	shown := w.injector.eventCount("secrets/hook")
	w.rotateSecret("hook", rotatedSecret)
	if !w.fault.hasSuccessor() && !w.fault.mayHideReceiver() { // else another process lists it, or it is shown later
		w.await("the operator is shown the Secret", func() error {
			if w.injector.eventCount("secrets/hook") == shown {
				return errors.New("it is not")
			}
			return nil
		})
	}
	b := w.newAlert("memory", "hook")
	w.create(b)
	w.waitAlert(b, b.Name+" is refused", func() bool { // or was sent with the former secret, by an operator that had not seen the change
		return isUnauthorized(b) || w.fault.mayHideReceiver() && b.Status.FinishedTime != nil
	})
	w.rotateSecret("hook", signingSecret)
	w.waitSettled(b)
	w.changeAlert(a, resolve)
}

// receiverRecreated: one that is deleted and made again is told what is new, and nothing twice.
func receiverRecreated(w *environment) {
	a := w.createAlert(w.newAlert("disk", "hook"))
	w.recreateReceiver(func(*v1beta1.CommonReceiverSpec) {})
	w.changeAlert(a, setContent("the disk is still full"))
	w.changeAlert(a, resolve)
}

// pendingReceiverRecreated: one that is made again lets go what waits for it.
func pendingReceiverRecreated(w *environment) {
	a := w.newAlert("disk", "hook")
	w.create(a)
	w.waitAlertReason(a, v1beta1.ReasonSuspended)
	w.recreateReceiver(func(spec *v1beta1.CommonReceiverSpec) { spec.Suspend = false })
	w.waitSettled(a)
}

// defaultReceiver: an Alert without receivers waits for a default, and is not for the next.
func defaultReceiver(w *environment) {
	a := w.newAlert("disk")
	w.create(a)
	w.waitAlertReason(a, v1beta1.ReasonNoReceiver)
	w.createWebhook("hook", markDefault)
	w.waitSettled(a)
	sleep(w.ctx, time.Second+100*time.Millisecond) // the newest default is the one, and age is in seconds
	w.createWebhook("other", markDefault)
	w.changeAlert(a, setContent("the disk is still full"))
	w.createAlert(w.newAlert("memory"))
}
