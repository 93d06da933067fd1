// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// What a cache of objects drops changes nothing that is read of them.
func TestTrim(t *testing.T) {
	for _, file := range testdata(t) {
		for _, o := range readObjects(t, file) {
			t.Run(filepath.Base(file)+"/"+o.GetKind()+"/"+o.GetName(), func(t *testing.T) {
				addUnread(o)
				want := readAll(t, o)
				trimmed, err := Trim(o)
				if err != nil {
					t.Fatal(err)
				}
				left, err := trimmed.Object()
				if err != nil {
					t.Fatal(err)
				}
				if got := readAll(t, left); got != want {
					t.Errorf("after Trim:\n%s\nwant:\n%s", got, want)
				}
				text, err := json.Marshal(left.Object)
				if err != nil || strings.Contains(string(text), `"unread`) {
					t.Errorf("Trim keeps what is not read: %s, %v", text, err)
				}
				meta := trimmed.GetObjectMeta()
				for _, get := range []func(metav1.Object) string{metav1.Object.GetName, metav1.Object.GetNamespace, metav1.Object.GetResourceVersion, uidOf} {
					if get(meta) != get(left) || get(left) == "" {
						t.Errorf("the cache finds %q, the object has %q", get(meta), get(left))
					}
				}
			})
		}
	}
}

// A Job that had ended before its deletion is what it was then: its TTL deletes it while its Pods exist.
func TestTrimOfDeletedJobs(t *testing.T) {
	for name, c := range map[string]struct {
		kind, condition, at string
		asks                bool
	}{
		"failed before":    {"Job", "Failed", "2026-01-01T12:00:00Z", true},
		"succeeded before": {"Job", "Complete", "2026-01-01T11:00:00Z", true},
		"failed by it":     {"Job", "Failed", "2026-01-01T12:00:01Z", false},
		"runs":             {"Job", "Suspended", "2026-01-01T11:00:00Z", false},
		"another kind":     {"House", "Failed", "2026-01-01T11:00:00Z", false},
	} {
		t.Run(name, func(t *testing.T) {
			trimmed, err := Trim(&unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "batch/v1", "kind": c.kind,
				"metadata": map[string]any{"name": "import", "deletionTimestamp": "2026-01-01T12:00:00Z", "labels": map[string]any{v1beta1.PageLabel: "true"}},
				"status":   map[string]any{"conditions": []any{map[string]any{"type": c.condition, "status": "True", "lastTransitionTime": c.at}}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			o, err := trimmed.Object()
			if err != nil {
				t.Fatal(err)
			}
			if _, asks, _ := ParseAsk(o, c.kind); asks != c.asks {
				t.Errorf("asks: %t", asks)
			}
		})
	}
}

// The limit for 5,000 objects is 10 MiB, about half of which are the keys of the cache and what the operator remembers.
func TestTrimmedSize(t *testing.T) {
	const limit = 1000
	o := readObjects(t, "testdata/kubernetes.yaml")[0]
	addUnread(o)
	trimmed, err := Trim(o)
	if err != nil {
		t.Fatal(err)
	}
	texts := len(trimmed.namespace) + len(trimmed.name) + len(trimmed.resourceVersion) + len(trimmed.uid) + len(trimmed.rest)
	if size := int(reflect.TypeFor[Trimmed]().Size()) + texts; size > limit {
		t.Errorf("a Deployment that is rolled out takes %d bytes, the limit is %d: %s", size, limit, trimmed.rest)
	}
}

// addUnread gives an object an identity, a selector and a request for Alerts, and fields that nothing reads.
func addUnread(o *unstructured.Unstructured) {
	o.SetNamespace("shop")
	o.SetUID("6fd5f0d6-3b0a-4a6e-9d2f-5b8f1a2c3d4e")
	o.SetResourceVersion("123456")
	o.SetCreationTimestamp(metav1.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	o.SetLabels(map[string]string{v1beta1.PageLabel: "true", "unread": "unread"})
	o.SetAnnotations(map[string]string{v1beta1.PageReceiversAnnotation: "oncall, clusterreceiver/chat", v1beta1.PageAfterAnnotation: "600", v1beta1.PageSeverityAnnotation: "Warning", "unread": "unread"})
	changed := metav1.NewTime(now.Add(-time.Minute))
	specEntry := metav1.ManagedFieldsEntry{Manager: "unread", Time: &changed, FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:unread":{}}}`)}
	o.SetManagedFields(append(o.GetManagedFields(), specEntry, metav1.ManagedFieldsEntry{Manager: "unread"}))
	o.SetFinalizers([]string{"unread"})
	for _, field := range []string{"spec", "status"} {
		part, ok := o.Object[field].(map[string]any)
		if !ok {
			part = map[string]any{}
			o.Object[field] = part
		}
		part["unread"] = strings.Repeat("unread ", 1000)
	}
	if selector, err := PodSelector(o); err != nil || selector != nil {
		o.Object["spec"].(map[string]any)["selector"] = map[string]any{"matchLabels": map[string]any{"app": "orders"}}
	}
	conditions, _ := o.Object["status"].(map[string]any)["conditions"].([]any)
	for _, c := range conditions {
		c.(map[string]any)["unread"] = "unread"
	}
	o.Object["unread"] = "unread"
}

// readAll returns what the operator reads of an object, as text.
func readAll(t *testing.T, o *unstructured.Unstructured) string {
	t.Helper()
	result := Compute(o, Evidence{Now: now})
	ask, asks, err := ParseAsk(o, o.GetKind())
	if err != nil {
		t.Fatal(err)
	}
	selector, err := PodSelector(o)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%+v\n%+v %t\n%v\n%s %s %s %s", result, ask, asks, selector, o.GroupVersionKind(), o.GetNamespace(), o.GetName(), o.GetUID())
}

func uidOf(o metav1.Object) string { return string(o.GetUID()) }

// An object that a list or a watch cannot contain, such as one without a kind, ends in an error.
func TestTrimWithoutKind(t *testing.T) {
	trimmed, err := Trim(&unstructured.Unstructured{Object: map[string]any{"metadata": "none", "status": int64(1)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trimmed.Object(); !runtime.IsMissingKind(err) {
		t.Errorf("%v, want a missing kind", err)
	}
}
