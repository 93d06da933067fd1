// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package controllertest

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
)

var (
	T0   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	Team = v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: "team"}
)

// Usable returns the target of a receiver that can be sent to, at a version.
func Usable(version string) alertrules.Target {
	return alertrules.Target{Version: version, Spec: &v1beta1.CommonReceiverSpec{ResolveTimeoutSeconds: new(int32(600))}}
}

// NewAlert returns an Alert that is firing and has no receivers.
func NewAlert(edits ...func(*v1beta1.Alert)) *v1beta1.Alert {
	a := &v1beta1.Alert{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "a", UID: types.UID("uid"), Generation: 1,
			CreationTimestamp: metav1.NewTime(T0), Finalizers: []string{v1beta1.AlertFinalizer},
		},
		Spec: v1beta1.AlertSpec{Content: "A", Severity: v1beta1.SeverityInfo, State: v1beta1.AlertFiring},
	}
	for _, edit := range edits {
		edit(a)
	}
	return a
}

// SentTo is an Alert whose content a receiver holds.
func SentTo(ref v1beta1.ReceiverRef) func(*v1beta1.Alert) {
	return func(a *v1beta1.Alert) {
		hash := alertrules.ContentHash(&a.Spec)
		a.Status.Deliveries = append(a.Status.Deliveries, v1beta1.Delivery{
			Kind: ref.Kind, Name: ref.Name, State: v1beta1.DeliverySent,
			HeldMessage:     v1beta1.HeldMessage{ContentHash: hash, SentTime: times.Timestamp(T0)},
			DeliveryAttempt: v1beta1.DeliveryAttempt{LastAttemptedHash: hash, Sequence: 1, Attempts: 1, LastAttemptTime: times.Timestamp(T0)},
		})
	}
}
