// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

var _ = Describe("F-P67: a namespace that is deleted with a firing Alert", func() {
	// start creates a namespace with an Alert that is sent with a token of a Secret.
	start := func(ctx context.Context, hook *fakeReceiver) *v1beta1.Alert {
		GinkgoHelper()
		namespace := createNamespace(ctx)
		createSecret(ctx, namespace, "token", "token", "s3cret")
		createReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) { r.Spec.SecretRef = &v1beta1.SecretReference{Name: "token"} })
		a := createAlert(ctx, namespace, "disk", nil, "hook")
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		return a
	}
	namespaceOf := func(ctx context.Context, a *v1beta1.Alert) *corev1.Namespace {
		GinkgoHelper()
		namespace := &corev1.Namespace{}
		Expect(k8s.Get(ctx, client.ObjectKey{Name: a.Namespace}, namespace)).To(Succeed())
		return namespace
	}
	isGone := func(ctx context.Context, o client.Object) func() bool {
		return func() bool { return apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(o), o)) }
	}

	// The namespace controller deletes Alerts, Receivers and Secrets in another order each time.
	It("is resolved at its Receiver, whatever is deleted first", func(ctx SpecContext) {
		hook := startFakeReceiver()
		var alerts []*v1beta1.Alert
		for range 6 {
			alerts = append(alerts, start(ctx, hook))
		}
		for _, a := range alerts {
			Expect(k8s.Delete(ctx, namespaceOf(ctx, a))).To(Succeed())
		}
		for _, a := range alerts {
			Eventually(hook.eventTypes(a)).Should(Equal([]string{"fired", "resolved"}), a.Namespace)
			Eventually(isGone(ctx, a)).Should(BeTrue())
		}
	})

	It("does not wait for a Secret that went before the operator started, and says what was not resolved", serial, func(ctx SpecContext) {
		hook := startFakeReceiver()
		a := start(ctx, hook)
		namespace := namespaceOf(ctx, a)
		operator.Kill()
		DeferCleanup(func(ctx SpecContext) { startOperator(context.WithoutCancel(ctx)) })
		Expect(k8s.Delete(ctx, namespace)).To(Succeed())
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: "token"}}
		Eventually(isGone(ctx, secret)).Should(BeTrue())
		startOperator(context.WithoutCancel(ctx))
		Eventually(isGone(ctx, a)).Should(BeTrue())
		Expect(hook.eventTypes(a)()).To(Equal([]string{"fired"}))
		Eventually(env.ReadEvents(ctx, namespace)).Should(ContainElement(
			fmt.Sprintf("Warning Abandoned: Alert %s was released, but Receiver/hook did not receive the resolve", a.Name)))
		operator.Kill() // the cleanup starts the operator for the next specs
	})
})
