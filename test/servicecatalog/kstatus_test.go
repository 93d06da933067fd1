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
	"errors"
	"net/http"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

// hold lets all calls of an operation wait until they are released, at the latest when the
// spec ends; arrived reports whether there was one.
func hold(server *osbtest.Broker, operation osb.Operation) (arrived func() bool, release func()) {
	held := make(chan struct{})
	lift := server.Inject(osbtest.Fault{On: operation, Hold: held})
	before := len(server.Calls(operation))
	release = sync.OnceFunc(func() {
		lift()
		close(held)
	})
	DeferCleanup(release)
	return func() bool { return len(server.Calls(operation)) > before }, release
}

// answers has the broker give one answer to all calls of an operation.
func answers(server *osbtest.Broker, operation osb.Operation, answer osbtest.Answer) {
	server.Inject(osbtest.Fault{On: operation, Answer: answer})
}

var (
	unavailable = osbtest.Status(http.StatusServiceUnavailable, "")
	refusal     = osbtest.Error(http.StatusBadRequest, "", "no such size")
)

// observed is an object in a phase, and what tells that the phase is reached.
type observed struct {
	object  client.Object
	reached func() bool
}

// atOnce is for a phase that an object is in once it was made.
func atOnce() bool { return true }

// has is for a phase that a condition tells.
func has(conditions func() []v1beta1.Condition, kind string, is v1beta1.ConditionStatus, reason string) func() bool {
	return func() bool {
		for _, c := range conditions() {
			if c.Type == kind && c.Status == is && (reason == "" || c.Reason == reason) {
				return true
			}
		}
		return false
	}
}

// ofBroker, ofInstance and ofBinding read the conditions of an object.
func ofBroker(ctx context.Context, b v1beta1.Broker) func() []v1beta1.Condition {
	return func() []v1beta1.Condition {
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(b), b)).To(Succeed())
		return b.CommonStatus().Conditions
	}
}

func ofInstance(ctx context.Context, si *v1beta1.ServiceInstance) func() []v1beta1.Condition {
	return func() []v1beta1.Condition {
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(si), si)).To(Succeed())
		return si.Status.Conditions
	}
}

func ofBinding(ctx context.Context, b *v1beta1.ServiceBinding) func() []v1beta1.Condition {
	return func() []v1beta1.Condition {
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(b), b)).To(Succeed())
		return b.Status.Conditions
	}
}

// The verdicts of kstatus on an object, in turn since it was made.
const (
	inProgress      = "InProgress"
	thenCurrent     = inProgress + " Current"
	thenFailed      = inProgress + " Failed"
	againInProgress = thenCurrent + " InProgress"
	andFailed       = thenCurrent + " Failed"
	thenTerminating = thenCurrent + " Terminating"
)

// What is made of the first moment is part of every row: verdicts are listed from the version
// that the API server made of the manifest on, before the operator has seen it.
var _ = Describe("kstatus", func() {
	for _, k := range []kinds{clusterWide, namespaced} {
		DescribeTable("F-JS1: reads a "+k.broker, func(ctx SpecContext, verdicts string, arrange func(ctx SpecContext, namespace string, server *osbtest.Broker) observed) {
			namespace := newNamespace(ctx)
			seen := its.Verdicts(ctx, namespace, k.newBroker())
			o := arrange(ctx, namespace, newBroker(osbtest.Options{}))
			Eventually(o.reached).Should(BeTrue())
			Eventually(seen.On(ctx, o.object)).Should(Equal(verdicts))
		},
			Entry("whose catalog is being read", inProgress, func(ctx SpecContext, namespace string, server *osbtest.Broker) observed {
				arrived, _ := hold(server, osb.GetCatalog)
				return observed{k.register(ctx, namespace, server), arrived}
			}),
			Entry("that does not work for a while", inProgress, func(ctx SpecContext, namespace string, server *osbtest.Broker) observed {
				answers(server, osb.GetCatalog, unavailable)
				b := k.register(ctx, namespace, server)
				return observed{b, has(ofBroker(ctx, b), "Ready", "False", "ErrorFetchingCatalog")}
			}),
			Entry("whose Secret does not exist yet", inProgress, func(ctx SpecContext, namespace string, server *osbtest.Broker) observed {
				b := k.register(ctx, namespace, server, k.withSecret(namespace, "auth"))
				return observed{b, has(ofBroker(ctx, b), "Ready", "False", "ErrorFetchingCatalog")}
			}),
			Entry("whose catalog was read", thenCurrent, func(ctx SpecContext, namespace string, server *osbtest.Broker) observed {
				return observed{registerBroker(ctx, k, namespace, server), atOnce}
			}),
			Entry("that was edited", againInProgress, func(ctx SpecContext, namespace string, server *osbtest.Broker) observed {
				b := registerBroker(ctx, k, namespace, server)
				arrived, _ := hold(server, osb.GetCatalog)
				update(ctx, b, relist)
				return observed{b, arrived}
			}),
			Entry("of which nothing can be offered", thenFailed, func(ctx SpecContext, namespace string, _ *osbtest.Broker) observed {
				server := newBroker(osbtest.Options{Catalog: []byte(`{"services": [{"id": "` + unique() + `", "name": "empty", "description": "Without a plan"}]}`)})
				b := k.register(ctx, namespace, server)
				return observed{b, has(ofBroker(ctx, b), "Stalled", "True", "")}
			}),
			Entry("that was abandoned", andFailed, func(ctx SpecContext, namespace string, server *osbtest.Broker) observed {
				b := registerBroker(ctx, k, namespace, server)
				letGo(ctx, b)
				return observed{b, has(ofBroker(ctx, b), "Stalled", "True", "Abandoned")}
			}),
		)

		It("F-JS1: reads a "+k.class+" and a "+k.plan+" as current", func(ctx SpecContext) {
			namespace := newNamespace(ctx)
			seen := its.Verdicts(ctx, namespace, k.newClass(), k.newPlan())
			b := registerBroker(ctx, k, namespace, newBroker(osbtest.Options{}))
			classes, err := k.classes(ctx, b)()
			Expect(err).NotTo(HaveOccurred())
			plans, err := k.plans(ctx, b)()
			Expect(err).NotTo(HaveOccurred())
			Expect(classes).NotTo(BeEmpty())
			Expect(plans).NotTo(BeEmpty())
			for _, class := range classes {
				Eventually(seen.On(ctx, class)).Should(Equal("Current"))
			}
			for _, plan := range plans {
				Eventually(seen.On(ctx, plan)).Should(Equal("Current"))
			}
		})
	}

	DescribeTable("F-JS1: reads a ServiceInstance", func(ctx SpecContext, verdicts string, arrange func(ctx SpecContext, s *site) observed) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		seen := its.Verdicts(ctx, s.namespace, &v1beta1.ServiceInstance{})
		o := arrange(ctx, s)
		Eventually(o.reached).Should(BeTrue())
		Eventually(seen.On(ctx, o.object)).Should(Equal(verdicts))
	},
		Entry("that the broker is asked for", inProgress, func(ctx SpecContext, s *site) observed {
			arrived, _ := hold(s.Broker, osb.ProvisionInstance)
			return observed{s.instance(ctx, "db"), arrived}
		}),
		Entry("that the broker works on", inProgress, func(ctx SpecContext, s *site) observed {
			arrived, _ := hold(s.Broker, osb.PollLastOperation)
			return observed{s.slowInstance(ctx, "db"), arrived}
		}),
		Entry("that the broker is asked for again", inProgress, func(ctx SpecContext, s *site) observed {
			answers(s.Broker, osb.ProvisionInstance, unavailable)
			si := s.instance(ctx, "db")
			return observed{si, func() bool { ofInstance(ctx, si)(); return si.Status.Attempts != nil && si.Status.Attempts.Count > 0 }}
		}),
		Entry("whose class does not exist yet", inProgress, func(ctx SpecContext, s *site) observed {
			si := s.newInstance(ctx, s.namespace, "db", "none", "small")
			return observed{si, has(ofInstance(ctx, si), "Ready", "False", "ReferencesNonexistentServiceClass")}
		}),
		Entry("whose parameters do not exist yet", inProgress, func(ctx SpecContext, s *site) observed {
			si := s.instance(ctx, "db", parametersFrom("none"))
			return observed{si, has(ofInstance(ctx, si), "Ready", "False", "ErrorWithParameters")}
		}),
		Entry("that is there", thenCurrent, func(ctx SpecContext, s *site) observed {
			return observed{s.provisioned(ctx, "db"), atOnce}
		}),
		Entry("that was refused", thenFailed, func(ctx SpecContext, s *site) observed {
			answers(s.Broker, osb.ProvisionInstance, refusal)
			si := s.instance(ctx, "db")
			return observed{si, has(ofInstance(ctx, si), "Failed", "True", "")}
		}),
		Entry("that was edited", againInProgress, func(ctx SpecContext, s *site) observed {
			si := s.provisioned(ctx, "db")
			arrived, _ := hold(s.Broker, osb.UpdateInstance)
			update(ctx, si, s.setPlan("large"))
			return observed{si, arrived}
		}),
		Entry("that was abandoned", andFailed, func(ctx SpecContext, s *site) observed {
			si := s.provisioned(ctx, "db")
			letGo(ctx, si)
			return observed{si, has(ofInstance(ctx, si), "Stalled", "True", "Abandoned")}
		}),
		Entry("that is deleted", thenTerminating, func(ctx SpecContext, s *site) observed {
			si := s.provisioned(ctx, "db")
			arrived, _ := hold(s.Broker, osb.DeprovisionInstance)
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			return observed{si, arrived}
		}),
	)

	DescribeTable("F-JS1: reads a ServiceBinding", func(ctx SpecContext, verdicts string, arrange func(ctx SpecContext, s *site) observed) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		seen := its.Verdicts(ctx, s.namespace, &v1beta1.ServiceBinding{})
		o := arrange(ctx, s)
		Eventually(o.reached).Should(BeTrue())
		Eventually(seen.On(ctx, o.object)).Should(Equal(verdicts))
	},
		Entry("whose instance does not exist yet", inProgress, func(ctx SpecContext, s *site) observed {
			return observed{s.binding(ctx, "app", "db"), atOnce}
		}),
		Entry("F-JS2: whose instance is being provisioned for so long that the status says so", inProgress, func(ctx SpecContext, s *site) observed {
			hold(s.Broker, osb.PollLastOperation)
			s.slowInstance(ctx, "db")
			b := s.binding(ctx, "app", "db")
			return observed{b, has(ofBinding(ctx, b), "Ready", "False", "ErrorInstanceNotReady")}
		}),
		Entry("whose instance was refused", thenFailed, func(ctx SpecContext, s *site) observed {
			answers(s.Broker, osb.ProvisionInstance, refusal)
			s.instance(ctx, "db")
			b := s.binding(ctx, "app", "db")
			return observed{b, has(ofBinding(ctx, b), "Stalled", "True", "ErrorInstanceNotReady")}
		}),
		Entry("that the broker is asked for", inProgress, func(ctx SpecContext, s *site) observed {
			s.provisioned(ctx, "db")
			arrived, _ := hold(s.Broker, osb.Bind)
			return observed{s.binding(ctx, "app", "db"), arrived}
		}),
		Entry("that the broker is asked for again", inProgress, func(ctx SpecContext, s *site) observed {
			s.provisioned(ctx, "db")
			answers(s.Broker, osb.Bind, unavailable)
			b := s.binding(ctx, "app", "db")
			return observed{b, func() bool { ofBinding(ctx, b)(); return b.Status.Attempts != nil && b.Status.Attempts.Count > 0 }}
		}),
		Entry("whose credentials are in the Secret", thenCurrent, func(ctx SpecContext, s *site) observed {
			s.provisioned(ctx, "db")
			return observed{s.bound(ctx, "app", "db"), atOnce}
		}),
		Entry("that was refused", thenFailed, func(ctx SpecContext, s *site) observed {
			s.provisioned(ctx, "db")
			answers(s.Broker, osb.Bind, refusal)
			b := s.binding(ctx, "app", "db")
			return observed{b, has(ofBinding(ctx, b), "Failed", "True", "")}
		}),
		Entry("that was abandoned", andFailed, func(ctx SpecContext, s *site) observed {
			s.provisioned(ctx, "db")
			b := s.bound(ctx, "app", "db")
			letGo(ctx, b)
			return observed{b, has(ofBinding(ctx, b), "Stalled", "True", "Abandoned")}
		}),
		Entry("that is deleted", thenTerminating, func(ctx SpecContext, s *site) observed {
			s.provisioned(ctx, "db")
			b := s.bound(ctx, "app", "db")
			arrived, _ := hold(s.Broker, osb.Unbind)
			Expect(k8s.Delete(ctx, b)).To(Succeed())
			return observed{b, arrived}
		}),
	)

	It("F-JS1: finds a default status that clients of the former service-catalog can write back", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		for _, operation := range []osb.Operation{osb.GetCatalog, osb.ProvisionInstance} {
			hold(s.Broker, operation)
		}
		for _, o := range []client.Object{
			clusterWide.register(ctx, "", s.Broker), namespaced.register(ctx, s.namespace, s.Broker),
			s.instance(ctx, "db"), s.binding(ctx, "app", "db"),
		} {
			Eventually(func() error {
				if err := k8s.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
					return err
				}
				return errors.Join(k8s.Status().Update(ctx, o), k8s.Update(ctx, o))
			}).Should(Succeed())
		}
	})

	It("F-JS1: reads a broker that is deleted as terminating, also while its services are in use", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		s.provisioned(ctx, "db")
		seen := its.Verdicts(ctx, s.namespace, s.newBroker())
		Expect(k8s.Delete(ctx, s.object)).To(Succeed())
		Eventually(brokerStatus(ctx, s.object)).Should(haveCondition("Stalled", "True", "InUse"))
		Eventually(seen.On(ctx, s.object)).Should(Equal("Current Terminating"))
	})
})
