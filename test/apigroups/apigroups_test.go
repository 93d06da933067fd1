// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apigroups_test runs an operator with the pager alone, another one with services alone, and one with both, in one namespace and with the
// rights of their manifests.
package apigroups_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/log"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

var (
	env    = &suite.Suite{Overlay: "pager"}
	plugin string
)

func TestAPIGroups(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "apigroups")
}

// election has leases that end soon.
var election = []string{"--leader-elect", "--leader-elect-lease-duration=3s"}

var _ = BeforeSuite(func(ctx SpecContext) {
	env.Join(env.Start(ctx, append(election, "--apis=pager")...), pagerv1beta1.AddToScheme, v1beta1.AddToScheme)
	plugin = suite.BuildPlugin(ctx)
})

// installation is an operator beside the pager, in the same namespace.
type installation struct {
	*local.Cluster

	args []string
}

// install installs the manifests of a folder in config/, and starts no operator. The caller has to stop it: later specs use it.
func install(ctx context.Context, overlay string, args ...string) installation {
	GinkgoHelper()
	cluster, err := local.Start(context.WithoutCancel(ctx), local.Options{Existing: env.Cluster.Config, Overlay: overlay})
	Expect(err).NotTo(HaveOccurred())
	return installation{cluster, args}
}

func (i installation) start(ctx context.Context) *local.Operator {
	GinkgoHelper()
	operator, err := i.StartOperator(ctx, local.OperatorOptions{
		Binary: env.Binary, Log: &env.Logs, Args: append(append([]string{"--allow-outbound=127.0.0.1"}, election...), i.args...),
	})
	Expect(err).NotTo(HaveOccurred())
	return operator
}

func wait(ctx context.Context, args string) {
	GinkgoHelper()
	env.Wait(ctx, "--timeout=30s "+args)
}

// bellhop runs a command of the plugin, which has to end with an exit code, and returns its output.
func bellhop(ctx context.Context, code int, args string) string {
	GinkgoHelper()
	cmd := exec.CommandContext(ctx, plugin, strings.Fields(args)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+env.Cluster.Kubeconfig, "HOME="+os.TempDir())
	out, err := cmd.CombinedOutput()
	Expect(cmd.ProcessState).NotTo(BeNil(), "%v", err)
	Expect(cmd.ProcessState.ExitCode()).To(Equal(code), string(out))
	return string(out)
}

// deploy creates the Deployment of an installation, as its manifests have it, with replicas that are ready. No controller starts its Pods.
func deploy(ctx context.Context, prefix, flag string) {
	GinkgoHelper()
	labels := "{app.kubernetes.io/name: bellhop, control-plane: " + prefix + "controller-manager}"
	name := "bellhop-" + prefix + "controller-manager"
	env.Apply(ctx, fmt.Sprintf(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: %s, namespace: %s, labels: %s}, spec: {selector: {matchLabels: %s},
template: {metadata: {labels: %s}, spec: {containers: [{name: manager, image: controller, args: [--leader-elect, %s]}]}}}}`, name, env.Cluster.Namespace, labels, labels, labels, flag))
	out, err := env.Kubectl(ctx, "", "patch", "deployment", name, "--namespace="+env.Cluster.Namespace, "--subresource=status", "--type=merge",
		`--patch={"status": {"replicas": 1, "readyReplicas": 1}}`)
	Expect(err).NotTo(HaveOccurred(), out)
}

// alert is a manifest of an Alert to the inbox.
func alert(name string) string {
	return `{apiVersion: pager.k8s.co/v1beta1, kind: Alert, metadata: {name: ` + name + `, namespace: default}, spec: {content: Disk is full, receiverRefs: [{kind: Receiver, name: inbox}]}}`
}

// holder returns the identity of the holder of a lease.
func holder(ctx context.Context, lease string) string {
	GinkgoHelper()
	out, err := env.Kubectl(ctx, "", "get", "lease", lease, "--namespace="+env.Cluster.Namespace, "--ignore-not-found", "--output=jsonpath={.spec.holderIdentity}")
	Expect(err).NotTo(HaveOccurred(), out)
	return out
}

// finish has the broker end the operation that was requested last, once it was.
func finish(broker *osbtest.Broker, operation osb.Operation, calls int) {
	GinkgoHelper()
	Eventually(func() bool {
		all := broker.Calls(operation)
		return len(all) == calls && broker.Finish(all[calls-1].ID(), nil)
	}).Should(BeTrue())
}

var _ = Describe("An operator with one API group", Ordered, func() {
	var (
		received       = inbox.New(inbox.Options{})
		broker         *osbtest.Broker
		services, both installation
		ofServices     *local.Operator
	)
	sentOnce := func(name string) {
		GinkgoHelper()
		var of []inbox.Message
		for _, m := range received.Messages() {
			if m.Name == name {
				of = append(of, m)
			}
		}
		Expect(of).To(ConsistOf(HaveField("Attempts", 1)))
	}

	BeforeAll(func(ctx SpecContext) {
		receiver := httptest.NewServer(received.Handler())
		DeferCleanup(receiver.Close)
		slow := osbtest.DefaultServices()[1]
		slow.Plans[0].BindingRotatable = true
		slow.Behavior = osbtest.Behavior{Async: true, AsyncBindings: true, Never: true, RetryAfter: "1"}
		broker = osbtest.Start(GinkgoT(), osbtest.Options{Services: []osbtest.Service{osbtest.DefaultServices()[0], slow}})
		env.Apply(ctx, `
{apiVersion: v1, kind: Secret, metadata: {name: inbox, namespace: default}, stringData: {url: "`+receiver.URL+`"}}
---
{apiVersion: pager.k8s.co/v1beta1, kind: Receiver, metadata: {name: inbox, namespace: default}, spec: {secretRef: {name: inbox}, webhook: {}}}
`)
	})

	AfterAll(func() {
		for _, i := range []installation{both, services} {
			if i.Cluster != nil {
				Expect(i.Stop()).To(Succeed())
			}
		}
	})

	It("delivers alerts without the definitions of services, and without a right that it does not use", func(ctx SpecContext) {
		mark := env.MarkAudit()
		env.Apply(ctx, alert("alone"))
		wait(ctx, "--for=condition=Ready receiver/inbox alert/alone")
		env.Apply(ctx, "{apiVersion: pager.k8s.co/v1alpha1, kind: Alert, metadata: {name: old, namespace: default}, spec: {message: Converted}}")
		Expect(holder(ctx, "bellhop.gophernetes.io-pager")).NotTo(BeEmpty())
		for _, r := range env.RequestsSince(mark) {
			Expect(r.IsForbidden()).To(BeFalse(), r.String())
			Expect(r.ObjectRef.APIGroup).NotTo(Equal("servicecatalog.k8s.io"), r.String())
			if r.ObjectRef.Resource == "secrets" {
				Expect(r.Verb).To(BeElementOf("get", "list", "watch"), r.String())
			}
		}
		Expect(env.Logs.Lines(`"level":"error"`)).To(BeEmpty())
		out, err := env.Kubectl(ctx, "", "create", "clusterrolebinding", "prometheus", "--clusterrole=bellhop-pager-metrics-reader", "--serviceaccount=default:prometheus")
		Expect(err).NotTo(HaveOccurred(), out)
		exported, err := env.Scrape(ctx, env.CreateToken(ctx, "default", "prometheus"))
		Expect(err).NotTo(HaveOccurred())
		Expect(exported).NotTo(Or(ContainSubstring("bellhop_osb"), ContainSubstring("bellhop_servicecatalog")))
	})

	It("lets the plugin send alerts, and say that services are not installed", func(ctx SpecContext) {
		out, err := env.Kubectl(ctx, "", "delete", "alerts.pager.k8s.co", "old") // which has no receiver
		Expect(err).NotTo(HaveOccurred(), out)
		deploy(ctx, "pager-", "--apis=pager")
		bellhop(ctx, 0, "page Hello --name=hello --to=inbox --wait")
		for _, command := range []string{"provision x --class=database --plan=small", "bind x", "marketplace", "describe broker/x", "watch serviceinstance/x"} {
			Expect(bellhop(ctx, 1, command)).To(And(ContainSubstring("does not have the API group servicecatalog.k8s.io"), ContainSubstring("one-api-group.md")), command)
		}
		Expect(bellhop(ctx, 0, "tree")).To(ContainSubstring("Alert/hello"))
		Expect(bellhop(ctx, 0, "doctor")).To(And(
			MatchRegexp(`ok +crds .* the API group servicecatalog\.k8s\.io is not installed`), MatchRegexp(`ok +webhooks `), MatchRegexp(`ok +operator `),
			MatchRegexp(`ok +leader .* leads for pager\.k8s\.co\n`), MatchRegexp(`ok +admission .* dry runs of Alert, Alert of v1alpha1`), Not(MatchRegexp(` (brokers|services|secrets) `)),
		))
	})

	It("serves services as another operator in the same namespace", func(ctx SpecContext) {
		services = install(ctx, "servicecatalog", "--apis=servicecatalog")
		ofServices = services.start(ctx)
		manifest := strings.NewReplacer("URL", broker.URL).Replace(`
{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ClusterServiceBroker, metadata: {name: own}, spec: {url: "URL"}}
---
{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceInstance, metadata: {name: orders, namespace: default}, spec: {clusterServiceClassExternalName: database, clusterServicePlanExternalName: small}}
---
{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBinding, metadata: {name: orders, namespace: default}, spec: {instanceRef: {name: orders}}}
`)
		env.Apply(ctx, manifest)
		wait(ctx, "--for=condition=Ready clusterservicebroker/own serviceinstance/orders servicebinding/orders")
		env.Apply(ctx, alert("beside"))
		wait(ctx, "--for=condition=Ready alert/beside")
		deploy(ctx, "servicecatalog-", "--apis=servicecatalog")
		bellhop(ctx, 0, "provision by-plugin --class=database --plan=small --dry-run=server")
		Expect(bellhop(ctx, 0, "doctor")).To(And(
			MatchRegexp(`ok +webhooks `), MatchRegexp(`ok +operator .* and .* are ready\n`),
			MatchRegexp(`ok +leader .* leads for pager\.k8s\.co, .* leads for servicecatalog\.k8s\.io\n`), MatchRegexp(`ok +brokers `),
		))
		Expect(env.Logs.Lines(`"level":"error"`)).To(BeEmpty())
	})

	It("does not lead beside the other form, and hands over a page, a creation and a rotation in flight", func(ctx SpecContext) {
		env.Apply(ctx, `
{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceInstance, metadata: {name: slow, namespace: default}, spec: {clusterServiceClassExternalName: cluster, clusterServicePlanExternalName: three}}
---
{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBinding, metadata: {name: slow, namespace: default}, spec: {instanceRef: {name: slow}}}
`)
		finish(broker, osb.ProvisionInstance, 2)
		finish(broker, osb.Bind, 2)
		wait(ctx, "--for=condition=Ready serviceinstance/slow servicebinding/slow")
		By("starting the other form")
		both = install(ctx, "default")
		ofBoth := both.start(ctx)
		Eventually(func() (string, error) {
			return env.Kubectl(ctx, "", "get", "events", "--namespace="+env.Cluster.Namespace, "--output=jsonpath={range .items[*]}{.reason} {.message}{\"\\n\"}{end}")
		}).Should(And(
			MatchRegexp(`OtherInstallationLeads .* holds the lease bellhop\.gophernetes\.io-pager and serves the same kinds`),
			MatchRegexp(`OtherInstallationLeads .* holds the lease bellhop\.gophernetes\.io-servicecatalog and serves the same kinds`),
		))
		Expect(env.Logs.Lines("Not leading: another installation serves the same kinds")).To(HaveLen(2))
		Expect(holder(ctx, "bellhop.gophernetes.io")).To(BeEmpty())
		deploy(ctx, "", "--metrics-bind-address=:8443")
		found := bellhop(ctx, 3, "doctor")
		for _, half := range []string{"pager", "servicecatalog"} {
			Expect(found).To(And(
				ContainSubstring("problem: Deployment/bellhop-controller-manager in "+env.Cluster.Namespace+": it and Deployment "+env.Cluster.Namespace+"/bellhop-"+half+"-controller-manager serve the same kinds"),
				MatchRegexp("problem: MutatingWebhookConfiguration/bellhop-mutating-webhook-configuration: .* MutatingWebhookConfiguration/bellhop-"+half+"-mutating-webhook-configuration"),
			))
		}
		Expect(found).To(MatchRegexp(`ok +leader `))

		By("beginning a page, a creation and a rotation")
		release := make(chan struct{})
		received.Respond(func(*http.Request) (int, http.Header, string) {
			<-release
			return http.StatusOK, nil, ""
		})
		env.Apply(ctx, alert("in-flight"))
		Eventually(received.InFlight).Should(Equal(1))
		out, err := env.Kubectl(ctx, "", "annotate", "servicebinding/slow", v1beta1.RebindAnnotation+"=1")
		Expect(err).NotTo(HaveOccurred(), out)
		env.Apply(ctx, `{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceInstance, metadata: {name: other, namespace: default}, spec: {clusterServiceClassExternalName: cluster, clusterServicePlanExternalName: three}}`)
		Eventually(broker.Counts).Should(And(HaveKeyWithValue(osb.Bind, 3), HaveKeyWithValue(osb.ProvisionInstance, 3)))

		By("stopping both halves")
		stopped := make(chan error, 2)
		for _, operator := range []*local.Operator{env.Operator, ofServices} {
			go func() { stopped <- operator.Stop() }()
		}
		close(release)
		Eventually(stopped).Should(Receive(BeNil()))
		Eventually(stopped).Should(Receive(BeNil()))
		Eventually(holder).WithArguments(ctx, "bellhop.gophernetes.io").ShouldNot(BeEmpty())

		wait(ctx, "--for=condition=Ready alert/in-flight")
		sentOnce("in-flight")
		finish(broker, osb.ProvisionInstance, 3)
		finish(broker, osb.Bind, 3)
		wait(ctx, "--for=condition=Ready serviceinstance/other")
		wait(ctx, "--for=jsonpath={.status.rebind}=1 servicebinding/slow")
		Expect(broker.Counts()).To(And(HaveKeyWithValue(osb.Bind, 3), HaveKeyWithValue(osb.ProvisionInstance, 3)))

		By("splitting them again")
		again := env.StartOperator(ctx)
		Eventually(env.Logs.Lines).WithArguments("Not leading", `"otherLease":"bellhop.gophernetes.io"`).ShouldNot(BeEmpty())
		Expect(ofBoth.Stop()).To(Succeed())
		Eventually(holder).WithArguments(ctx, "bellhop.gophernetes.io-pager").ShouldNot(BeEmpty())
		env.Apply(ctx, alert("split"))
		wait(ctx, "--for=condition=Ready alert/split")
		for _, name := range []string{"alone", "beside", "in-flight", "split"} {
			sentOnce(name)
		}
		Expect(again.Stop()).To(Succeed())
	})
})
