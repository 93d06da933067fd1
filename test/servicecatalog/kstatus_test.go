// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

// holdRequests blocks all calls of an operation until release, at the latest until the spec ends. arrived reports whether the broker
// got one.
func holdRequests(server *osbtest.Broker, operation osb.Operation) (arrived func() bool, release func()) {
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

// injectAnswer makes the broker give one answer to all calls of an operation.
func injectAnswer(server *osbtest.Broker, operation osb.Operation, answer osbtest.Answer) {
	server.Inject(osbtest.Fault{On: operation, Answer: answer})
}

var (
	unavailable = osbtest.Status(http.StatusServiceUnavailable, "")
	refusal     = osbtest.Error(http.StatusBadRequest, "", "no such size")
)

// hasCondition is for a phase that begins with a condition.
func hasCondition(conditions func() []v1beta1.Condition, kind string, is v1beta1.ConditionStatus, reason string) func() bool {
	return func() bool {
		for _, c := range conditions() {
			if c.Type == kind && c.Status == is && (reason == "" || c.Reason == reason) {
				return true
			}
		}
		return false
	}
}

// brokerConditions, instanceConditions and bindingConditions read the conditions of an object.
func brokerConditions(ctx context.Context, b v1beta1.Broker) func() []v1beta1.Condition {
	return func() []v1beta1.Condition {
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(b), b)).To(Succeed())
		return b.CommonStatus().Conditions
	}
}

func instanceConditions(ctx context.Context, si *v1beta1.ServiceInstance) func() []v1beta1.Condition {
	return func() []v1beta1.Condition {
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(si), si)).To(Succeed())
		return si.Status.Conditions
	}
}

func bindingConditions(ctx context.Context, b *v1beta1.ServiceBinding) func() []v1beta1.Condition {
	return func() []v1beta1.Condition {
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(b), b)).To(Succeed())
		return b.Status.Conditions
	}
}

// Each row begins with the status of the first version, which the API server stored before the operator saw the object.
var _ = Describe("kstatus", func() {
	for _, k := range []kindSet{clusterWide, namespaced} {
		DescribeTable("F-JS1: computes the status of a "+k.broker, func(ctx SpecContext, want string, arrange func(ctx SpecContext, namespace string, server *osbtest.Broker) suite.Phase) {
			namespace := createNamespace(ctx)
			seen := env.RecordStatuses(ctx, namespace, k.newBrokerObject())
			phase := arrange(ctx, namespace, startBroker(osbtest.Options{}))
			Eventually(phase.Reached).Should(BeTrue())
			Eventually(seen.SequenceOf(ctx, phase.Object)).Should(Equal(want))
		},
			Entry("whose catalog is being read as InProgress", suite.InProgress, func(ctx SpecContext, namespace string, server *osbtest.Broker) suite.Phase {
				arrived, _ := holdRequests(server, osb.GetCatalog)
				return suite.Phase{Object: k.createBroker(ctx, namespace, server), Reached: arrived}
			}),
			Entry("that fails temporarily as InProgress", suite.InProgress, func(ctx SpecContext, namespace string, server *osbtest.Broker) suite.Phase {
				injectAnswer(server, osb.GetCatalog, unavailable)
				b := k.createBroker(ctx, namespace, server)
				return suite.Phase{Object: b, Reached: hasCondition(brokerConditions(ctx, b), "Ready", "False", "ErrorFetchingCatalog")}
			}),
			Entry("whose Secret does not exist yet as InProgress", suite.InProgress, func(ctx SpecContext, namespace string, server *osbtest.Broker) suite.Phase {
				b := k.createBroker(ctx, namespace, server, k.useBasicAuthSecret(namespace, "auth"))
				return suite.Phase{Object: b, Reached: hasCondition(brokerConditions(ctx, b), "Ready", "False", "ErrorGettingAuthCredentials")}
			}),
			Entry("whose catalog was read as Current", suite.InProgressCurrent, func(ctx SpecContext, namespace string, server *osbtest.Broker) suite.Phase {
				return suite.Phase{Object: createReadyBroker(ctx, k, namespace, server), Reached: suite.Immediately}
			}),
			Entry("that was edited as InProgress again", suite.CurrentThenInProgress, func(ctx SpecContext, namespace string, server *osbtest.Broker) suite.Phase {
				b := createReadyBroker(ctx, k, namespace, server)
				arrived, _ := holdRequests(server, osb.GetCatalog)
				update(ctx, b, requestRelist)
				return suite.Phase{Object: b, Reached: arrived}
			}),
			Entry("without a usable plan as Failed", suite.InProgressFailed, func(ctx SpecContext, namespace string, _ *osbtest.Broker) suite.Phase {
				server := startBroker(osbtest.Options{Catalog: []byte(`{"services": [{"id": "` + uniqueSuffix() + `", "name": "empty", "description": "Without a plan"}]}`)})
				b := k.createBroker(ctx, namespace, server)
				return suite.Phase{Object: b, Reached: hasCondition(brokerConditions(ctx, b), "Stalled", "True", "")}
			}),
			Entry("that was abandoned as Failed", suite.CurrentThenFailed, func(ctx SpecContext, namespace string, server *osbtest.Broker) suite.Phase {
				b := createReadyBroker(ctx, k, namespace, server)
				removeFinalizers(ctx, b)
				return suite.Phase{Object: b, Reached: hasCondition(brokerConditions(ctx, b), "Stalled", "True", "Abandoned")}
			}),
		)

		It("F-JS1: computes Current for a "+k.class+" and a "+k.plan, func(ctx SpecContext) {
			namespace := createNamespace(ctx)
			seen := env.RecordStatuses(ctx, namespace, k.newClassObject(), k.newPlanObject())
			b := createReadyBroker(ctx, k, namespace, startBroker(osbtest.Options{}))
			classes, err := k.classes(ctx, b)()
			Expect(err).NotTo(HaveOccurred())
			plans, err := k.plans(ctx, b)()
			Expect(err).NotTo(HaveOccurred())
			Expect(classes).NotTo(BeEmpty())
			Expect(plans).NotTo(BeEmpty())
			for _, class := range classes {
				Eventually(seen.SequenceOf(ctx, class)).Should(Equal(suite.Current))
			}
			for _, plan := range plans {
				Eventually(seen.SequenceOf(ctx, plan)).Should(Equal(suite.Current))
			}
		})
	}

	DescribeTable("F-JS1: computes the status of a ServiceInstance", func(ctx SpecContext, want string, arrange func(ctx SpecContext, s *serviceNamespace) suite.Phase) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		seen := env.RecordStatuses(ctx, s.namespace, &v1beta1.ServiceInstance{})
		phase := arrange(ctx, s)
		Eventually(phase.Reached).Should(BeTrue())
		Eventually(seen.SequenceOf(ctx, phase.Object)).Should(Equal(want))
	},
		Entry("that is being provisioned as InProgress", suite.InProgress, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			arrived, _ := holdRequests(s.Broker, osb.ProvisionInstance)
			return suite.Phase{Object: s.createSyncInstance(ctx, "db"), Reached: arrived}
		}),
		Entry("that is being provisioned asynchronously as InProgress", suite.InProgress, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			arrived, _ := holdRequests(s.Broker, osb.PollLastOperation)
			return suite.Phase{Object: s.createAsyncInstance(ctx, "db"), Reached: arrived}
		}),
		Entry("whose provisioning is retried as InProgress", suite.InProgress, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			injectAnswer(s.Broker, osb.ProvisionInstance, unavailable)
			si := s.createSyncInstance(ctx, "db")
			return suite.Phase{Object: si, Reached: func() bool {
				instanceConditions(ctx, si)()
				return si.Status.Attempts != nil && si.Status.Attempts.Count > 0
			}}
		}),
		Entry("whose class does not exist yet as InProgress", suite.InProgress, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			si := s.createInstance(ctx, s.namespace, "db", "none", "small")
			return suite.Phase{Object: si, Reached: hasCondition(instanceConditions(ctx, si), "Ready", "False", "ReferencesNonexistentServiceClass")}
		}),
		Entry("whose parameters do not exist yet as InProgress", suite.InProgress, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			si := s.createSyncInstance(ctx, "db", addParametersFrom("none"))
			return suite.Phase{Object: si, Reached: hasCondition(instanceConditions(ctx, si), "Ready", "False", "ErrorWithParameters")}
		}),
		Entry("that is provisioned as Current", suite.InProgressCurrent, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			return suite.Phase{Object: s.createReadyInstance(ctx, "db"), Reached: suite.Immediately}
		}),
		Entry("that was refused as Failed", suite.InProgressFailed, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			injectAnswer(s.Broker, osb.ProvisionInstance, refusal)
			si := s.createSyncInstance(ctx, "db")
			return suite.Phase{Object: si, Reached: hasCondition(instanceConditions(ctx, si), "Failed", "True", "")}
		}),
		Entry("that was edited as InProgress again", suite.CurrentThenInProgress, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			si := s.createReadyInstance(ctx, "db")
			arrived, _ := holdRequests(s.Broker, osb.UpdateInstance)
			update(ctx, si, s.setPlan("large"))
			return suite.Phase{Object: si, Reached: arrived}
		}),
		Entry("that was abandoned as Failed", suite.CurrentThenFailed, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			si := s.createReadyInstance(ctx, "db")
			removeFinalizers(ctx, si)
			return suite.Phase{Object: si, Reached: hasCondition(instanceConditions(ctx, si), "Stalled", "True", "Abandoned")}
		}),
		Entry("that is being deleted as Terminating", suite.CurrentThenTerminating, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			si := s.createReadyInstance(ctx, "db")
			arrived, _ := holdRequests(s.Broker, osb.DeprovisionInstance)
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			return suite.Phase{Object: si, Reached: arrived}
		}),
	)

	DescribeTable("F-JS1: computes the status of a ServiceBinding", func(ctx SpecContext, want string, arrange func(ctx SpecContext, s *serviceNamespace) suite.Phase) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		seen := env.RecordStatuses(ctx, s.namespace, &v1beta1.ServiceBinding{})
		phase := arrange(ctx, s)
		Eventually(phase.Reached).Should(BeTrue())
		Eventually(seen.SequenceOf(ctx, phase.Object)).Should(Equal(want))
	},
		Entry("whose instance does not exist yet as InProgress", suite.InProgress, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			return suite.Phase{Object: s.createBinding(ctx, "app", "db"), Reached: suite.Immediately}
		}),
		Entry("F-JS2: whose instance is being provisioned, so that the status reports that, as InProgress", suite.InProgress, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			holdRequests(s.Broker, osb.PollLastOperation)
			s.createAsyncInstance(ctx, "db")
			b := s.createBinding(ctx, "app", "db")
			return suite.Phase{Object: b, Reached: hasCondition(bindingConditions(ctx, b), "Ready", "False", "ErrorInstanceNotReady")}
		}),
		Entry("whose instance was refused as Failed", suite.InProgressFailed, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			injectAnswer(s.Broker, osb.ProvisionInstance, refusal)
			s.createSyncInstance(ctx, "db")
			b := s.createBinding(ctx, "app", "db")
			return suite.Phase{Object: b, Reached: hasCondition(bindingConditions(ctx, b), "Stalled", "True", "ErrorInstanceNotReady")}
		}),
		Entry("that is being bound as InProgress", suite.InProgress, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			s.createReadyInstance(ctx, "db")
			arrived, _ := holdRequests(s.Broker, osb.Bind)
			return suite.Phase{Object: s.createBinding(ctx, "app", "db"), Reached: arrived}
		}),
		Entry("whose bind is retried as InProgress", suite.InProgress, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			s.createReadyInstance(ctx, "db")
			injectAnswer(s.Broker, osb.Bind, unavailable)
			b := s.createBinding(ctx, "app", "db")
			return suite.Phase{Object: b, Reached: func() bool {
				bindingConditions(ctx, b)()
				return b.Status.Attempts != nil && b.Status.Attempts.Count > 0
			}}
		}),
		Entry("whose credentials are in the Secret as Current", suite.InProgressCurrent, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			s.createReadyInstance(ctx, "db")
			return suite.Phase{Object: s.createReadyBinding(ctx, "app", "db"), Reached: suite.Immediately}
		}),
		Entry("that was refused as Failed", suite.InProgressFailed, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			s.createReadyInstance(ctx, "db")
			injectAnswer(s.Broker, osb.Bind, refusal)
			b := s.createBinding(ctx, "app", "db")
			return suite.Phase{Object: b, Reached: hasCondition(bindingConditions(ctx, b), "Failed", "True", "")}
		}),
		Entry("that was abandoned as Failed", suite.CurrentThenFailed, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			s.createReadyInstance(ctx, "db")
			b := s.createReadyBinding(ctx, "app", "db")
			removeFinalizers(ctx, b)
			return suite.Phase{Object: b, Reached: hasCondition(bindingConditions(ctx, b), "Stalled", "True", "Abandoned")}
		}),
		Entry("that is being deleted as Terminating", suite.CurrentThenTerminating, func(ctx SpecContext, s *serviceNamespace) suite.Phase {
			s.createReadyInstance(ctx, "db")
			b := s.createReadyBinding(ctx, "app", "db")
			arrived, _ := holdRequests(s.Broker, osb.Unbind)
			Expect(k8s.Delete(ctx, b)).To(Succeed())
			return suite.Phase{Object: b, Reached: arrived}
		}),
	)

	It("F-JS1: computes a status from defaults that clients of the former service-catalog can write back", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		for _, operation := range []osb.Operation{osb.GetCatalog, osb.ProvisionInstance} {
			holdRequests(s.Broker, operation)
		}
		for _, o := range []client.Object{
			clusterWide.createBroker(ctx, "", s.Broker), namespaced.createBroker(ctx, s.namespace, s.Broker),
			s.createSyncInstance(ctx, "db"), s.createBinding(ctx, "app", "db"),
		} {
			Eventually(func() error {
				if err := k8s.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
					return err
				}
				return errors.Join(k8s.Status().Update(ctx, o), k8s.Update(ctx, o))
			}).Should(Succeed())
		}
	})

	It("F-JS1: computes Terminating for a deleted broker, also while its services are in use", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		s.createReadyInstance(ctx, "db")
		seen := env.RecordStatuses(ctx, s.namespace, s.newBrokerObject())
		Expect(k8s.Delete(ctx, s.object)).To(Succeed())
		Eventually(brokerStatus(ctx, s.object)).Should(haveCondition("Stalled", "True", "InUse"))
		Eventually(seen.SequenceOf(ctx, s.object)).Should(Equal("Current Terminating"))
	})
})
