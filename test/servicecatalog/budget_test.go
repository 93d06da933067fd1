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

package servicecatalog_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

var _ = Describe("The budget of API requests", serial, func() {
	const n = 50

	// about are the operator's requests about what is in a namespace, by the object's name.
	about := func(namespace string, since suite.Moment) map[string][]string {
		GinkgoHelper()
		requests := map[string][]string{}
		for _, e := range operatorRequests(since) {
			if e.ObjectRef.Namespace == namespace {
				words := strings.TrimSuffix(e.Verb+" "+e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource, "/")
				requests[e.ObjectRef.Name] = append(requests[e.ObjectRef.Name], words)
			}
		}
		return requests
	}
	// definitions is how often it was asked whether a kind's definition is being deleted.
	definitions := func(since suite.Moment, resource string) int {
		GinkgoHelper()
		return len(requestsFor(since, "", []string{resource + ".servicecatalog.k8s.io"}))
	}
	// fill makes n instances, each with a binding.
	fill := func(ctx context.Context, s *site) (instances []*v1beta1.ServiceInstance, bindings []*v1beta1.ServiceBinding) {
		GinkgoHelper()
		instances, bindings = make([]*v1beta1.ServiceInstance, n), make([]*v1beta1.ServiceBinding, n)
		inParallel(n, func(i int) { instances[i] = s.instance(ctx, fmt.Sprint("db", i)) })
		inParallel(n, func(i int) { Eventually(instanceStatus(ctx, instances[i])).Should(bePresent(instances[i])) })
		inParallel(n, func(i int) {
			bindings[i] = s.bound(ctx, fmt.Sprint("binding", i), fmt.Sprint("db", i), inSecret(fmt.Sprint("secret", i)))
		})
		return instances, bindings
	}

	It("is 3 writes for an instance, 5 for a binding, no read but of their definitions, and silence at rest", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		start := now()
		instances, bindings := fill(ctx, s)

		By("being at rest")
		rest, calls := now(), len(s.Calls())
		Consistently(func() map[string][]string { return about(s.namespace, rest) }).Should(BeEmpty()) // other specs may have left something that is tried again
		Expect(s.Calls()).To(HaveLen(calls))

		By("going")
		inParallel(n, func(i int) { Expect(k8s.Delete(ctx, bindings[i])).To(Succeed()) })
		inParallel(n, func(i int) { Eventually(gone(ctx, bindings[i])).Should(Succeed()) })
		inParallel(n, func(i int) { Expect(k8s.Delete(ctx, instances[i])).To(Succeed()) })
		inParallel(n, func(i int) { Eventually(gone(ctx, instances[i])).Should(Succeed()) })
		Eventually(func(g Gomega) { // what is seen may be logged a little later
			requests := about(s.namespace, start)
			for i := range n {
				g.Expect(requests[instances[i].Name]).To(Equal([]string{"patch serviceinstances/status", "patch serviceinstances/status", "patch serviceinstances"}), "asked for, ready, and gone")
				of := slices.Concat(requests[bindings[i].Name], requests[bindings[i].Spec.SecretName])
				of = slices.DeleteFunc(of, func(request string) bool { return request == "get secrets" }) // one for each version, at most
				g.Expect(len(of)).To(BeNumerically("<=", 5), "%s", of)
				g.Expect(of).To(ContainElements("create secrets", "delete secrets"))
				g.Expect(of).To(HaveEach(MatchRegexp("^(create|patch|delete) ")))
			}
		}).Should(Succeed())
		for i := range n {
			for _, id := range []string{instances[i].Spec.ExternalID, bindings[i].Spec.ExternalID} {
				Expect(s.History(id)).To(Equal(osbtest.History{Puts: 1, Deletes: 1, Creations: 1, Removals: 1, Ready: true}))
			}
		}
		for _, resource := range []string{"serviceinstances", "servicebindings"} {
			Expect(definitions(start, resource)).To(And(BeNumerically(">", 0), BeNumerically("<=", n)))
		}
		Expect(s.Counts()).To(Equal(map[osb.Operation]int{osb.GetCatalog: 1, osb.ProvisionInstance: n, osb.DeprovisionInstance: n, osb.Bind: n, osb.Unbind: n}))
		Expect(s.Violations()).To(BeEmpty())
	})

	It("is one read of a broker's credentials for each version of them", func(ctx SpecContext) {
		s := offlineSite(ctx, namespaced, osbtest.Options{Username: "alice", Password: "x"})
		secret := newSecret(ctx, s.namespace, "login", "username", "alice", "password", "x")
		versions := map[string]bool{}
		version := func() {
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
			versions[secret.ResourceVersion] = true
		}
		start := now()
		version()
		s.object = registerBroker(ctx, s.kinds, s.namespace, s.Broker, s.withSecret(s.namespace, secret.Name))
		const few = 5
		instances := make([]*v1beta1.ServiceInstance, few)
		inParallel(few, func(i int) { instances[i] = s.instance(ctx, fmt.Sprint("db", i)) })
		inParallel(few, func(i int) { Eventually(instanceStatus(ctx, instances[i])).Should(bePresent(instances[i])) })
		Eventually(finalizersOf(ctx, secret)).ShouldNot(BeEmpty())
		version()
		inParallel(few, func(i int) { Expect(k8s.Delete(ctx, instances[i])).To(Succeed()) })
		inParallel(few, func(i int) { Eventually(gone(ctx, instances[i])).Should(Succeed()) })
		Eventually(finalizersOf(ctx, secret)).Should(BeEmpty())
		version()
		of := slices.DeleteFunc(about(s.namespace, start)[secret.Name], func(request string) bool { return request != "get secrets" })
		Expect(len(of)).To(And(BeNumerically(">", 0), BeNumerically("<=", len(versions))))
	})

	It("shares one read among deletions that wait for it together", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		instances := make([]*v1beta1.ServiceInstance, n)
		inParallel(n, func(i int) { instances[i] = s.instance(ctx, fmt.Sprint("db", i)) })
		inParallel(n, func(i int) { Eventually(instanceStatus(ctx, instances[i])).Should(bePresent(instances[i])) })
		operator.Kill()
		Expect(k8s.DeleteAllOf(ctx, &v1beta1.ServiceInstance{}, inNamespace(s.namespace))).To(Succeed())
		start := now()
		startOperator(context.WithoutCancel(ctx)) // which finds all of them at once
		inParallel(n, func(i int) { Eventually(gone(ctx, instances[i])).Should(Succeed()) })
		Expect(definitions(start, "serviceinstances")).To(BeNumerically("<=", n/5))
	})

	It("is nothing for what is ready when the operator starts again", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		fill(ctx, s)
		operator.Kill()
		start := now()
		s.Forget()
		startOperator(context.WithoutCancel(ctx))
		Eventually(func() (*v1beta1.LocalObjectReference, error) { // until its caches know what there is
			try := s.named("last", s.atOnce)
			err := k8s.Create(ctx, try, client.DryRunAll)
			return try.Spec.ServicePlanRef, err
		}).ShouldNot(BeNil())
		last := s.provisioned(ctx, "last")
		Eventually(func() map[string][]string { return about(s.namespace, start) }).Should(Equal(map[string][]string{last.Name: {"patch serviceinstances/status", "patch serviceinstances/status"}}), "before the request and after it")
		Expect(s.Counts()).To(Equal(map[osb.Operation]int{osb.ProvisionInstance: 1}))
		Expect(k8s.DeleteAllOf(ctx, &v1beta1.ServiceBinding{}, inNamespace(s.namespace))).To(Succeed())
		Eventually(func() int { return len(s.Holds().Bindings) }).Should(BeZero(), "and it is known well enough to be removed")
		Expect(k8s.DeleteAllOf(ctx, &v1beta1.ServiceInstance{}, inNamespace(s.namespace))).To(Succeed())
		Eventually(func() int { return len(s.Holds().Instances) }).Should(BeZero())
	})
})
