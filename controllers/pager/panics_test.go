// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0
package pager_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/guard"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
)

// F-P66: the condition Stalled of each kind says what ended its reconcile. A reconcile that does not fail evaluates all conditions itself.
func TestFailureIsShown(t *testing.T) {
	t.Run("a panic", func(t *testing.T) {
		testFailureIsShown(t, func() error { panic("the content of a message") }, "InternalError", "This is a mistake in Bellhop: ")
	})
	t.Run("a refused finalizer", func(t *testing.T) {
		testFailureIsShown(t, func() error { return &patch.RefusedError{Err: errors.New("denied")} }, "FinalizerRefused", "The API server refuses to change the finalizers: denied")
	})
}

func testFailureIsShown(t *testing.T, fail func() error, reason, message string) {
	named := metav1.ObjectMeta{Namespace: "ns", Name: "o", UID: "uid"}
	for name, o := range map[string]client.Object{
		"Alert":       &v1beta1.Alert{ObjectMeta: named, Status: v1beta1.AlertStatus{ObservedGeneration: -1}},
		"AlertSource": &v1beta1.AlertSource{ObjectMeta: named},
		"Receiver":    &v1beta1.Receiver{ObjectMeta: named},
	} {
		t.Run(name, func(t *testing.T) {
			scheme := runtime.NewScheme()
			if err := v1beta1.AddToScheme(scheme); err != nil {
				t.Fatal(err)
			}
			c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(o).WithStatusSubresource(o).Build()
			failing := reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) { return reconcile.Result{}, fail() })
			r := guard.Reconciler(failing, guard.InStatus(c, func() client.Object { return o.DeepCopyObject().(client.Object) }, alertrules.ShowFailure))
			key, written := client.ObjectKeyFromObject(o), ""
			for range 2 { // the second time nothing is written
				if _, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: key}); err == nil || !strings.Contains(err.Error(), message[1:]) || strings.Contains(err.Error(), "content") {
					t.Errorf("the error is %v", err)
				}
				shown := o.DeepCopyObject().(client.Object)
				if err := c.Get(t.Context(), key, shown); err != nil {
					t.Fatal(err)
				}
				if stalled := meta.FindStatusCondition(conditionsOf(shown), v1beta1.ConditionStalled); stalled == nil || stalled.Status != metav1.ConditionTrue ||
					stalled.Reason != reason || !strings.HasPrefix(stalled.Message, message) {
					t.Errorf("Stalled is %+v", stalled)
				}
				if written != "" && written != shown.GetResourceVersion() {
					t.Error("the same was written twice")
				}
				written = shown.GetResourceVersion()
			}
		})
	}
}

// The words of a webhook may have the id of the request. Each write of the status queues an Alert again, so that one for each refusal would be a
// loop without backoff.
func TestRefusalInOtherWordsIsNotWrittenAgain(t *testing.T) {
	o := &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "o", UID: "uid", Generation: 1}}
	scheme := runtime.NewScheme()
	if err := v1beta1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(o).WithStatusSubresource(o).Build()
	attempts := 0
	r := guard.Reconciler(reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) {
		attempts++
		return reconcile.Result{}, &patch.RefusedError{Err: fmt.Errorf("denied request %d", attempts)}
	}), guard.InStatus(c, func() client.Object { return &v1beta1.Alert{} }, alertrules.ShowFailure))
	refuse := func() *v1beta1.Alert {
		if _, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(o)}); err == nil {
			t.Error("no error")
		}
		now := &v1beta1.Alert{}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), now); err != nil {
			t.Fatal(err)
		}
		return now
	}
	first := refuse()
	if again := refuse(); again.ResourceVersion != first.ResourceVersion {
		t.Errorf("the second refusal is written: %+v", again.Status.Conditions)
	}
	first.Generation = 2
	if err := c.Update(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	stalled := meta.FindStatusCondition(refuse().Status.Conditions, v1beta1.ConditionStalled)
	if stalled.ObservedGeneration != 2 || !strings.HasSuffix(stalled.Message, "denied request 3") {
		t.Errorf("after a change of the spec Stalled is %+v", stalled)
	}
}

func conditionsOf(o client.Object) []metav1.Condition {
	switch o := o.(type) {
	case *v1beta1.Alert:
		return o.Status.Conditions
	case *v1beta1.AlertSource:
		return o.Status.Conditions
	default:
		return o.(v1beta1.ReceiverObject).CommonStatus().Conditions
	}
}
