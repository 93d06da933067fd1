// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"

	"github.com/gophernetes/bellhop/test/internal/load"
)

// installer is a way to install Bellhop.
type installer struct {
	name                 string
	install              func(context.Context)
	uninstall, manifests func(context.Context) string
	// removeCRDs removes the CRDs as the page of uninstalling says.
	removeCRDs func(context.Context)
	// reported is what uninstall prints of why the namespace stays.
	reported []string
	// left are the kinds of what is left, beside CRDs, once no object of a user is there.
	left []string
}

// builtImage is the image that the targets of kubebuilder's book build and push.
const builtImage = "localhost/bellhop:built"

var installers = []installer{
	{
		name:      "kustomize",
		install:   func(ctx context.Context) { GinkgoHelper(); run(ctx, "make", "deploy", "IMG="+builtImage) },
		uninstall: func(ctx context.Context) string { GinkgoHelper(); return run(ctx, "make", "undeploy") },
		reported:  []string{"Secret/mysql-broker", "ConfigMap cluster-info"},
		manifests: func(ctx context.Context) string {
			GinkgoHelper()
			return output(ctx, "env", "IMG="+builtImage, "hack/config.sh", "all")
		},
		removeCRDs: func(ctx context.Context) { GinkgoHelper(); run(ctx, "make", "uninstall") },
	},
	{
		name: "Helm",
		install: func(ctx context.Context) {
			GinkgoHelper()
			run(ctx, "helm", append([]string{"install", "bellhop", chart, "--create-namespace", "--wait", "--timeout=3m"}, helmValues()...)...)
		},
		uninstall: func(ctx context.Context) string {
			GinkgoHelper()
			return run(ctx, "helm", "uninstall", "bellhop", "--namespace="+system, "--wait", "--timeout=2m")
		},
		manifests: func(ctx context.Context) string {
			GinkgoHelper()
			return output(ctx, "helm", append([]string{"template", "bellhop", chart}, helmValues()...)...)
		},
		removeCRDs: func(ctx context.Context) {
			GinkgoHelper()
			kubectl(ctx, "delete crds --selector app.kubernetes.io/name=bellhop --timeout=60s")
		},
		left: []string{"namespace/" + system, "configmap/cluster-info"},
	},
}

// helmValues returns the arguments of Helm for the image under test, with Alerts about failing objects, credentials in Pods and the listener of
// AlertSources, which are off by default.
func helmValues() []string {
	values := []string{"--namespace=" + system, "--set=image.pullPolicy=Never", "--set=pageByLabel.enabled=true", "--set=injection.enabled=true", "--set=ingest.enabled=true"}
	if release != "" { // its chart has its image
		return values
	}
	tag := strings.LastIndex(image, ":")
	return append(values, "--set=image.repository="+image[:tag], "--set=image.tag="+image[tag+1:])
}

// itIsValid has the API server check the manifests, with unknown and doubled fields as errors, and what a namespace that enforces the Pod Security
// Standard restricted warns of.
func itIsValid(in installer) {
	It("has manifests that are strictly valid", func(ctx SpecContext) {
		out, err := try(ctx, in.manifests(ctx), "kubectl", "apply", "--server-side", "--force-conflicts", "--field-manager=validity", "--dry-run=server", "--validate=strict", "-f", "-")
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.ToLower(out)).NotTo(ContainSubstring("warning"))
	})

	It("differs in nothing from its manifests once the API server has set defaults", func(ctx SpecContext) {
		_, err := try(ctx, in.manifests(ctx), "kubectl", "diff", "--server-side", "--force-conflicts", "--field-manager=difference", "-f", "-")
		Expect(err).NotTo(HaveOccurred())
	})
}

// installed returns the objects of an installation that are in the cluster.
func installed(ctx context.Context) string {
	GinkgoHelper()
	var found []string
	for line := range strings.Lines(kubectl(ctx, "get namespaces,clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations,mutatingadmissionpolicies,mutatingadmissionpolicybindings,validatingadmissionpolicies,validatingadmissionpolicybindings,crds -o name")) {
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

// itFollowsThePagesOfInstalling runs the commands of docs/install that look at a running operator.
func itFollowsThePagesOfInstalling() {
	It("has the version and the certificates that the pages of installing look at", func(ctx SpecContext) {
		Expect(follow(ctx, "upgrade.md", "kubectl rollout status")).To(ContainSubstring("successfully rolled out"))
		Expect(follow(ctx, "upgrade.md", "kubectl exec")).To(HavePrefix("bellhop "))
		Expect(follow(ctx, "certificates.md", "kubectl get secret")).To(HavePrefix("notAfter="))
		Expect(follow(ctx, "alertsources.md", "kubectl get secret")).To(HavePrefix("-----BEGIN CERTIFICATE-----"))
	})
}

// itKeepsValues upgrades the release as the page of upgrading says, without any value.
func itKeepsValues() {
	It("keeps its values when it is upgraded without any", func(ctx SpecContext) {
		before := output(ctx, "helm", "get", "values", "bellhop", "--namespace="+system)
		run(ctx, "helm", "upgrade", "bellhop", chart, "--namespace="+system, "--wait", "--timeout=2m")
		Expect(output(ctx, "helm", "get", "values", "bellhop", "--namespace="+system)).To(Equal(before))
		Expect(follow(ctx, "upgrade.md", "kubectl rollout status")).To(ContainSubstring("successfully rolled out"))
	})
}

// itKeepsCRDs tries upgrades that would delete CRDs with the values of the release, in a dry run. Helm looks at the annotation in the cluster alone.
func itKeepsCRDs() {
	It("refuses an upgrade that would delete CRDs", func(ctx SpecContext) {
		const crd = "servicebindings.servicecatalog.k8s.io"
		upgrade := []string{"upgrade", "bellhop", chart, "--namespace=" + system, "--reuse-values", "--dry-run=server"}
		without := []string{"--set=servicecatalog.enabled=false,injection.enabled=false", "--set=crds.enabled=false"}
		for _, set := range without {
			run(ctx, "helm", append(upgrade, set, "--set=crds.keep=false")...)
		}
		kubectl(ctx, "annotate crd "+crd+" helm.sh/resource-policy-")
		DeferCleanup(func(ctx SpecContext) { kubectl(ctx, "annotate --overwrite crd "+crd+" helm.sh/resource-policy=keep") })
		for _, set := range without {
			_, err := try(ctx, "", "helm", append(upgrade, set)...)
			Expect(err).To(MatchError(ContainSubstring("this upgrade would delete the definition "+crd)), set)
		}
		run(ctx, "helm", upgrade...)
	})
}

// follow runs the line of a page of docs/install that begins with a command, and returns what it prints.
func follow(ctx context.Context, page, beginning string) string {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(repo, "docs", "install", page))
	Expect(err).NotTo(HaveOccurred())
	line := regexp.MustCompile(`(?m)^` + beginning + ` .*$`).FindString(string(text))
	Expect(line).NotTo(BeEmpty(), "%s has no command %s", page, beginning)
	return output(ctx, "bash", "-euo", "pipefail", "-c", line)
}

func itServesTheSeeds() {
	It("sends the seed of an Alert, once, in both versions", func(ctx SpecContext) {
		kubectl(ctx, "apply --namespace default -f "+sample("pager_v1alpha1_alert.yaml"))
		kubectl(ctx, "wait --namespace default --for=jsonpath={.status.sent}=true --timeout=60s alert/kubecon-alert")
		Expect(messagesAbout(ctx, "default")).To(ContainElement(SatisfyAll(HaveField("Name", "kubecon-alert"), HaveField("Content", HavePrefix("Hello KubeCon")), HaveField("Attempts", 1))))
		expectBothVersions(ctx)
	})

	It("provisions and binds the seeds of a database, and a Pod logs in with the Secret", func(ctx SpecContext) {
		createService(ctx)
		logIn(ctx, "example-mysql-secret")
	})
}

// expectBothVersions reads the seed of an Alert in the version in which it was written, and in the stored version.
func expectBothVersions(ctx context.Context) {
	GinkgoHelper()
	Eventually(func() (string, error) {
		return try(ctx, "", "kubectl", "get", "alerts.v1alpha1.pager.k8s.co", "kubecon-alert", "--namespace=default", "-o=jsonpath={.status.sent} {.spec.message}")
	}).WithTimeout(30 * time.Second).Should(Equal("true Hello KubeCon :wave:"))
	Expect(kubectl(ctx, "get alerts.v1beta1.pager.k8s.co kubecon-alert --namespace default -o jsonpath={.spec.content}")).To(Equal("Hello KubeCon :wave:"))
}

// createService applies the seeds of a database, and waits until they are Ready.
func createService(ctx context.Context) {
	GinkgoHelper()
	kubectl(ctx, "apply -f "+sample("servicecatalog_v1beta1_serviceinstance.yaml")+" -f "+sample("servicecatalog_v1beta1_servicebinding.yaml"))
	kubectl(ctx, "wait --namespace default --for=condition=Ready --timeout=60s serviceinstance/example-mysql-instance servicebinding/example-mysql-binding")
}

// itFollowsThePageOfUninstalling runs the commands that keep services, and delete all objects.
func itFollowsThePageOfUninstalling() {
	It("keeps services that are retained when all objects are deleted as the page says", func(ctx SpecContext) {
		connectOutside(ctx)
		kubectl(ctx, "apply --namespace default -f "+sample("pager_v1alpha1_alert.yaml"))
		createService(ctx)
		before := readBrokerLog(ctx)
		page, err := os.ReadFile(filepath.Join(repo, "docs", "install", "uninstall.md"))
		Expect(err).NotTo(HaveOccurred())
		Expect(kubectl(ctx, "get serviceinstances --all-namespaces -o wide")).To(ContainSubstring(kubectl(ctx, "get serviceinstance example-mysql-instance --namespace default -o jsonpath={.spec.externalID}")))
		commands := regexp.MustCompile(`(?m)^ *kubectl ((?:annotate|delete) .*--all\b.*)$`).FindAllStringSubmatch(string(page), -1)
		Expect(len(commands)).To(BeNumerically(">=", 10))
		for _, command := range commands {
			kubectl(ctx, command[1])
		}
		Expect(kubectl(ctx, "get bellhop --all-namespaces -o name")).To(BeEmpty())
		after := readBrokerLog(ctx)
		for _, removal := range []string{"unbind", "deprovision"} {
			Expect(after.requests(removal)).To(Equal(before.requests(removal)), "a service was removed with its object")
		}
		kubectl(ctx, "delete --timeout=60s --namespace "+system+" secret/mysql-broker")
	})
}

// itRunsOutside runs the operator on this machine.
func itRunsOutside() {
	It("serves the cluster from this machine after make install and make run, and ends without a trace", func(ctx SpecContext) {
		run(ctx, "make", "install")
		operator := exec.CommandContext(ctx, "make", "run")
		operator.Dir = repo
		operator.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // make, go and the program are one group, as in a terminal
		printed := gbytes.NewBuffer()
		operator.Stdout, operator.Stderr = printed, printed
		Expect(operator.Start()).To(Succeed())
		ended := make(chan error, 1)
		go func() { ended <- operator.Wait() }()
		DeferCleanup(func() { _ = syscall.Kill(-operator.Process.Pid, syscall.SIGKILL) })
		Eventually(printed).WithTimeout(3 * time.Minute).Should(gbytes.Say("The operator is ready"))
		kubectl(ctx, "apply --namespace default -f "+sample("pager_v1alpha1_alert.yaml"))
		Eventually(func() (string, error) {
			return try(ctx, "", "kubectl", strings.Fields("get alert kubecon-alert --namespace default -o jsonpath={.status.conditions}")...)
		}).Should(ContainSubstring("NoReceiver"))
		kubectl(ctx, "delete --namespace default --timeout=60s alert/kubecon-alert")

		Expect(syscall.Kill(-operator.Process.Pid, syscall.SIGINT)).To(Succeed())
		Eventually(ended).WithTimeout(time.Minute).Should(Receive())
		Expect(kubectl(ctx, "get mutatingwebhookconfigurations,validatingwebhookconfigurations -o name")).NotTo(ContainSubstring("bellhop"))
		run(ctx, "make", "uninstall")
		kubectl(ctx, "delete --ignore-not-found --timeout=60s namespace/"+system)
	})
}

// itSplits replaces the operator by two with one API group each, as the page says, and those by one again.
func itSplits(in installer) {
	It("splits into two operators as the page says, joins them again, and sends nothing twice", func(ctx SpecContext) {
		before := readBrokerLog(ctx)
		files := GinkgoT().TempDir()
		for _, group := range []string{"pager", "servicecatalog"} {
			manifest := output(ctx, "env", "CONFIG="+group, "IMG="+builtImage, "hack/config.sh", "all")
			Expect(os.WriteFile(filepath.Join(files, "install-"+group+".yaml"), []byte(manifest), 0o600)).To(Succeed())
		}
		text, err := os.ReadFile(filepath.Join(repo, "docs", "install", "one-api-group.md"))
		Expect(err).NotTo(HaveOccurred())
		blocks := regexp.MustCompile("(?ms)^```sh\n(kubectl (?:scale|delete mutating).*?)^```$").FindAllStringSubmatch(string(text), -1)
		Expect(blocks).To(HaveLen(2))
		do := func(block string) {
			GinkgoHelper()
			cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", block)
			cmd.Dir = files
			out, err := cmd.CombinedOutput()
			Expect(err).NotTo(HaveOccurred(), string(out))
		}
		do(blocks[0][1])
		deployments := []string{"bellhop-pager-controller-manager", "bellhop-servicecatalog-controller-manager"}
		for _, deployment := range deployments {
			waitForRollout(ctx, deployment)
		}
		do(blocks[1][1])
		alerts, services := load.Start(ctx, kube, 20, load.Receiver()), load.Start(ctx, kube, 20, load.Broker())
		for _, deployment := range deployments {
			restart(ctx, deployment)
		}
		expectNoRefusal(alerts)
		expectNoRefusal(services)
		expectBothVersions(ctx)
		kubectl(ctx, "annotate alert kubecon-alert --namespace default seen-by=half --overwrite")
		logIn(ctx, "example-mysql-secret")
		kubectl(ctx, "annotate servicebinding example-mysql-binding --namespace default bellhop.gophernetes.io/rebind=split")
		kubectl(ctx, "wait --namespace default --for=jsonpath={.status.rebind}=split --timeout=60s servicebinding/example-mysql-binding")

		for _, group := range []string{"pager", "servicecatalog"} {
			run(ctx, "make", "undeploy", "CONFIG="+group)
		}
		in.install(ctx)
		expectBothVersions(ctx)
		after := readBrokerLog(ctx)
		Expect(after.requests("provision")).To(Equal(before.requests("provision")))
		Expect(after.requests("bind")-before.requests("bind")).To(Equal(1), "the rotation")
		Expect(messagesAbout(ctx, "default")).To(ContainElement(SatisfyAll(HaveField("Name", "kubecon-alert"), HaveField("Event", "alert.fired"), HaveField("Attempts", 1))))
	})
}

// itDeletesTheSeeds deletes what the seeds asked for.
func itDeletesTheSeeds(before *brokerLog) {
	It("removes what the seeds asked for when they are deleted", func(ctx SpecContext) {
		kubectl(ctx, "delete --namespace default --timeout=60s alert/kubecon-alert servicebinding/example-mysql-binding")
		kubectl(ctx, "delete --namespace default --timeout=60s serviceinstance/example-mysql-instance")
		log := readBrokerLog(ctx)
		Expect(log.made() - before.made()).To(Equal(log.removed() - before.removed()))
		Expect(messagesAbout(ctx, "default")).To(ContainElement(SatisfyAll(HaveField("Name", "kubecon-alert"), HaveField("Event", "alert.resolved"))))
		disconnectOutside(ctx)
	})
}

var _ = Describe("Bellhop", Ordered, func() {
	itRunsOutside()
	for _, in := range installers {
		Describe("installed with "+in.name, Ordered, func() {
			var before brokerLog
			BeforeAll(func(ctx SpecContext) {
				before = readBrokerLog(ctx)
				if in.name == "kustomize" { // the operator adds the id of the cluster
					apply(ctx, "{apiVersion: v1, kind: Namespace, metadata: {name: "+system+"}}")
					kubectl(ctx, "create configmap cluster-info --namespace "+system)
					// F-U14: hack/engine.sh stands in for the container engine.
					run(ctx, "make", "docker-build", "docker-push", "CONTAINER_TOOL=hack/engine.sh", "IMG="+builtImage)
				}
				in.install(ctx)
			})
			itIsValid(in)
			itStartsQuietly()
			itFollowsThePagesOfInstalling()
			if in.name == "Helm" {
				itKeepsValues()
				itKeepsCRDs()
			}
			It("connects to a receiver and a broker", connectOutside)
			itServesMetrics()
			itServesTheSeeds()
			if in.name == "kustomize" {
				itSurvivesRestarts()
				itCompletesOperations()
				itRotatesCertificates()
				itRotates()
				itDeletesNamespaces()
				itServesTenants()
			}
			if in.name == "Helm" {
				itInjectsCredentials()
				itTakesPosts()
				itSendsToANotifier()
			}
			if in.name == "kustomize" {
				itSplits(in)
			}
			itKeepsObjects(in)
			itDeletesTheSeeds(&before)
			if in.name == "kustomize" { // once no other broker offers the same services
				itConnects()
				itFollowsThePageOfUninstalling()
			}
			if in.name == "Helm" {
				itAlertsAboutFailures()
				itUsesItsRights() // after all scenarios
			}

			It("leaves nothing but the CRDs when it is uninstalled, and then nothing", func(ctx SpecContext) {
				remove(ctx, in)
				for line := range strings.Lines(installed(ctx)) {
					Expect(strings.TrimSpace(line)).To(SatisfyAny(HavePrefix("customresourcedefinition.apiextensions.k8s.io/"), BeElementOf(in.left)))
				}
				in.removeCRDs(ctx)
				if len(in.left) > 0 {
					kubectl(ctx, "delete --timeout=60s namespace/"+system)
				}
				Expect(installed(ctx)).To(BeEmpty())
			})
			if in.name == "kustomize" {
				itAbandons(in)
			}
		})
	}
})

// itKeepsObjects uninstalls and installs again, with objects.
func itKeepsObjects(in installer) {
	It("keeps objects while it is uninstalled, and sends nothing twice once it is installed again", func(ctx SpecContext) {
		before := readBrokerLog(ctx)
		id := kubectl(ctx, "get configmap --namespace "+system+" cluster-info -o jsonpath={.data.id}")
		printed := remove(ctx, in)
		for _, reason := range in.reported {
			Expect(printed).To(ContainSubstring(reason), "why the namespace stays")
		}
		Expect(kubectl(ctx, "get alert kubecon-alert --namespace default -o jsonpath={.spec.content}")).To(Equal("Hello KubeCon :wave:"))
		kubectl(ctx, "label alert kubecon-alert --namespace default edited-while=away --overwrite")
		logIn(ctx, "example-mysql-secret")
		out, err := try(ctx, "", "kubectl", "apply", "--namespace=default", "-f", sample("pager_v1alpha1_alert.yaml"))
		Expect(err).To(HaveOccurred(), "v1alpha1 without a conversion")
		Expect(out).To(ContainSubstring("conversion webhook"))

		in.install(ctx)
		expectBothVersions(ctx)
		kubectl(ctx, "annotate alert kubecon-alert --namespace default seen-by=e2e --overwrite")
		kubectl(ctx, "patch serviceinstance example-mysql-instance --namespace default --type=merge -p {\"spec\":{\"clusterServicePlanExternalName\":\"standard100\"}}")
		kubectl(ctx, "wait --namespace default --for=jsonpath={.status.externalProperties.clusterServicePlanExternalName}=standard100 --timeout=60s serviceinstance/example-mysql-instance")
		kubectl(ctx, "wait --namespace default --for=condition=Ready --timeout=60s serviceinstance/example-mysql-instance servicebinding/example-mysql-binding")
		Expect(kubectl(ctx, "get configmap --namespace "+system+" cluster-info -o jsonpath={.data.id}")).To(Equal(id))
		after := readBrokerLog(ctx)
		Expect(after.requests("provision")).To(Equal(before.requests("provision")))
		Expect(after.requests("bind")).To(Equal(before.requests("bind")))
		Expect(after.requests("update") - before.requests("update")).To(Equal(1))
		Expect(messagesAbout(ctx, "default")).To(ContainElement(SatisfyAll(HaveField("Name", "kubecon-alert"), HaveField("Event", "alert.fired"), HaveField("Attempts", 1))))
	})
}

// itAbandons removes the CRDs with objects.
func itAbandons(in installer) {
	It("keeps CRDs that have objects, and names what it abandons by force", func(ctx SpecContext) {
		in.install(ctx)
		connectOutside(ctx)
		kubectl(ctx, "apply --namespace default -f "+sample("pager_v1alpha1_alert.yaml"))
		createService(ctx)
		_, err := try(ctx, "", "make", "uninstall")
		Expect(err).To(HaveOccurred(), "the CRDs have objects")
		kubectl(ctx, "get --namespace default alert/kubecon-alert serviceinstance/example-mysql-instance")

		before := readBrokerLog(ctx)
		printed := run(ctx, "make", "uninstall", "FORCE=1")
		Expect(printed).To(SatisfyAll(ContainSubstring("abandoned: alerts.pager.k8s.co default/kubecon-alert"),
			ContainSubstring("abandoned: serviceinstances.servicecatalog.k8s.io default/example-mysql-instance")))
		Expect(kubectl(ctx, "get secret mysql-broker --namespace "+system+" -o jsonpath={.metadata.finalizers}")).To(BeEmpty())
		after := readBrokerLog(ctx)
		for _, removal := range []string{"unbind", "deprovision"} {
			Expect(after.requests(removal)).To(Equal(before.requests(removal)), "a service was removed with a CRD")
		}
		kubectl(ctx, "delete --timeout=60s --namespace "+system+" secret/mysql-broker")
		remove(ctx, in)
		Expect(installed(ctx)).To(BeEmpty())
	})
}
