// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/providers"
	"github.com/gophernetes/bellhop/test/internal/mailserver"
)

var (
	beReachable = haveCondition("Ready", metav1.ConditionTrue, "Reachable")
	beUnprobed  = haveCondition("Ready", metav1.ConditionTrue, "NotProbed")
)

var _ = Describe("A provider", func() {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = createNamespace(ctx) })

	DescribeTable("delivers as its mode in the registry says", func(ctx SpecContext, p provider) {
		s := p.start(ctx, namespace)
		r := s.createReceiver(ctx, namespace)
		ready := beReachable
		if p.mode.Probe == "" {
			ready = beUnprobed
		}
		Eventually(receiverStatus(ctx, r)).Should(ready)
		Expect(s.seen()).To(BeEmpty(), "a probe sends no message")

		By("losing the answer to the page")
		s.loseAnswer()
		a := createSampleAlert(ctx, r)
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		if s.clearRecord {
			clearDeliveryRecord(ctx, a)
			Eventually(alertStatus(ctx, a)).Should(SatisfyAll(beSent(a), HaveField("Deliveries", ConsistOf(HaveField("Message", ContainSubstring("there already"))))))
		} else {
			Expect(a.Status.Deliveries[0].Attempts).To(BeNumerically(">=", 2))
		}
		paged := s.seen()
		Expect(paged).To(HaveEach(SatisfyAll(haveText(namespace+"/kubecon-alert"), haveText("Hello KubeCon 👋"), HaveField("Resolved", false))))
		Expect(describeCount(paged)).To(Equal(beforeComma(p.mode.Repeat)))

		By("editing it")
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "Bye KubeCon :wave:" })
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		edited := s.seen()
		Expect(changedMessages(paged, edited)).To(ConsistOf(SatisfyAll(haveText("Bye KubeCon 👋"), HaveField("Resolved", false))))
		Expect(describePlacement(paged, edited)).To(Equal(beforeComma(p.mode.Update)))

		By("deleting it")
		Expect(k8s.Delete(ctx, a)).To(Succeed())
		Eventually(checkGone(ctx, a)).Should(Succeed())
		ended := s.seen()
		Expect(changedMessages(edited, ended)).To(ConsistOf(SatisfyAll(haveText(namespace+"/kubecon-alert"), HaveField("Resolved", true))))
		Expect(describePlacement(edited, ended)).To(Equal(beforeComma(p.mode.Resolve)))
	}, providerEntries())

	It("delivers as its mode says, also where the operator crashes before it gets the answer", serial, func(ctx SpecContext) {
		type page struct {
			provider
			alert *v1beta1.Alert
			*runningProvider
		}
		var pages []page
		for _, p := range allProviders() {
			if p.row == "email" || p.row == "event" {
				continue // answers of these fakes cannot be held back
			}
			namespaceOfPage := createNamespace(ctx)
			s := p.start(ctx, namespaceOfPage)
			r := s.createReceiver(ctx, namespaceOfPage)
			Eventually(receiverStatus(ctx, r)).Should(Or(beReachable, beUnprobed), p.row)
			for _, proxy := range s.proxies {
				proxy.hangAfterDelivery()
			}
			pages = append(pages, page{p, createSampleAlert(ctx, r), s})
			for _, proxy := range s.proxies {
				Eventually(proxy.delivered).Should(BeClosed(), p.row)
			}
		}
		operator.Kill()
		for _, p := range pages {
			Expect(describeCount(p.seen())).To(Equal(notify.Once), p.row)
			for _, proxy := range p.proxies {
				proxy.passThrough()
			}
		}
		startOperator(context.WithoutCancel(ctx))
		for _, p := range pages {
			Eventually(alertStatus(ctx, p.alert)).Should(beSent(p.alert), p.row)
			attempts := p.alert.Status.Deliveries[0].Attempts
			Expect(attempts).To(BeNumerically("<=", 2), "%s: the attempt before the crash is on record only if it lasted for more than 3 s", p.row)
			Expect(describeCount(p.seen())).To(Equal(beforeComma(p.mode.Repeat)), p.row)
		}
	})

	It("has the same guarantee in kubectl explain", func(ctx SpecContext) {
		for _, reference := range providers.References() {
			text, err := kubectl(ctx, "", "explain", "receivers.spec."+reference.Name, "--api-version=pager.k8s.co/v1beta1")
			Expect(err).NotTo(HaveOccurred(), text)
			_, text, _ = strings.Cut(text, "DESCRIPTION:")
			text, _, _ = strings.Cut(text, "FIELDS:")
			text = strings.Join(strings.Fields(text), " ")
			Expect(text).To(HavePrefix(reference.Name + " is "))
			if slices.ContainsFunc(reference.Modes, func(m notify.Mode) bool { return beforeComma(m.Repeat) == notify.Twice }) {
				Expect(text).To(MatchRegexp("may be (there|seen) twice"), reference.Name)
			} else {
				Expect(text).NotTo(MatchRegexp("may be (there|seen) twice"), reference.Name)
			}
		}
	})
})

// provider is a provider in one of its modes.
type provider struct {
	row   string // of the tables in docs/reference/receivers.md
	mode  notify.Mode
	start func(ctx SpecContext, namespace string) *runningProvider
}

// providerEntries returns an Entry for each provider.
func providerEntries() (entries []TableEntry) {
	for _, p := range allProviders() {
		entries = append(entries, Entry(p.row, p))
	}
	return entries
}

// allProviders returns all providers of the registry in all modes.
func allProviders() (all []provider) {
	start := map[string]func(ctx SpecContext, namespace string) *runningProvider{"email": startEmail, "event": startEvent}
	for _, f := range notifytest.Fixtures() {
		start[f.Name()] = func(SpecContext, string) *runningProvider {
			var replicas []notifytest.Service
			for range max(1, f.Replicas) {
				replicas = append(replicas, f.NewService(notifytest.FixtureSecret))
			}
			s := startService(replicas...)
			s.spec, s.keys = f.Receiver(notifytest.FixtureSecret, s.urls...)
			return s
		}
	}
	for _, reference := range providers.References() {
		for _, mode := range reference.Modes {
			row := notifytest.Fixture{Provider: reference.Name, Mode: mode.Name}.Name()
			if start[row] == nil {
				panic("internal/pager/notify/notifytest has no fixture of " + row)
			}
			all = append(all, provider{row, mode, start[row]})
		}
	}
	return all
}

func startEmail(SpecContext, string) *runningProvider {
	server := mailserver.Start("bellhop", "password")
	s := &runningProvider{loseAnswer: server.LoseNextAnswer}
	s.seen = func() []notifytest.Seen {
		var display notifytest.Display
		for _, m := range server.Mails() { // a sent mail cannot be changed: its subject has the state
			display.Put(notifytest.Seen{ID: m.ID, Text: m.Subject + "\n" + m.Body, Resolved: strings.HasPrefix(m.Subject, "Resolved: ")})
		}
		return display.Seen()
	}
	s.spec.Email = &v1beta1.EmailProvider{Host: server.Addr, From: "alerts@example.com", To: []string{"oncall@example.com"}}
	s.keys = map[string]string{"username": "bellhop", "password": "password", "ca.crt": string(server.CA)}
	return s
}

func startEvent(ctx SpecContext, namespace string) *runningProvider {
	// The fake cannot drop answers of the API server. A lost record has the same effect for the operator that reads it.
	s := &runningProvider{loseAnswer: func() {}, clearRecord: true, seen: func() []notifytest.Seen { return alertEvents(ctx, namespace) }}
	s.spec.Event = &v1beta1.EventProvider{}
	return s
}

// runningProvider is a fake of a provider's service, and what a Receiver needs to use it.
type runningProvider struct {
	proxies []*proxy // one for each replica
	urls    []string // of the proxies
	spec    v1beta1.Provider
	keys    map[string]string // data of the Secret; nil: there is no Secret
	seen    func() []notifytest.Seen
	// loseAnswer drops the answer to the next message.
	loseAnswer func()
	// clearRecord is set where no answer can be dropped: the spec removes the record of the delivery instead.
	clearRecord bool
}

// startService starts a fake with a number of replicas, each behind a proxy.
func startService(replicas ...notifytest.Service) *runningProvider {
	s := &runningProvider{}
	for _, replica := range replicas {
		p := newProxy(replica)
		s.proxies, s.urls = append(s.proxies, p), append(s.urls, p.URL)
	}
	s.loseAnswer = func() {
		for _, p := range s.proxies {
			p.loseNextAnswer()
		}
	}
	s.seen = func() []notifytest.Seen {
		GinkgoHelper()
		seen := replicas[0].Seen()
		for _, other := range replicas[1:] {
			Expect(other.Seen()).To(Equal(seen))
		}
		return seen
	}
	return s
}

// createReceiver creates the Secret, if there is one, and the Receiver.
func (rp *runningProvider) createReceiver(ctx context.Context, namespace string) *v1beta1.Receiver {
	GinkgoHelper()
	const name = "people"
	if rp.keys != nil {
		Expect(k8s.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: rp.keys})).To(Succeed())
	}
	return createReceiver(ctx, namespace, name, "", func(r *v1beta1.Receiver) {
		r.Spec.Provider = rp.spec
		if rp.keys != nil {
			r.Spec.SecretRef = &v1beta1.SecretReference{Name: name}
		}
	})
}

// proxy forwards requests to a service, and can drop the answers.
type proxy struct {
	*httptest.Server
	service   http.Handler
	handler   atomic.Pointer[http.Handler]
	delivered chan struct{} // closed once the service has processed a request whose answer hangs
}

func newProxy(service http.Handler) *proxy {
	p := &proxy{service: service}
	p.passThrough()
	p.Server = notifytest.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*p.handler.Load()).ServeHTTP(w, r) }))
	DeferCleanup(func() {
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

// passThrough forwards all answers.
func (p *proxy) passThrough() { p.handler.Store(&p.service) }

// loseNextAnswer drops the next answer.
func (p *proxy) loseNextAnswer() {
	lossy := notifytest.LoseAnswers(p.service, 1)
	p.handler.Store(&lossy)
}

// hangAfterDelivery forwards requests, and holds back their answers until the client disconnects.
func (p *proxy) hangAfterDelivery() {
	p.delivered = make(chan struct{})
	first := sync.OnceFunc(func() { close(p.delivered) })
	var hanging http.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p.service.ServeHTTP(httptest.NewRecorder(), r)
		first()
		<-r.Context().Done()
	})
	p.handler.Store(&hanging)
}

// alertEvents returns the Events about Alerts of a namespace that the provider event created.
func alertEvents(ctx context.Context, namespace string) (seen []notifytest.Seen) {
	GinkgoHelper()
	var list corev1.EventList
	Expect(k8s.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
	for _, e := range list.Items {
		if e.InvolvedObject.Kind == "Alert" && strings.HasPrefix(e.Reason, "Alert") {
			seen = append(seen, notifytest.Seen{ID: e.Name, Text: e.Message, Resolved: e.Reason == "AlertResolved"})
		}
	}
	return seen
}

// clearDeliveryRecord removes from an Alert's status what was sent.
func clearDeliveryRecord(ctx context.Context, a *v1beta1.Alert) {
	GinkgoHelper()
	Eventually(func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(a), a); err != nil {
			return err
		}
		a.Status = v1beta1.AlertStatus{ObservedGeneration: -1}
		return k8s.Status().Update(ctx, a)
	}).Should(Succeed())
}

// createSampleAlert creates the Alert of the sample manifest.
func createSampleAlert(ctx context.Context, r *v1beta1.Receiver) *v1beta1.Alert {
	GinkgoHelper()
	return createAlert(ctx, r.Namespace, "kubecon-alert", func(a *v1beta1.Alert) { a.Spec.Content = "Hello KubeCon :wave:" }, r.Name)
}

// haveText matches a message that users see with this text, and with emoji instead of shortcodes.
func haveText(text string) OmegaMatcher {
	return HaveField("Text", SatisfyAll(ContainSubstring(text), Not(ContainSubstring(":wave:"))))
}

// describeCount returns how often users see a message, in the words of a notify.Mode.
func describeCount(seen []notifytest.Seen) string {
	if len(seen) > 2 {
		return fmt.Sprint(len(seen), " times")
	}
	return []string{"never", notify.Once, notify.Twice}[len(seen)]
}

// changedMessages returns the messages that are new or have another text.
func changedMessages(before, after []notifytest.Seen) []notifytest.Seen {
	return slices.DeleteFunc(slices.Clone(after), func(s notifytest.Seen) bool { return slices.Contains(before, s) })
}

// describePlacement returns whether users see a change in place of the first message or as an own message, in the words of a
// notify.Mode.
func describePlacement(before, after []notifytest.Seen) string {
	if len(after) == len(before) {
		return notify.InPlace
	}
	return notify.OwnMessage
}

// beforeComma returns the first part of a text of a notify.Mode, without its condition.
func beforeComma(text string) string {
	first, _, _ := strings.Cut(text, ",")
	return first
}
