// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWrite(t *testing.T) {
	began := time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)
	at := func(d time.Duration) metav1.Time { return metav1.NewTime(began.Add(d)) }
	var list []metav1.Condition
	Set{Ready: metav1.ConditionFalse, Reason: "Down", Message: "no answer", Open: Stalled}.Write(&list, 1, began)
	want := []metav1.Condition{
		{Type: Ready, Status: metav1.ConditionFalse, Reason: "Down", Message: "No answer", ObservedGeneration: 1, LastTransitionTime: at(0)},
		{Type: Reconciling, Status: metav1.ConditionFalse, Reason: "Down", ObservedGeneration: 1, LastTransitionTime: at(0)},
		{Type: Stalled, Status: metav1.ConditionTrue, Reason: "Down", Message: "No answer", ObservedGeneration: 1, LastTransitionTime: at(0)},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("a receiver that is down (-want +got):\n%s", diff)
	}
	Set{Ready: metav1.ConditionTrue, Reason: "Up", Message: strings.Repeat("x", 2*MaxMessage)}.Write(&list, 2, began.Add(time.Minute))
	if ready := list[0]; len(ready.Message) > MaxMessage || !ready.LastTransitionTime.Equal(&metav1.Time{Time: began.Add(time.Minute)}) {
		t.Errorf("it is up: a message of %d bytes, since %s", len(ready.Message), ready.LastTransitionTime)
	}
	if reconciling := list[1]; reconciling.Message != "" || reconciling.ObservedGeneration != 2 || !reconciling.LastTransitionTime.Equal(&metav1.Time{Time: began}) {
		t.Errorf("it is up: %+v", reconciling)
	}
}

func TestPutReportsChanges(t *testing.T) {
	var list []metav1.Condition
	stalled := metav1.Condition{Type: Stalled, Status: metav1.ConditionTrue, Reason: "InternalError", Message: "a panic"}
	for attempt, want := range []bool{true, false} {
		if changed := Put(&list, 1, time.Now(), stalled); changed != want {
			t.Errorf("attempt %d changes the conditions: %t, want %t", attempt, changed, want)
		}
	}
}
