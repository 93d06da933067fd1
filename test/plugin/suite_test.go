// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package plugin_test runs the kubectl plugin as users do, by kubectl bellhop, against a real API server with CRDs, webhooks and the
// operator, and compares what it prints with golden files. UPDATE_GOLDEN=1 writes them.
package plugin_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

var (
	env = &suite.Suite{}
	// pluginDir has the plugin's binary, and brokerURL is the broker that is registered as the ClusterServiceBroker acme.
	pluginDir, brokerURL string

	createSecret = env.CreateSecret
	checkGone    = env.CheckGone
)

func TestPlugin(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "plugin")
}

// shared is what the first process hands to the others.
type shared struct {
	Environment          []byte
	PluginDir, BrokerURL string
}

var _ = SynchronizedBeforeSuite(func(ctx SpecContext) []byte {
	s := shared{Environment: env.Start(ctx), PluginDir: filepath.Dir(suite.BuildPlugin(ctx)), BrokerURL: startBroker()}
	env.Join(s.Environment, pagerv1beta1.AddToScheme, servicecatalogv1beta1.AddToScheme)
	registerBroker(ctx, s.BrokerURL)
	encoded, err := json.Marshal(s)
	Expect(err).NotTo(HaveOccurred())
	return encoded
}, func(encoded []byte) {
	var s shared
	Expect(json.Unmarshal(encoded, &s)).To(Succeed())
	env.Join(s.Environment, pagerv1beta1.AddToScheme, servicecatalogv1beta1.AddToScheme)
	pluginDir, brokerURL = s.PluginDir, s.BrokerURL
})

var (
	_ = BeforeEach(env.Logs.Reset)
	_ = AfterEach(env.Logs.Report)
)

// startBroker starts a broker of databases, whose plans have a schema, costs and a version.
func startBroker() string {
	GinkgoHelper()
	const schema = `{"type": "object", "additionalProperties": false, "required": ["region"], "properties": {
		"region": {"type": "string", "enum": ["eu", "us"], "description": "Where the database runs"},
		"storage": {"type": "integer", "minimum": 1, "maximum": 64, "default": 5, "description": "Size in GiB"},
		"backup": {"type": "object", "properties": {"enabled": {"type": "boolean", "default": true}}}}}`
	schemas := []byte(`{"service_instance": {"create": {"parameters": ` + schema + `}, "update": {"parameters": ` + schema + `}}}`)
	broker := osbtest.New(osbtest.Options{Services: []osbtest.Service{
		{
			ID: "5f1b1c2a-7c3e-4a3e-9a51-0a3c7d1f6a01", Name: "postgres", Description: "A PostgreSQL database",
			Bindable: true, InstancesRetrievable: true, BindingsRetrievable: true, PlanUpdateable: true,
			Plans: []osbtest.Plan{
				{ID: "5f1b1c2a-7c3e-4a3e-9a51-0a3c7d1f6a02", Name: "small", Description: "Up to 50 connections", BindingRotatable: true, Schemas: schemas},
				{
					ID: "5f1b1c2a-7c3e-4a3e-9a51-0a3c7d1f6a03", Name: "large", Description: "Up to 500 connections", BindingRotatable: true, Schemas: schemas,
					Free: new(false), MaintenanceInfo: &osbtest.MaintenanceInfo{Version: "16.4.0"},
					Metadata: []byte(`{"costs": [{"amount": {"eur": 49.0, "usd": 55.5}, "unit": "MONTHLY"}], "bullets": ["500 connections", "Point-in-time recovery"]}`),
				},
			},
		},
		{
			ID: "5f1b1c2a-7c3e-4a3e-9a51-0a3c7d1f6a04", Name: "queue", Description: "A message queue", Bindable: true,
			Plans: []osbtest.Plan{{ID: "5f1b1c2a-7c3e-4a3e-9a51-0a3c7d1f6a05", Name: "standard", Description: "One queue"}},
		},
	}})
	Expect(broker.Listen()).To(Succeed())
	DeferCleanup(broker.Close)
	return broker.URL
}

func registerBroker(ctx context.Context, url string) {
	GinkgoHelper()
	b := &servicecatalogv1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: "acme"}}
	b.Spec.URL = url
	Expect(env.Client.Create(ctx, b)).To(Succeed())
	Eventually(ctx, func() ([]servicecatalogv1beta1.Condition, error) {
		err := env.Client.Get(ctx, client.ObjectKeyFromObject(b), b)
		return b.Status.Conditions, err
	}).Should(ContainElement(SatisfyAll(HaveField("Type", "Ready"), HaveField("Status", servicecatalogv1beta1.ConditionTrue))))
}

// startInbox starts a receiver's other side, and creates a Receiver of that name for it.
func startInbox(ctx context.Context, namespace, name string) *inbox.Inbox {
	GinkgoHelper()
	in := inbox.New(inbox.Options{})
	server := httptest.NewServer(in.Handler())
	DeferCleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	createReceiver(ctx, namespace, name, server.URL)
	return in
}

// createReceiver creates a Receiver with a webhook.
func createReceiver(ctx context.Context, namespace, name, url string) {
	GinkgoHelper()
	r := &pagerv1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	r.Spec.Webhook = &pagerv1beta1.WebhookProvider{URL: url}
	Expect(env.Client.Create(ctx, r)).To(Succeed())
}

// createNamespace creates a namespace that golden files call NAMESPACE.
func createNamespace(ctx context.Context) string {
	GinkgoHelper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "spec-"}}
	Expect(env.Client.Create(ctx, ns)).To(Succeed())
	return ns.Name
}

// isUpdating reports whether golden files are to be written.
func isUpdating() bool { return os.Getenv("UPDATE_GOLDEN") != "" }

// matchGolden compares text with testdata/NAME.golden.
func matchGolden(name, text string) {
	GinkgoHelper()
	path := filepath.Join("testdata", name+".golden")
	if isUpdating() {
		Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
		return
	}
	want, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred(), "UPDATE_GOLDEN=1 writes it")
	Expect(cmp.Diff(strings.Split(string(want), "\n"), strings.Split(text, "\n"))).To(BeEmpty(), "%s (-) differs from what was printed (+); UPDATE_GOLDEN=1 writes it anew", path)
}
