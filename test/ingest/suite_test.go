// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ingest_test posts alerts to the real operator, as Prometheus and Alertmanager do, and asserts what a receiver gets.
package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/internal/sender"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

var (
	env    = &suite.Suite{}
	listen string // where the operator serves AlertSources
)

func TestIngest(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "ingest")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	listen = freeAddress()
	env.Join(env.Start(ctx, "--ingest-bind-address="+listen, "--leader-elect", "--leader-elect-identity=a"), v1beta1.AddToScheme)
	env.WaitForControllers(ctx, "apiVersion: pager.k8s.co/v1beta1\nkind: AlertSource\nmetadata: {name: first, namespace: default}")
})

var (
	_ = BeforeEach(env.Logs.Reset)
	_ = AfterEach(env.Logs.Report)
)

func freeAddress() string {
	GinkgoHelper()
	port, err := local.FreePort()
	Expect(err).NotTo(HaveOccurred())
	return "127.0.0.1:" + strconv.Itoa(port)
}

// fixture is a namespace with an AlertSource, a Secret with its token, and a default receiver.
type fixture struct {
	namespace string
	source    *v1beta1.AlertSource
	inbox     *inbox.Inbox
}

const (
	sourceName = "prometheus"
	token      = "s3cret"
)

func newFixture(ctx SpecContext, edits ...func(*v1beta1.AlertSource)) *fixture {
	GinkgoHelper()
	f := &fixture{namespace: env.CreateNamespace(ctx), inbox: inbox.New(inbox.Options{})}
	server := httptest.NewServer(f.inbox.Handler())
	DeferCleanup(server.Close)
	r := &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "oncall", Annotations: map[string]string{v1beta1.DefaultReceiverAnnotation: "true"}}}
	r.Spec.Webhook = &v1beta1.WebhookProvider{URL: server.URL}
	Expect(env.Client.Create(ctx, r)).To(Succeed())
	env.CreateSecret(ctx, f.namespace, "senders", "token", token)
	f.source = &v1beta1.AlertSource{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: sourceName}}
	f.source.Spec.SecretRef = &v1beta1.SecretReference{Name: "senders"}
	for _, edit := range edits {
		edit(f.source)
	}
	Expect(env.Client.Create(ctx, f.source)).To(Succeed())
	Eventually(ctx, f.status(ctx)).Should(suite.HaveCondition[metav1.ConditionStatus](v1beta1.ConditionReady, metav1.ConditionTrue, v1beta1.ReasonListening))
	return f
}

func (f *fixture) status(ctx context.Context) func() (v1beta1.AlertSourceStatus, error) {
	return func() (v1beta1.AlertSourceStatus, error) {
		err := env.Client.Get(ctx, client.ObjectKeyFromObject(f.source), f.source)
		return f.source.Status, err
	}
}

// alert is an alert as Prometheus posts it.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	StartsAt    *time.Time        `json:"startsAt,omitempty"`
	EndsAt      *time.Time        `json:"endsAt,omitempty"`
}

// named returns an alert of a rule about an instance.
func named(rule, instance string) alert {
	return alert{Labels: map[string]string{"alertname": rule, "instance": instance}, Annotations: map[string]string{"description": instance + " is down"}}
}

// ended returns the alert as it is posted once it is over.
func (a alert) ended() alert {
	a.EndsAt = new(time.Now().Add(-time.Second))
	return a
}

var httpClient = sender.NewClient()

// postTo posts to an AlertSource at an address, and returns code and text of the answer.
func (f *fixture) postTo(ctx context.Context, address, path, authorization string, body []byte) (int, string, error) {
	url := fmt.Sprintf("https://%s/v1/namespaces/%s/alertsources/%s%s", address, f.namespace, sourceName, path)
	return sender.Post(ctx, httpClient, url, authorization, bytes.NewReader(body), int64(len(body)))
}

func bodyOf(alerts ...alert) []byte {
	GinkgoHelper()
	body, err := json.Marshal(alerts)
	Expect(err).NotTo(HaveOccurred())
	return body
}

// post posts alerts, which has to succeed.
func (f *fixture) post(ctx context.Context, alerts ...alert) {
	GinkgoHelper()
	f.postAt(ctx, listen, alerts...)
}

func (f *fixture) postAt(ctx context.Context, address string, alerts ...alert) {
	GinkgoHelper()
	code, text, err := f.postTo(ctx, address, "/api/v2/alerts", "Bearer "+token, bodyOf(alerts...))
	Expect(err).NotTo(HaveOccurred())
	Expect(code).To(Equal(http.StatusOK), text)
}

// alerts returns the Alerts of the source as the API server has them, by title.
func (f *fixture) alerts(ctx context.Context) map[string]v1beta1.Alert {
	GinkgoHelper()
	var list v1beta1.AlertList
	Expect(env.Client.List(ctx, &list, client.InNamespace(f.namespace), client.MatchingLabels{v1beta1.AlertSourceLabel: sourceName})).To(Succeed())
	byTitle := map[string]v1beta1.Alert{}
	for _, a := range list.Items {
		byTitle[a.Spec.Title] = a
	}
	return byTitle
}

// messages returns the event and title of each message, in the order of arrival.
func (f *fixture) messages() []string {
	all := []string{}
	for _, m := range f.inbox.Messages() {
		all = append(all, strings.TrimPrefix(m.Event, "alert.")+" "+m.Title)
	}
	return all
}
