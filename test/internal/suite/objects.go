// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"errors"
	"sync"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// CreateNamespace creates a namespace for one spec.
func (s *Suite) CreateNamespace(ctx context.Context) string {
	ginkgo.GinkgoHelper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "spec-"}}
	gomega.Expect(s.Client.Create(ctx, ns)).To(gomega.Succeed())
	return ns.Name
}

// CreateSecret creates a Secret whose data are pairs of a key and a value.
func (s *Suite) CreateSecret(ctx context.Context, namespace, name string, pairs ...string) *corev1.Secret {
	ginkgo.GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		secret.StringData[pairs[i]] = pairs[i+1]
	}
	gomega.Expect(s.Client.Create(ctx, secret)).To(gomega.Succeed())
	return secret
}

// Finalizers reads the finalizers of an object.
func (s *Suite) Finalizers(ctx context.Context, o client.Object) func() ([]string, error) {
	return func() ([]string, error) {
		err := s.Client.Get(ctx, client.ObjectKeyFromObject(o), o)
		return o.GetFinalizers(), err
	}
}

// Update edits the present version of an object, and repeats that after a conflict.
func Update[T client.Object](ctx context.Context, s *Suite, o T, edit func(T)) {
	ginkgo.GinkgoHelper()
	gomega.Eventually(func() error {
		if err := s.Client.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		edit(o)
		return s.Client.Update(ctx, o)
	}).Should(gomega.Succeed())
}

// CheckGone fails while the object exists.
func (s *Suite) CheckGone(ctx context.Context, o client.Object) func() error {
	return func() error {
		err := s.Client.Get(ctx, client.ObjectKeyFromObject(o), o)
		if err == nil {
			return errors.New("still there")
		}
		return client.IgnoreNotFound(err)
	}
}

// HaveCondition matches a status of either API group that has a condition of this type, status and reason.
func HaveCondition[S ~string](kind string, is S, reason string) gomega.OmegaMatcher {
	return gomega.HaveField("Conditions", gomega.ContainElement(gomega.SatisfyAll(
		gomega.HaveField("Type", kind), gomega.HaveField("Status", gomega.BeEquivalentTo(is)), gomega.HaveField("Reason", reason))))
}

// RunInParallel calls a function for each i below n, in at most 16 goroutines at a time.
func RunInParallel(n int, do func(i int)) {
	var running sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range n {
		slots <- struct{}{}
		running.Go(func() {
			defer ginkgo.GinkgoRecover()
			defer func() { <-slots }()
			do(i)
		})
	}
	running.Wait()
}

// ReadEvents returns a function that returns the events about an object, each as TYPE REASON: NOTE.
func (s *Suite) ReadEvents(ctx context.Context, o client.Object) func() ([]string, error) {
	return func() ([]string, error) {
		var list eventsv1.EventList
		err := s.Client.List(ctx, &list)
		var said []string
		for _, e := range list.Items {
			if e.Regarding.UID == o.GetUID() {
				said = append(said, e.Type+" "+e.Reason+": "+e.Note)
			}
		}
		return said, err
	}
}
