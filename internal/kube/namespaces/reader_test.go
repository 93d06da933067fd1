// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package namespaces

import (
	"context"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// newReader returns a reader of two namespaces, whose requests are added to requests, in a cluster with these objects.
func newReader(t *testing.T, requests *[]string, objects ...client.Object) reader {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{metav1.AddMetaToScheme, pagerv1beta1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			*requests = append(*requests, "get "+key.String())
			return c.Get(ctx, key, o, options...)
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			*requests = append(*requests, "list "+(&client.ListOptions{}).ApplyOptions(options).Namespace)
			return c.List(ctx, list, options...)
		},
	}).Build()
	return reader{Reader: c, scheme: scheme, namespaces: Set{"team-a", "team-b"}}
}

// Of kinds without a namespace there are no objects, and nothing is asked of the API server: the operator has no right to it.
func TestReaderHasNoClusterScopedObjects(t *testing.T) {
	var requests []string
	r := newReader(t, &requests, &pagerv1beta1.ClusterReceiver{ObjectMeta: metav1.ObjectMeta{Name: "oncall"}})
	if err := r.Get(t.Context(), client.ObjectKey{Name: "oncall"}, &pagerv1beta1.ClusterReceiver{}); !apierrors.IsNotFound(err) {
		t.Errorf("get: %v", err)
	}
	var typed pagerv1beta1.ClusterReceiverList
	if err := r.List(t.Context(), &typed); err != nil || len(typed.Items) > 0 {
		t.Errorf("list: %d, %v", len(typed.Items), err)
	}
	metadata := &metav1.PartialObjectMetadataList{}
	metadata.SetGroupVersionKind(pagerv1beta1.GroupVersion.WithKind("ClusterReceiverList"))
	if err := r.List(t.Context(), metadata); err != nil || len(metadata.Items) > 0 || metadata.ResourceVersion == "" {
		t.Errorf("list of metadata: %d, version %q, %v", len(metadata.Items), metadata.ResourceVersion, err)
	}
	if len(requests) > 0 {
		t.Errorf("requests %q", requests)
	}
}

func TestReaderListsTheNamespaces(t *testing.T) {
	var requests []string
	receiver := func(namespace string) client.Object {
		return &pagerv1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hook"}}
	}
	r := newReader(t, &requests, receiver("team-a"), receiver("team-b"), receiver("elsewhere"))
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(pagerv1beta1.GroupVersion.WithKind("ReceiverList"))
	if err := r.List(t.Context(), list); err != nil || len(list.Items) != 2 {
		t.Errorf("%d, %v", len(list.Items), err)
	}
	if want := []string{"list team-a", "list team-b"}; len(requests) != 2 || requests[0] != want[0] || requests[1] != want[1] {
		t.Errorf("requests %q, want %q", requests, want)
	}
}
