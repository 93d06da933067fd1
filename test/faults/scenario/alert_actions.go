// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// NewAlert returns an Alert for some receivers.
func (e *Environment) NewAlert(name string, receivers ...string) *v1beta1.Alert {
	a := &v1beta1.Alert{ObjectMeta: e.objectMeta(name)}
	a.Spec.Content = "the disk is full"
	for _, r := range receivers {
		a.Spec.ReceiverRefs = append(a.Spec.ReceiverRefs, e.receiverRef(r))
	}
	return a
}

func (e *Environment) receiverRef(name string) v1beta1.ReceiverRef {
	if e.ClusterWide {
		return v1beta1.ReceiverRef{Kind: v1beta1.KindClusterReceiver, Name: e.SharedName(name)}
	}
	return v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: name}
}

// setContent returns an edit of the content.
func setContent(content string) func(*v1beta1.Alert) {
	return func(a *v1beta1.Alert) { a.Spec.Content = content }
}

// joinedAt is when instances join, in the minute of a test.
func joinedAt(minute int) metav1.Time {
	return metav1.NewTime(time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC))
}

// newGroup returns an Alert about two instances.
func (e *Environment) newGroup(name string, receivers ...string) *v1beta1.Alert {
	a := e.NewAlert(name, receivers...)
	setInstances(1, "node-1", "node-2")(a)
	return a
}

// setInstances returns an edit after which an Alert is about some instances, of which the last one joined at a minute. Its text has the time,
// as JoinOf returns it.
func setInstances(minute int, names ...string) func(*v1beta1.Alert) {
	return func(a *v1beta1.Alert) {
		at := joinedAt(minute)
		a.Spec.JoinedTime, a.Spec.Instances = &at, nil
		for _, name := range names {
			a.Spec.Instances = append(a.Spec.Instances, v1beta1.AlertInstance{Key: name, Text: name, StartsAt: &at})
		}
		a.Spec.Content = "joined " + JoinOf(a) + ", full are " + strings.Join(names, " and ")
	}
}

// JoinOf returns the time when instances last joined an Alert, as its content has it; "": it has none.
func JoinOf(a *v1beta1.Alert) string {
	if a.Spec.JoinedTime == nil {
		return ""
	}
	return a.Spec.JoinedTime.UTC().Format("at 15h04")
}

// waitNotified waits until a webhook has accepted a message that notifies of the last join.
func (e *Environment) waitNotified(a *v1beta1.Alert, receiver string) {
	e.await(receiver+" is notified of what joined "+JoinOf(a), func() error {
		for text := range e.Receivers[receiver].Received() {
			if strings.HasPrefix(text, "alert.fired ") && strings.Contains(text, "joined "+JoinOf(a)+",") {
				return nil
			}
		}
		return fmt.Errorf("it has %v", e.Receivers[receiver].Received())
	})
}

func resolve(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved }

func fire(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertFiring }

// createAlert creates an Alert and waits until it is settled.
func (e *Environment) createAlert(a *v1beta1.Alert) *v1beta1.Alert {
	e.create(a)
	e.waitSettled(a)
	return a
}

// changeAlert edits an Alert and waits until it is settled.
func (e *Environment) changeAlert(a *v1beta1.Alert, change func(*v1beta1.Alert)) {
	edit(e, a, change)
	e.waitSettled(a)
}

// waitSettled waits until the present version of an Alert is delivered, or only a person could do more.
func (e *Environment) waitSettled(a *v1beta1.Alert) {
	e.waitAlert(a, a.Name+" is settled", func() bool { return isSettled(a) })
}

// isSettled is what waitSettled waits for, of the version that the status is about.
func isSettled(a *v1beta1.Alert) bool {
	rows, goesOn := a.Status.Deliveries, meta.IsStatusConditionTrue(a.Status.Conditions, v1beta1.ConditionReconciling)
	return a.Status.FinishedTime != nil || !goesOn && slices.ContainsFunc(rows, IsOutcomeUnknown) && !slices.ContainsFunc(rows, isRetriedSlowly)
}

// waitAlertReason waits until the Ready condition of an Alert has a reason.
func (e *Environment) waitAlertReason(a *v1beta1.Alert, reason string) {
	e.waitAlert(a, a.Name+" is "+reason, func() bool { return ReadyReason(a) == reason })
}

// waitAlert waits for a state of the present version of an Alert.
func (e *Environment) waitAlert(a *v1beta1.Alert, what string, check func() bool) {
	e.await(what, func() error {
		if err := e.get(a); err != nil {
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

// waitAlertGone waits until no Alert of this name exists.
func (e *Environment) waitAlertGone(a *v1beta1.Alert) {
	e.await(a.Name+" is gone", func() error {
		err := e.get(a)
		if err == nil {
			return fmt.Errorf("%+v", a.Status)
		}
		return client.IgnoreNotFound(err)
	})
}

// ReadyReason returns the reason of the Ready condition.
func ReadyReason(a *v1beta1.Alert) string {
	for _, c := range a.Status.Conditions {
		if c.Type == v1beta1.ConditionReady {
			return c.Reason
		}
	}
	return ""
}

// IsOutcomeUnknown reports whether a message may have arrived, and only a person can decide what to do.
func IsOutcomeUnknown(row v1beta1.Delivery) bool {
	return row.State == v1beta1.DeliveryUnknown && row.Reason == v1beta1.ReasonOutcomeUnknown
}

// rotateSecret gives a receiver that recognizes repeats another credential.
func (e *Environment) rotateSecret(name, secret string) {
	key, _ := e.credential()
	s := &corev1.Secret{ObjectMeta: e.objectMeta(name)}
	edit(e, s, func(s *corev1.Secret) { s.Data[key] = []byte(secret) })
}

// waitRetrying waits until a delivery of the present version of an Alert failed.
func (e *Environment) waitRetrying(a *v1beta1.Alert) {
	e.waitAlertReason(a, v1beta1.ReasonRetrying)
	e.waitAlert(a, a.Name+" was tried", func() bool {
		return slices.ContainsFunc(a.Status.Deliveries, func(row v1beta1.Delivery) bool { return row.NextAttemptTime != nil })
	})
}

// isUnauthorized reports whether a receiver refused the secret of the operator.
func isUnauthorized(a *v1beta1.Alert) bool {
	return slices.ContainsFunc(a.Status.Deliveries, func(row v1beta1.Delivery) bool { return row.Reason == result.ReasonUnauthorized })
}

// recreateReceiver deletes the receiver and creates another one of its name.
func (e *Environment) recreateReceiver(edit func(*v1beta1.CommonReceiverSpec)) {
	r, again := e.receiverObject("hook"), e.receiverObject("hook")
	e.must(e.get(r))
	e.remove(r)
	e.waitGone(r)
	*again.Common() = *r.Common()
	edit(again.Common())
	e.create(again)
}

// waitDecided waits until the operator does no more about the present version of an Alert.
func (e *Environment) waitDecided(a *v1beta1.Alert) {
	e.waitAlert(a, a.Name+" is decided", func() bool { return IsDecided(a) })
}

// IsDecided reports whether the operator is done with an Alert.
func IsDecided(a *v1beta1.Alert) bool {
	return slices.ContainsFunc(a.Status.Conditions, func(c metav1.Condition) bool {
		return c.Type == v1beta1.ConditionReconciling && c.Status == metav1.ConditionFalse
	})
}

// LastReceived returns the last message of an Alert that a receiver accepted; nil: none.
func (e *Environment) LastReceived(a *v1beta1.Alert, receiver string) (last *inbox.Message) {
	for _, m := range e.Receivers[receiver].Inbox.Messages() {
		if m.UID == string(a.UID) && m.Accepted > 0 {
			last = &m
		}
	}
	return last
}

// IsForReceiver reports whether an Alert still refers to a receiver. One that it no longer refers to keeps an older content.
func IsForReceiver(a *v1beta1.Alert, row v1beta1.Delivery) bool {
	return row.ByDefault || slices.Contains(a.Spec.ReceiverRefs, v1beta1.ReceiverRef{Kind: row.Kind, Name: row.Name})
}
