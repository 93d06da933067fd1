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

package scenario

import (
	"errors"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/test/faults/proxy"
)

// withWebhook prepares a world with one receiver that knows keys.
func withWebhook(edits ...func(v1beta1.ReceiverObject)) func(*Environment) {
	return func(w *Environment) { w.createWebhook("hook", edits...) }
}

// withGotify prepares one with a receiver that does not.
func withGotify(edits ...func(v1beta1.ReceiverObject)) func(*Environment) {
	return func(w *Environment) { w.createGotify("phone", edits...) }
}

// alertLifecycle is what becomes of most Alerts.
func alertLifecycle(receivers ...string) func(*Environment) {
	return func(w *Environment) {
		a := w.createAlert(w.NewAlert("disk", receivers...))
		w.changeAlert(a, setContent("the disk is still full"))
		w.changeAlert(a, resolve)
		w.remove(a)
		w.waitAlertGone(a)
	}
}

func alertScenarios() []Scenario {
	return []Scenario{
		{Name: "alert", Prepare: withWebhook(), Steps: alertLifecycle("hook")},
		{Name: "alert-no-key", Prepare: withGotify(), Steps: alertLifecycle("phone")},
		{Name: "alert-at-most-once", Prepare: withWebhook(setAtMostOnce), Steps: alertLifecycle("hook")},
		{Name: "alert-at-most-once-no-key", Prepare: withGotify(setAtMostOnce), Steps: alertLifecycle("phone")},
		{Name: "alert-three", Prepare: func(w *Environment) {
			w.createWebhook("hook")
			w.createDiscord("chat")
			w.createGotify("phone", setAtMostOnce)
		}, Steps: alertLifecycle("hook", "chat", "phone")},
		{Name: "alert-anew", Prepare: withWebhook(), Steps: func(w *Environment) {
			for range 2 {
				a := w.createAlert(w.NewAlert("disk", "hook"))
				w.remove(a)
				w.waitAlertGone(a)
			}
		}},
		{Name: "alert-first", Prepare: func(*Environment) {}, Steps: func(w *Environment) {
			a := w.NewAlert("disk", "hook")
			w.create(a)
			w.waitAlertReason(a, v1beta1.ReasonReceiverNotFound)
			w.createWebhook("hook")
			w.waitSettled(a)
		}},
		{Name: "alert-back", Prepare: withWebhook(), Steps: contentReverted},
		{Name: "alert-back-unseen", Prepare: withWebhook(), Steps: contentRevertedUnseen},
		{Name: "alert-again", Prepare: withWebhook(), Steps: func(w *Environment) {
			a := w.createAlert(w.NewAlert("disk", "hook"))
			w.changeAlert(a, resolve)
			w.changeAlert(a, fire)
		}},
		{Name: "alert-deleted-firing", Prepare: withWebhook(), Steps: func(w *Environment) {
			a := w.createAlert(w.NewAlert("disk", "hook"))
			w.remove(a)
			w.waitAlertGone(a)
		}},
		{Name: "alert-deleted-undelivered", Prepare: withWebhook(), Steps: alertDeletedUndelivered},
		{Name: "alert-deleted-at-once", Prepare: func(*Environment) {}, Steps: func(w *Environment) {
			w.TimingDependent = w.Fault.IsAtReceiver() // there is one attempt
			w.createWebhook("hook")
			a := w.NewAlert("disk", "hook")
			w.create(a)
			w.remove(a)
			w.waitAlertGone(a)
		}},
		{Name: "alert-ttl", Prepare: withWebhook(), Steps: func(w *Environment) {
			a := w.NewAlert("disk", "hook")
			a.Spec.TTLSecondsAfterFinished = new(int32(2))
			w.create(a)
			w.waitAlertGone(a)
		}},
		{Name: "alert-ttl-anew", Prepare: withWebhook(), Steps: func(w *Environment) {
			for range 2 {
				a := w.NewAlert("disk", "hook")
				a.Spec.TTLSecondsAfterFinished = new(int32(1))
				w.create(a)
				w.waitAlertGone(a)
			}
		}},
		{Name: "alert-expired", Prepare: withWebhook(), Steps: alertExpired},
		{Name: "alert-filtered", Prepare: withWebhook(criticalOnly), Steps: func(w *Environment) {
			a := w.createAlert(w.NewAlert("disk", "hook"))
			w.changeAlert(a, func(a *v1beta1.Alert) { a.Spec.Severity = v1beta1.SeverityCritical })
		}},
		{Name: "receiver-edited", Prepare: withWebhook(suspend), Steps: receiverEdited},
		{Name: "receiver-secret-rotated", Prepare: withWebhook(), Steps: receiverSecretRotated},
		{Name: "receiver-anew", Prepare: withWebhook(), Steps: receiverRecreated},
		{Name: "receiver-anew-awaited", Prepare: withWebhook(suspend), Steps: pendingReceiverRecreated},
		{Name: "receiver-by-default", Prepare: func(*Environment) {}, Steps: defaultReceiver},
	}
}

// contentReverted goes from A to B and back: that is a third message.
func contentReverted(w *Environment) {
	a := w.createAlert(w.NewAlert("disk", "hook"))
	w.changeAlert(a, setContent("the disk is still full"))
	w.changeAlert(a, setContent("the disk is full"))
}

// contentRevertedUnseen does so while the receiver is away: it is told A only, and that anew, as B
// may have arrived.
func contentRevertedUnseen(w *Environment) {
	a := w.createAlert(w.NewAlert("disk", "hook"))
	w.Receivers["hook"].down.Store(true)
	w.RevertedContent = "the disk is still full"
	edit(w, a, setContent(w.RevertedContent))
	w.waitRetrying(a)
	w.Receivers["hook"].down.Store(false)
	w.changeAlert(a, setContent("the disk is full"))
}

// alertDeletedUndelivered: who is away hears nothing of it later.
func alertDeletedUndelivered(w *Environment) {
	w.Receivers["hook"].down.Store(true)
	a := w.NewAlert("disk", "hook")
	w.create(a)
	w.waitRetrying(a)
	w.remove(a)
	w.waitAlertGone(a)
	w.Receivers["hook"].down.Store(false)
	w.createAlert(w.NewAlert("memory", "hook"))
}

// alertExpired: nor of what has expired.
func alertExpired(w *Environment) {
	w.Receivers["hook"].down.Store(true)
	a := w.NewAlert("disk", "hook")
	a.Spec.ExpireAfterSeconds = new(int32(4))
	w.create(a)
	w.waitAlertReason(a, v1beta1.ReasonExpired)
	w.Receivers["hook"].down.Store(false)
	w.createAlert(w.NewAlert("memory", "hook"))
}

// receiverEdited: an edit lets go what waits for it, and sends nothing again.
func receiverEdited(w *Environment) {
	a := w.NewAlert("disk", "hook")
	w.create(a)
	w.waitAlertReason(a, v1beta1.ReasonSuspended)
	r := w.receiverObject("hook")
	edit(w, r, func(r v1beta1.ReceiverObject) { r.Common().Suspend = false })
	w.waitSettled(a)
	edit(w, r, func(r v1beta1.ReceiverObject) { r.Common().TimeoutSeconds = 2 })
	w.changeAlert(a, resolve)
}

// receiverSecretRotated: so does another Secret.
func receiverSecretRotated(w *Environment) {
	hook := w.Receivers["hook"]
	hook.ExpectsRefusals = true
	a := w.createAlert(w.NewAlert("disk", "hook"))
	shown := w.injector.EventCount("secrets/hook")
	w.rotateSecret("hook", rotatedSecret)
	if !w.Fault.HasSuccessor() && !w.Fault.MayHideReceiver() { // else another process lists it, or it is shown later
		w.await("the operator is shown the Secret", func() error {
			if w.injector.EventCount("secrets/hook") == shown {
				return errors.New("it is not")
			}
			return nil
		})
	}
	b := w.NewAlert("memory", "hook")
	w.create(b)
	w.waitAlert(b, b.Name+" is refused", func() bool { // or was sent with the former secret, by an operator that had not seen the change
		return isUnauthorized(b) || w.Fault.MayHideReceiver() && b.Status.FinishedTime != nil
	})
	w.rotateSecret("hook", signingSecret)
	w.waitSettled(b)
	w.changeAlert(a, resolve)
}

// receiverRecreated: one that is deleted and made again is told what is new, and nothing twice.
func receiverRecreated(w *Environment) {
	a := w.createAlert(w.NewAlert("disk", "hook"))
	w.recreateReceiver(func(*v1beta1.CommonReceiverSpec) {})
	w.changeAlert(a, setContent("the disk is still full"))
	w.changeAlert(a, resolve)
}

// pendingReceiverRecreated: one that is made again lets go what waits for it.
func pendingReceiverRecreated(w *Environment) {
	a := w.NewAlert("disk", "hook")
	w.create(a)
	w.waitAlertReason(a, v1beta1.ReasonSuspended)
	w.recreateReceiver(func(spec *v1beta1.CommonReceiverSpec) { spec.Suspend = false })
	w.waitSettled(a)
}

// defaultReceiver: an Alert without receivers waits for a default, and is not for the next.
func defaultReceiver(w *Environment) {
	a := w.NewAlert("disk")
	w.create(a)
	w.waitAlertReason(a, v1beta1.ReasonNoReceiver)
	w.createWebhook("hook", markDefault)
	w.waitSettled(a)
	proxy.Sleep(w.Ctx, time.Second+100*time.Millisecond) // the newest default is the one, and age is in seconds
	w.createWebhook("other", markDefault)
	w.changeAlert(a, setContent("the disk is still full"))
	w.createAlert(w.NewAlert("memory"))
}
