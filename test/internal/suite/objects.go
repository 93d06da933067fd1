/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package suite

import (
	"context"
	"errors"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Update edits an object as it is now.
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

// Gone succeeds once the object is not there any more.
func (s *Suite) Gone(ctx context.Context, o client.Object) func() error {
	return func() error {
		err := s.Client.Get(ctx, client.ObjectKeyFromObject(o), o)
		if err == nil {
			return errors.New("still there")
		}
		return client.IgnoreNotFound(err)
	}
}

// HaveCondition matches a status with such a condition, of either group.
func HaveCondition[S ~string](kind string, is S, reason string) gomega.OmegaMatcher {
	return gomega.HaveField("Conditions", gomega.ContainElement(gomega.SatisfyAll(
		gomega.HaveField("Type", kind), gomega.HaveField("Status", gomega.BeEquivalentTo(is)), gomega.HaveField("Reason", reason))))
}
