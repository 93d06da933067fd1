// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
)

func TestWrap(t *testing.T) {
	for value, want := range map[string][]string{
		"one two three four":  {"one two", "three four"},
		"one\n\ntwo  three":   {"one", "", "two three"},
		"averyveryverylong x": {"averyveryverylong", "x"},
	} {
		if got := wrap(value, 10); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

func TestFieldsAreAligned(t *testing.T) {
	out := &text{}
	out.field("Empty", "")
	out.field("Name", "x")
	out.indented("  ", "A label that is longer", strings.Repeat("word ", 20))
	const want = `Name:               x
  A label that is longer:  word word word word word word word word word word word word word word
                           word word word word word word
`
	if out.String() != want {
		t.Errorf("\n%s\nwant\n%s", out, want)
	}
}

func TestProviderOf(t *testing.T) {
	if got := providerOf(pagerv1beta1.Provider{GoogleChat: &pagerv1beta1.GoogleChatProvider{}}); got != "googleChat" {
		t.Errorf("%q", got)
	}
	if got := providerOf(pagerv1beta1.Provider{}); got != "" {
		t.Errorf("%q", got)
	}
}

func TestLastTimeOfAnEvent(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 1, 31, 12, minute, 0, 0, time.UTC) }
	event := corev1.Event{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(at(1))}}
	check := func(want int, times int32) {
		t.Helper()
		if got := lastTime(event); !got.Time.Equal(at(want)) || timesOf(event) != times {
			t.Errorf("%s, %d times", got, timesOf(event))
		}
	}
	check(1, 1)
	event.EventTime = metav1.NewMicroTime(at(2))
	check(2, 1)
	event.LastTimestamp, event.Count = metav1.NewTime(at(3)), 4
	check(3, 4)
	event.Series = &corev1.EventSeries{Count: 5, LastObservedTime: metav1.NewMicroTime(at(4))}
	check(4, 5)
}
