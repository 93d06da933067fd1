// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllertest has the fixtures that the tests of the servicecatalog controllers share: a fake cluster with the cache's
// indexes, brokers, and a recorder of log lines.
package controllertest

import (
	"context"
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
)

// fakeIndexer is a client.FieldIndexer that adds the indexes to a fake client.
type fakeIndexer struct{ builder *fake.ClientBuilder }

func (i fakeIndexer) IndexField(_ context.Context, obj client.Object, field string, values client.IndexerFunc) error {
	i.builder.WithIndex(obj, field, values)
	return nil
}

// NewCluster returns a client of an API server in memory, with the indexes of the manager's cache. The interceptors replace its calls.
func NewCluster(t *testing.T, funcs interceptor.Funcs, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1beta1.AddToScheme(scheme), clientgoscheme.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(funcs).WithStatusSubresource(
		&v1beta1.ClusterServiceBroker{}, &v1beta1.ServiceBroker{}, &v1beta1.ClusterServiceClass{}, &v1beta1.ServiceClass{},
		&v1beta1.ClusterServicePlan{}, &v1beta1.ServicePlan{}, &v1beta1.ServiceInstance{}, &v1beta1.ServiceBinding{})
	if err := index.AddIndexes(t.Context(), fakeIndexer{builder}); err != nil {
		t.Fatal(err)
	}
	return builder.Build()
}

// NewBroker returns a broker object of a scope with the URL of a server, the finalizer and the defaults that admission sets.
func NewBroker(kinds catalogsync.Kinds, url string) v1beta1.Broker {
	b := kinds.NewBroker()
	b.SetName("osba")
	b.SetUID("broker")
	b.SetGeneration(1)
	b.SetFinalizers([]string{v1beta1.Finalizer})
	b.Common().URL, b.Common().RelistBehavior = url, v1beta1.RelistDuration
	if kinds.Scope == catalog.Namespaced {
		b.SetNamespace("demo")
	}
	return b
}
