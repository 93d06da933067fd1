// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// The digests are stored in statuses: with another one an upgrade would send every Alert again. They were computed before Alerts had
// instances and links.
func TestContentHashStaysAsItWas(t *testing.T) {
	for want, spec := range map[string]v1beta1.AlertSpec{
		"1:3d770eae90418be44411074de600dc71": {Content: "Hello KubeCon :wave:"},
		"1:e36496fe94ae360cf1a4ae4acde6db2b": {
			Title: "Disk full", Content: "/var is at 97%", Severity: v1beta1.SeverityCritical, State: v1beta1.AlertResolved,
			ReceiverRefs: []v1beta1.ReceiverRef{{Kind: v1beta1.KindReceiver, Name: "a"}},
		},
		"1:0f08d1f7dc02bd90a3b0de46f1829aa0": {Title: "ü", Content: "x\ny", Severity: v1beta1.SeverityWarning},
	} {
		if got := ContentHash(&spec); got != want {
			t.Errorf("%+v: got %s, want %s", spec, got, want)
		}
		spec.Instances = []v1beta1.AlertInstance{{Key: "k", Text: "pod-1", StartsAt: &metav1.Time{Time: time.Unix(1, 0)}}}
		if got := ContentHash(&spec); got != want {
			t.Errorf("%+v: got %s, want %s: the content says what people read of the instances", spec, got, want)
		}
	}
}

// What instances and links add to the content is a part of the hash.
func TestContentHashHasJoinsAndLinks(t *testing.T) {
	at := func(s int64) *metav1.Time { return &metav1.Time{Time: time.Unix(s, 0)} }
	seen := map[string]int{}
	specs := []v1beta1.AlertSpec{
		{Content: "x"},
		{Content: "x", JoinedTime: at(1)},
		{Content: "x", JoinedTime: at(2)},
		{Content: "x", Links: []v1beta1.AlertLink{{Text: "a", Href: "https://b"}}},
		{Content: "x", Links: []v1beta1.AlertLink{{Text: "ahttps://", Href: "b"}}},
		{Content: "x", JoinedTime: at(1), Links: []v1beta1.AlertLink{{Text: "a", Href: "https://b"}}},
		{Content: "x", Links: []v1beta1.AlertLink{{Text: "a", Href: "https://b"}, {Text: "c", Href: "https://d"}}},
		{Content: "x", Links: []v1beta1.AlertLink{{Text: "c", Href: "https://d"}, {Text: "a", Href: "https://b"}}},
	}
	for i := range specs {
		hash := ContentHash(&specs[i])
		if j, ok := seen[hash]; ok {
			t.Errorf("%+v has the hash of %+v", specs[i], specs[j])
		}
		seen[hash] = i
	}
	zone := time.FixedZone("", 3600)
	if local := (v1beta1.AlertSpec{Content: "x", JoinedTime: &metav1.Time{Time: time.Unix(1, 0).In(zone)}}); ContentHash(&local) != ContentHash(&specs[1]) {
		t.Error("the hash depends on the time zone")
	}
}
