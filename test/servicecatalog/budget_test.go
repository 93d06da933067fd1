// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

var _ = Describe("The budget of API requests", serial, func() {
	const n = 50

	// requestsByName returns the operator's requests about objects of a namespace, by the names of the objects.
	requestsByName := func(namespace string, since suite.AuditMark) map[string][]string {
		GinkgoHelper()
		requests := map[string][]string{}
		for _, e := range operatorRequests(since) {
			if e.ObjectRef.Namespace == namespace {
				request := strings.TrimSuffix(e.Verb+" "+e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource, "/")
				requests[e.ObjectRef.Name] = append(requests[e.ObjectRef.Name], request)
			}
		}
		return requests
	}
	// countDefinitionReads counts the reads of a kind's CRD, with which the operator finds out whether the CRD is being deleted.
	countDefinitionReads := func(since suite.AuditMark, resource string) int {
		GinkgoHelper()
		return len(requestsFor(since, "", []string{resource + ".servicecatalog.k8s.io"}))
	}
	// createAll creates n instances, each with a binding.
	createAll := func(ctx context.Context, s *serviceNamespace) (instances []*v1beta1.ServiceInstance, bindings []*v1beta1.ServiceBinding) {
		GinkgoHelper()
		instances, bindings = make([]*v1beta1.ServiceInstance, n), make([]*v1beta1.ServiceBinding, n)
		runInParallel(n, func(i int) { instances[i] = s.createSyncInstance(ctx, fmt.Sprint("db", i)) })
		runInParallel(n, func(i int) { Eventually(instanceStatus(ctx, instances[i])).Should(beProvisioned(instances[i])) })
		runInParallel(n, func(i int) {
			bindings[i] = s.createReadyBinding(ctx, fmt.Sprint("binding", i), fmt.Sprint("db", i), setSecretName(fmt.Sprint("secret", i)))
		})
		return instances, bindings
	}

	It("is 3 writes for an instance, 5 for a binding, reads only of their CRDs, and none at rest", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		start := markAudit()
		instances, bindings := createAll(ctx, s)

		By("leaving the objects alone")
		rest, calls := markAudit(), len(s.Calls())
		Consistently(func() map[string][]string { return requestsByName(s.namespace, rest) }).Should(BeEmpty()) // other specs may have left objects that are retried
		Expect(s.Calls()).To(HaveLen(calls))

		By("deleting the objects")
		runInParallel(n, func(i int) { Expect(k8s.Delete(ctx, bindings[i])).To(Succeed()) })
		runInParallel(n, func(i int) { Eventually(checkGone(ctx, bindings[i])).Should(Succeed()) })
		runInParallel(n, func(i int) { Expect(k8s.Delete(ctx, instances[i])).To(Succeed()) })
		runInParallel(n, func(i int) { Eventually(checkGone(ctx, instances[i])).Should(Succeed()) })
		Eventually(func(g Gomega) { // the API server may log a request after its effect was seen
			requests := requestsByName(s.namespace, start)
			for i := range n {
				g.Expect(requests[instances[i].Name]).To(Equal([]string{"patch serviceinstances/status", "patch serviceinstances/status", "patch serviceinstances"}), "one write of the status before the request, one after it, one removal of the finalizer")
				requestsOfBinding := slices.Concat(requests[bindings[i].Name], requests[bindings[i].Spec.SecretName])
				requestsOfBinding = slices.DeleteFunc(requestsOfBinding, func(request string) bool { return request == "get secrets" }) // at most one for each version
				g.Expect(len(requestsOfBinding)).To(BeNumerically("<=", 5), "%s", requestsOfBinding)
				g.Expect(requestsOfBinding).To(ContainElements("create secrets", "delete secrets"))
				g.Expect(requestsOfBinding).To(HaveEach(MatchRegexp("^(create|patch|delete) ")))
			}
		}).Should(Succeed())
		for i := range n {
			for _, id := range []string{instances[i].Spec.ExternalID, bindings[i].Spec.ExternalID} {
				Expect(s.History(id)).To(Equal(osbtest.History{Puts: 1, Deletes: 1, Creations: 1, Removals: 1, Ready: true}))
			}
		}
		for _, resource := range []string{"serviceinstances", "servicebindings"} {
			Expect(countDefinitionReads(start, resource)).To(And(BeNumerically(">", 0), BeNumerically("<=", n)))
		}
		Expect(s.Counts()).To(Equal(map[osb.Operation]int{osb.GetCatalog: 1, osb.ProvisionInstance: n, osb.DeprovisionInstance: n, osb.Bind: n, osb.Unbind: n}))
		Expect(s.Violations()).To(BeEmpty())
	})

	It("is one read for each version of a broker's credentials", func(ctx SpecContext) {
		s := newNamespaceWithoutBroker(ctx, namespaced, osbtest.Options{Username: "alice", Password: "x"})
		secret := createSecret(ctx, s.namespace, "login", "username", "alice", "password", "x")
		versions := map[string]bool{}
		version := func() {
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
			versions[secret.ResourceVersion] = true
		}
		start := markAudit()
		version()
		s.object = createReadyBroker(ctx, s.kindSet, s.namespace, s.Broker, s.useBasicAuthSecret(s.namespace, secret.Name))
		const few = 5
		instances := make([]*v1beta1.ServiceInstance, few)
		runInParallel(few, func(i int) { instances[i] = s.createSyncInstance(ctx, fmt.Sprint("db", i)) })
		runInParallel(few, func(i int) { Eventually(instanceStatus(ctx, instances[i])).Should(beProvisioned(instances[i])) })
		Eventually(readFinalizers(ctx, secret)).ShouldNot(BeEmpty())
		version()
		runInParallel(few, func(i int) { Expect(k8s.Delete(ctx, instances[i])).To(Succeed()) })
		runInParallel(few, func(i int) { Eventually(checkGone(ctx, instances[i])).Should(Succeed()) })
		Eventually(readFinalizers(ctx, secret)).Should(BeEmpty())
		version()
		reads := slices.DeleteFunc(requestsByName(s.namespace, start)[secret.Name], func(request string) bool { return request != "get secrets" })
		Expect(len(reads)).To(And(BeNumerically(">", 0), BeNumerically("<=", len(versions))))
	})

	It("is one read of the CRD for many deletions that need it at the same time", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		instances := make([]*v1beta1.ServiceInstance, n)
		runInParallel(n, func(i int) { instances[i] = s.createSyncInstance(ctx, fmt.Sprint("db", i)) })
		runInParallel(n, func(i int) { Eventually(instanceStatus(ctx, instances[i])).Should(beProvisioned(instances[i])) })
		operator.Kill()
		Expect(k8s.DeleteAllOf(ctx, &v1beta1.ServiceInstance{}, inNamespace(s.namespace))).To(Succeed())
		start := markAudit()
		startOperator(context.WithoutCancel(ctx)) // the operator finds all deletions at the same time
		runInParallel(n, func(i int) { Eventually(checkGone(ctx, instances[i])).Should(Succeed()) })
		Expect(countDefinitionReads(start, "serviceinstances")).To(BeNumerically("<=", n/5))
	})

	It("is 0 for objects that are Ready when the operator restarts", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		createAll(ctx, s)
		operator.Kill()
		start := markAudit()
		s.Forget()
		startOperator(context.WithoutCancel(ctx))
		Eventually(func() (*v1beta1.LocalObjectReference, error) { // until its caches are filled
			try := s.newInstanceObject("last", s.syncService)
			err := k8s.Create(ctx, try, client.DryRunAll)
			return try.Spec.ServicePlanRef, err
		}).ShouldNot(BeNil())
		last := s.createReadyInstance(ctx, "last")
		Eventually(func() map[string][]string { return requestsByName(s.namespace, start) }).Should(Equal(map[string][]string{last.Name: {"patch serviceinstances/status", "patch serviceinstances/status"}}), "before the request and after it")
		Expect(s.Counts()).To(Equal(map[osb.Operation]int{osb.ProvisionInstance: 1}))
		Expect(k8s.DeleteAllOf(ctx, &v1beta1.ServiceBinding{}, inNamespace(s.namespace))).To(Succeed())
		Eventually(func() int { return len(s.Holds().Bindings) }).Should(BeZero(), "the operator knows the bindings well enough to unbind")
		Expect(k8s.DeleteAllOf(ctx, &v1beta1.ServiceInstance{}, inNamespace(s.namespace))).To(Succeed())
		Eventually(func() int { return len(s.Holds().Instances) }).Should(BeZero())
	})
})
