// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// Each object in testdata has the expected result in an annotation: the state, the reason, and the time since when it holds, as a person would say
// who is paged at night.
func TestCompute(t *testing.T) {
	states := map[State]int{}
	for _, file := range testdata(t) {
		for _, o := range readObjects(t, file) {
			t.Run(filepath.Base(file)+"/"+o.GetKind()+"/"+o.GetName(), func(t *testing.T) {
				v := Compute(o, evidenceOf(o, now))
				selector, err := PodSelector(o)
				if err != nil {
					t.Fatal(err)
				}
				if v.State == Failing && v.Since.IsZero() && selector != nil {
					v.Since = UnreadySince(pods)
				}
				got := string(v.State) + " " + v.Reason
				if !v.Since.IsZero() && v.State != Healthy {
					got += " " + v.Since.UTC().Format(time.RFC3339)
				}
				if want := o.GetAnnotations()["expect"]; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				states[v.State]++
			})
		}
	}
	if len(states) != 4 {
		t.Errorf("the objects have %d of 4 states", len(states))
	}
}

// evidenceOf returns what decides about an object in testdata at a time.
func evidenceOf(o *unstructured.Unstructured, at time.Time) Evidence {
	return Evidence{Now: at, BindingMode: storagev1.VolumeBindingMode(o.GetAnnotations()["bindingMode"])}
}

// now is when the results of the objects in testdata are computed.
var now = time.Date(2026, 1, 2, 0, 1, 0, 0, time.UTC)

// pods are those of the StatefulSets and DaemonSets in testdata.
var pods = []corev1.Pod{
	pod("2026-01-01T00:00:00Z", corev1.ConditionTrue, nil),
	pod("2026-01-01T02:00:00Z", corev1.ConditionFalse, nil),
	pod("2026-01-01T01:00:00Z", corev1.ConditionFalse, nil),
	pod("2026-01-01T00:00:00Z", corev1.ConditionFalse, &metav1.Time{}), // being deleted
	{Status: corev1.PodStatus{Phase: corev1.PodSucceeded}},
	evicted("2025-12-24T00:00:00Z"),
}

func evicted(since string) corev1.Pod {
	p := pod(since, corev1.ConditionFalse, nil)
	p.Status.Phase, p.Status.Reason = corev1.PodFailed, "Evicted"
	return p
}

func pod(since string, ready corev1.ConditionStatus, deleted *metav1.Time) corev1.Pod {
	at, err := time.Parse(time.RFC3339, since)
	if err != nil {
		panic(err)
	}
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: deleted},
		Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready, LastTransitionTime: metav1.NewTime(at)}}},
	}
}

// A status that has another form than its kind's, or that is none, ends in a result, and never in a panic.
func FuzzCompute(f *testing.F) {
	for _, file := range testdata(f) {
		for _, o := range readObjects(f, file) {
			text, err := o.MarshalJSON()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o := &unstructured.Unstructured{}
		if o.UnmarshalJSON(text) != nil {
			return
		}
		if v := Compute(o, Evidence{Now: now}); v.State == "" {
			t.Errorf("no result for %s", text)
		}
	})
}

// testdata returns the files of objects, one a project.
func testdata(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in testdata: %v", err)
	}
	return files
}

func readObjects(t testing.TB, file string) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for _, document := range strings.Split(string(text), "\n---\n")[1:] {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &o.Object); err != nil {
			t.Fatalf("%s: %v: %s", file, err, document)
		}
		o.SetLabels(map[string]string{v1beta1.PageLabel: "true"})
		objects = append(objects, o)
	}
	return objects
}
