// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllertest has the API server in memory that the tests of the controllers of Alerts and receivers share.
package controllertest

import (
	"errors"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
)

// NewCluster returns an API server in memory, with the indexes of the manager's cache.
func NewCluster(t *testing.T, funcs interceptor.Funcs, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1beta1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	isDefault := func(o client.Object) []string { return []string{strconv.FormatBool(receivers.IsDefault(o))} }
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&v1beta1.Alert{}, &v1beta1.Receiver{}).
		WithIndex(&v1beta1.Receiver{}, "isDefault", isDefault).WithIndex(&v1beta1.ClusterReceiver{}, "isDefault", isDefault).
		WithIndex(&v1beta1.Alert{}, receivers.WaitingIndex, receivers.WaitingKeys).
		WithInterceptorFuncs(funcs).Build()
}

// NewAlertAndReceiver is an Alert of now, and the receiver at a URL that it is for.
func NewAlertAndReceiver(url string) (*v1beta1.Alert, *v1beta1.Receiver) {
	receiver := &v1beta1.Receiver{}
	receiver.Namespace, receiver.Name, receiver.Spec.Webhook = "ns", "hook", &v1beta1.WebhookProvider{URL: url}
	return NewAlert(func(a *v1beta1.Alert) {
		a.CreationTimestamp.Time = time.Now()
		a.Spec.ReceiverRefs = []v1beta1.ReceiverRef{{Kind: v1beta1.KindReceiver, Name: receiver.Name}}
	}), receiver
}
