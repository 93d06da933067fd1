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
	return func(e *Environment) { e.createWebhook("hook", edits...) }
}

// withGotify prepares one with a receiver that does not.
func withGotify(edits ...func(v1beta1.ReceiverObject)) func(*Environment) {
	return func(e *Environment) { e.createGotify("phone", edits...) }
}

// alertLifecycle is what becomes of most Alerts.
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
		{Name: "alert", Prepare: withWebhook(), Steps: alertLifecycle("hook")},
		{Name: "alert-no-key", Prepare: withGotify(), Steps: alertLifecycle("phone")},
		{Name: "alert-at-most-once", Prepare: withWebhook(setAtMostOnce), Steps: alertLifecycle("hook")},
		{Name: "alert-at-most-once-no-key", Prepare: withGotify(setAtMostOnce), Steps: alertLifecycle("phone")},
		{Name: "alert-three", Prepare: func(e *Environment) {
			e.createWebhook("hook")
			e.createDiscord("chat")
			e.createGotify("phone", setAtMostOnce)
		}, Steps: alertLifecycle("hook", "chat", "phone")},
		{Name: "alert-anew", Prepare: withWebhook(), Steps: func(e *Environment) {
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
			e.createWebhook("hook")
			e.waitSettled(a)
		}},
		{Name: "alert-back", Prepare: withWebhook(), Steps: contentReverted},
		{Name: "alert-back-unseen", Prepare: withWebhook(), Steps: contentRevertedUnseen},
		{Name: "alert-again", Prepare: withWebhook(), Steps: func(e *Environment) {
			a := e.createAlert(e.NewAlert("disk", "hook"))
			e.changeAlert(a, resolve)
			e.changeAlert(a, fire)
		}},
		{Name: "alert-deleted-firing", Prepare: withWebhook(), Steps: func(e *Environment) {
			a := e.createAlert(e.NewAlert("disk", "hook"))
			e.remove(a)
			e.waitAlertGone(a)
		}},
		{Name: "alert-deleted-undelivered", Prepare: withWebhook(), Steps: alertDeletedUndelivered},
		{Name: "alert-deleted-at-once", Prepare: func(*Environment) {}, Steps: func(e *Environment) {
			e.TimingDependent = e.Fault.IsAtReceiver() // there is one attempt
			e.createWebhook("hook")
			a := e.NewAlert("disk", "hook")
			e.create(a)
			e.remove(a)
			e.waitAlertGone(a)
		}},
		{Name: "alert-ttl", Prepare: withWebhook(), Steps: func(e *Environment) {
			a := e.NewAlert("disk", "hook")
			a.Spec.TTLSecondsAfterFinished = new(int32(2))
			e.create(a)
			e.waitAlertGone(a)
		}},
		{Name: "alert-ttl-anew", Prepare: withWebhook(), Steps: func(e *Environment) {
			for range 2 {
				a := e.NewAlert("disk", "hook")
				a.Spec.TTLSecondsAfterFinished = new(int32(1))
				e.create(a)
				e.waitAlertGone(a)
			}
		}},
		{Name: "alert-expired", Prepare: withWebhook(), Steps: alertExpired},
		{Name: "alert-filtered", Prepare: withWebhook(criticalOnly), Steps: func(e *Environment) {
			a := e.createAlert(e.NewAlert("disk", "hook"))
			e.changeAlert(a, func(a *v1beta1.Alert) { a.Spec.Severity = v1beta1.SeverityCritical })
		}},
		{Name: "receiver-edited", Prepare: withWebhook(suspend), Steps: receiverEdited},
		{Name: "receiver-secret-rotated", Prepare: withWebhook(), Steps: receiverSecretRotated},
		{Name: "receiver-anew", Prepare: withWebhook(), Steps: receiverRecreated},
		{Name: "receiver-anew-awaited", Prepare: withWebhook(suspend), Steps: pendingReceiverRecreated},
		{Name: "receiver-by-default", Prepare: func(*Environment) {}, Steps: defaultReceiver},
	}
}

// contentReverted goes from A to B and back: that is a third message.
func contentReverted(e *Environment) {
	a := e.createAlert(e.NewAlert("disk", "hook"))
	e.changeAlert(a, setContent("the disk is still full"))
	e.changeAlert(a, setContent("the disk is full"))
}

// contentRevertedUnseen does so while the receiver is away: it is told A only, and that anew, as B
// may have arrived.
func contentRevertedUnseen(e *Environment) {
	a := e.createAlert(e.NewAlert("disk", "hook"))
	e.Receivers["hook"].down.Store(true)
	e.RevertedContent = "the disk is still full"
	edit(e, a, setContent(e.RevertedContent))
	e.waitRetrying(a)
	e.Receivers["hook"].down.Store(false)
	e.changeAlert(a, setContent("the disk is full"))
}

// alertDeletedUndelivered: who is away hears nothing of it later.
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

// alertExpired: nor of what has expired.
func alertExpired(e *Environment) {
	e.Receivers["hook"].down.Store(true)
	a := e.NewAlert("disk", "hook")
	a.Spec.ExpireAfterSeconds = new(int32(4))
	e.create(a)
	e.waitAlertReason(a, v1beta1.ReasonExpired)
	e.Receivers["hook"].down.Store(false)
	e.createAlert(e.NewAlert("memory", "hook"))
}

// receiverEdited: an edit lets go what waits for it, and sends nothing again.
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

// receiverSecretRotated: so does another Secret.
func receiverSecretRotated(e *Environment) {
	hook := e.Receivers["hook"]
	hook.ExpectsRefusals = true
	a := e.createAlert(e.NewAlert("disk", "hook"))
	shown := e.injector.EventCount("secrets/hook")
	e.rotateSecret("hook", rotatedSecret)
	if !e.Fault.HasSuccessor() && !e.Fault.MayHideReceiver() { // else another process lists it, or it is shown later
		e.await("the operator is shown the Secret", func() error {
			if e.injector.EventCount("secrets/hook") == shown {
				return errors.New("it is not")
			}
			return nil
		})
	}
	b := e.NewAlert("memory", "hook")
	e.create(b)
	e.waitAlert(b, b.Name+" is refused", func() bool { // or was sent with the former secret, by an operator that had not seen the change
		return isUnauthorized(b) || e.Fault.MayHideReceiver() && b.Status.FinishedTime != nil
	})
	e.rotateSecret("hook", signingSecret)
	e.waitSettled(b)
	e.changeAlert(a, resolve)
}

// receiverRecreated: one that is deleted and made again is told what is new, and nothing twice.
func receiverRecreated(e *Environment) {
	a := e.createAlert(e.NewAlert("disk", "hook"))
	e.recreateReceiver(func(*v1beta1.CommonReceiverSpec) {})
	e.changeAlert(a, setContent("the disk is still full"))
	e.changeAlert(a, resolve)
}

// pendingReceiverRecreated: one that is made again lets go what waits for it.
func pendingReceiverRecreated(e *Environment) {
	a := e.NewAlert("disk", "hook")
	e.create(a)
	e.waitAlertReason(a, v1beta1.ReasonSuspended)
	e.recreateReceiver(func(spec *v1beta1.CommonReceiverSpec) { spec.Suspend = false })
	e.waitSettled(a)
}

// defaultReceiver: an Alert without receivers waits for a default, and is not for the next.
func defaultReceiver(e *Environment) {
	a := e.NewAlert("disk")
	e.create(a)
	e.waitAlertReason(a, v1beta1.ReasonNoReceiver)
	e.createWebhook("hook", markDefault)
	e.waitSettled(a)
	proxy.Sleep(e.Ctx, time.Second+100*time.Millisecond) // the newest default is the one, and age is in seconds
	e.createWebhook("other", markDefault)
	e.changeAlert(a, setContent("the disk is still full"))
	e.createAlert(e.NewAlert("memory"))
}
