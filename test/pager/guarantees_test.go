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

// What cells of the tables in docs/reference/receivers.md begin with.
const (
	once, twice     = "once", "twice"
	inPlace, itsOwn = "in place", "own message"
	nothing         = "nothing"
)

var (
	answered  = haveCondition("Ready", metav1.ConditionTrue, "Reachable")
	notProbed = haveCondition("Ready", metav1.ConditionTrue, "NotProbed")
)

var _ = Describe("A provider", func() {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx) })

	DescribeTable("does what its rows in docs/reference/receivers.md say", func(ctx SpecContext, p provider) {
		says, asked := documented("after a lost answer", p.row), documented("asked without a message", p.row)
		s := p.start(ctx, namespace)
		r := s.receiver(ctx, namespace)
		ready := answered
		if asked["asked without a message"] == nothing {
			ready = notProbed
		}
		Eventually(receiverStatus(ctx, r)).Should(ready)
		Expect(s.seen()).To(BeEmpty(), "nothing was sent to see whether it works")

		By("losing the answer to the page")
		s.lose()
		a := hello(ctx, r)
		Eventually(status(ctx, a)).Should(sent(a))
		if s.forget {
			forget(ctx, a)
			Eventually(status(ctx, a)).Should(SatisfyAll(sent(a), HaveField("Deliveries", ConsistOf(HaveField("Message", ContainSubstring("there already"))))))
		} else {
			Expect(a.Status.Deliveries[0].Attempts).To(BeNumerically(">=", 2))
		}
		paged := s.seen()
		Expect(paged).To(HaveEach(SatisfyAll(reads(namespace+"/kubecon-alert"), reads("Hello KubeCon 👋"), HaveField("Over", false))))
		Expect(times(paged)).To(Equal(says["after a lost answer"]))

		By("editing it")
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "Bye KubeCon :wave:" })
		Eventually(status(ctx, a)).Should(sent(a))
		edited := s.seen()
		Expect(news(paged, edited)).To(ConsistOf(SatisfyAll(reads("Bye KubeCon 👋"), HaveField("Over", false))))
		Expect(where(paged, edited)).To(Equal(says["update"]))

		By("deleting it")
		Expect(k8s.Delete(ctx, a)).To(Succeed())
		Eventually(gone(ctx, a)).Should(Succeed())
		ended := s.seen()
		Expect(news(edited, ended)).To(ConsistOf(SatisfyAll(reads(namespace+"/kubecon-alert"), HaveField("Over", true))))
		Expect(where(edited, ended)).To(Equal(says["end"]))
	}, entries())

	It("does so too where the operator crashes before it has an answer", serial, func(ctx SpecContext) {
		type page struct {
			row   string
			alert *v1beta1.Alert
			*service
		}
		var pages []page
		for _, p := range providers {
			if p.row == "email" || p.row == "event" {
				continue // their answers cannot be held back
			}
			own := newNamespace(ctx)
			s := p.start(ctx, own)
			r := s.receiver(ctx, own)
			Eventually(receiverStatus(ctx, r)).Should(Or(answered, notProbed), p.row)
			for _, l := range s.lines {
				l.hang()
			}
			pages = append(pages, page{p.row, hello(ctx, r), s})
			for _, l := range s.lines {
				Eventually(l.taken).Should(BeClosed(), p.row)
			}
		}
		operator.Kill()
		for _, p := range pages {
			Expect(times(p.seen())).To(Equal(once), p.row)
			for _, l := range p.lines {
				l.answer()
			}
		}
		startOperator(context.WithoutCancel(ctx))
		for _, p := range pages {
			Eventually(status(ctx, p.alert)).Should(sent(p.alert), p.row)
			Expect(p.alert.Status.Deliveries[0].Attempts).To(BeEquivalentTo(1), "%s: nothing is on record of the one before the crash", p.row)
			Expect(times(p.seen())).To(Equal(documented("after a lost answer", p.row)["after a lost answer"]), p.row)
		}
	})

	It("has its rows there, and a text in kubectl explain that says the same", func(ctx SpecContext) {
		for field := range reflect.TypeFor[v1beta1.Provider]().Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			var mayBeSeen []string
			for _, p := range providers {
				if kind, _, _ := strings.Cut(p.row, ", "); kind == name {
					mayBeSeen = append(mayBeSeen, documented("after a lost answer", p.row)["after a lost answer"])
				}
			}
			Expect(mayBeSeen).NotTo(BeEmpty(), "%s is tried above", name)
			said, err := kubectl(ctx, "", "explain", "receivers.spec."+name, "--api-version=pager.k8s.co/v1beta1")
			Expect(err).NotTo(HaveOccurred(), said)
			_, said, _ = strings.Cut(said, "DESCRIPTION:")
			said, _, _ = strings.Cut(said, "FIELDS:")
			said = strings.Join(strings.Fields(said), " ")
			Expect(said).To(HavePrefix(name + " is "))
			if slices.Contains(mayBeSeen, twice) {
				Expect(said).To(MatchRegexp("may be (there|seen) twice"), name)
			} else {
				Expect(said).NotTo(MatchRegexp("may be (there|seen) twice"), name)
			}
		}
	})
})

// provider is a kind of receiver, in one of its modes.
type provider struct {
	row   string // in docs/reference/receivers.md
	start func(ctx SpecContext, namespace string) *service
}

// entries are all providers.
func entries() (entries []TableEntry) {
	for _, p := range providers {
		entries = append(entries, Entry(p.row, p))
	}
	return entries
}

var providers = []provider{
	{"webhook", func(SpecContext, string) *service {
		s := serve(&team{inbox.New(inbox.Options{})})
		s.spec.Webhook = &v1beta1.WebhookProvider{URL: s.url}
		return s
	}},
	{"pushbullet", func(SpecContext, string) *service {
		s := serve(notifytest.NewPushbullet("o.token"))
		s.spec.Pushbullet = &v1beta1.PushbulletProvider{URL: s.url, DeviceIden: "phone"}
		s.keys = map[string]string{"token": "o.token"}
		return s
	}},
	{"slack, bot", func(SpecContext, string) *service {
		s := serve(notifytest.NewSlack("xoxb-token", "C0123456789", "/services/hook"))
		s.spec.Slack = &v1beta1.SlackProvider{URL: s.url + "/api/", Channel: "C0123456789"}
		s.keys = map[string]string{"token": "xoxb-token"}
		return s
	}},
	{"slack, incoming webhook", func(SpecContext, string) *service {
		s := serve(notifytest.NewSlack("xoxb-token", "C0123456789", "/services/hook"))
		s.spec.Slack = &v1beta1.SlackProvider{}
		s.keys = map[string]string{"url": s.url + "/services/hook"}
		return s
	}},
	{"pagerDuty", func(SpecContext, string) *service {
		const key = "0123456789abcdef0123456789abcdef"
		s := serve(notifytest.NewPagerDuty(key))
		s.spec.PagerDuty = &v1beta1.PagerDutyProvider{URL: s.url}
		s.keys = map[string]string{"routingKey": key}
		return s
	}},
	{"telegram", func(SpecContext, string) *service {
		s := serve(notifytest.NewTelegram("123456789:token", "-1001234567890"))
		s.spec.Telegram = &v1beta1.TelegramProvider{URL: s.url, ChatID: "-1001234567890"}
		s.keys = map[string]string{"token": "123456789:token"}
		return s
	}},
	{"email", func(SpecContext, string) *service {
		server, err := notifytest.NewSMTP(notifytest.SMTPOptions{StartTLS: true, Username: "bellhop", Password: "password"})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(server.Close)
		s := &service{lose: func() { server.LoseAnswers(1) }}
		s.seen = func() []notifytest.Seen {
			seen := server.Seen()
			for i := range seen { // a mail stays what it is; that it is over is what it says
				seen[i].Over = strings.HasPrefix(seen[i].Text, "Resolved: ")
			}
			return seen
		}
		s.spec.Email = &v1beta1.EmailProvider{Host: server.Addr(), From: "alerts@example.com", To: []string{"oncall@example.com"}}
		s.keys = map[string]string{"username": "bellhop", "password": "password", "ca.crt": string(server.CA())}
		return s
	}},
	{"alertmanager", func(SpecContext, string) *service {
		s := serve(notifytest.NewAlertmanager("Bearer token"), notifytest.NewAlertmanager("Bearer token"))
		s.spec.Alertmanager = &v1beta1.AlertmanagerProvider{URLs: []string{s.lines[0].URL, s.lines[1].URL}}
		s.keys = map[string]string{"token": "token"}
		return s
	}},
	{"event", func(ctx SpecContext, namespace string) *service {
		// The API server's answers arrive. That the record of one is lost is the same to who starts from it.
		s := &service{lose: func() {}, forget: true, seen: func() []notifytest.Seen { return eventsOf(ctx, namespace) }}
		s.spec.Event = &v1beta1.EventProvider{}
		return s
	}},
	{"discord", func(SpecContext, string) *service {
		s := serve(notifytest.NewDiscord("1234567890", "token"))
		s.spec.Discord = &v1beta1.DiscordProvider{}
		s.keys = map[string]string{"url": s.url + "/api/webhooks/1234567890/token"}
		return s
	}},
	{"teams", func(SpecContext, string) *service {
		s := serve(notifytest.NewTeams("signature"))
		s.spec.Teams = &v1beta1.TeamsProvider{}
		s.keys = map[string]string{"url": s.url + notifytest.TeamsPath + notifytest.TeamsQuery("signature")}
		return s
	}},
	{"googleChat", func(SpecContext, string) *service {
		s := serve(notifytest.NewGoogleChat("key", "token"))
		s.spec.GoogleChat = &v1beta1.GoogleChatProvider{}
		s.keys = map[string]string{"url": s.url + notifytest.GoogleChatPath + "?key=key&token=token"}
		return s
	}},
	{"mattermost, bot", func(SpecContext, string) *service {
		const channel = "4xp9fdt77pncbef59f4k1qe83o"
		s := serve(notifytest.NewMattermost("token", channel, "hook"))
		s.spec.Mattermost = &v1beta1.MattermostProvider{URL: s.url, ChannelID: channel}
		s.keys = map[string]string{"token": "token"}
		return s
	}},
	{"mattermost, incoming webhook", func(SpecContext, string) *service {
		s := serve(notifytest.NewMattermost("token", "4xp9fdt77pncbef59f4k1qe83o", "hook"))
		s.spec.Mattermost = &v1beta1.MattermostProvider{}
		s.keys = map[string]string{"url": s.url + "/hooks/hook"}
		return s
	}},
	{"matrix", func(SpecContext, string) *service {
		s := serve(notifytest.NewMatrix("!room:example.com", "token"))
		s.spec.Matrix = &v1beta1.MatrixProvider{URL: s.url, RoomID: "!room:example.com"}
		s.keys = map[string]string{"token": "token"}
		return s
	}},
	{"ntfy", func(SpecContext, string) *service {
		s := serve(notifytest.NewNtfy("topic", "tk_token"))
		s.spec.Ntfy = &v1beta1.NtfyProvider{URL: s.url}
		s.keys = map[string]string{"topic": "topic", "token": "tk_token"}
		return s
	}},
	{"gotify", func(SpecContext, string) *service {
		s := serve(notifytest.NewGotify("token"))
		s.spec.Gotify = &v1beta1.GotifyProvider{URL: s.url}
		s.keys = map[string]string{"token": "token"}
		return s
	}},
	{"pushover", func(SpecContext, string) *service {
		s := serve(notifytest.NewPushover("token", "user"))
		s.spec.Pushover = &v1beta1.PushoverProvider{URL: s.url, Device: "phone"}
		s.keys = map[string]string{"token": "token", "user": "user"}
		return s
	}},
}

// service is one that runs.
type service struct {
	lines []*line
	url   string // of the first
	spec  v1beta1.Provider
	keys  map[string]string // of the Secret; none: there is no Secret
	seen  func() []notifytest.Seen
	// lose loses the answer to the next message. forget: nothing can be lost, so the record of the answer is to be.
	lose   func()
	forget bool
}

// serve runs the replicas of a service.
func serve(replicas ...notifytest.Service) *service {
	s := &service{}
	for _, replica := range replicas {
		s.lines = append(s.lines, newLine(replica))
	}
	s.url = s.lines[0].URL
	s.lose = func() {
		for _, l := range s.lines {
			l.lose()
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

// receiver makes the Secret and the Receiver.
func (s *service) receiver(ctx context.Context, namespace string) *v1beta1.Receiver {
	GinkgoHelper()
	const name = "people"
	if s.keys != nil {
		Expect(k8s.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: s.keys})).To(Succeed())
	}
	return newReceiver(ctx, namespace, name, "", func(r *v1beta1.Receiver) {
		r.Spec.Provider = s.spec
		if s.keys != nil {
			r.Spec.SecretRef = &v1beta1.SecretReference{Name: name}
		}
	})
}

// line is the way to a service, on which answers can be lost.
type line struct {
	*httptest.Server
	service http.Handler
	now     atomic.Pointer[http.Handler]
	taken   chan struct{} // closed once the service has done what it was asked for while the line hangs
}

func newLine(service http.Handler) *line {
	l := &line{service: service}
	l.answer()
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*l.now.Load()).ServeHTTP(w, r) }))
	DeferCleanup(func() {
		l.CloseClientConnections()
		l.Close()
	})
	return l
}

// answer lets all answers through.
func (l *line) answer() { l.now.Store(&l.service) }

// lose does not let the next one through.
func (l *line) lose() {
	lossy := notifytest.LoseAnswers(l.service, 1)
	l.now.Store(&lossy)
}

// hang holds all back until who asked is gone.
func (l *line) hang() {
	l.taken = make(chan struct{})
	first := sync.OnceFunc(func() { close(l.taken) })
	var hanging http.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		l.service.ServeHTTP(httptest.NewRecorder(), r)
		first()
		<-r.Context().Done()
	})
	l.now.Store(&hanging)
}

// team is who listens at a webhook, and drops what they have had.
type team struct{ *inbox.Inbox }

func (t *team) ServeHTTP(w http.ResponseWriter, r *http.Request) { t.Handler().ServeHTTP(w, r) }

func (t *team) Seen() (seen []notifytest.Seen) {
	for _, m := range t.Messages() {
		seen = append(seen, notifytest.Seen{ID: m.WebhookID, Text: m.Title + "\n" + m.Content, Over: m.Event == "alert.resolved"})
	}
	return seen
}

// eventsOf are the Events by which Alerts of the namespace were told of.
func eventsOf(ctx context.Context, namespace string) (seen []notifytest.Seen) {
	GinkgoHelper()
	var list corev1.EventList
	Expect(k8s.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
	for _, e := range list.Items {
		if e.InvolvedObject.Kind == "Alert" && strings.HasPrefix(e.Reason, "Alert") {
			seen = append(seen, notifytest.Seen{ID: e.Name, Text: e.Message, Over: e.Reason == "AlertResolved"})
		}
	}
	return seen
}

// forget takes from the record of an Alert what was sent.
func forget(ctx context.Context, a *v1beta1.Alert) {
	GinkgoHelper()
	Eventually(func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(a), a); err != nil {
			return err
		}
		a.Status = v1beta1.AlertStatus{ObservedGeneration: -1}
		return k8s.Status().Update(ctx, a)
	}).Should(Succeed())
}

// hello is the seed's Alert.
func hello(ctx context.Context, r *v1beta1.Receiver) *v1beta1.Alert {
	GinkgoHelper()
	return newAlert(ctx, r.Namespace, "kubecon-alert", func(a *v1beta1.Alert) { a.Spec.Content = "Hello KubeCon :wave:" }, r.Name)
}

// reads matches what people can read, with an emoji for each shortcode.
func reads(text string) OmegaMatcher {
	return HaveField("Text", SatisfyAll(ContainSubstring(text), Not(ContainSubstring(":wave:"))))
}

// times is how often people see it.
func times(seen []notifytest.Seen) string {
	if len(seen) > 2 {
		return fmt.Sprint(len(seen), " times")
	}
	return []string{"never", once, twice}[len(seen)]
}

// news are those that were not there, or read otherwise.
func news(before, after []notifytest.Seen) []notifytest.Seen {
	return slices.DeleteFunc(slices.Clone(after), func(s notifytest.Seen) bool { return slices.Contains(before, s) })
}

// where is in which place people see the news.
func where(before, after []notifytest.Seen) string {
	if len(after) == len(before) {
		return inPlace
	}
	return itsOwn
}

// documented is a row of the table in docs/reference/receivers.md that has a column: of each cell by its column what it says before it explains.
func documented(column, row string) map[string]string {
	GinkgoHelper()
	repo, err := local.FindRepo()
	Expect(err).NotTo(HaveOccurred())
	page, err := os.ReadFile(filepath.Join(repo, "docs", "reference", "receivers.md"))
	Expect(err).NotTo(HaveOccurred())
	var columns []string
	for line := range strings.Lines(link.ReplaceAllString(string(page), "$1")) {
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case len(cells) < 3:
			columns = nil
		case slices.Contains(cells, column):
			columns = cells
		case columns != nil && cells[1] == row:
			says := map[string]string{}
			for i := range columns {
				says[columns[i]], _, _ = strings.Cut(cells[i], ",")
			}
			return says
		}
	}
	Fail(fmt.Sprintf("docs/reference/receivers.md has no row %q in a table with the column %q", row, column))
	return nil
}

// link is one of Markdown.
var link = regexp.MustCompile(`\[([^\]]+)\]\([^)]*\)`)
