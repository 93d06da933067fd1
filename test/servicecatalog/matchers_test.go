// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog_test

import (
	"context"
	"net/http"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/test/internal/audit"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

// brokerStatus reads the broker, and returns its status.
func brokerStatus(ctx context.Context, b v1beta1.Broker) func() (v1beta1.ServiceBrokerStatus, error) {
	return func() (v1beta1.ServiceBrokerStatus, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(b), b)
		return *b.CommonStatus(), err
	}
}

// beReady matches a status that reports the present generation of the spec as ready.
func beReady(b v1beta1.Broker) OmegaMatcher {
	return SatisfyAll(
		haveCondition("Ready", "True", "FetchedCatalog"),
		WithTransform(func(s v1beta1.ServiceBrokerStatus) bool { return s.ReconciledGeneration == b.GetGeneration() }, BeTrue()),
	)
}

// haveRemoved matches classes or plans of which exactly those with the given keys are marked as removed from the catalog.
func haveRemoved[T any](keys ...string) OmegaMatcher {
	return WithTransform(func(all map[string]T) []string {
		removed := []string{}
		for key, o := range all {
			switch o := any(o).(type) {
			case v1beta1.Class:
				if o.CommonStatus().RemovedFromBrokerCatalog {
					removed = append(removed, key)
				}
			case v1beta1.Plan:
				if o.CommonStatus().RemovedFromBrokerCatalog {
					removed = append(removed, key)
				}
			}
		}
		return removed
	}, ConsistOf(keys))
}

// instanceStatus reads the instance, and returns its status.
func instanceStatus(ctx context.Context, si *v1beta1.ServiceInstance) func() (v1beta1.ServiceInstanceStatus, error) {
	return func() (v1beta1.ServiceInstanceStatus, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(si), si)
		return si.Status, err
	}
}

// haveReadyMessage matches a status whose condition Ready has this text in its message.
func haveReadyMessage(text string) OmegaMatcher {
	return HaveField("Conditions", ContainElement(SatisfyAll(HaveField("Type", "Ready"), HaveField("Message", ContainSubstring(text)))))
}

// beStalled matches a status that waits for a change by a user, with this text in the message.
func beStalled(reason, message string) OmegaMatcher {
	return SatisfyAll(haveCondition("Stalled", "True", reason), haveCondition("Ready", "False", reason), haveReadyMessage(message))
}

// beReconciling matches a status on which the operator still works, with this text in the message.
func beReconciling(reason, message string) OmegaMatcher {
	return SatisfyAll(haveCondition("Reconciling", "True", reason), haveCondition("Stalled", "False", reason), haveCondition("Ready", "False", reason), haveReadyMessage(message))
}

// expectNoWarnings checks that there is no Warning event in a namespace, nor about its broker.
func expectNoWarnings(ctx context.Context, s *serviceNamespace) {
	GinkgoHelper()
	var list eventsv1.EventList
	Expect(k8s.List(ctx, &list)).To(Succeed())
	for _, e := range list.Items {
		if e.Namespace == s.namespace || s.object != nil && e.Regarding.UID == s.object.GetUID() {
			Expect(e.Type).NotTo(Equal(corev1.EventTypeWarning), "about %s %s: %s: %s", e.Regarding.Kind, e.Regarding.Name, e.Reason, e.Note)
		}
	}
}

// operatorRequests returns the operator's requests since a mark, without those for events, leases, reviews and watches.
func operatorRequests(since suite.AuditMark) []audit.Event {
	GinkgoHelper()
	return slices.DeleteFunc(env.RequestsSince(since), func(e audit.Event) bool {
		return e.Verb == "watch" || slices.Contains([]string{"events", "leases", "subjectaccessreviews", "tokenreviews"}, e.ObjectRef.Resource)
	})
}

// refusedWrites returns how many of the operator's writes of an object were refused since a mark, since the object was changed meanwhile.
func refusedWrites(since suite.AuditMark, o client.Object) func() int {
	return func() (refused int) {
		for _, e := range operatorRequests(since) {
			if e.ObjectRef.Namespace == o.GetNamespace() && e.ObjectRef.Name == o.GetName() && slices.Contains([]int{http.StatusConflict, http.StatusUnprocessableEntity}, e.ResponseStatus.Code) {
				refused++
			}
		}
		return refused
	}
}

// requestsFor returns the operator's requests about objects with these names, as "verb resource/subresource". An empty namespace
// stands for cluster-scoped objects; without resources it returns those about all resources.
func requestsFor(since suite.AuditMark, namespace string, names []string, resources ...string) []string {
	GinkgoHelper()
	var about []string
	for _, e := range operatorRequests(since) {
		if e.ObjectRef.Namespace != namespace || !slices.Contains(names, e.ObjectRef.Name) || len(resources) > 0 && !slices.Contains(resources, e.ObjectRef.Resource) {
			continue
		}
		about = append(about, strings.TrimSuffix(e.Verb+" "+e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource, "/"))
	}
	return about
}
