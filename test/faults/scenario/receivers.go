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

package scenario

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/internal/notify/notifytest"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/snapshot"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

// FakeReceiver is who is behind a receiver.
type FakeReceiver struct {
	Inbox      *inbox.Inbox       // tells repeats of a message by its key; nil:
	Service    notifytest.Service // does not
	AtMostOnce bool               // is to be told at most once
	down       atomic.Bool
	// ExpectsRefusals: it has to, as it was given a wrong secret.
	ExpectsRefusals bool

	mu           sync.Mutex
	firstContent map[string]string // what was told first under each key
	otherContent map[string]int    // how often each was the key of something else
	collisions   []string          // what that was
}

// newWebhookReceiver is one who tells repeats of a message by its key, and takes no other message under it.
func newWebhookReceiver() *FakeReceiver {
	p := &FakeReceiver{Inbox: inbox.New(inbox.Options{SigningSecret: signingSecret}), firstContent: map[string]string{}, otherContent: map[string]int{}}
	p.Inbox.Respond(p.CheckKey)
	return p
}

// CheckKey answers who tells something.
func (p *FakeReceiver) CheckKey(r *http.Request) (status int, header http.Header, body string) {
	told, _ := io.ReadAll(r.Body) // the inbox has read it
	key, meaning := r.Header.Get("Webhook-Id"), contentOf(told)
	p.mu.Lock()
	defer p.mu.Unlock()
	first, isRepeat := p.firstContent[key]
	switch {
	case !isRepeat:
		p.firstContent[key] = meaning
	case first != meaning:
		p.otherContent[key]++
		p.collisions = append(p.collisions, fmt.Sprintf("%s under the key of %s", meaning, first))
		return http.StatusConflict, nil, ""
	}
	return http.StatusNoContent, nil, ""
}

// keyAttempts is how often a message came with what was first told under its key.
type keyAttempts struct {
	Event string
	Count int
}

// TakeAttempts are those of all messages, and what was told under the key of something else since the last call.
func (p *FakeReceiver) TakeAttempts() (all []keyAttempts, collisions []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.Inbox.Messages() {
		all = append(all, keyAttempts{m.Event, m.Attempts - p.otherContent[m.WebhookID]})
	}
	collisions, p.collisions = p.collisions, nil
	return all, collisions
}

// ServeHTTP is a request to them.
func (p *FakeReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case p.down.Load():
		proxy.RespondWith(http.StatusServiceUnavailable, `{}`)(w, r)
	case p.Inbox != nil:
		p.Inbox.Handler().ServeHTTP(w, r)
	default:
		p.Service.ServeHTTP(w, r)
	}
}

// Received are the messages that have arrived, and of each how often it can be told to have.
func (p *FakeReceiver) Received() map[string]int {
	told := map[string]int{}
	if p.Inbox == nil {
		for _, seen := range p.Service.Seen() {
			told[snapshot.WithoutIDs(strings.ReplaceAll(seen.Text, "\n", " "))]++
		}
		return told
	}
	for _, m := range p.Inbox.Messages() {
		if m.Accepted > 0 {
			told[fmt.Sprintf("%s of %s: %s", m.Event, m.Name, m.Content)]++
		}
	}
	return told
}

func (e *Environment) addReceiver(name string, p *FakeReceiver) (url string) {
	e.Receivers[name] = p
	return e.serve(p, func(*http.Request) string { return proxy.ReceiverPrefix + name }, nil)
}

var (
	signingSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(canary.Value))
	rotatedSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("another that nobody knows of"))
)

// createWebhook registers a receiver of a name, which knows messages by keys.
func (e *Environment) createWebhook(name string, edits ...func(v1beta1.ReceiverObject)) {
	url := e.addReceiver(name, newWebhookReceiver())
	e.createReceiver(name, "signingSecret", signingSecret, v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{URL: url}}, edits...)
}

// createGotify registers one that does not.
func (e *Environment) createGotify(name string, edits ...func(v1beta1.ReceiverObject)) {
	url := e.addReceiver(name, &FakeReceiver{Service: notifytest.NewGotify(PlainCanary)})
	e.createReceiver(name, "token", PlainCanary, v1beta1.Provider{Gotify: &v1beta1.GotifyProvider{URL: url}}, edits...)
}

// createDiscord registers one that knows a message once it has told its id.
func (e *Environment) createDiscord(name string, edits ...func(v1beta1.ReceiverObject)) {
	url := e.addReceiver(name, &FakeReceiver{Service: notifytest.NewDiscord("1234567890", PlainCanary)})
	e.createReceiver(name, "url", url+"/api/webhooks/1234567890/"+PlainCanary, v1beta1.Provider{Discord: &v1beta1.DiscordProvider{}}, edits...)
}

// createReceiver registers one with a Secret of its name, and waits until it is looked after.
func (e *Environment) createReceiver(name, key, secret string, provider v1beta1.Provider, edits ...func(v1beta1.ReceiverObject)) {
	r := e.receiverObject(name)
	spec := r.Common()
	spec.Provider, spec.TimeoutSeconds = provider, 1
	spec.SecretRef = &v1beta1.SecretReference{Name: name}
	for _, edit := range edits {
		edit(r)
	}
	e.Receivers[name].AtMostOnce = spec.DeliveryPolicy == v1beta1.AtMostOnce
	e.createSecret(name, map[string]string{key: secret})
	e.create(r)
	e.await("the receiver "+name+" is looked after", func() error {
		if err := e.get(r); err != nil {
			return err
		}
		if observed := r.CommonStatus().ObservedGeneration; observed != r.GetGeneration() {
			return fmt.Errorf("observed %d", observed)
		}
		return nil
	})
}

// receiverObject is the object of a receiver, with no more than that; one of the cluster is for all
// namespaces.
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

// contentOf is what a message tells: all of its body but the time, which is that of the repeat where
// the first attempt was not recorded. That it is over is one message, whatever the text is by then.
func contentOf(body []byte) string {
	var m struct {
		Version string         `json:"version"`
		Type    string         `json:"type"`
		Data    map[string]any `json:"data"`
	}
	_ = json.Unmarshal(body, &m) // the inbox has read it
	if m.Type == "alert.resolved" {
		for _, text := range []string{"title", "content", "rawContent", "severity"} {
			delete(m.Data, text)
		}
	}
	meaning, _ := json.Marshal(m) // as it was read
	return string(meaning)
}

// PlainCanary is a credential of those who take no others than letters.
const PlainCanary = "plainCanaryCredential"

// CreateThreeReceivers are one of each kind, and one that wants to hear of little.
func CreateThreeReceivers(e *Environment) {
	e.createWebhook("hook")
	e.createWebhook("desk")
	e.createWebhook("boss", func(r v1beta1.ReceiverObject) { r.Common().MinSeverity = v1beta1.SeverityWarning })
}
