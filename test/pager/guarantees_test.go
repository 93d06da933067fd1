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

package pager_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
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
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/internal/notify/notifytest"
)

// Cells of the tables in docs/reference/receivers.md begin with these words.
const (
	once, twice         = "once", "twice"
	inPlace, ownMessage = "in place", "own message"
	noProbe             = "nothing"
)

var (
	beReachable = haveCondition("Ready", metav1.ConditionTrue, "Reachable")
	beUnprobed  = haveCondition("Ready", metav1.ConditionTrue, "NotProbed")
)

var _ = Describe("A provider", func() {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = createNamespace(ctx) })

	DescribeTable("delivers as its rows in docs/reference/receivers.md say", func(ctx SpecContext, p provider) {
		want, asked := readDocumentedRow("after a lost answer", p.row), readDocumentedRow("asked without a message", p.row)
		s := p.start(ctx, namespace)
		r := s.createReceiver(ctx, namespace)
		ready := beReachable
		if asked["asked without a message"] == noProbe {
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
		Expect(describeCount(paged)).To(Equal(want["after a lost answer"]))

		By("editing it")
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "Bye KubeCon :wave:" })
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		edited := s.seen()
		Expect(changedMessages(paged, edited)).To(ConsistOf(SatisfyAll(haveText("Bye KubeCon 👋"), HaveField("Resolved", false))))
		Expect(describePlacement(paged, edited)).To(Equal(want["update"]))

		By("deleting it")
		Expect(k8s.Delete(ctx, a)).To(Succeed())
		Eventually(checkGone(ctx, a)).Should(Succeed())
		ended := s.seen()
		Expect(changedMessages(edited, ended)).To(ConsistOf(SatisfyAll(haveText(namespace+"/kubecon-alert"), HaveField("Resolved", true))))
		Expect(describePlacement(edited, ended)).To(Equal(want["end"]))
	}, providerEntries())

	It("delivers as its rows say, also where the operator crashes before it gets the answer", serial, func(ctx SpecContext) {
		type page struct {
			row   string
			alert *v1beta1.Alert
			*runningProvider
		}
		var pages []page
		for _, p := range providers {
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
			pages = append(pages, page{p.row, createSampleAlert(ctx, r), s})
			for _, proxy := range s.proxies {
				Eventually(proxy.delivered).Should(BeClosed(), p.row)
			}
		}
		operator.Kill()
		for _, p := range pages {
			Expect(describeCount(p.seen())).To(Equal(once), p.row)
			for _, proxy := range p.proxies {
				proxy.passThrough()
			}
		}
		startOperator(context.WithoutCancel(ctx))
		for _, p := range pages {
			Eventually(alertStatus(ctx, p.alert)).Should(beSent(p.alert), p.row)
			Expect(p.alert.Status.Deliveries[0].Attempts).To(BeEquivalentTo(1), "%s: the attempt before the crash is not on record", p.row)
			Expect(describeCount(p.seen())).To(Equal(readDocumentedRow("after a lost answer", p.row)["after a lost answer"]), p.row)
		}
	})

	It("has rows in docs/receivers.md, and the same guarantee in kubectl explain", func(ctx SpecContext) {
		for field := range reflect.TypeFor[v1beta1.Provider]().Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			var mayBeSeen []string
			for _, p := range providers {
				if kind, _, _ := strings.Cut(p.row, ", "); kind == name {
					mayBeSeen = append(mayBeSeen, readDocumentedRow("after a lost answer", p.row)["after a lost answer"])
				}
			}
			Expect(mayBeSeen).NotTo(BeEmpty(), "%s is in the list of providers", name)
			text, err := kubectl(ctx, "", "explain", "receivers.spec."+name, "--api-version=pager.k8s.co/v1beta1")
			Expect(err).NotTo(HaveOccurred(), text)
			_, text, _ = strings.Cut(text, "DESCRIPTION:")
			text, _, _ = strings.Cut(text, "FIELDS:")
			text = strings.Join(strings.Fields(text), " ")
			Expect(text).To(HavePrefix(name + " is "))
			if slices.Contains(mayBeSeen, twice) {
				Expect(text).To(MatchRegexp("may be (there|seen) twice"), name)
			} else {
				Expect(text).NotTo(MatchRegexp("may be (there|seen) twice"), name)
			}
		}
	})
})

// provider is a provider in one of its modes.
type provider struct {
	row   string // of the tables in docs/reference/receivers.md
	start func(ctx SpecContext, namespace string) *runningProvider
}

// providerEntries returns an Entry for each provider.
func providerEntries() (providerEntries []TableEntry) {
	for _, p := range providers {
		providerEntries = append(providerEntries, Entry(p.row, p))
	}
	return providerEntries
}

var providers = []provider{
	{"webhook", func(SpecContext, string) *runningProvider {
		s := startService(&webhookService{inbox.New(inbox.Options{})})
		s.spec.Webhook = &v1beta1.WebhookProvider{URL: s.url}
		return s
	}},
	{"pushbullet", func(SpecContext, string) *runningProvider {
		s := startService(notifytest.NewPushbullet("o.token"))
		s.spec.Pushbullet = &v1beta1.PushbulletProvider{URL: s.url, DeviceIden: "phone"}
		s.keys = map[string]string{"token": "o.token"}
		return s
	}},
	{"slack, bot", func(SpecContext, string) *runningProvider {
		s := startService(notifytest.NewSlack("xoxb-token", "C0123456789", "/services/hook"))
		s.spec.Slack = &v1beta1.SlackProvider{URL: s.url + "/api/", Channel: "C0123456789"}
		s.keys = map[string]string{"token": "xoxb-token"}
		return s
	}},
	{"slack, incoming webhook", func(SpecContext, string) *runningProvider {
		s := startService(notifytest.NewSlack("xoxb-token", "C0123456789", "/services/hook"))
		s.spec.Slack = &v1beta1.SlackProvider{}
		s.keys = map[string]string{"url": s.url + "/services/hook"}
		return s
	}},
	{"pagerDuty", func(SpecContext, string) *runningProvider {
		const key = "0123456789abcdef0123456789abcdef"
		s := startService(notifytest.NewPagerDuty(key))
		s.spec.PagerDuty = &v1beta1.PagerDutyProvider{URL: s.url}
		s.keys = map[string]string{"routingKey": key}
		return s
	}},
	{"telegram", func(SpecContext, string) *runningProvider {
		s := startService(notifytest.NewTelegram("123456789:token", "-1001234567890"))
		s.spec.Telegram = &v1beta1.TelegramProvider{URL: s.url, ChatID: "-1001234567890"}
		s.keys = map[string]string{"token": "123456789:token"}
		return s
	}},
	{"email", func(SpecContext, string) *runningProvider {
		server, err := notifytest.NewSMTP(notifytest.SMTPOptions{StartTLS: true, Username: "bellhop", Password: "password"})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(server.Close)
		s := &runningProvider{loseAnswer: func() { server.LoseAnswers(1) }}
		s.seen = func() []notifytest.Seen {
			seen := server.Seen()
			for i := range seen { // a sent mail cannot be changed: its text has the state
				seen[i].Over = strings.HasPrefix(seen[i].Text, "Resolved: ")
			}
			return seen
		}
		s.spec.Email = &v1beta1.EmailProvider{Host: server.Addr(), From: "alerts@example.com", To: []string{"oncall@example.com"}}
		s.keys = map[string]string{"username": "bellhop", "password": "password", "ca.crt": string(server.CA())}
		return s
	}},
	{"alertmanager", func(SpecContext, string) *runningProvider {
		s := startService(notifytest.NewAlertmanager("Bearer token"), notifytest.NewAlertmanager("Bearer token"))
		s.spec.Alertmanager = &v1beta1.AlertmanagerProvider{URLs: []string{s.proxies[0].URL, s.proxies[1].URL}}
		s.keys = map[string]string{"token": "token"}
		return s
	}},
	{"event", func(ctx SpecContext, namespace string) *runningProvider {
		// The fake cannot drop answers of the API server. A lost record has the same effect for the operator that reads it.
		s := &runningProvider{loseAnswer: func() {}, clearRecord: true, seen: func() []notifytest.Seen { return alertEvents(ctx, namespace) }}
		s.spec.Event = &v1beta1.EventProvider{}
		return s
	}},
	{"discord", func(SpecContext, string) *runningProvider {
		s := startService(notifytest.NewDiscord("1234567890", "token"))
		s.spec.Discord = &v1beta1.DiscordProvider{}
		s.keys = map[string]string{"url": s.url + "/api/webhooks/1234567890/token"}
		return s
	}},
	{"teams", func(SpecContext, string) *runningProvider {
		s := startService(notifytest.NewTeams("signature"))
		s.spec.Teams = &v1beta1.TeamsProvider{}
		s.keys = map[string]string{"url": s.url + notifytest.TeamsPath + notifytest.TeamsQuery("signature")}
		return s
	}},
	{"googleChat", func(SpecContext, string) *runningProvider {
		s := startService(notifytest.NewGoogleChat("key", "token"))
		s.spec.GoogleChat = &v1beta1.GoogleChatProvider{}
		s.keys = map[string]string{"url": s.url + notifytest.GoogleChatPath + "?key=key&token=token"}
		return s
	}},
	{"mattermost, bot", func(SpecContext, string) *runningProvider {
		const channel = "4xp9fdt77pncbef59f4k1qe83o"
		s := startService(notifytest.NewMattermost("token", channel, "hook"))
		s.spec.Mattermost = &v1beta1.MattermostProvider{URL: s.url, ChannelID: channel}
		s.keys = map[string]string{"token": "token"}
		return s
	}},
	{"mattermost, incoming webhook", func(SpecContext, string) *runningProvider {
		s := startService(notifytest.NewMattermost("token", "4xp9fdt77pncbef59f4k1qe83o", "hook"))
		s.spec.Mattermost = &v1beta1.MattermostProvider{}
		s.keys = map[string]string{"url": s.url + "/hooks/hook"}
		return s
	}},
	{"matrix", func(SpecContext, string) *runningProvider {
		s := startService(notifytest.NewMatrix("!room:example.com", "token"))
		s.spec.Matrix = &v1beta1.MatrixProvider{URL: s.url, RoomID: "!room:example.com"}
		s.keys = map[string]string{"token": "token"}
		return s
	}},
	{"ntfy", func(SpecContext, string) *runningProvider {
		s := startService(notifytest.NewNtfy("topic", "tk_token"))
		s.spec.Ntfy = &v1beta1.NtfyProvider{URL: s.url}
		s.keys = map[string]string{"topic": "topic", "token": "tk_token"}
		return s
	}},
	{"gotify", func(SpecContext, string) *runningProvider {
		s := startService(notifytest.NewGotify("token"))
		s.spec.Gotify = &v1beta1.GotifyProvider{URL: s.url}
		s.keys = map[string]string{"token": "token"}
		return s
	}},
	{"pushover", func(SpecContext, string) *runningProvider {
		s := startService(notifytest.NewPushover("token", "user"))
		s.spec.Pushover = &v1beta1.PushoverProvider{URL: s.url, Device: "phone"}
		s.keys = map[string]string{"token": "token", "user": "user"}
		return s
	}},
}

// runningProvider is a fake of a provider's service, and what a Receiver needs to use it.
type runningProvider struct {
	proxies []*proxy // one for each replica
	url     string   // of the first proxy
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
		s.proxies = append(s.proxies, newProxy(replica))
	}
	s.url = s.proxies[0].URL
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
func (s *runningProvider) createReceiver(ctx context.Context, namespace string) *v1beta1.Receiver {
	GinkgoHelper()
	const name = "people"
	if s.keys != nil {
		Expect(k8s.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: s.keys})).To(Succeed())
	}
	return createReceiver(ctx, namespace, name, "", func(r *v1beta1.Receiver) {
		r.Spec.Provider = s.spec
		if s.keys != nil {
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
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*p.handler.Load()).ServeHTTP(w, r) }))
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

// webhookService is a receiver of the generic webhook that drops messages with a known webhook-id.
type webhookService struct{ *inbox.Inbox }

func (t *webhookService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.Handler().ServeHTTP(w, r)
}

func (t *webhookService) Seen() (seen []notifytest.Seen) {
	for _, m := range t.Messages() {
		seen = append(seen, notifytest.Seen{ID: m.WebhookID, Text: m.Title + "\n" + m.Content, Resolved: m.Event == "alert.resolved"})
	}
	return seen
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

// describeCount returns how often users see a message, in the words of docs/receivers.md.
func describeCount(seen []notifytest.Seen) string {
	if len(seen) > 2 {
		return fmt.Sprint(len(seen), " times")
	}
	return []string{"never", once, twice}[len(seen)]
}

// changedMessages returns the messages that are new or have another text.
func changedMessages(before, after []notifytest.Seen) []notifytest.Seen {
	return slices.DeleteFunc(slices.Clone(after), func(s notifytest.Seen) bool { return slices.Contains(before, s) })
}

// describePlacement returns whether users see a change in place of the first message or as an own message, in the words of
// docs/receivers.md.
func describePlacement(before, after []notifytest.Seen) string {
	if len(after) == len(before) {
		return inPlace
	}
	return ownMessage
}

// readDocumentedRow returns the cells of a row of docs/reference/receivers.md by their columns, up to the first comma. The row is in the table
// that has the given column.
func readDocumentedRow(column, row string) map[string]string {
	GinkgoHelper()
	repo, err := local.FindRepo()
	Expect(err).NotTo(HaveOccurred())
	page, err := os.ReadFile(filepath.Join(repo, "docs", "reference", "receivers.md"))
	Expect(err).NotTo(HaveOccurred())
	var columns []string
	for proxy := range strings.Lines(markdownLink.ReplaceAllString(string(page), "$1")) {
		cells := strings.Split(proxy, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case len(cells) < 3:
			columns = nil
		case slices.Contains(cells, column):
			columns = cells
		case columns != nil && cells[1] == row:
			want := map[string]string{}
			for i := range columns {
				want[columns[i]], _, _ = strings.Cut(cells[i], ",")
			}
			return want
		}
	}
	Fail(fmt.Sprintf("docs/reference/receivers.md has no row %q in a table with the column %q", row, column))
	return nil
}

// markdownLink matches a link.
var markdownLink = regexp.MustCompile(`\[([^\]]+)\]\([^)]*\)`)
