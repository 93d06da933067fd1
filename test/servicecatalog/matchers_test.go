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
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/test/internal/audit"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

// brokerStatus reads a broker's status again.
func brokerStatus(ctx context.Context, b v1beta1.Broker) func() (v1beta1.ServiceBrokerStatus, error) {
	return func() (v1beta1.ServiceBrokerStatus, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(b), b)
		return *b.CommonStatus(), err
	}
}

// beReady is a status that says so about the present spec.
func beReady(b v1beta1.Broker) OmegaMatcher {
	return SatisfyAll(
		haveCondition("Ready", "True", "FetchedCatalog"),
		WithTransform(func(s v1beta1.ServiceBrokerStatus) bool { return s.ReconciledGeneration == b.GetGeneration() }, BeTrue()),
	)
}

// haveRemoved matches classes or plans of which those with a key, and no others, are marked
// as removed.
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

// instanceStatus reads an instance's status again.
func instanceStatus(ctx context.Context, si *v1beta1.ServiceInstance) func() (v1beta1.ServiceInstanceStatus, error) {
	return func() (v1beta1.ServiceInstanceStatus, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(si), si)
		return si.Status, err
	}
}

// saying matches a status whose condition Ready has a message with the text.
func saying(text string) OmegaMatcher {
	return HaveField("Conditions", ContainElement(SatisfyAll(HaveField("Type", "Ready"), HaveField("Message", ContainSubstring(text)))))
}

// stalled matches a status that waits for somebody, with a message about it.
func stalled(reason, message string) OmegaMatcher {
	return SatisfyAll(haveCondition("Stalled", "True", reason), haveCondition("Ready", "False", reason), saying(message))
}

// waiting matches a status that is in progress, though it is not Ready, with a message about it.
func waiting(reason, message string) OmegaMatcher {
	return SatisfyAll(haveCondition("Reconciling", "True", reason), haveCondition("Stalled", "False", reason), haveCondition("Ready", "False", reason), saying(message))
}

// eventsAbout are the reasons and notes of the events about an object.
func eventsAbout(ctx context.Context, o client.Object) func() ([]string, error) {
	return func() ([]string, error) {
		var list eventsv1.EventList
		err := k8s.List(ctx, &list)
		var said []string
		for _, e := range list.Items {
			if e.Regarding.UID == o.GetUID() {
				said = append(said, e.Type+" "+e.Reason+": "+e.Note)
			}
		}
		return said, err
	}
}

// operatorRequests are the operator's requests since a moment, but for
// events, leases, reviews and watches.
func operatorRequests(since suite.Moment) []audit.Event {
	GinkgoHelper()
	return slices.DeleteFunc(its.Requests(since), func(e audit.Event) bool {
		return e.Verb == "watch" || slices.Contains([]string{"events", "leases", "subjectaccessreviews", "tokenreviews"}, e.ObjectRef.Resource)
	})
}

// requestsFor are the operator's requests about the objects of a namespace, a name and some resources, as
// "verb resource/subresource"; no namespace is that of the cluster, no resources are all.
func requestsFor(since suite.Moment, namespace string, names []string, resources ...string) []string {
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
