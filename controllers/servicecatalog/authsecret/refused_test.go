// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package authsecret

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
)

// The error is shown in the conditions and events of the instance that is to be provisioned.
func TestARefusedFinalizerOfASecretIsNotQuotedInAnInstance(t *testing.T) {
	b := controllertest.NewBroker(catalogsync.Namespaced, "https://osba.example")
	b.SetNamespace("demo")
	b.Common().AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Name: "login"}}}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "login", UID: "login"}}
	c := controllertest.NewCluster(t, interceptor.Funcs{Patch: func(_ context.Context, _ client.WithWatch, o client.Object, _ client.Patch, _ ...client.PatchOption) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, o.GetName(), errors.New("the password is hunter2"))
	}}, b, secret)
	r := NewReconciler(c, c, index.Index{Cache: c}, events.NewFakeRecorder(10), &consistency.CacheBarrier{Cache: c, Live: c})
	err := r.Protect(t.Context(), b)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the conditions of the instance say: %v", err)
	}
	if _, isOfTheInstance := errors.AsType[*patch.RefusedError](err); isOfTheInstance {
		t.Error("guard shows it as a refusal of the instance's own finalizers")
	}
}
