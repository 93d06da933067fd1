// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sources_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
)

// token is that of all sources.
var token = rand.Text()

// source is an AlertSource in a namespace of its own, whose Alerts reach an inbox.
type source struct {
	*inbox.Inbox
	namespace string
	gate      *gate
}

func createSource(ctx context.Context, edit func(*v1beta1.AlertSourceSpec)) *source {
	GinkgoHelper()
	s := &source{Inbox: inbox.New(inbox.Options{}), namespace: env.CreateNamespace(ctx), gate: startGate()}
	server := httptest.NewServer(s.Handler())
	DeferCleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	env.CreateSecret(ctx, s.namespace, "token", "token", token)
	r := &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "inbox"}}
	r.Spec.Webhook = &v1beta1.WebhookProvider{URL: server.URL}
	Expect(env.Client.Create(ctx, r)).To(Succeed())
	o := &v1beta1.AlertSource{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "rules"}}
	o.Spec.SecretRef = &v1beta1.SecretReference{Name: "token"}
	o.Spec.ReceiverRefs = []v1beta1.ReceiverRef{{Kind: v1beta1.KindReceiver, Name: "inbox"}}
	if edit != nil {
		edit(&o.Spec)
	}
	Expect(env.Client.Create(ctx, o)).To(Succeed())
	return s
}

// eachAlert has an Alert for each alert.
func eachAlert(spec *v1beta1.AlertSourceSpec) { spec.GroupBy, spec.MaxAlerts = []string{"..."}, 1000 }

// path is the beginning of the paths of the source.
func (s *source) path() string { return "/v1/namespaces/" + s.namespace + "/alertsources/rules" }

// events are those of all messages, in the order of their arrival: fired, updated or resolved.
func (s *source) events() []string {
	events := []string{}
	for _, m := range s.Messages() {
		events = append(events, strings.TrimPrefix(m.Event, "alert."))
	}
	return events
}

// count returns a function that counts the messages with an event.
func (s *source) count(event string) func() int {
	return func() (n int) {
		for _, e := range s.events() {
			if e == event {
				n++
			}
		}
		return n
	}
}

// last is the last message.
func (s *source) last() inbox.Message {
	messages := s.Messages()
	if len(messages) == 0 {
		return inbox.Message{}
	}
	return messages[len(messages)-1]
}

// alerts returns the Alerts of the source.
func (s *source) alerts(ctx context.Context) func() ([]v1beta1.Alert, error) {
	return func() ([]v1beta1.Alert, error) {
		var list v1beta1.AlertList
		err := env.Client.List(ctx, &list, client.InNamespace(s.namespace), client.MatchingLabels{v1beta1.AlertSourceLabel: "rules"})
		return list.Items, err
	}
}

// gate forwards what senders post to the operator, and counts the answers. It serves the certificate of the operator, so that senders need the
// same settings as without it.
type gate struct {
	// URL is where it serves.
	URL string

	mu      sync.Mutex
	answers map[int]int // by status
	bodies  map[string]bool
}

func startGate() *gate {
	GinkgoHelper()
	g := &gate{answers: map[int]int{}, bodies: map[string]bool{}}
	roots := x509.NewCertPool()
	Expect(roots.AppendCertsFromPEM(env.Cluster.WebhookCA())).To(BeTrue())
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "https", Host: listener})
	proxy.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	proxy.ModifyResponse = func(r *http.Response) error {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.answers[r.StatusCode]++
		return nil
	}
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }

	server := httptest.NewUnstartedServer(g.recordingBodies(proxy))
	dir := env.Cluster.WebhookCertDir()
	certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	Expect(err).NotTo(HaveOccurred())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	DeferCleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	g.URL = server.URL
	DeferCleanup(func() {
		AddReportEntry("answers of the operator, by status", g.statuses(), ReportEntryVisibilityFailureOrVerbose)
	})
	return g
}

// host is the address of the gate.
func (g *gate) host() string { return strings.TrimPrefix(g.URL, "https://") }

// statuses returns how often the operator has answered with each status.
func (g *gate) statuses() map[int]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.answers)
}
