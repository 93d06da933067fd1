// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/snapshot"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

// FakeReceiver is the service behind a receiver.
type FakeReceiver struct {
	Inbox      *inbox.Inbox       // recognizes repeats by their key; nil: Service is used
	notifier   *notifytest.GRPC   // takes the calls, and forwards the messages to Inbox; nil: Inbox takes them itself
	Service    notifytest.Service // does not recognize repeats
	AtMostOnce bool               // must get each message at most once
	down       atomic.Bool
	// ExpectsRefusals: requests with a wrong secret are part of the scenario.
	ExpectsRefusals bool

	mu           sync.Mutex
	firstContent map[string]string // first content of each key
	otherContent map[string]int    // how many times each key came with another content
	collisions   []string          // those contents
}

// IsAvailable reports whether the scenario lets it accept messages.
func (f *FakeReceiver) IsAvailable() bool { return !f.down.Load() && !f.ExpectsRefusals }

// newIdempotentReceiver returns a service that recognizes a repeat by its key, and refuses another message under the same key.
func newIdempotentReceiver() *FakeReceiver {
	p := &FakeReceiver{firstContent: map[string]string{}, otherContent: map[string]int{}}
	p.setInbox(inbox.Options{SigningSecret: signingSecret})
	return p
}

// newNotifier returns the same as a server of gRPC.
func newNotifier() *FakeReceiver {
	p := newIdempotentReceiver()
	p.setInbox(inbox.Options{}) // the notifier checks the token
	p.notifier = notifytest.NewGRPC(PlainCanary)
	p.notifier.Forward(http.HandlerFunc(p.serveMessage))
	return p
}

func (f *FakeReceiver) setInbox(options inbox.Options) {
	f.Inbox = inbox.New(options)
	f.Inbox.Respond(f.CheckKey)
}

// Refused counts requests with a wrong secret, and those that Bellhop does not send.
func (f *FakeReceiver) Refused() int {
	n := f.Inbox.Refused()
	if f.notifier != nil {
		n += f.notifier.Refused()
	}
	return n
}

// CheckKey answers a message: 409 if its key was used for another one.
func (f *FakeReceiver) CheckKey(r *http.Request) (status int, header http.Header, body string) {
	text, _ := io.ReadAll(r.Body) // the inbox decoded it
	key, content := r.Header.Get("Webhook-Id"), contentOf(text)
	f.mu.Lock()
	defer f.mu.Unlock()
	first, isRepeat := f.firstContent[key]
	switch {
	case !isRepeat:
		f.firstContent[key] = content
	case first != content:
		f.otherContent[key]++
		f.collisions = append(f.collisions, fmt.Sprintf("%s under the key of %s", content, first))
		return http.StatusConflict, nil, ""
	}
	return http.StatusNoContent, nil, ""
}

// KeyAttempts is how many times a message arrived with the content that came first under its key.
type KeyAttempts struct {
	Event string
	UID   string // of the Alert
	Count int
}

// TakeAttempts returns the attempts of all messages, and the contents that came under the key of another since the last call.
func (f *FakeReceiver) TakeAttempts() (all []KeyAttempts, collisions []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.Inbox.Messages() {
		all = append(all, KeyAttempts{m.Event, m.UID, m.Attempts - f.otherContent[m.WebhookID]})
	}
	collisions, f.collisions = f.collisions, nil
	return all, collisions
}

// ServeHTTP handles a request to the service.
func (f *FakeReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.notifier != nil {
		f.notifier.ServeHTTP(w, r)
		return
	}
	f.serveMessage(w, r)
}

// serveMessage handles a message by HTTP, or one that the notifier forwards.
func (f *FakeReceiver) serveMessage(w http.ResponseWriter, r *http.Request) {
	switch {
	case f.down.Load():
		proxy.RespondWith(http.StatusServiceUnavailable, `{}`)(w, r)
	case f.Inbox != nil:
		f.Inbox.Handler().ServeHTTP(w, r)
	default:
		f.Service.ServeHTTP(w, r)
	}
}

// Received returns the messages that arrived, with the number of distinguishable deliveries.
func (f *FakeReceiver) Received() map[string]int {
	messages := map[string]int{}
	if f.Inbox == nil {
		for _, seen := range f.Service.Seen() {
			messages[snapshot.WithoutIDs(strings.ReplaceAll(seen.Text, "\n", " "))]++
		}
		return messages
	}
	for _, m := range f.Inbox.Messages() {
		if m.Accepted > 0 {
			messages[fmt.Sprintf("%s of %s: %s", m.Event, m.Name, m.Content)]++
		}
	}
	return messages
}

// addReceiver starts a service.
func (e *Environment) addReceiver(name string, p *FakeReceiver) (url string) {
	return e.startReceiver(name, p).URL
}

func (e *Environment) startReceiver(name string, p *FakeReceiver) *httptest.Server {
	e.Receivers[name] = p
	return e.start(&proxy.Endpoint{Name: func(*http.Request) string { return proxy.ReceiverPrefix + name }, Model: p, HasTLS: p.notifier != nil})
}

var (
	signingSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(canary.Value))
	rotatedSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("another that nobody knows of"))
)

// createIdempotent creates a receiver that recognizes repeats by their key: a webhook, or a notifier.
func (e *Environment) createIdempotent(name string, edits ...func(v1beta1.ReceiverObject)) {
	keys := keysOf(e.credential())
	if !e.notifiers {
		url := e.addReceiver(name, newIdempotentReceiver())
		e.createReceiver(name, keys, v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{URL: url}}, edits...)
		return
	}
	server := e.startReceiver(name, newNotifier())
	keys["ca.crt"] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	e.createReceiver(name, keys, v1beta1.Provider{GRPC: &v1beta1.GRPCProvider{Address: server.Listener.Addr().String()}}, edits...)
}

// giveUpSoon has resolves to a receiver end after 3 s.
func giveUpSoon(r v1beta1.ReceiverObject) { r.Common().ResolveTimeoutSeconds = new(int32(3)) }

// credential returns the key and the value of the credential of receivers that recognize repeats.
func (e *Environment) credential() (key, value string) {
	if e.notifiers {
		return "token", PlainCanary
	}
	return "signingSecret", signingSecret
}

// keysOf returns the data of a Secret with one key.
func keysOf(key, value string) map[string]string { return map[string]string{key: value} }

// createGotify creates a receiver that does not recognize repeats.
func (e *Environment) createGotify(name string, edits ...func(v1beta1.ReceiverObject)) {
	url := e.addReceiver(name, &FakeReceiver{Service: notifytest.NewGotify(PlainCanary)})
	e.createReceiver(name, keysOf("token", PlainCanary), v1beta1.Provider{Gotify: &v1beta1.GotifyProvider{URL: url}}, edits...)
}

// createDiscord creates a receiver whose messages have an id once they are sent.
func (e *Environment) createDiscord(name string, edits ...func(v1beta1.ReceiverObject)) {
	url := e.addReceiver(name, &FakeReceiver{Service: notifytest.NewDiscord("1234567890", PlainCanary)})
	e.createReceiver(name, keysOf("url", url+"/api/webhooks/1234567890/"+PlainCanary), v1beta1.Provider{Discord: &v1beta1.DiscordProvider{}}, edits...)
}

// createReceiver creates a receiver with a Secret of its name, and waits until the operator has observed it.
func (e *Environment) createReceiver(name string, keys map[string]string, provider v1beta1.Provider, edits ...func(v1beta1.ReceiverObject)) {
	r := e.receiverObject(name)
	spec := r.Common()
	spec.Provider, spec.TimeoutSeconds = provider, 1
	spec.SecretRef = &v1beta1.SecretReference{Name: name}
	for _, edit := range edits {
		edit(r)
	}
	e.Receivers[name].AtMostOnce = spec.DeliveryPolicy == v1beta1.AtMostOnce
	e.createSecret(name, keys)
	e.create(r)
	e.await("the receiver "+name+" is observed", func() error {
		if err := e.get(r); err != nil {
			return err
		}
		if observed := r.CommonStatus().ObservedGeneration; observed != r.GetGeneration() {
			return fmt.Errorf("observed %d", observed)
		}
		return nil
	})
}

// receiverObject returns a receiver that has a name only; one of the cluster is for all namespaces.
func (e *Environment) receiverObject(name string) v1beta1.ReceiverObject {
	if e.ClusterWide {
		return &v1beta1.ClusterReceiver{ObjectMeta: e.sharedMeta(name), Spec: v1beta1.ClusterReceiverSpec{NamespaceSelector: &metav1.LabelSelector{}}}
	}
	return &v1beta1.Receiver{ObjectMeta: e.sharedMeta(name)}
}

func setAtMostOnce(r v1beta1.ReceiverObject) { r.Common().DeliveryPolicy = v1beta1.AtMostOnce }
func criticalOnly(r v1beta1.ReceiverObject)  { r.Common().MinSeverity = v1beta1.SeverityCritical }
func suspend(r v1beta1.ReceiverObject)       { r.Common().Suspend = true }
func markDefault(r v1beta1.ReceiverObject) {
	r.SetAnnotations(map[string]string{v1beta1.DefaultReceiverAnnotation: "true"})
}

// contentOf returns the body of a message without its time, which is that of the repeat where the first attempt was not recorded. All messages
// that resolve an Alert are the same, whatever its text is by then.
func contentOf(body []byte) string {
	var m struct {
		Version string         `json:"version"`
		Type    string         `json:"type"`
		Data    map[string]any `json:"data"`
	}
	_ = json.Unmarshal(body, &m) // the inbox decoded it
	if m.Type == "alert.resolved" {
		for _, text := range []string{"title", "content", "rawContent", "severity"} {
			delete(m.Data, text)
		}
	}
	content, _ := json.Marshal(m) // it was decoded from JSON
	return string(content)
}

// PlainCanary is a credential for services that accept letters only.
const PlainCanary = "plainCanaryCredential"

// CreateThreeReceivers creates receivers that recognize repeats, of which one takes no messages of severity info.
func CreateThreeReceivers(e *Environment) {
	e.createIdempotent("hook")
	e.createIdempotent("desk")
	e.createIdempotent("boss", func(r v1beta1.ReceiverObject) { r.Common().MinSeverity = v1beta1.SeverityWarning })
}
