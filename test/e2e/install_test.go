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

package e2e_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// installer is a way to install Bellhop.
type installer struct {
	name               string
	install, uninstall func(context.Context)
	manifests          func(context.Context) string
	// left are the kinds of what is left, beside CRDs, once no object of a user is there.
	left []string
}

var installers = []installer{
	{
		name:      "kustomize",
		install:   func(ctx context.Context) { GinkgoHelper(); run(ctx, "make", "deploy") },
		uninstall: func(ctx context.Context) { GinkgoHelper(); run(ctx, "make", "undeploy") },
		manifests: func(ctx context.Context) string { GinkgoHelper(); return run(ctx, "hack/config.sh", "all") },
	},
	{
		name: "Helm",
		install: func(ctx context.Context) {
			GinkgoHelper()
			run(ctx, "helm", append([]string{"install", "bellhop", "charts/bellhop", "--create-namespace", "--wait", "--timeout=3m"}, helmValues()...)...)
		},
		uninstall: func(ctx context.Context) {
			GinkgoHelper()
			run(ctx, "helm", "uninstall", "bellhop", "--namespace="+system, "--wait", "--timeout=2m")
		},
		manifests: func(ctx context.Context) string {
			GinkgoHelper()
			return run(ctx, "helm", append([]string{"template", "bellhop", "charts/bellhop"}, helmValues()...)...)
		},
		left: []string{"namespace/" + system, "configmap/cluster-info"},
	},
}

// helmValues returns the arguments of Helm for the image under test.
func helmValues() []string {
	tag := strings.LastIndex(image, ":")
	return []string{"--namespace=" + system, "--set=image.repository=" + image[:tag], "--set=image.tag=" + image[tag+1:], "--set=image.pullPolicy=Never"}
}

// itIsValid has the API server check the manifests, with unknown and doubled fields as errors, and what a namespace that enforces the Pod Security
// Standard restricted warns of.
func itIsValid(in installer) {
	It("has manifests that are strictly valid", func(ctx SpecContext) {
		out, err := try(ctx, in.manifests(ctx), "kubectl", "apply", "--server-side", "--force-conflicts", "--field-manager=validity", "--dry-run=server", "--validate=strict", "-f", "-")
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.ToLower(out)).NotTo(ContainSubstring("warning"))
	})
}

// installed returns the objects of an installation that are in the cluster.
func installed(ctx context.Context) string {
	GinkgoHelper()
	var found []string
	for line := range strings.Lines(kubectl(ctx, "get namespaces,clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations,crds -o name")) {
		if strings.Contains(line, "bellhop") || strings.Contains(line, "pager.k8s.co") || strings.Contains(line, "servicecatalog.k8s.io") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return strings.Join(found, "\n")
}

// itStartsQuietly checks what replicas that started together have logged.
func itStartsQuietly() {
	It("logs no error as it starts, and at most 20 lines", func(ctx SpecContext) {
		for pod := range strings.FieldsSeq(kubectl(ctx, "get pods --namespace "+system+" --selector control-plane=controller-manager -o name")) {
			log := kubectl(ctx, "logs --namespace "+system+" "+pod)
			Expect(log).NotTo(ContainSubstring(`"level":"error"`))
			Expect(strings.Count(log, `"level":"info"`)).To(BeNumerically("<=", 20), log)
		}
	})
}

func itServesTheSeeds() {
	It("sends the seed of an Alert, once, in both versions", func(ctx SpecContext) {
		kubectl(ctx, "apply --namespace default -f "+sample("pager_v1alpha1_alert.yaml"))
		kubectl(ctx, "wait --namespace default --for=jsonpath={.status.sent}=true --timeout=60s alert/kubecon-alert")
		Expect(messagesAbout(ctx, "default")).To(ContainElement(SatisfyAll(HaveField("Name", "kubecon-alert"), HaveField("Content", HavePrefix("Hello KubeCon")), HaveField("Attempts", 1))))
		Expect(kubectl(ctx, "get alerts.v1alpha1.pager.k8s.co kubecon-alert --namespace default -o jsonpath={.spec.message}")).To(Equal("Hello KubeCon :wave:"))
		Expect(kubectl(ctx, "get alerts.v1beta1.pager.k8s.co kubecon-alert --namespace default -o jsonpath={.spec.content}")).To(Equal("Hello KubeCon :wave:"))
	})

	It("provisions and binds the seeds of a database, and a Pod logs in with the Secret", func(ctx SpecContext) {
		kubectl(ctx, "apply -f "+sample("servicecatalog_v1beta1_serviceinstance.yaml")+" -f "+sample("servicecatalog_v1beta1_servicebinding.yaml"))
		kubectl(ctx, "wait --namespace default --for=condition=Ready --timeout=60s serviceinstance/example-mysql-instance servicebinding/example-mysql-binding")
		logIn(ctx, "example-mysql-secret")
	})
}

// itDeletesTheSeeds deletes what the seeds asked for.
func itDeletesTheSeeds() {
	It("removes what the seeds asked for when they are deleted", func(ctx SpecContext) {
		kubectl(ctx, "delete --namespace default --timeout=60s alert/kubecon-alert servicebinding/example-mysql-binding")
		kubectl(ctx, "delete --namespace default --timeout=60s serviceinstance/example-mysql-instance")
		log := readBrokerLog(ctx)
		Expect(log.made()).To(Equal(log.removed()))
		Expect(messagesAbout(ctx, "default")).To(ContainElement(SatisfyAll(HaveField("Name", "kubecon-alert"), HaveField("Event", "alert.resolved"))))
		disconnectOutside(ctx)
	})
}

var _ = Describe("Bellhop", Ordered, func() {
	for _, in := range installers {
		Describe("installed with "+in.name, Ordered, func() {
			BeforeAll(func(ctx SpecContext) {
				if in.name == "kustomize" { // the operator adds the id of the cluster
					apply(ctx, "{apiVersion: v1, kind: Namespace, metadata: {name: "+system+"}}")
					kubectl(ctx, "create configmap cluster-info --namespace "+system)
				}
				in.install(ctx)
			})
			itIsValid(in)
			itStartsQuietly()
			It("connects to a receiver and a broker", connectOutside)
			itServesMetrics()
			itServesTheSeeds()
			if in.name == "kustomize" {
				itSurvivesRestarts()
				itRotatesCertificates()
				itConnects()
				itDeletesNamespaces()
				itServesTenants()
			}
			itKeepsObjects(in)
			itDeletesTheSeeds()
			if in.name == "Helm" { // after all scenarios
				itUsesItsRights()
			}

			It("leaves nothing but the CRDs when it is uninstalled, and then nothing", func(ctx SpecContext) {
				remove(ctx, in)
				for line := range strings.Lines(installed(ctx)) {
					Expect(strings.TrimSpace(line)).To(SatisfyAny(HavePrefix("customresourcedefinition.apiextensions.k8s.io/"), BeElementOf(in.left)))
				}
				run(ctx, "make", "uninstall")
				if len(in.left) > 0 {
					kubectl(ctx, "delete --timeout=60s namespace/"+system)
				}
				Expect(installed(ctx)).To(BeEmpty())
			})
		})
	}
})

// itKeepsObjects uninstalls and installs again, with objects.
func itKeepsObjects(in installer) {
	It("keeps objects while it is uninstalled, and sends nothing twice once it is installed again", func(ctx SpecContext) {
		before := readBrokerLog(ctx)
		id := kubectl(ctx, "get configmap --namespace "+system+" cluster-info -o jsonpath={.data.id}")
		remove(ctx, in)
		Expect(kubectl(ctx, "get alert kubecon-alert --namespace default -o jsonpath={.spec.content}")).To(Equal("Hello KubeCon :wave:"))
		kubectl(ctx, "label alert kubecon-alert --namespace default edited-while=away --overwrite")
		logIn(ctx, "example-mysql-secret")
		out, err := try(ctx, "", "kubectl", "apply", "--namespace=default", "-f", sample("pager_v1alpha1_alert.yaml"))
		Expect(err).To(HaveOccurred(), "v1alpha1 without a conversion")
		Expect(out).To(ContainSubstring("conversion webhook"))

		in.install(ctx)
		kubectl(ctx, "patch serviceinstance example-mysql-instance --namespace default --type=merge -p {\"spec\":{\"clusterServicePlanExternalName\":\"standard100\"}}")
		kubectl(ctx, "wait --namespace default --for=jsonpath={.status.externalProperties.clusterServicePlanExternalName}=standard100 --timeout=60s serviceinstance/example-mysql-instance")
		kubectl(ctx, "wait --namespace default --for=condition=Ready --timeout=60s serviceinstance/example-mysql-instance servicebinding/example-mysql-binding")
		Expect(kubectl(ctx, "get configmap --namespace "+system+" cluster-info -o jsonpath={.data.id}")).To(Equal(id))
		after := readBrokerLog(ctx)
		Expect(after.requests("provision")).To(Equal(before.requests("provision")))
		Expect(after.requests("bind")).To(Equal(before.requests("bind")))
		Expect(messagesAbout(ctx, "default")).To(ContainElement(SatisfyAll(HaveField("Name", "kubecon-alert"), HaveField("Event", "alert.fired"), HaveField("Attempts", 1))))
	})
}
