// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// F-B27: the schema completes the kind of a reference, which the manifest then lacks for ever.
func TestKindOfReferencesInAManifest(t *testing.T) {
	warning := func(item string) string {
		return "spec.receiverRefs[" + item + "]: write kind: Receiver; the API server adds a missing kind, and kubectl apply and Argo CD then show a difference each time"
	}
	for name, c := range map[string]struct {
		annotation string
		want       []string
	}{
		"each has a kind":   {`{"spec":{"receiverRefs":[{"kind":"Receiver","name":"a"},{"kind":"ClusterReceiver","name":"a"}]}}`, nil},
		"one has no kind":   {`{"spec":{"receiverRefs":[{"kind":"Receiver","name":"a"},{"name":"b"}]}}`, []string{warning("1")}},
		"none has a kind":   {`{"spec":{"receiverRefs":[{"name":"a"},{"name":"b"}]}}`, []string{warning("0"), warning("1")}},
		"no references":     {`{"spec":{"content":"x"}}`, nil},
		"no JSON":           {`{`, nil},
		"another type":      {`{"spec":{"receiverRefs":"a"}}`, nil},
		"a null":            {`null`, nil},
		"more than allowed": {`{"spec":{"receiverRefs":[` + strings.Repeat(`{"kind":"Receiver"},`, maxReceivers) + `{}]}}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := &v1beta1.Alert{}
			a.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: c.annotation}
			if got := kindWarnings(a); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := kindWarnings(&v1beta1.Alert{}); got != nil {
		t.Errorf("got %q without the annotation", got)
	}
}
