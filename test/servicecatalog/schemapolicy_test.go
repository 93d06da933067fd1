// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog_test

import (
	"context"
	"encoding/json"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

// requireVersion lets the first plan require mysql_version of instances, and role of bindings.
func requireVersion(services []osbtest.Service) {
	services[0].Plans[0].Schemas = json.RawMessage(`{
		"service_instance":{"create":{"parameters":{"$schema":"http://json-schema.org/draft-04/schema#","required":["mysql_version"]}}},
		"service_binding":{"create":{"parameters":{"$schema":"http://json-schema.org/draft-04/schema#","required":["role"]}}}}`)
}

// annotatePlan sets the schema policy of the first plan.
func annotatePlan(ctx context.Context, s *serviceNamespace, policy string) {
	GinkgoHelper()
	plans, err := s.plans(ctx, s.object)()
	Expect(err).NotTo(HaveOccurred())
	update(ctx, plans[s.syncService.Plans[0].ID], func(p v1beta1.Plan) {
		p.SetAnnotations(map[string]string{v1beta1.SchemaPolicyAnnotation: policy})
	})
}

var _ = Describe("The schema of a plan", func() {
	for _, k := range []kindSet{clusterWide, namespaced} {
		Describe("of a "+k.class, func() { describeSchemaPolicy(k) })
	}
})

// F-B18: a plan sets a parameter itself that its schema requires.
func describeSchemaPolicy(k kindSet) {
	It("says how to order a plan whose schema requires what the broker refuses", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, k, osbtest.Options{}, requireVersion)
		lift := s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Answer: osbtest.Error(http.StatusBadRequest, "", "plan defined parameters cannot be changed: mysql_version")})
		si := s.createSyncInstance(ctx, "db", setParameters(`{"mysql_version":"8.0"}`))
		Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(HaveField("LastConditionState", "Failed"),
			haveReadyMessage(`the plan's schema requires the parameter "mysql_version"`), haveReadyMessage("set the annotation bellhop.gophernetes.io/schema-policy to Warn on this object or its plan")))
		lift()

		By("following it")
		update(ctx, si, func(si *v1beta1.ServiceInstance) {
			setAnnotation(v1beta1.SchemaPolicyAnnotation, v1beta1.SchemaPolicyWarn)(si)
			si.Spec.Parameters = nil
		})
		Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
		Expect(s.Violations()).To(BeEmpty())
	})

	It("sends parameters from Secrets that the schema refuses once the plan has the annotation", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, k, osbtest.Options{}, requireVersion)
		createSecret(ctx, s.namespace, "input", "json", `{"size":1}`)
		ready := s.createReadyInstance(ctx, "ready", setParameters(`{"mysql_version":"8.0"}`))
		si := s.createSyncInstance(ctx, "db", addParametersFrom("input"))
		b := s.createBinding(ctx, "access", ready.Name, func(b *v1beta1.ServiceBinding) {
			b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "input", Key: "json"}}}
		})
		Eventually(instanceStatus(ctx, si)).Should(beStalled("ErrorWithParameters", "spec.parameters.mysql_version: Required value"))
		Eventually(bindingStatus(ctx, b)).Should(beStalled("ErrorWithParameters", "spec.parameters.role: Required value"))

		annotatePlan(ctx, s, v1beta1.SchemaPolicyWarn)
		Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
		Eventually(bindingStatus(ctx, b)).Should(beBound(b))

		By("keeping the annotation when the catalog is fetched again")
		relistCatalog(ctx, s.object)
		plans, err := s.plans(ctx, s.object)()
		Expect(err).NotTo(HaveOccurred())
		Expect(plans[s.syncService.Plans[0].ID].GetAnnotations()).To(HaveKeyWithValue(v1beta1.SchemaPolicyAnnotation, v1beta1.SchemaPolicyWarn))

		By("refusing another value")
		Expect(k8s.Patch(ctx, plans[s.syncService.Plans[0].ID], client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"bellhop.gophernetes.io/schema-policy":"Ignore"}}}`)))).
			To(MatchError(ContainSubstring(`Unsupported value: "Ignore"`)))
	})
}
