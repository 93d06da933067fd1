// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0
package servicecatalog_test

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/guard"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

func newCluster(t *testing.T, o client.Object) client.Client {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1beta1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(o).WithStatusSubresource(o).Build()
}

// conditions are those of an object that Bellhop has seen: exactly one of the three is True.
func conditions(isTrue string) (list []v1beta1.Condition) {
	for _, kind := range []string{v1beta1.ConditionReconciling, v1beta1.ConditionStalled, v1beta1.ConditionReady} {
		c := v1beta1.Condition{Type: kind, Status: v1beta1.ConditionFalse, Reason: "Before", LastTransitionTime: metav1.Unix(1, 0)}
		if kind == isTrue {
			c.Status = v1beta1.ConditionTrue
		}
		if kind == isTrue || kind == v1beta1.ConditionReady {
			c.Message = "What it was"
		}
		list = append(list, c)
	}
	return list
}

// F-P66: the condition Stalled of each kind says what ended its reconcile, and ends once nothing does. The object is reconciled again with the
// queue's backoff.
func TestFailureIsShownUntilItEnds(t *testing.T) {
	t.Run("a panic", func(t *testing.T) {
		testFailureIsShown(t, func() error { panic("the content of a message") }, "InternalError", "This is a mistake in Bellhop: ")
	})
	t.Run("a refused finalizer", func(t *testing.T) {
		testFailureIsShown(t, func() error { return refuseFinalizer(t.Context()) }, "FinalizerRefused", `The API server refuses to change the finalizers: denied`)
	})
}

// refuseFinalizer is a reconcile whose finalizer an admission policy refuses.
func refuseFinalizer(ctx context.Context) error {
	c := fake.NewClientBuilder().WithObjects(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "o"}}).WithInterceptorFuncs(interceptor.Funcs{
		Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
			return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: 422, Reason: metav1.StatusReasonInvalid, Message: "denied"}}
		},
	}).Build()
	return patch.RemoveFinalizer(ctx, c, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "o"}}, v1beta1.Finalizer)
}

func testFailureIsShown(t *testing.T, fail func() error, reason, message string) {
	protected := metav1.ObjectMeta{Namespace: "ns", Name: "o", UID: "uid", Finalizers: []string{v1beta1.Finalizer}}
	for name, o := range map[string]client.Object{
		"new ServiceInstance": &v1beta1.ServiceInstance{ObjectMeta: protected},
		"Ready ServiceInstance": &v1beta1.ServiceInstance{ObjectMeta: protected, Status: v1beta1.ServiceInstanceStatus{
			OperationStatus: v1beta1.OperationStatus{Conditions: conditions(v1beta1.ConditionReady)}}},
		"Stalled ServiceBinding": &v1beta1.ServiceBinding{ObjectMeta: protected, Status: v1beta1.ServiceBindingStatus{
			OperationStatus: v1beta1.OperationStatus{Conditions: conditions(v1beta1.ConditionStalled)}}},
		"Reconciling ServiceBroker": &v1beta1.ServiceBroker{ObjectMeta: protected, Status: v1beta1.ServiceBrokerStatus{Conditions: conditions(v1beta1.ConditionReconciling)}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, o)
			isFailing := true
			r := guard.Reconciler(reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) {
				if isFailing {
					return reconcile.Result{}, fail()
				}
				return reconcile.Result{}, nil
			}), guard.InStatus(c, func() client.Object { return o.DeepCopyObject().(client.Object) }, rules.ShowFailure))
			req := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(o)}
			statusOf := func() client.Object {
				now := o.DeepCopyObject().(client.Object)
				if err := c.Get(t.Context(), req.NamespacedName, now); err != nil {
					t.Fatal(err)
				}
				return now
			}
			before, written := statusOf(), ""
			for range 2 { // the second time nothing is written
				if _, err := r.Reconcile(t.Context(), req); err == nil || !strings.Contains(err.Error(), message[1:]) || strings.Contains(err.Error(), "content") {
					t.Errorf("the error is %v", err)
				}
				shown := statusOf()
				if status, is, text := stalledOf(shown); status != "True" || is != reason || !strings.HasPrefix(text, message) {
					t.Errorf("Stalled is %s, %s: %s", status, is, text)
				}
				if *lastConditionStateOf(shown) == "" {
					t.Error("lastConditionState is empty")
				}
				if written != "" && written != shown.GetResourceVersion() {
					t.Error("the same was written twice")
				}
				written = shown.GetResourceVersion()
			}
			isFailing = false
			if _, err := r.Reconcile(t.Context(), req); err != nil {
				t.Error(err)
			}
			if strings.HasPrefix(name, "new") {
				return // the reconcile itself evaluates the conditions
			}
			after := statusOf()
			after.SetResourceVersion(before.GetResourceVersion())
			for _, s := range []client.Object{before, after} { // Stalled may have changed twice within a second
				forgetTimes(s)
			}
			if !equality.Semantic.DeepEqual(before, after) {
				t.Errorf("the status was\n%+v, is\n%+v", before, after)
			}
		})
	}
}

// A reconcile that ends early, as the object has changed or the process stops, has not found the finalizer accepted.
func TestFailureStaysWhereAReconcileEndsEarly(t *testing.T) {
	o := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "o", UID: "uid", Finalizers: []string{v1beta1.Finalizer}},
		Status: v1beta1.ServiceInstanceStatus{OperationStatus: v1beta1.OperationStatus{Conditions: conditions(v1beta1.ConditionReady)}}}
	c := newCluster(t, o)
	ctx, stop := context.WithCancel(t.Context())
	for _, attempt := range []struct {
		name      string
		reconcile func() (reconcile.Result, error)
		want      string
	}{
		{"refused", func() (reconcile.Result, error) { return reconcile.Result{}, refuseFinalizer(ctx) }, "FinalizerRefused"},
		{"changed", func() (reconcile.Result, error) {
			return patch.RequeueOnConflict(ctx, reconcile.Result{}, patch.ErrStale)
		}, "FinalizerRefused"},
		{"accepted", func() (reconcile.Result, error) { return reconcile.Result{}, nil }, "Before"},
		{"refused again", func() (reconcile.Result, error) { return reconcile.Result{}, refuseFinalizer(ctx) }, "FinalizerRefused"},
		{"stops", func() (reconcile.Result, error) { stop(); return reconcile.Result{}, nil }, "FinalizerRefused"},
	} {
		r := guard.Reconciler(reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) { return attempt.reconcile() }),
			guard.InStatus(c, func() client.Object { return &v1beta1.ServiceInstance{} }, rules.ShowFailure))
		_, _ = r.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(o)})
		now := &v1beta1.ServiceInstance{}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), now); err != nil {
			t.Fatal(err)
		}
		if _, reason, _ := stalledOf(now); reason != attempt.want {
			t.Errorf("%s: Stalled has the reason %s, want %s", attempt.name, reason, attempt.want)
		}
	}
}

func stalledOf(o client.Object) (status, reason, message string) {
	for _, c := range conditionsOf(o) {
		if c.Type == v1beta1.ConditionStalled {
			return string(c.Status), c.Reason, c.Message
		}
	}
	return "", "", ""
}

func conditionsOf(o client.Object) []v1beta1.Condition {
	if b, ok := o.(v1beta1.Broker); ok {
		return b.CommonStatus().Conditions
	}
	return o.(v1beta1.ServiceObject).CommonStatus().Common().Conditions
}

func lastConditionStateOf(o client.Object) *string {
	if b, ok := o.(v1beta1.Broker); ok {
		return &b.CommonStatus().LastConditionState
	}
	return &o.(v1beta1.ServiceObject).CommonStatus().Common().LastConditionState
}

func forgetTimes(o client.Object) {
	conditions := conditionsOf(o)
	for i := range conditions {
		conditions[i].LastTransitionTime = metav1.Time{}
	}
	*lastConditionStateOf(o) = ""
}

// The status of the original service-catalog, and that of an object without a finalizer, say by their conditions whose the object is.
func TestStatusOfOthersStays(t *testing.T) {
	original := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "o", Finalizers: []string{v1beta1.Finalizer}},
		Status: v1beta1.ServiceInstanceStatus{OperationStatus: v1beta1.OperationStatus{Conditions: []v1beta1.Condition{{Type: v1beta1.ConditionReady, Status: v1beta1.ConditionTrue}}}}}
	unprotected := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "o"}}
	for _, o := range []client.Object{original, unprotected} {
		c := newCluster(t, o)
		r := guard.Reconciler(reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) { panic("a mistake") }),
			guard.InStatus(c, func() client.Object { return &v1beta1.ServiceInstance{} }, rules.ShowFailure))
		if _, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(o)}); err == nil {
			t.Error("no error")
		}
		if _, reason, _ := stalledOf(o); reason != "" {
			t.Errorf("Stalled has the reason %s", reason)
		}
		now := &v1beta1.ServiceInstance{}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), now); err != nil || len(now.Status.Conditions) != len(conditionsOf(o)) {
			t.Errorf("%v, %+v", err, now.Status.Conditions)
		}
	}
}
