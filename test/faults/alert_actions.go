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
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/internal/notify"
)

func (w *world) alert(name string, receivers ...string) *v1beta1.Alert {
	a := &v1beta1.Alert{ObjectMeta: w.meta(name)}
	a.Spec.Content = "the disk is full"
	for _, r := range receivers {
		a.Spec.ReceiverRefs = append(a.Spec.ReceiverRefs, w.receiverRef(r))
	}
	return a
}

func (w *world) receiverRef(name string) v1beta1.ReceiverRef {
	if w.clusterWide {
		return v1beta1.ReceiverRef{Kind: v1beta1.KindClusterReceiver, Name: w.own(name)}
	}
	return v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: name}
}

func saying(content string) func(*v1beta1.Alert) {
	return func(a *v1beta1.Alert) { a.Spec.Content = content }
}

func resolved(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved }

func firing(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertFiring }

// fired creates an Alert and waits until it is settled.
func (w *world) fired(a *v1beta1.Alert) *v1beta1.Alert {
	w.create(a)
	w.settled(a)
	return a
}

// change edits an Alert and waits until it is settled.
func (w *world) change(a *v1beta1.Alert, change func(*v1beta1.Alert)) {
	edit(w, a, change)
	w.settled(a)
}

// settled waits until an Alert is done with as it is now, or only a person could do more.
func (w *world) settled(a *v1beta1.Alert) {
	w.until(a, a.Name+" is settled", func() bool {
		rows, goesOn := a.Status.Deliveries, meta.IsStatusConditionTrue(a.Status.Conditions, v1beta1.ConditionReconciling)
		return a.Status.FinishedTime != nil || !goesOn && slices.ContainsFunc(rows, isUndecided) && !slices.ContainsFunc(rows, isRetriedSlowly)
	})
}

// says waits until the Ready condition of an Alert has a reason.
func (w *world) says(a *v1beta1.Alert, reason string) {
	w.until(a, a.Name+" is "+reason, func() bool { return readyReason(a) == reason })
}

// until waits for something of an Alert as it is now.
func (w *world) until(a *v1beta1.Alert, what string, check func() bool) {
	w.await(what, func() error {
		if err := w.get(a); err != nil {
			return err
		}
		if a.Status.ObservedGeneration == a.Generation && check() {
			return nil
		}
		return fmt.Errorf("%+v", a.Status)
	})
}

// isRetriedSlowly reports whether the receiver answered as one that is misconfigured.
func isRetriedSlowly(row v1beta1.Delivery) bool { return row.MisconfiguredAnswers > 0 }

// ended waits until an Alert is gone.
func (w *world) ended(a *v1beta1.Alert) {
	w.await(a.Name+" is gone", func() error {
		err := w.get(a)
		if err == nil {
			return fmt.Errorf("%+v", a.Status)
		}
		return client.IgnoreNotFound(err)
	})
}

func readyReason(a *v1beta1.Alert) string {
	for _, c := range a.Status.Conditions {
		if c.Type == v1beta1.ConditionReady {
			return c.Reason
		}
	}
	return ""
}

// isUndecided: it is not known whether it arrived, and only a person can say what to do.
func isUndecided(row v1beta1.Delivery) bool {
	return row.State == v1beta1.DeliveryUnknown && row.Reason == v1beta1.ReasonOutcomeUnknown
}

// rotate gives a receiver another secret.
func (w *world) rotate(name, secret string) {
	s := &corev1.Secret{ObjectMeta: w.meta(name)}
	edit(w, s, func(s *corev1.Secret) { s.Data = map[string][]byte{"signingSecret": []byte(secret)} })
}

// tried waits until an Alert has been, as it is now, without success.
func (w *world) tried(a *v1beta1.Alert) {
	w.says(a, v1beta1.ReasonRetrying)
	w.until(a, a.Name+" was tried", func() bool {
		return slices.ContainsFunc(a.Status.Deliveries, func(row v1beta1.Delivery) bool { return row.NextAttemptTime != nil })
	})
}

// isUnauthorized reports whether a receiver refused the operator's secret.
func isUnauthorized(a *v1beta1.Alert) bool {
	return slices.ContainsFunc(a.Status.Deliveries, func(row v1beta1.Delivery) bool { return row.Reason == notify.ReasonUnauthorized })
}

// remakeReceiver deletes the receiver, and makes another of its name.
func (w *world) remakeReceiver(edit func(*v1beta1.CommonReceiverSpec)) {
	r, again := w.receiverNamed("hook"), w.receiverNamed("hook")
	w.must(w.get(r))
	w.remove(r)
	w.gone(r)
	*again.Common() = *r.Common()
	edit(again.Common())
	w.create(again)
}

// decided waits until nothing more is done about an Alert as it is now.
func (w *world) decided(a *pagerv1beta1.Alert) {
	w.until(a, a.Name+" is decided", func() bool { return isDecided(a) })
}

func isDecided(a *pagerv1beta1.Alert) bool {
	return slices.ContainsFunc(a.Status.Conditions, func(c metav1.Condition) bool {
		return c.Type == pagerv1beta1.ConditionReconciling && c.Status == metav1.ConditionFalse
	})
}

// lastTold is what a receiver accepted last of an Alert; nil: nothing.
func (w *world) lastTold(a *pagerv1beta1.Alert, receiver string) (last *inbox.Message) {
	for _, m := range w.addressees[receiver].inbox.Messages() {
		if m.UID == string(a.UID) && m.Accepted > 0 {
			last = &m
		}
	}
	return last
}

// isMeant says whether an Alert is still for a receiver. Who it names no more holds an older
// content.
func isMeant(a *v1beta1.Alert, row v1beta1.Delivery) bool {
	return row.ByDefault || slices.Contains(a.Spec.ReceiverRefs, v1beta1.ReceiverRef{Kind: row.Kind, Name: row.Name})
}
