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

package main

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
	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/internal/notify/notifytest"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

// addressee is who is behind a receiver.
type addressee struct {
	inbox *inbox.Inbox       // tells repeats of a message by its key; nil:
	board notifytest.Service // does not
	once  bool               // is to be told at most once
	down  atomic.Bool
	// refuses: it has to, as it was given a wrong secret.
	refuses bool

	mu    sync.Mutex
	first map[string]string // what was told first under each key
	other map[string]int    // how often each was the key of something else
	mixed []string          // what that was
}

// known is one who tells repeats of a message by its key, and takes no other message under it.
func known() *addressee {
	p := &addressee{inbox: inbox.New(inbox.Options{SigningSecret: signingSecret}), first: map[string]string{}, other: map[string]int{}}
	p.inbox.Respond(p.recognise)
	return p
}

// recognise answers who tells something.
func (p *addressee) recognise(r *http.Request) (status int, header http.Header, body string) {
	told, _ := io.ReadAll(r.Body) // the inbox has read it
	key, meaning := r.Header.Get("Webhook-Id"), meaningOf(told)
	p.mu.Lock()
	defer p.mu.Unlock()
	first, isRepeat := p.first[key]
	switch {
	case !isRepeat:
		p.first[key] = meaning
	case first != meaning:
		p.other[key]++
		p.mixed = append(p.mixed, fmt.Sprintf("%s under the key of %s", meaning, first))
		return http.StatusConflict, nil, ""
	}
	return http.StatusNoContent, nil, ""
}

// attempts is how often a message came with what was first told under its key.
type attempts struct {
	event string
	n     int
}

// takeAttempts are those of all messages, and what was told under the key of something else since the last call.
func (p *addressee) takeAttempts() (all []attempts, collisions []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.inbox.Messages() {
		all = append(all, attempts{m.Event, m.Attempts - p.other[m.WebhookID]})
	}
	collisions, p.mixed = p.mixed, nil
	return all, collisions
}

// ServeHTTP is a request to them.
func (p *addressee) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case p.down.Load():
		says(http.StatusServiceUnavailable, `{}`)(w, r)
	case p.inbox != nil:
		p.inbox.Handler().ServeHTTP(w, r)
	default:
		p.board.ServeHTTP(w, r)
	}
}

// told are the messages that have arrived, and of each how often it can be told to have.
func (p *addressee) told() map[string]int {
	told := map[string]int{}
	if p.inbox == nil {
		for _, seen := range p.board.Seen() {
			told[withoutIDs(strings.ReplaceAll(seen.Text, "\n", " "))]++
		}
		return told
	}
	for _, m := range p.inbox.Messages() {
		if m.Accepted > 0 {
			told[fmt.Sprintf("%s of %s: %s", m.Event, m.Name, m.Content)]++
		}
	}
	return told
}

func (w *world) add(name string, p *addressee) (url string) {
	w.addressees[name] = p
	return w.serve(p, func(*http.Request) string { return receiverPrefix + name }, nil)
}

var (
	signingSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(canary.Value))
	otherSecret   = "whsec_" + base64.StdEncoding.EncodeToString([]byte("another that nobody knows of"))
)

// webhook registers a receiver of a name, which knows messages by keys.
func (w *world) webhook(name string, edits ...func(v1beta1.ReceiverObject)) {
	url := w.add(name, known())
	w.receiver(name, "signingSecret", signingSecret, v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{URL: url}}, edits...)
}

// gotify registers one that does not.
func (w *world) gotify(name string, edits ...func(v1beta1.ReceiverObject)) {
	url := w.add(name, &addressee{board: notifytest.NewGotify(plainCanary)})
	w.receiver(name, "token", plainCanary, v1beta1.Provider{Gotify: &v1beta1.GotifyProvider{URL: url}}, edits...)
}

// discord registers one that knows a message once it has told its id.
func (w *world) discord(name string, edits ...func(v1beta1.ReceiverObject)) {
	url := w.add(name, &addressee{board: notifytest.NewDiscord("1234567890", plainCanary)})
	w.receiver(name, "url", url+"/api/webhooks/1234567890/"+plainCanary, v1beta1.Provider{Discord: &v1beta1.DiscordProvider{}}, edits...)
}

// receiver registers one with a Secret of its name, and waits until it is looked after.
func (w *world) receiver(name, key, secret string, provider v1beta1.Provider, edits ...func(v1beta1.ReceiverObject)) {
	r := w.receiverNamed(name)
	spec := r.Common()
	spec.Provider, spec.TimeoutSeconds = provider, 1
	spec.SecretRef = &v1beta1.SecretReference{Name: name}
	for _, edit := range edits {
		edit(r)
	}
	w.addressees[name].once = spec.DeliveryPolicy == v1beta1.AtMostOnce
	w.secret(name, map[string]string{key: secret})
	w.create(r)
	w.await("the receiver "+name+" is looked after", func() error {
		if err := w.get(r); err != nil {
			return err
		}
		if observed := r.CommonStatus().ObservedGeneration; observed != r.GetGeneration() {
			return fmt.Errorf("observed %d", observed)
		}
		return nil
	})
}

// receiverNamed is the object of a receiver, with no more than that; one of the cluster is for all
// namespaces.
func (w *world) receiverNamed(name string) v1beta1.ReceiverObject {
	if w.clusterWide {
		return &v1beta1.ClusterReceiver{ObjectMeta: w.shared(name), Spec: v1beta1.ClusterReceiverSpec{NamespaceSelector: &metav1.LabelSelector{}}}
	}
	return &v1beta1.Receiver{ObjectMeta: w.shared(name)}
}

func atMostOnce(r v1beta1.ReceiverObject) { r.Common().DeliveryPolicy = v1beta1.AtMostOnce }
func critical(r v1beta1.ReceiverObject)   { r.Common().MinSeverity = v1beta1.SeverityCritical }
func suspended(r v1beta1.ReceiverObject)  { r.Common().Suspend = true }
func byDefault(r v1beta1.ReceiverObject) {
	r.SetAnnotations(map[string]string{v1beta1.DefaultReceiverAnnotation: "true"})
}

// meaningOf is what a message tells: all of its body but the time, which is that of the repeat where
// the first attempt was not recorded. That it is over is one message, whatever the text is by then.
func meaningOf(body []byte) string {
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

// plainCanary is a credential of those who take no others than letters.
const plainCanary = "plainCanaryCredential"

// threeReceivers are one of each kind, and one that wants to hear of little.
func threeReceivers(w *world) {
	w.webhook("hook")
	w.webhook("desk")
	w.webhook("boss", func(r pagerv1beta1.ReceiverObject) { r.Common().MinSeverity = pagerv1beta1.SeverityWarning })
}
