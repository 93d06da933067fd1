// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package message

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// A message has the instances that have joined the content.
func TestInstancesOf(t *testing.T) {
	began := metav1.NewTime(time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC))
	ended := metav1.NewTime(began.Add(time.Minute))
	a := &v1beta1.Alert{Spec: v1beta1.AlertSpec{Instances: []v1beta1.AlertInstance{
		{Key: "a", Text: "disk a", StartsAt: &began},
		{Key: "b", Text: "disk b", StartsAt: &began, Waiting: true},
		{Key: "c", StartsAt: &began, EndsAt: &ended},
		{Key: "d"},
	}}}
	want := []notify.Instance{{Key: "a", Text: "disk a", StartsAt: began.Time}, {Key: "c", StartsAt: began.Time, EndsAt: ended.Time}, {Key: "d"}}
	if got := instancesOf(a); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := instancesOf(&v1beta1.Alert{}); got != nil {
		t.Errorf("without instances: %+v", got)
	}
}

// F-S57: a title of v1alpha1 is stored uncut while the webhook that checks it does not answer.
func TestATitleIsBounded(t *testing.T) {
	for length, want := range map[int]int{0: 0, 256: 256, 257: 256, 200_000: 256} {
		a := &v1beta1.Alert{Spec: v1beta1.AlertSpec{Title: strings.Repeat("ä", length)}}
		if got := utf8.RuneCountInString(Of(a, v1beta1.Delivery{}, alertrules.Request{}, time.Time{}).RawTitle); got != want {
			t.Errorf("a title of %d characters is sent with %d instead of %d", length, got, want)
		}
	}
}

// What a receiver holds is repeated with the time at which it was first sent, so that it is the same alert there.
func TestRepostIsTheHeldMessage(t *testing.T) {
	created, edited := time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC), metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	a := &v1beta1.Alert{}
	a.CreationTimestamp.Time = created
	for sequence, want := range map[int64]time.Time{1: created, 2: edited.Time} {
		row := v1beta1.Delivery{}
		row.Sequence, row.Attempts, row.FirstAttemptTime, row.ExternalID = sequence, 1, &edited, "critical@2026-03-01T11:00:00Z"
		m, key := Repost(a, row, true, edited.Add(time.Hour))
		if !m.Time.Equal(want) || !m.Last || key.ExternalID != row.ExternalID {
			t.Errorf("message %d: time %s, want %s; last: %t, key %+v", sequence, m.Time, want, m.Last, key)
		}
	}
}
