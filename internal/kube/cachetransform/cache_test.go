// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cachetransform

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestOfMetadataACacheKeepsWhoseSecretItIs(t *testing.T) {
	owner := func(kind string, controller bool) metav1.OwnerReference {
		return metav1.OwnerReference{APIVersion: "example.com/v1", Kind: kind, Name: "name", UID: "uid", Controller: &controller}
	}
	for name, c := range map[string]struct {
		owners []metav1.OwnerReference
		want   bool
	}{
		"nobody's":              {nil, false},
		"another kind's":        {[]metav1.OwnerReference{owner("Certificate", true)}, false},
		"not in its keeping":    {[]metav1.OwnerReference{owner("Kept", false)}, false},
		"a kept one's":          {[]metav1.OwnerReference{owner("Kept", true)}, true},
		"a kept one's, between": {[]metav1.OwnerReference{owner("Certificate", false), owner("Kept", true)}, true},
	} {
		m := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"a": "b"}, OwnerReferences: c.owners}}
		if _, err := Strip("Kept")(m); err != nil {
			t.Fatal(err)
		}
		kept := metav1.GetControllerOf(m)
		if m.Annotations != nil || (kept != nil) != c.want || len(m.OwnerReferences) > 1 || kept != nil && kept.UID != "uid" {
			t.Errorf("%s: kept %+v", name, m.ObjectMeta)
		}
	}
}

func TestACacheKeepsNoCopyOfWhatWasApplied(t *testing.T) {
	m := &metav1.ObjectMeta{Annotations: map[string]string{corev1.LastAppliedConfigAnnotation: "{}", "a": "b"}}
	if _, err := Strip("Kept")(&corev1.ConfigMap{ObjectMeta: *m}); err != nil {
		t.Fatal(err)
	}
	if len(m.Annotations) != 1 || m.Annotations["a"] != "b" {
		t.Errorf("kept %v", m.Annotations)
	}
}
