// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager

import (
	"maps"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

func TestOldestWaiting(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ago := func(d time.Duration) metav1.Time { return metav1.NewTime(now.Add(-d)) }
	alert := func(severity v1beta1.Severity, age time.Duration, edits ...func(*v1beta1.Alert)) v1beta1.Alert {
		a := v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: ago(age)}}
		a.Spec.Severity = severity
		for _, edit := range edits {
			edit(&a)
		}
		return a
	}
	deleted := func(a *v1beta1.Alert) { a.DeletionTimestamp = new(ago(0)) }
	resolved := func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved }
	changed := func(before time.Duration) func(*v1beta1.Alert) {
		return func(a *v1beta1.Alert) {
			a.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionReady, Status: metav1.ConditionFalse, LastTransitionTime: ago(before)}}
		}
	}
	got := oldestWaiting([]v1beta1.Alert{
		alert(v1beta1.SeverityCritical, time.Hour, resolved),
		alert(v1beta1.SeverityCritical, time.Hour, deleted),
		alert(v1beta1.SeverityCritical, time.Minute),
		alert(v1beta1.SeverityCritical, time.Second),
		alert(v1beta1.SeverityWarning, 24*time.Hour, changed(time.Minute)), // it was sent, and its content was changed a minute ago
	}, now)
	want := map[v1beta1.Severity]time.Duration{v1beta1.SeverityInfo: 0, v1beta1.SeverityWarning: time.Minute, v1beta1.SeverityCritical: time.Minute}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
