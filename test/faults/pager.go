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

// hook prepares a world with one receiver that knows keys.
func hook(edits ...func(v1beta1.ReceiverObject)) func(*world) {
	return func(w *world) { w.webhook("hook", edits...) }
}

// keyless prepares one with a receiver that does not.
func keyless(edits ...func(v1beta1.ReceiverObject)) func(*world) {
	return func(w *world) { w.gotify("phone", edits...) }
}

// story is what becomes of most Alerts.
func story(receivers ...string) func(*world) {
	return func(w *world) {
		a := w.fired(w.alert("disk", receivers...))
		w.change(a, saying("the disk is still full"))
		w.change(a, resolved)
		w.remove(a)
		w.ended(a)
	}
}

func pagerScenarios() []scenario {
	return []scenario{
		{name: "alert", prepare: hook(), steps: story("hook")},
		{name: "alert-no-key", prepare: keyless(), steps: story("phone")},
		{name: "alert-at-most-once", prepare: hook(atMostOnce), steps: story("hook")},
		{name: "alert-at-most-once-no-key", prepare: keyless(atMostOnce), steps: story("phone")},
		{name: "alert-three", prepare: func(w *world) {
			w.webhook("hook")
			w.discord("chat")
			w.gotify("phone", atMostOnce)
		}, steps: story("hook", "chat", "phone")},
		{name: "alert-anew", prepare: hook(), steps: func(w *world) {
			for range 2 {
				a := w.fired(w.alert("disk", "hook"))
				w.remove(a)
				w.ended(a)
			}
		}},
		{name: "alert-first", prepare: func(*world) {}, steps: func(w *world) {
			a := w.alert("disk", "hook")
			w.create(a)
			w.says(a, v1beta1.ReasonReceiverNotFound)
			w.webhook("hook")
			w.settled(a)
		}},
		{name: "alert-back", prepare: hook(), steps: alertBack},
		{name: "alert-back-unseen", prepare: hook(), steps: alertBackUnseen},
		{name: "alert-again", prepare: hook(), steps: func(w *world) {
			a := w.fired(w.alert("disk", "hook"))
			w.change(a, resolved)
			w.change(a, firing)
		}},
		{name: "alert-deleted-firing", prepare: hook(), steps: func(w *world) {
			a := w.fired(w.alert("disk", "hook"))
			w.remove(a)
			w.ended(a)
		}},
		{name: "alert-deleted-undelivered", prepare: hook(), steps: alertDeletedUndelivered},
		{name: "alert-deleted-at-once", prepare: func(*world) {}, steps: func(w *world) {
			w.hurried = w.fault.isOfReceiver() // there is one attempt
			w.webhook("hook")
			a := w.alert("disk", "hook")
			w.create(a)
			w.remove(a)
			w.ended(a)
		}},
		{name: "alert-ttl", prepare: hook(), steps: func(w *world) {
			a := w.alert("disk", "hook")
			a.Spec.TTLSecondsAfterFinished = new(int32(2))
			w.create(a)
			w.ended(a)
		}},
		{name: "alert-ttl-anew", prepare: hook(), steps: func(w *world) {
			for range 2 {
				a := w.alert("disk", "hook")
				a.Spec.TTLSecondsAfterFinished = new(int32(1))
				w.create(a)
				w.ended(a)
			}
		}},
		{name: "alert-expired", prepare: hook(), steps: alertExpired},
		{name: "alert-filtered", prepare: hook(critical), steps: func(w *world) {
			a := w.fired(w.alert("disk", "hook"))
			w.change(a, func(a *v1beta1.Alert) { a.Spec.Severity = v1beta1.SeverityCritical })
		}},
		{name: "receiver-edited", prepare: hook(suspended), steps: receiverEdited},
		{name: "receiver-secret-rotated", prepare: hook(), steps: receiverSecretRotated},
		{name: "receiver-anew", prepare: hook(), steps: receiverAnew},
		{name: "receiver-anew-awaited", prepare: hook(suspended), steps: receiverAnewAwaited},
		{name: "receiver-by-default", prepare: func(*world) {}, steps: receiverByDefault},
	}
}

// alertBack goes from A to B and back: that is a third message.
func alertBack(w *world) {
	a := w.fired(w.alert("disk", "hook"))
	w.change(a, saying("the disk is still full"))
	w.change(a, saying("the disk is full"))
}

// alertBackUnseen does so while the receiver is away: it is told A only, and that anew, as B
// may have arrived.
func alertBackUnseen(w *world) {
	a := w.fired(w.alert("disk", "hook"))
	w.addressees["hook"].down.Store(true)
	w.takenBack = "the disk is still full"
	edit(w, a, saying(w.takenBack))
	w.tried(a)
	w.addressees["hook"].down.Store(false)
	w.change(a, saying("the disk is full"))
}

// alertDeletedUndelivered: who is away hears nothing of it later.
func alertDeletedUndelivered(w *world) {
	w.addressees["hook"].down.Store(true)
	a := w.alert("disk", "hook")
	w.create(a)
	w.tried(a)
	w.remove(a)
	w.ended(a)
	w.addressees["hook"].down.Store(false)
	w.fired(w.alert("memory", "hook"))
}

// alertExpired: nor of what has expired.
func alertExpired(w *world) {
	w.addressees["hook"].down.Store(true)
	a := w.alert("disk", "hook")
	a.Spec.ExpireAfterSeconds = new(int32(4))
	w.create(a)
	w.says(a, v1beta1.ReasonExpired)
	w.addressees["hook"].down.Store(false)
	w.fired(w.alert("memory", "hook"))
}

// receiverEdited: an edit lets go what waits for it, and sends nothing again.
func receiverEdited(w *world) {
	a := w.alert("disk", "hook")
	w.create(a)
	w.says(a, v1beta1.ReasonSuspended)
	r := w.receiverNamed("hook")
	edit(w, r, func(r v1beta1.ReceiverObject) { r.Common().Suspend = false })
	w.settled(a)
	edit(w, r, func(r v1beta1.ReceiverObject) { r.Common().TimeoutSeconds = 2 })
	w.change(a, resolved)
}

// receiverSecretRotated: so does another Secret.
func receiverSecretRotated(w *world) {
	hook := w.addressees["hook"]
	hook.refuses = true
	a := w.fired(w.alert("disk", "hook"))
	shown := w.director.eventsOf("secrets/hook")
	w.rotate("hook", otherSecret)
	if !w.fault.kills() && !w.fault.hidesReceiver() { // else another process lists it, or it is shown later
		w.await("the operator is shown the Secret", func() error {
			if w.director.eventsOf("secrets/hook") == shown {
				return errors.New("it is not")
			}
			return nil
		})
	}
	b := w.alert("memory", "hook")
	w.create(b)
	w.until(b, b.Name+" is refused", func() bool { // or was sent with the former secret, by an operator that had not seen the change
		return isUnauthorized(b) || w.fault.hidesReceiver() && b.Status.FinishedTime != nil
	})
	w.rotate("hook", signingSecret)
	w.settled(b)
	w.change(a, resolved)
}

// receiverAnew: one that is deleted and made again is told what is new, and nothing twice.
func receiverAnew(w *world) {
	a := w.fired(w.alert("disk", "hook"))
	w.remakeReceiver(func(*v1beta1.CommonReceiverSpec) {})
	w.change(a, saying("the disk is still full"))
	w.change(a, resolved)
}

// receiverAnewAwaited: one that is made again lets go what waits for it.
func receiverAnewAwaited(w *world) {
	a := w.alert("disk", "hook")
	w.create(a)
	w.says(a, v1beta1.ReasonSuspended)
	w.remakeReceiver(func(spec *v1beta1.CommonReceiverSpec) { spec.Suspend = false })
	w.settled(a)
}

// receiverByDefault: an Alert without receivers waits for a default, and is not for the next.
func receiverByDefault(w *world) {
	a := w.alert("disk")
	w.create(a)
	w.says(a, v1beta1.ReasonNoReceiver)
	w.webhook("hook", byDefault)
	w.settled(a)
	wait(w.ctx, time.Second+100*time.Millisecond) // the newest default is the one, and age is in seconds
	w.webhook("other", byDefault)
	w.change(a, saying("the disk is still full"))
	w.fired(w.alert("memory"))
}
