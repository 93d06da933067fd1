// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
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
		if got := utf8.RuneCountInString(messageOf(a, v1beta1.Delivery{}, alertrules.Outcome{}).RawTitle); got != want {
			t.Errorf("a title of %d characters is sent with %d instead of %d", length, got, want)
		}
	}
}

// Only an answer that certainly refuses an attempt has the next one wait in the queue alone: after a 503 the message may be shown already.
func TestWhatAnAnswerWithRetryAfterMeans(t *testing.T) {
	for class, mayHaveArrived := range map[result.Class]bool{result.Temporary: false, result.Unknown: true} {
		got := resultOf(&result.Error{Class: class, Reason: result.ReasonServerError, RetryAfter: time.Second})
		if want := (limiter.Result{Outcome: limiter.Throttled, RetryAfter: time.Second, MayHaveArrived: mayHaveArrived}); got != want {
			t.Errorf("%s: %+v, want %+v", class, got, want)
		}
	}
}
