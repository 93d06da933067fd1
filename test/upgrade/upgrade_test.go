// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package upgrade_test starts an operator with objects as earlier versions have stored them. Each folder of testdata has those of a release.
// RECORD=v1.2.3 records what the operator of this tree stores.
package upgrade_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

const (
	namespace = "golden"
	// brokerURL and receiverURL stand for addresses in what is recorded.
	brokerURL, receiverURL = "http://broker.example.com", "http://receiver.example.com"
)

var env = &suite.Suite{}

func TestUpgrade(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(20 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "upgrade")
}

var (
	_ = BeforeSuite(func(ctx SpecContext) {
		env.Join(env.Start(ctx), pagerv1beta1.AddToScheme, v1beta1.AddToScheme, apiextensionsv1.AddToScheme)
		Expect(env.Operator.Stop()).To(Succeed())
	})
	_ = BeforeEach(env.Logs.Reset)
	_ = AfterEach(env.Logs.Report)
)

// outside is a broker and a receiver.
type outside struct {
	broker *osbtest.Broker
	inbox  *inbox.Inbox
	hook   *httptest.Server
}

func startOutside() outside {
	o := outside{broker: osbtest.Start(GinkgoT(), osbtest.Options{Patient: true}), inbox: inbox.New(inbox.Options{})}
	o.hook = httptest.NewServer(o.inbox.Handler())
	DeferCleanup(o.hook.Close)
	return o
}

// messagesAbout returns the messages about an Alert.
func (o outside) messagesAbout(name string) (about []inbox.Message) {
	for _, m := range o.inbox.Messages() {
		if m.Name == name {
			about = append(about, m)
		}
	}
	return about
}

func kubectl(ctx context.Context, stdin string, args ...string) string {
	GinkgoHelper()
	out, err := env.Kubectl(ctx, stdin, append(args, "--namespace="+namespace)...)
	Expect(err).NotTo(HaveOccurred(), out)
	return out
}

// versions are the releases in testdata.
func versions() (names []string) {
	folders, err := filepath.Glob("testdata/*")
	if err != nil {
		panic(err)
	}
	for _, folder := range folders {
		names = append(names, filepath.Base(folder))
	}
	return names
}

var _ = Describe("An upgrade", Serial, func() {
	BeforeEach(func(ctx SpecContext) {
		kubectl(ctx, "{apiVersion: v1, kind: Namespace, metadata: {name: "+namespace+"}}", "apply", "-f", "-")
		DeferCleanup(func(ctx SpecContext) {
			kubectl(ctx, "", "annotate", "alerts,serviceinstances,servicebindings", "--all", "bellhop.gophernetes.io/deletion-policy=Retain")
			kubectl(ctx, "", "delete", "alerts,receivers,servicebindings,serviceinstances", "--all", "--timeout=20s")
			kubectl(ctx, "", "delete", "servicebrokers", "--all", "--timeout=20s")
			Expect(env.Operator.Stop()).To(Succeed())
		})
	})

	if version := os.Getenv("RECORD"); version != "" {
		It("can be tested from "+version, func(ctx SpecContext) { record(ctx, version) })
		return
	}
	for _, version := range versions() {
		It("from "+version+" goes on with the objects, and repeats nothing", func(ctx SpecContext) {
			o, all := restore(ctx, version)
			writeStored(ctx, all)
			goOn(ctx, o, all)
			removeOutside(ctx, o)
		})
	}
	// F-S3: nothing is sent for them before, and none is released.
	It("from the original service-catalog holds its objects until their takeover is recorded", func(ctx SpecContext) {
		o, all := restore(ctx, versions()[len(versions())-1])
		writeStored(ctx, asOriginal(all))
		takeOver(ctx, o)
		removeOutside(ctx, o)
	})
	It("that is taken back goes on with objects in which the newer version wrote fields, and repeats nothing", func(ctx SpecContext) {
		acceptUnknownFields(ctx)
		o, all := restore(ctx, versions()[len(versions())-1])
		writeStored(ctx, withUnknownFields(all))
		Eventually(unknownFields(ctx, "spec", "status")).Should(HaveEach("kept"), "the API server serves the CRDs of the newer version a moment later")
		goOn(ctx, o, all)
		kubectl(ctx, "", "patch", "serviceinstance/ready", "--type=merge", `-p={"spec":{"parameters":{"a":2}}}`)
		kubectl(ctx, "", "wait", "--for=jsonpath={.status.externalProperties.parameters.a}=2", "--timeout=20s", "serviceinstance/ready")
		Expect(unknownFields(ctx, "spec")()).To(HaveEach("kept")) // a status is written as a whole
		removeOutside(ctx, o)
	})
})

// record stores the objects of a user.
func record(ctx context.Context, version string) {
	o := startOutside()
	env.StartOperator(ctx)
	kubectl(ctx, strings.NewReplacer("RECEIVER", o.hook.URL, "BROKER", o.broker.URL).Replace(`
{apiVersion: pager.k8s.co/v1beta1, kind: Receiver, metadata: {name: hook}, spec: {webhook: {url: "RECEIVER"}}}
---
{apiVersion: pager.k8s.co/v1beta1, kind: Alert, metadata: {name: sent}, spec: {content: Disk is full, receiverRefs: [{kind: Receiver, name: hook}]}}
---
{apiVersion: pager.k8s.co/v1alpha1, kind: Alert, metadata: {name: old}, spec: {message: Hello}}
---
{apiVersion: pager.k8s.co/v1beta1, kind: Alert, metadata: {name: waiting}, spec: {content: Nobody is there, receiverRefs: [{kind: Receiver, name: missing}]}}
---
{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBroker, metadata: {name: broker}, spec: {url: "BROKER"}}
---
{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceInstance, metadata: {name: ready}, spec: {serviceClassExternalName: database, servicePlanExternalName: small, parameters: {a: 1}}}
---
{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBinding, metadata: {name: ready}, spec: {instanceRef: {name: ready}}}
`), "apply", "-f", "-")
	kubectl(ctx, "", "wait", "--for=condition=Ready", "--timeout=20s", "alert/sent", "servicebroker/broker", "serviceinstance/ready", "servicebinding/ready")
	o.broker.Inject(osbtest.Fault{On: osb.PollLastOperation, Answer: osbtest.Error(503, "", "later")})
	kubectl(ctx, `{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceInstance, metadata: {name: in-progress}, spec: {serviceClassExternalName: cluster, servicePlanExternalName: three}}`, "apply", "-f", "-")
	kubectl(ctx, "", "wait", "--for=jsonpath={.status.asyncOpInProgress}=true", "--timeout=20s", "serviceinstance/in-progress")
	Expect(env.Operator.Stop()).To(Succeed())

	var all []stored
	for _, group := range []string{"pager.k8s.co", "servicecatalog.k8s.io"} {
		for _, s := range readStored(ctx, "/registry/"+group+"/") {
			if strings.Contains(s.Key, "/"+namespace+"/") {
				all = append(all, s)
			}
		}
	}
	all = replaceAll(all, o.hook.URL, receiverURL, o.broker.URL, brokerURL)
	data, err := json.MarshalIndent(all, "", "  ")
	Expect(err).NotTo(HaveOccurred())
	folder := filepath.Join("testdata", version)
	Expect(os.MkdirAll(folder, 0o750)).To(Succeed())
	Expect(os.WriteFile(filepath.Join(folder, "objects.json"), append(data, '\n'), 0o600)).To(Succeed())
	env.StartOperator(ctx) // to clean up
}

// restore returns the objects that a version has stored, and starts a broker and a receiver that have what these say.
func restore(ctx context.Context, version string) (outside, []stored) {
	o := startOutside()
	data, err := os.ReadFile(filepath.Join("testdata", version, "objects.json"))
	Expect(err).NotTo(HaveOccurred())
	var all []stored
	Expect(json.Unmarshal(data, &all)).To(Succeed())
	all = replaceAll(all, receiverURL, o.hook.URL, brokerURL, o.broker.URL)
	for i := range all { // otherwise the operation would be past its deadline
		all[i].Value = regexp.MustCompile(`"operationStartTime": *"[^"]+"`).ReplaceAll(all[i].Value, fmt.Appendf(nil, `"operationStartTime": %q`, time.Now().UTC().Format(time.RFC3339)))
	}
	return o, o.restore(ctx, all)
}

// goOn starts the operator with stored objects.
func goOn(ctx context.Context, o outside, all []stored) {
	before := o.broker.Counts()
	env.StartOperator(ctx)

	By("going on with an operation in progress")
	kubectl(ctx, "", "wait", "--for=condition=Ready", "--timeout=20s", "serviceinstance/in-progress")
	By("serving new objects")
	kubectl(ctx, `{apiVersion: pager.k8s.co/v1beta1, kind: Alert, metadata: {name: new}, spec: {content: New, receiverRefs: [{kind: Receiver, name: hook}]}}`, "apply", "-f", "-")
	kubectl(ctx, "", "wait", "--for=condition=Ready", "--timeout=20s", "alert/new", "alert/sent", "servicebroker/broker", "serviceinstance/ready", "servicebinding/ready")
	By("converting")
	Expect(kubectl(ctx, "", "get", "alerts.v1alpha1.pager.k8s.co/old", "-o=jsonpath={.spec.message}")).To(Equal("Hello"))
	By("repeating nothing")
	after := o.broker.Counts()
	for _, operation := range []osb.Operation{osb.ProvisionInstance, osb.UpdateInstance, osb.DeprovisionInstance, osb.Bind, osb.Unbind} {
		Expect(after[operation]).To(Equal(before[operation]), string(operation))
	}
	Expect(o.messagesAbout("sent")).To(BeEmpty())
	Expect(o.broker.Violations()).To(BeEmpty())

	By("updating a page as the same incident")
	kubectl(ctx, "", "patch", "alert/sent", "--type=merge", `-p={"spec":{"content":"Disk is still full"}}`)
	Eventually(func() []inbox.Message { return o.messagesAbout("sent") }).Should(ConsistOf(HaveField("Event", "alert.updated")))
	var sent pagerv1beta1.Alert
	find(all, "alerts", "sent", &sent)
	Expect(o.messagesAbout("sent")[0].UID).To(Equal(string(sent.UID)))
}

// removeOutside deletes the instances and the binding.
func removeOutside(ctx context.Context, o outside) {
	By("removing what is outside under the ids on record")
	kubectl(ctx, "", "delete", "servicebinding/ready", "serviceinstance/ready", "serviceinstance/in-progress", "--ignore-not-found", "--timeout=20s")
	Expect(o.broker.Holds().Instances).To(BeEmpty())
	Expect(o.broker.Holds().Bindings).To(BeEmpty())
}

// restore gives the broker what the objects say that it has. It returns the objects with the name that the broker has given to the operation in
// progress.
func (o outside) restore(ctx context.Context, all []stored) []stored {
	client, err := osb.NewClient(osb.Options{URL: o.broker.URL, Guard: outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, nil)})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(client.Close)
	named := all
	for _, of := range []struct{ name, service, plan string }{
		{"ready", osbtest.SyncService, osbtest.SyncPlan}, {"in-progress", osbtest.AsyncService, osbtest.AsyncPlan},
	} {
		var si v1beta1.ServiceInstance
		find(all, "serviceinstances", of.name, &si)
		made, out := client.Provision(ctx, osb.ProvisionRequest{
			Params:           osb.Params{InstanceID: si.Spec.ExternalID, ServiceID: of.service, PlanID: of.plan, AcceptsIncomplete: true},
			Context:          osb.Context{ClusterID: "cluster", Namespace: namespace, InstanceName: of.name},
			OrganizationGUID: "cluster", SpaceGUID: "space", Parameters: []byte(`{"a":1}`),
		})
		Expect(out.Class).To(BeElementOf(osbresult.Done, osbresult.Accepted), "%+v", out)
		if si.Status.LastOperation != nil {
			named = replaceAll(named, *si.Status.LastOperation, made.Operation)
		}
	}
	var binding v1beta1.ServiceBinding
	find(all, "servicebindings", "ready", &binding)
	var si v1beta1.ServiceInstance
	find(all, "serviceinstances", "ready", &si)
	_, out := client.Bind(ctx, osb.BindRequest{
		Params:    osb.Params{InstanceID: si.Spec.ExternalID, ServiceID: osbtest.SyncService, PlanID: osbtest.SyncPlan},
		Context:   osb.Context{ClusterID: "cluster", Namespace: namespace, InstanceName: "ready"},
		BindingID: binding.Spec.ExternalID,
	})
	Expect(out.Class).To(Equal(osbresult.Done), "%+v", out)
	return named
}
