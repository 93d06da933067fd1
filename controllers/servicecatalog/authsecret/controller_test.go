// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package authsecret

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

func TestCredentialsAreKeptForABindingWithoutItsInstance(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		b := controllertest.NewBroker(s, "http://127.0.0.1:1")
		b.Common().AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Namespace: "demo", Name: "login"}}}
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "login", UID: "login", Finalizers: []string{v1beta1.AuthSecretFinalizer, "example.com/theirs"}}}
		secret.DeletionTimestamp = &metav1.Time{Time: rulestest.Noon}
		binding := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "app"}}
		binding.Status.Target = &v1beta1.ServiceBindingTarget{BrokerReference: v1beta1.BrokerReference{Kind: s.BrokerKind(), Name: "osba"}}
		c, recorder := controllertest.NewCluster(t, interceptor.Funcs{}, b, binding, secret), events.NewFakeRecorder(10)
		r := NewReconciler(c, c, index.Index{Cache: c}, recorder, &consistency.CacheBarrier{Cache: c, Live: c})
		now := rulestest.Noon
		r.now = func() time.Time { return now }
		finalizers := func() []string {
			t.Helper()
			if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(secret)}); err != nil {
				t.Fatal(err)
			}
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); err != nil {
				t.Fatal(err)
			}
			now = now.Add(deletionGrace)
			return secret.Finalizers
		}
		if got := finalizers(); !slices.Contains(got, v1beta1.AuthSecretFinalizer) {
			t.Fatalf("%s: finalizers are %q while a binding is to be removed", s.Scope, got)
		}
		if said := <-recorder.Events; !strings.Contains(said, "0 ServiceInstances and 1 ServiceBinding") {
			t.Errorf("%s: the event is %q", s.Scope, said)
		}
		if err := c.Delete(t.Context(), binding); err != nil {
			t.Fatal(err)
		}
		if got := finalizers(); slices.Contains(got, v1beta1.AuthSecretFinalizer) {
			t.Errorf("%s: finalizers are %q though nothing is left", s.Scope, got)
		}
	}
}

func TestCredentialsThatCouldNotBeReleasedAreLookedAtAgain(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "login", Finalizers: []string{v1beta1.AuthSecretFinalizer}}}
	c := controllertest.NewCluster(t, interceptor.Funcs{Patch: func(_ context.Context, _ client.WithWatch, o client.Object, _ client.Patch, _ ...client.PatchOption) error {
		return apierrors.NewConflict(schema.GroupResource{}, o.GetName(), errors.New("it was changed"))
	}}, secret)
	r := NewReconciler(c, c, index.Index{Cache: c}, events.NewFakeRecorder(10), &consistency.CacheBarrier{Cache: c, Live: c})
	if result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(secret)}); err != nil || result.IsZero() {
		t.Errorf("again %v, %v", !result.IsZero(), err)
	}
}

// A Secret has no status: an event says why it is not deleted. It does not have the words of a webhook, which may quote the Secret.
func TestRefusedFinalizerOfASecret(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "login", UID: "login", Finalizers: []string{v1beta1.AuthSecretFinalizer}}}
	secret.DeletionTimestamp = &metav1.Time{Time: rulestest.Noon}
	c := controllertest.NewCluster(t, interceptor.Funcs{Patch: func(_ context.Context, _ client.WithWatch, o client.Object, _ client.Patch, _ ...client.PatchOption) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, o.GetName(), errors.New("the password is hunter2"))
	}}, secret)
	recorder := events.NewFakeRecorder(10)
	r := NewReconciler(c, c, index.Index{Cache: c}, recorder, &consistency.CacheBarrier{Cache: c, Live: c})
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(secret)}); err == nil {
		t.Error("no error")
	}
	select {
	case said := <-recorder.Events:
		if !strings.HasPrefix(said, "Warning FinalizerRefused The API server refuses ") || strings.Contains(said, "hunter2") {
			t.Errorf("the event is %q", said)
		}
	default:
		t.Error("no event")
	}
}

func TestASecretIsProtectedOnce(t *testing.T) {
	b := controllertest.NewBroker(catalogsync.Namespaced, "https://osba.example")
	b.SetNamespace("demo")
	ref := &v1beta1.ObjectReference{Name: "login"}
	b.Common().AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: ref}, ClientCertificate: &v1beta1.SecretAuth{SecretRef: ref}}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "login", UID: "login"}}
	var patches int
	c := controllertest.NewCluster(t, interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
		patches++
		return c.Patch(ctx, o, p, opts...)
	}}, secret)
	before := controllertest.NewCluster(t, interceptor.Funcs{}, secret) // what the cache shows
	r := NewReconciler(before, c, index.Index{Cache: before}, events.NewFakeRecorder(10), &consistency.CacheBarrier{})
	for range 2 {
		if err := r.Protect(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); err != nil || patches != 1 || !controllerutil.ContainsFinalizer(secret, v1beta1.AuthSecretFinalizer) {
		t.Errorf("%v, %d patches: %v", err, patches, secret.Finalizers)
	}
}

// A reconcile that looked for what needs the Secret before it was protected does not release it; one that looks afterwards does, and then it is
// protected again.
func TestASecretThatWasReleasedIsProtectedAgain(t *testing.T) {
	b := controllertest.NewBroker(catalogsync.ClusterWide, "https://osba.example")
	b.Common().AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Namespace: "demo", Name: "login"}}}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "login", UID: "login", Finalizers: []string{v1beta1.AuthSecretFinalizer}}}
	name := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(secret)}
	c := controllertest.NewCluster(t, interceptor.Funcs{}, secret)
	r := NewReconciler(c, c, index.Index{Cache: c}, events.NewFakeRecorder(10), &consistency.CacheBarrier{})
	uses, seen := r.usesOf("login"), apiserver.Metadata("Secret")
	if err := c.Get(t.Context(), name.NamespacedName, seen); err != nil {
		t.Fatal(err)
	}
	if err := r.Protect(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := r.release(t.Context(), seen, uses); !errors.Is(err, patch.ErrStale) {
		t.Errorf("released by a reconcile that looked before it was protected: %v", err)
	}
	for _, step := range []struct {
		do   func() error
		want int
	}{
		{func() error { _, err := r.Reconcile(t.Context(), name); return err }, 0}, // nothing needs it
		{func() error { return r.Protect(t.Context(), b) }, 1},
	} {
		got := &corev1.Secret{}
		if err := errors.Join(step.do(), c.Get(t.Context(), name.NamespacedName, got)); err != nil || len(got.Finalizers) != step.want {
			t.Errorf("%v, finalizers %v, want %d", err, got.Finalizers, step.want)
		}
	}
}

// F-S38: a Secret that is deleted to be created again goes after a short time, though there are instances; one that is deleted together with
// what is at the broker stays until that is gone.
func TestADeletedSecretIsKeptOnlyToRemoveWhatIsAtTheBroker(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(b v1beta1.Broker, si *v1beta1.ServiceInstance, ns *corev1.Namespace)
		kept bool
	}{
		"nothing is deleted":       {func(v1beta1.Broker, *v1beta1.ServiceInstance, *corev1.Namespace) {}, false},
		"the instance is deleted":  {func(_ v1beta1.Broker, si *v1beta1.ServiceInstance, _ *corev1.Namespace) { deleteObject(si) }, true},
		"the broker is deleted":    {func(b v1beta1.Broker, _ *v1beta1.ServiceInstance, _ *corev1.Namespace) { deleteObject(b) }, true},
		"the namespace is deleted": {func(_ v1beta1.Broker, _ *v1beta1.ServiceInstance, ns *corev1.Namespace) { deleteObject(ns) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := controllertest.NewBroker(catalogsync.Namespaced, "https://osba.example")
			b.SetNamespace("demo")
			b.Common().AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Name: "login"}}}
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "login", UID: "login", Finalizers: []string{v1beta1.AuthSecretFinalizer}}}
			secret.DeletionTimestamp = &metav1.Time{Time: rulestest.Noon}
			si := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "db"}}
			si.Status.Broker = &v1beta1.BrokerReference{Kind: "ServiceBroker", Name: b.GetName()}
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "demo"}}
			c.edit(b, si, namespace)
			cluster, recorder := controllertest.NewCluster(t, interceptor.Funcs{}, b, si, secret, namespace), events.NewFakeRecorder(10)
			r := NewReconciler(cluster, cluster, index.Index{Cache: cluster}, recorder, &consistency.CacheBarrier{Cache: cluster, Live: cluster})
			now := rulestest.Noon
			r.now = func() time.Time { return now }
			isKept := func() (bool, time.Duration) {
				t.Helper()
				result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(secret)})
				if err != nil {
					t.Fatal(err)
				}
				return cluster.Get(t.Context(), client.ObjectKeyFromObject(secret), &corev1.Secret{}) == nil, result.RequeueAfter
			}
			if kept, wait := isKept(); !kept || wait != deletionGrace {
				t.Fatalf("kept at first: %t, again after %s", kept, wait)
			}
			if said := <-recorder.Events; !strings.Contains(said, "After that, requests wait until a Secret of this name exists") {
				t.Error(said)
			}
			now = now.Add(deletionGrace)
			if kept, _ := isKept(); kept != c.kept {
				t.Errorf("kept: %t", kept)
			}
		})
	}
}

func deleteObject(o client.Object) {
	at := metav1.NewTime(rulestest.Noon)
	o.SetDeletionTimestamp(&at)
	o.SetFinalizers([]string{"example.com/theirs"})
}
