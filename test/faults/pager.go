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
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
)

// receiver registers an inbox of a name.
func (w *world) receiver(name string, edits ...func(*v1beta1.Receiver)) *v1beta1.Receiver {
	r := &v1beta1.Receiver{ObjectMeta: w.meta(name)}
	r.Spec.Webhook = &v1beta1.WebhookProvider{URL: w.inbox(name)}
	r.Spec.TimeoutSeconds = 1
	for _, edit := range edits {
		edit(r)
	}
	w.create(r)
	w.await("the receiver "+name+" is looked after", func() error {
		if err := w.get(r); err != nil {
			return err
		}
		if r.Status.ObservedGeneration != r.Generation {
			return fmt.Errorf("observed %d", r.Status.ObservedGeneration)
		}
		return nil
	})
	return r
}

func (w *world) alert(name string, receivers ...string) *v1beta1.Alert {
	a := &v1beta1.Alert{ObjectMeta: w.meta(name)}
	a.Spec.Content = "the disk is full"
	for _, r := range receivers {
		a.Spec.ReceiverRefs = append(a.Spec.ReceiverRefs, v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: r})
	}
	return a
}

// sent waits until an Alert is.
func (w *world) sent(a *v1beta1.Alert) {
	w.await(a.Name+" is sent", func() error {
		if err := w.get(a); err != nil {
			return err
		}
		if a.Status.Sent && a.Status.ObservedGeneration == a.Generation {
			return nil
		}
		return fmt.Errorf("%+v", a.Status)
	})
}

// lastTold is what a receiver accepted last of an Alert; nil: nothing.
func (w *world) lastTold(a *v1beta1.Alert, receiver string) (last *inbox.Message) {
	for _, m := range w.inboxes[receiver].Messages() {
		if m.UID == string(a.UID) && m.Accepted > 0 {
			last = &m
		}
	}
	return last
}

// settled waits until an Alert is done with, sent or not.
func (w *world) settled(a *v1beta1.Alert) {
	w.await(a.Name+" is settled", func() error {
		if err := w.get(a); err != nil {
			return err
		}
		for _, c := range a.Status.Conditions {
			if c.Type == "Reconciling" && c.Status == metav1.ConditionFalse && a.Status.ObservedGeneration == a.Generation {
				return nil
			}
		}
		return fmt.Errorf("%+v", a.Status)
	})
}

func pagerScenarios() []scenario {
	return []scenario{
		{name: "alert", prepare: func(w *world) { w.receiver("hook") }, steps: func(w *world) {
			a := w.alert("disk", "hook")
			w.create(a)
			w.sent(a)
			edit(w, a, func(a *v1beta1.Alert) { a.Spec.Content = "the disk is still full" })
			w.sent(a)
			w.remove(a)
			w.gone(a)
		}},
		{name: "alert-at-most-once", uncertain: true, prepare: func(w *world) {
			w.receiver("hook", func(r *v1beta1.Receiver) { r.Spec.DeliveryPolicy = v1beta1.AtMostOnce })
		}, steps: func(w *world) {
			a := w.alert("disk", "hook")
			w.create(a)
			w.settled(a)
		}},
	}
}
