// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

func init() {
	for _, k := range []kindSet{clusterWide, namespaced} {
		for _, describe := range []func(kindSet){describeCatalogObjects, describeRemovals, describeSelection, describeCollisions} {
			Describe("The catalog of a "+k.broker, func() { describe(k) })
		}
	}
}

func setCatalog(server *osbtest.Broker, services ...osbtest.Service) {
	server.Change(func(o *osbtest.Options) { o.Services = append([]osbtest.Service{}, services...) })
}

// relistCatalog waits until the operator has read a broker's catalog again.
func relistCatalog(ctx context.Context, b v1beta1.Broker) {
	GinkgoHelper()
	update(ctx, b, requestRelist)
	Eventually(brokerStatus(ctx, b)).Should(HaveField("ReconciledGeneration", b.GetGeneration()))
}

func describeCatalogObjects(k kindSet) {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = createNamespace(ctx) })

	It("becomes classes and plans that svcat finds, and that are deleted with the broker", func(ctx SpecContext) {
		service := newService("Db", "Small")
		server := startBroker(osbtest.Options{Services: []osbtest.Service{service}})
		b := createReadyBroker(ctx, k, namespace, server)
		class, plan := k.newClassObject(), k.newPlanObject()
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: b.GetNamespace(), Name: catalog.ObjectName(service.ID)}, class)).To(Succeed())
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: b.GetNamespace(), Name: catalog.ObjectName(service.Plans[0].ID)}, plan)).To(Succeed())
		Expect(class.GetName()).To(HavePrefix("z44zb-"))
		Expect(plan.ClassName()).To(Equal(class.GetName()))
		Expect(class.GetLabels()).To(Equal(catalog.ClassLabels(class)))
		Expect(plan.GetLabels()).To(Equal(catalog.PlanLabels(plan)))
		Expect(plan.Common().Free).To(BeTrue(), "the default of Open Service Broker")
		for _, o := range []client.Object{class, plan} {
			owner := metav1.GetControllerOf(o)
			Expect(owner).To(HaveField("UID", b.GetUID()))
			Expect(owner.BlockOwnerDeletion).To(HaveValue(BeFalse()))
			Expect(o.GetGeneration()).To(Equal(int64(1)))
		}
	})

	It("leads to writes only where it changed", func(ctx SpecContext) {
		const classes, plans = 20, 10
		var services []osbtest.Service
		for i := range classes {
			var names []string
			for j := range plans {
				names = append(names, fmt.Sprintf("plan-%d-%d", i, j))
			}
			s := newService(fmt.Sprintf("service-%d", i), names...)
			s.Metadata = json.RawMessage(`{"z": 1.0, "displayName": "<b>Größe</b>", "costs": [{"amount": {"usd": 1e2}, "unit": "MONTH"}], "none": null}`)
			for j := range s.Plans {
				s.Plans[j].Schemas = json.RawMessage(`{"service_instance": {"create": {"parameters": {"$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "properties": {"size": {"maximum": 1.50}}}}}}`)
			}
			services = append(services, s)
		}
		server := startBroker(osbtest.Options{Services: services})
		b := createReadyBroker(ctx, k, namespace, server)
		Expect(k.classes(ctx, b)()).To(HaveLen(classes))
		Expect(k.plans(ctx, b)()).To(HaveLen(classes * plans))

		ours := func(since suite.AuditMark) func() []string {
			return func() []string {
				var writes []string
				for _, e := range operatorRequests(since) {
					if slices.ContainsFunc(services, func(s osbtest.Service) bool {
						return e.ObjectRef.Name == s.ID || slices.ContainsFunc(s.Plans, func(p osbtest.Plan) bool { return e.ObjectRef.Name == p.ID })
					}) {
						writes = append(writes, strings.TrimSuffix(e.Verb+" "+e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource, "/"))
					}
				}
				return writes
			}
		}
		By("changing nothing")
		start := markAudit()
		relistCatalog(ctx, b)
		Expect(ours(start)()).To(BeEmpty())

		By("changing one plan")
		start = markAudit()
		services[3].Plans = slices.Clone(services[3].Plans)
		services[3].Plans[5].Description = "Larger than before"
		setCatalog(server, services...)
		relistCatalog(ctx, b)
		Eventually(ours(start)).Should(HaveExactElements(HavePrefix("update ")))
		Eventually(func() []string { return requestsFor(start, b.GetNamespace(), []string{b.GetName()}) }).Should(HaveLen(1))

		By("adding one service and removing another")
		start = markAudit()
		services = append(services[1:], newService("another", "one"))
		setCatalog(server, services...)
		relistCatalog(ctx, b)
		Eventually(ours(start)).Should(ConsistOf(HavePrefix("create "), HavePrefix("create ")))
		Eventually(k.classes(ctx, b)).Should(HaveLen(classes))
		Eventually(k.plans(ctx, b)).Should(HaveLen((classes-1)*plans + 1))
	})

	It("repairs objects that a user changed", func(ctx SpecContext) {
		service := newService("db", "small", "large")
		server := startBroker(osbtest.Options{Services: []osbtest.Service{service}})
		b := createReadyBroker(ctx, k, namespace, server)
		class, plan := k.newClassObject(), k.newPlanObject()
		class.SetNamespace(b.GetNamespace())
		class.SetName(service.ID)
		plan.SetNamespace(b.GetNamespace())
		plan.SetName(service.Plans[0].ID)
		update(ctx, class, func(c v1beta1.Class) { c.Common().Description, c.Common().ExternalID = "edited", "mine" })
		Expect(k8s.Delete(ctx, plan)).To(Succeed())
		server.Forget()
		relistCatalog(ctx, b)
		Expect(server.Calls()).To(HaveExactElements(HaveField("Header", Not(HaveKey("If-None-Match")))))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(class), class)).To(Succeed())
		Expect(*class.Common()).To(SatisfyAll(HaveField("Description", service.Description), HaveField("ExternalID", service.ID)))
		Expect(k.plans(ctx, b)()).To(SatisfyAll(HaveLen(2), haveRemoved[v1beta1.Plan]()))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(plan), plan)).To(Succeed())
	})

	It("becomes all plans before their class", func(ctx SpecContext) {
		var plans []string
		for i := range 30 {
			plans = append(plans, fmt.Sprintf("plan-%d", i))
		}
		service := newService("db", plans...)
		start := markAudit()
		createReadyBroker(ctx, k, namespace, startBroker(osbtest.Options{Services: []osbtest.Service{service}}))
		created := func() (order []string) {
			for _, e := range operatorRequests(start) {
				if e.Verb == "create" && (e.ObjectRef.Name == service.ID || strings.HasPrefix(e.ObjectRef.Name, "plan-") && strings.HasSuffix(e.ObjectRef.Name, service.ID[len("db"):])) {
					order = append(order, e.ObjectRef.Resource)
				}
			}
			return order
		}
		Eventually(created).Should(HaveLen(31), "the API server may log a request after its effect was seen")
		Expect(created()[30]).To(Equal(strings.ToLower(k.class)+"es"), "with only some of the plans, admission would choose a default plan")
	})
}

func describeRemovals(k kindSet) {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = createNamespace(ctx) })

	It("keeps removed services and plans while instances use them", func(ctx SpecContext) {
		db, queue := newService("db", "small", "large"), newService("queue", "one")
		server := startBroker(osbtest.Options{Services: []osbtest.Service{db, queue}})
		b := createReadyBroker(ctx, k, namespace, server)
		si := k.createInstance(ctx, namespace, "data", db.Name, "small")
		Eventually(instanceStatus(ctx, si)).Should(haveCondition("Ready", "True", "ProvisionedSuccessfully"))

		By("removing the service")
		setCatalog(server, queue)
		relistCatalog(ctx, b)
		Eventually(k.plans(ctx, b)).Should(SatisfyAll(HaveLen(2), haveRemoved[v1beta1.Plan](db.Plans[0].ID)), "the unused plan is deleted")
		Expect(k.classes(ctx, b)()).To(SatisfyAll(HaveLen(2), haveRemoved[v1beta1.Class](db.Name)))
		Expect(b.CommonStatus().ServiceClasses).To(Equal(int32(1)))
		relistCatalog(ctx, b)
		Expect(k.classes(ctx, b)()).To(HaveLen(2))

		By("restoring the service")
		setCatalog(server, db, queue)
		relistCatalog(ctx, b)
		Expect(k.plans(ctx, b)()).To(SatisfyAll(HaveLen(3), haveRemoved[v1beta1.Plan]()))
		Expect(k.classes(ctx, b)()).To(SatisfyAll(HaveLen(2), haveRemoved[v1beta1.Class]()))

		By("removing the service again, and deleting the instance")
		setCatalog(server, queue)
		relistCatalog(ctx, b)
		Eventually(k.plans(ctx, b)).Should(HaveLen(2))
		deleted := time.Now()
		Expect(k8s.Delete(ctx, si)).To(Succeed())
		Eventually(k.classes(ctx, b)).Should(HaveLen(1))
		Expect(k.plans(ctx, b)()).To(HaveLen(1))
		Expect(time.Since(deleted)).To(BeNumerically("<", 10*time.Second))
		Expect(server.Violations()).To(BeEmpty())
	})

	It("keeps a removed plan for the instance that has it, which may return to it", func(ctx SpecContext) {
		db := newService("db", "small", "large")
		server := startBroker(osbtest.Options{Services: []osbtest.Service{db}})
		b := createReadyBroker(ctx, k, namespace, server)
		si := k.createInstance(ctx, namespace, "data", db.Name, "small")
		Eventually(instanceStatus(ctx, si)).Should(haveCondition("Ready", "True", "ProvisionedSuccessfully"))
		without := db
		without.Plans = db.Plans[1:]
		setCatalog(server, without)
		relistCatalog(ctx, b)
		switchTo := func(plan string) {
			GinkgoHelper()
			update(ctx, si, func(si *v1beta1.ServiceInstance) {
				if k.isNamespaced() {
					si.Spec.ServicePlanExternalName = plan
				} else {
					si.Spec.ClusterServicePlanExternalName = plan
				}
			})
		}

		By("being refused another plan")
		server.Inject(osbtest.Fault{On: osb.UpdateInstance, Answer: osbtest.Error(http.StatusBadRequest, "", "no room")})
		switchTo("large")
		Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(haveCondition("Ready", "False", "UpdateInstanceCallFailed"), haveReadyMessage("no room")))
		relistCatalog(ctx, b)
		Expect(k.plans(ctx, b)()).To(haveRemoved[v1beta1.Plan](db.Plans[0].ID))

		By("returning to the removed plan")
		switchTo("small")
		Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
		Expect(server.Violations()).To(BeEmpty())
	})

	It("deletes nothing when it is empty", func(ctx SpecContext) {
		service := newService("db", "small")
		server := startBroker(osbtest.Options{Services: []osbtest.Service{service}})
		b := createReadyBroker(ctx, k, namespace, server)
		setCatalog(server)
		relistCatalog(ctx, b)
		Expect(brokerStatus(ctx, b)()).To(SatisfyAll(haveCondition("Ready", "True", "FetchedCatalog"), haveReadyMessage("offered 1 class before and offers nothing now")))
		relistCatalog(ctx, b)
		Expect(k.classes(ctx, b)()).To(haveRemoved[v1beta1.Class](service.Name))
		Expect(k.plans(ctx, b)()).To(haveRemoved[v1beta1.Plan](service.Plans[0].ID))
		setCatalog(server, service)
		relistCatalog(ctx, b)
		Expect(k.classes(ctx, b)()).To(SatisfyAll(HaveLen(1), haveRemoved[v1beta1.Class]()))
	})
}

func describeSelection(k kindSet) {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = createNamespace(ctx) })

	It("is offered except for what is invalid", func(ctx SpecContext) {
		good, bad := newService("good", "one", "two"), newService("bad", "three")
		server := startBroker(osbtest.Options{Services: []osbtest.Service{good, bad}})
		b := createReadyBroker(ctx, k, namespace, server)
		body, err := json.Marshal(map[string]any{"services": []any{
			map[string]any{"id": bad.ID, "name": bad.Name, "description": 7, "bindable": true, "plans": bad.Plans},
			map[string]any{"id": good.ID, "name": good.Name, "description": "New words", "bindable": true, "plan_updateable": true, "plans": []any{
				good.Plans[0], map[string]any{"id": good.Plans[1].ID, "name": "two", "description": "Is two", "free": "of charge"}}},
		}})
		Expect(err).NotTo(HaveOccurred())
		server.Change(func(o *osbtest.Options) { o.Catalog = body })
		relistCatalog(ctx, b)
		Expect(brokerStatus(ctx, b)()).To(SatisfyAll(haveCondition("Ready", "True", "PartlySynced"), haveReadyMessage("2 classes with 3 plans"), haveReadyMessage(bad.Name), haveReadyMessage("description"), haveReadyMessage("free")))
		Eventually(readEvents(ctx, b)).Should(ContainElement(SatisfyAll(ContainSubstring("Warning PartlySynced"), ContainSubstring(bad.Name))))
		classes, err := k.classes(ctx, b)()
		Expect(err).NotTo(HaveOccurred())
		Expect(classes).To(SatisfyAll(HaveLen(2), haveRemoved[v1beta1.Class]()), "an invalid entry removes nothing")
		Expect(classes[good.Name].Common().Description).To(Equal("New words"), "an invalid entry does not block others")
		Expect(k.plans(ctx, b)()).To(SatisfyAll(HaveLen(3), haveRemoved[v1beta1.Plan]()))
	})

	It("is reported if nothing in it is valid", func(ctx SpecContext) {
		b := k.createBroker(ctx, namespace, startBroker(osbtest.Options{Catalog: []byte(`{"services": [{"id": "x", "name": "x", "description": "", "bindable": true, "plans": []}]}`)}))
		Eventually(brokerStatus(ctx, b)).Should(beStalled("ErrorSyncingCatalog", "it has no plan that can be used"))
	})

	// F-JS13: what stays as it was is not counted as fetched without a word.
	It("keeps a class whose plans are gone from it, and says so", func(ctx SpecContext) {
		db, queue := newService("db", "small", "large"), newService("queue", "one")
		server := startBroker(osbtest.Options{Services: []osbtest.Service{db, queue}})
		b := createReadyBroker(ctx, k, namespace, server)
		db.Plans = []osbtest.Plan{}
		setCatalog(server, db, queue)
		relistCatalog(ctx, b)
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(haveReadyMessage("The catalog was fetched: 2 classes with 3 plans, including 1 class and 2 plans as before. Differs from the catalog: "),
			haveReadyMessage("it has no plan that can be used")))
	})

	It("is reported if it is not JSON", func(ctx SpecContext) {
		b := k.createBroker(ctx, namespace, startBroker(osbtest.Options{Catalog: []byte(`<html>Welcome</html>`)}))
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "False", "ErrorFetchingCatalog"), haveCondition("Reconciling", "True", "ErrorFetchingCatalog"), haveReadyMessage("JSON")))
	})

	It("is offered as far as catalogRestrictions allow", func(ctx SpecContext) {
		db, queue := newService("db", "small", "large"), newService("queue", "one")
		server := startBroker(osbtest.Options{Services: []osbtest.Service{db, queue}})
		b := createReadyBroker(ctx, k, namespace, server, func(b v1beta1.Broker) {
			b.Common().CatalogRestrictions = &v1beta1.CatalogRestrictions{ServicePlan: []string{"spec.externalName in (small,one)"}}
		})
		Expect(k.classes(ctx, b)()).To(HaveLen(2))
		Expect(k.plans(ctx, b)()).To(SatisfyAll(HaveLen(2), HaveKey(db.Plans[0].ID), HaveKey(queue.Plans[0].ID)))
		update(ctx, b, func(b v1beta1.Broker) {
			b.Common().CatalogRestrictions.ServiceClass = []string{"spec.externalName=" + db.Name}
		})
		Eventually(k.classes(ctx, b)).Should(SatisfyAll(HaveLen(1), HaveKey(db.Name)))
		Expect(k.plans(ctx, b)()).To(HaveLen(1))
		update(ctx, b, func(b v1beta1.Broker) { b.Common().CatalogRestrictions = nil })
		Eventually(k.plans(ctx, b)).Should(HaveLen(3))
	})
}

func describeCollisions(k kindSet) {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = createNamespace(ctx) })

	It("leaves objects of another broker alone, and takes their ids once that broker is gone", func(ctx SpecContext) {
		shared, own := newService("shared", "small"), newService("own", "small")
		first := createReadyBroker(ctx, k, namespace, startBroker(osbtest.Options{Services: []osbtest.Service{shared}}))
		second := k.createBroker(ctx, namespace, startBroker(osbtest.Options{Services: []osbtest.Service{shared, own}}))
		Eventually(brokerStatus(ctx, second)).Should(SatisfyAll(haveCondition("Ready", "True", "PartlySynced"),
			haveReadyMessage(fmt.Sprintf("%s %s of %s %q has the same id", k.class, shared.ID, k.broker, first.GetName())), HaveField("ServiceClasses", int32(1))))
		Expect(k.classes(ctx, first)()).To(HaveKey(shared.Name))
		Expect(k.classes(ctx, second)()).To(SatisfyAll(HaveLen(1), HaveKey(own.Name)))
		Expect(k8s.Delete(ctx, first)).To(Succeed())
		Eventually(brokerStatus(ctx, second)).WithTimeout(time.Minute).Should(beReady(second))
		Expect(k.classes(ctx, second)()).To(SatisfyAll(HaveLen(2), HaveKey(shared.Name)))
		Expect(k.plans(ctx, second)()).To(HaveLen(2))
	})

	It("may have the same names as that of another broker", func(ctx SpecContext) {
		one, other := newService("db", "small"), newService("db", "small")
		other.Name = one.Name
		first := createReadyBroker(ctx, k, namespace, startBroker(osbtest.Options{Services: []osbtest.Service{one}}))
		second := createReadyBroker(ctx, k, namespace, startBroker(osbtest.Options{Services: []osbtest.Service{other}}))
		Expect(*second.CommonStatus()).To(SatisfyAll(haveCondition("Ready", "True", "FetchedCatalog"), haveReadyMessage("Another "+k.broker+" offers services of the same name"), haveReadyMessage(one.Name)))
		for _, b := range []v1beta1.Broker{first, second} {
			Expect(k.classes(ctx, b)()).To(HaveLen(1))
		}
	})

	It("does not delay other brokers while a request for it hangs", func(ctx SpecContext) {
		var hung []v1beta1.Broker
		other := createNamespace(ctx) // the brokers of one namespace share a bound
		for range 8 {
			server := startBroker(osbtest.Options{})
			server.Inject(osbtest.Fault{On: osb.GetCatalog, Answer: osbtest.Hang})
			hung = append(hung, k.createBroker(ctx, other, server))
		}
		createReadyBroker(ctx, k, namespace, startBroker(osbtest.Options{}))
		for _, b := range hung {
			Expect(k8s.Delete(ctx, b)).To(Succeed())
		}
	})
}
