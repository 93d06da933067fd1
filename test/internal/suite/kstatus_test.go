// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"testing"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/scheme"
	k8stesting "k8s.io/client-go/testing"
)

// An API server may end a watch at any time.
func TestListAndWatchOutlivesTheEndOfAWatch(t *testing.T) {
	g := gomega.NewWithT(t)
	api := fake.NewSimpleDynamicClient(scheme.Scheme)
	api.PrependReactor("list", "configmaps", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, &unstructured.UnstructuredList{Object: map[string]any{"metadata": map[string]any{"resourceVersion": "1"}}}, nil
	})
	versions := []string{"2", "3"}
	var from []string
	api.PrependWatchReactor("configmaps", func(action k8stesting.Action) (bool, watch.Interface, error) {
		from = append(from, action.(k8stesting.WatchActionImpl).ListOptions.ResourceVersion)
		w := watch.NewFakeWithChanSize(1, false)
		if len(versions) == 0 {
			return true, w, nil
		}
		o := &unstructured.Unstructured{}
		o.SetResourceVersion(versions[0])
		versions = versions[1:]
		w.Modify(o)
		w.Stop()
		return true, w, nil
	})

	_, changes, err := listAndWatch(t.Context(), api.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer changes.Stop()
	for _, want := range []string{"2", "3"} {
		change := <-changes.ResultChan()
		g.Expect(change.Object.(metav1.Object).GetResourceVersion()).To(gomega.Equal(want))
	}
	g.Expect(from).To(gomega.Equal([]string{"1", "2"}))
}
