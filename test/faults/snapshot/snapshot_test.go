// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
)

func TestDescribeOmitsVolatileFields(t *testing.T) {
	a := &pagerv1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Name: "disk", Namespace: "run-abcde", UID: "1", ResourceVersion: "7", Generation: 2}}
	a.Spec.Content = "of 5e12ce00-1234-4abc-8000-0123456789ab in run-abcde"
	before := Describe(a)
	a.UID, a.ResourceVersion, a.Namespace, a.Spec.Content = "2", "9", "run-fghij", "of 5e12ce00-ffff-4abc-8000-0123456789ab in run-fghij"
	if after := Describe(a); after != before {
		t.Errorf("one run has %s, another %s", before, after)
	}
	for what, change := range map[string]func(){
		"generation": func() { a.Generation = 3 },
		"content":    func() { a.Spec.Content = "other" },
		"deletion":   func() { a.DeletionTimestamp = &metav1.Time{} },
		"sent":       func() { a.Status.Sent = true },
	} {
		saved := a.DeepCopy()
		if change(); Describe(a) == before {
			t.Errorf("it is the same with another %s", what)
		}
		*a = *saved
	}
}

func TestDescribeWithoutMembers(t *testing.T) {
	a := &pagerv1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Name: "disk"}, Spec: pagerv1beta1.AlertSpec{Severity: pagerv1beta1.SeverityCritical}}
	a.Spec.Instances = []pagerv1beta1.AlertInstance{{Key: "a", Severity: pagerv1beta1.SeverityWarning}, {Key: "b"}}
	got := Describe(a, "spec.instances.severity", "spec.instances.none.x", "status.none")
	if strings.Contains(got, "Warning") || !strings.Contains(got, "Critical") {
		t.Error(got)
	}
}

func TestDescribeOmitsTimesOfInstances(t *testing.T) {
	at, later := metav1.Unix(1, 0), metav1.Unix(2, 0)
	a := &pagerv1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Name: "disk", Generation: 2, Labels: map[string]string{pagerv1beta1.AlertSourceLabel: "prom"}}}
	a.Spec.Instances = []pagerv1beta1.AlertInstance{{Key: "a", StartsAt: &at, LapsesAt: &at}, {Key: "b", StartsAt: &at, EndsAt: &at}}
	before := Describe(a)
	a.Generation = 3
	a.Spec.Instances = []pagerv1beta1.AlertInstance{{Key: "b", StartsAt: &later, EndsAt: &later}, {Key: "a", StartsAt: &later, LapsesAt: &later}}
	if after := Describe(a); after != before {
		t.Errorf("one run has %s, another %s", before, after)
	}
	if a.Spec.Instances[0].EndsAt = nil; Describe(a) == before {
		t.Error("it is the same where an instance has not ended")
	}
}

func TestDescribeOmitsSecretData(t *testing.T) {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "app"}, Data: map[string][]byte{"password": []byte("x"), "host": nil}}
	if text := Describe(s); !strings.Contains(text, `["host","password"]`) || strings.Contains(text, "eA==") {
		t.Error(text)
	}
}

func TestWithoutVolatile(t *testing.T) {
	var value any
	if err := json.Unmarshal([]byte(`{"a":[{"lastTransitionTime":"x","type":"Ready"}],"metadata":{"uid":"u","labels":{},"name":"n"},"externalID":"i","deletionTimestamp":"d"}`), &value); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(withoutVolatile(value, volatileKeys.MatchString))
	if want := `{"a":[{"type":"Ready"}],"deletionTimestamp":"d","metadata":{"name":"n"}}`; err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
}

func TestDifference(t *testing.T) {
	if got, want := Difference("a\nb", "b\nc"), "  - a\n  + c"; got != want {
		t.Errorf("%q", got)
	}
}
