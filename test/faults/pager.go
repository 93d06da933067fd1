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
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
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
	// wrong: it has that now.
	wrong bool
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
			told[randomText.ReplaceAllString(strings.ReplaceAll(seen.Text, "\n", " "), "…")]++
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

// receiverPrefix begins the names of requests to receivers.
const receiverPrefix = "receiver "

func (w *world) add(name string, p *addressee) (url string) {
	w.addressees[name] = p
	return w.serve(p, func(*http.Request) string { return receiverPrefix + name }, nil)
}

var (
	signingSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(canary.Value))
	otherSecret   = "whsec_" + base64.StdEncoding.EncodeToString([]byte("another that nobody knows of"))
)

// webhook registers a receiver of a name, which knows messages by keys.
func (w *world) webhook(name string, edits ...func(*v1beta1.Receiver)) {
	url := w.add(name, &addressee{inbox: inbox.New(inbox.Options{SigningSecret: signingSecret})})
	w.receiver(name, "signingSecret", signingSecret, v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{URL: url}}, edits...)
}

// gotify registers one that does not.
func (w *world) gotify(name string, edits ...func(*v1beta1.Receiver)) {
	url := w.add(name, &addressee{board: notifytest.NewGotify("token")})
	w.receiver(name, "token", "token", v1beta1.Provider{Gotify: &v1beta1.GotifyProvider{URL: url}}, edits...)
}

// discord registers one that knows a message once it has told its id.
func (w *world) discord(name string, edits ...func(*v1beta1.Receiver)) *v1beta1.Receiver {
	url := w.add(name, &addressee{board: notifytest.NewDiscord("1234567890", "token")})
	return w.receiver(name, "url", url+"/api/webhooks/1234567890/token", v1beta1.Provider{Discord: &v1beta1.DiscordProvider{}}, edits...)
}

// receiver registers one with a Secret of its name, and waits until it is looked after.
func (w *world) receiver(name, key, secret string, provider v1beta1.Provider, edits ...func(*v1beta1.Receiver)) *v1beta1.Receiver {
	r := &v1beta1.Receiver{ObjectMeta: w.meta(name)}
	r.Spec.Provider, r.Spec.TimeoutSeconds = provider, 1
	r.Spec.SecretRef = &v1beta1.SecretReference{Name: name}
	for _, edit := range edits {
		edit(r)
	}
	w.addressees[name].once = r.Spec.DeliveryPolicy == v1beta1.AtMostOnce
	w.secret(name, map[string]string{key: secret})
	w.create(r)
	w.await("the receiver "+name+" is looked after", func() error {
		if err := w.get(r); err != nil {
			return err
		}
		if r.Status.ObservedGeneration != r.Generation {
			return fmt.Errorf("observed %d", r.Status.ObservedGeneration)
		}
		return nil
	})
	return r
}

func atMostOnce(r *v1beta1.Receiver) { r.Spec.DeliveryPolicy = v1beta1.AtMostOnce }
func critical(r *v1beta1.Receiver)   { r.Spec.MinSeverity = v1beta1.SeverityCritical }
func byDefault(r *v1beta1.Receiver) {
	r.Annotations = map[string]string{v1beta1.DefaultReceiverAnnotation: "true"}
}

func (w *world) alert(name string, receivers ...string) *v1beta1.Alert {
	a := &v1beta1.Alert{ObjectMeta: w.meta(name)}
	a.Spec.Content = "the disk is full"
	for _, r := range receivers {
		a.Spec.ReceiverRefs = append(a.Spec.ReceiverRefs, v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: r})
	}
	return a
}

func saying(content string) func(*v1beta1.Alert) {
	return func(a *v1beta1.Alert) { a.Spec.Content = content }
}

func resolved(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved }
func firing(a *v1beta1.Alert)   { a.Spec.State = v1beta1.AlertFiring }

// fired creates an Alert and waits until it is settled.
func (w *world) fired(a *v1beta1.Alert) *v1beta1.Alert {
	w.create(a)
	w.settled(a)
	return a
}

// change edits an Alert and waits until it is settled.
func (w *world) change(a *v1beta1.Alert, change func(*v1beta1.Alert)) {
	edit(w, a, change)
	w.settled(a)
}

// settled waits until an Alert is done with as it is now.
func (w *world) settled(a *v1beta1.Alert) {
	w.until(a, a.Name+" is settled", func() bool {
		return a.Status.FinishedTime != nil || slices.ContainsFunc(a.Status.Deliveries, isUndecided)
	})
}

// says waits until the Ready condition of an Alert has a reason.
func (w *world) says(a *v1beta1.Alert, reason string) {
	w.until(a, a.Name+" is "+reason, func() bool { return readyReason(a) == reason })
}

// until waits for something of an Alert as it is now.
func (w *world) until(a *v1beta1.Alert, what string, check func() bool) {
	w.await(what, func() error {
		if err := w.get(a); err != nil {
			return err
		}
		if a.Status.ObservedGeneration == a.Generation && check() {
			return nil
		}
		w.mend(a)
		return fmt.Errorf("%+v", a.Status)
	})
}

// ended waits until an Alert is gone.
func (w *world) ended(a *v1beta1.Alert) {
	w.await(a.Name+" is gone", func() error {
		err := w.get(a)
		if err == nil {
			w.mend(a)
			return fmt.Errorf("%+v", a.Status)
		}
		return client.IgnoreNotFound(err)
	})
}

func readyReason(a *v1beta1.Alert) string {
	for _, c := range a.Status.Conditions {
		if c.Type == v1beta1.ConditionReady {
			return c.Reason
		}
	}
	return ""
}

// isUndecided: it is not known whether it arrived, and only a person can say what to do.
func isUndecided(row v1beta1.Delivery) bool {
	return row.State == v1beta1.DeliveryUnknown && row.Reason == v1beta1.ReasonOutcomeUnknown
}

// mend does what people have to where a receiver has refused an Alert: that is tried again
// once its Secret is written anew. Who is given a wrong one is left alone.
func (w *world) mend(a *v1beta1.Alert) {
	for _, row := range a.Status.Deliveries {
		refusal := fmt.Sprintf("%s %d.%d with %s", row.Name, row.Sequence, row.Attempts, row.TriedWith)
		if row.State != v1beta1.DeliveryFailed || w.mended[refusal] || w.addressees[row.Name].wrong {
			continue
		}
		w.mended[refusal] = true
		s := &corev1.Secret{ObjectMeta: w.meta(row.Name)}
		edit(w, s, func(s *corev1.Secret) { s.Annotations = map[string]string{"written": refusal} })
	}
}

// rotate gives a receiver another secret.
func (w *world) rotate(name, secret string) {
	s := &corev1.Secret{ObjectMeta: w.meta(name)}
	edit(w, s, func(s *corev1.Secret) { s.Data = map[string][]byte{"signingSecret": []byte(secret)} })
}

// messages are what the receivers have got, and under how many keys: who does not know keys
// may be told twice.
func (w *world) messages() []string {
	var all []string
	for name, p := range w.addressees {
		for text, n := range p.told() {
			if p.inbox == nil {
				n = 1
			}
			all = append(all, fmt.Sprintf("%s %s (under %d keys)", name, text, n))
		}
	}
	slices.Sort(all)
	return all
}

// checkReceivers looks at what receivers were told.
func (w *world) checkReceivers(all []client.Object) {
	for name, p := range w.addressees {
		w.checkCounts(name, p)
	}
	for _, o := range all {
		if a, ok := o.(*v1beta1.Alert); ok {
			w.checkClaims(a)
		}
	}
}

// checkCounts looks at how often somebody was told something.
func (w *world) checkCounts(name string, p *addressee) {
	if p.inbox == nil {
		limit := 1
		if !p.once { // of each fault an answer may be lost
			limit += w.fault.count()
		}
		for text, n := range p.told() {
			if n > limit {
				w.blame("receiver %s was told %d times of %s", name, n, text)
			}
		}
		return
	}
	for _, m := range p.inbox.Messages() {
		if p.once && m.Attempts > 1 {
			w.blame("receiver %s was told %d times of %s under one key", name, m.Attempts, m.Event)
		}
		first, last := meaningOf(m.Event, m.Content), meaningOfBody(m.Body)
		if last != first {
			w.blame("receiver %s was told of %s under the key of %s", name, last, first)
		}
	}
	if n := p.inbox.Refused(); n > 0 && !p.refuses {
		w.blame("receiver %s had to refuse %d requests", name, n)
	}
}

// meaningOf is what a message tells. That it is over is one message, whatever the text is by then.
func meaningOf(event, content string) string {
	if event == "alert.resolved" {
		return event
	}
	return event + " " + content
}

func meaningOfBody(body []byte) string {
	var m struct {
		Type string
		Data struct{ Content string }
	}
	_ = json.Unmarshal(body, &m) // the inbox has read it
	return meaningOf(m.Type, m.Data.Content)
}

// checkClaims: what an Alert says is sent has arrived.
func (w *world) checkClaims(a *v1beta1.Alert) {
	for _, row := range a.Status.Deliveries {
		p := w.addressees[row.Name]
		if row.State != v1beta1.DeliverySent || a.Spec.State != v1beta1.AlertFiring || !isMeant(a, row) {
			continue
		}
		has := func(text string) bool { return strings.Contains(text, a.Spec.Content) }
		if !slices.ContainsFunc(slices.Collect(maps.Keys(p.told())), has) {
			w.blame("%s says that %s was told %q, who was not", a.Name, row.Name, a.Spec.Content)
		}
	}
}

// isMeant says whether an Alert is still for a receiver. Who it names no more holds an older
// content.
func isMeant(a *v1beta1.Alert, row v1beta1.Delivery) bool {
	return row.ByDefault || slices.Contains(a.Spec.ReceiverRefs, v1beta1.ReceiverRef{Kind: row.Kind, Name: row.Name})
}

// alike says whether a run ended as it should. A fault may leave it open whether a request has
// arrived. Who is told at most once may then have got less, and the Alert says that it is not
// known; who does not know keys may have got a message twice.
func (w *world) alike(state, expected string) bool {
	if w.asked > 0 {
		state, expected = asking.ReplaceAllString(state, ""), asking.ReplaceAllString(expected, "")
	}
	if state == expected || w.hurried {
		return true
	}
	if w.takenBack != "" { // who has not seen that may tell it
		told := slices.DeleteFunc(strings.Split(state, "\n"), func(line string) bool { return !objectLine.MatchString(line) && strings.Contains(line, w.takenBack) })
		if state = strings.Join(told, "\n"); state == expected {
			return true
		}
	}
	if !w.fault.mayLoseAnswer() && !w.fault.hidesReceiver() {
		return false
	}
	want, have := strings.Split(expected, "\n"), strings.Split(state, "\n")
	have = slices.DeleteFunc(have, func(line string) bool { return !slices.Contains(want, line) && w.isForgiven(line, want) })
	want = slices.DeleteFunc(want, func(line string) bool { return !slices.Contains(have, line) && w.of(line).once })
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if want[i] != have[i] && !w.leavesOpen(have[i], want[i]) {
			return false
		}
	}
	return true
}

// isForgiven says whether a line is of a message that there is not without faults, but may be
// after one: a change is the first page for who may not have got that, if they are told once;
// of one that was sent twice, the other is what is known to be over; and one may come late.
func (w *world) isForgiven(line string, want []string) bool {
	name, text, _ := strings.Cut(line, " ")
	p := w.addressees[name]
	if p == nil { // it is of something else
		return false
	}
	if w.fault.kind == deposed && strings.Contains(string(w.fault.at), strings.ReplaceAll(receiverPrefix, " ", ":")) { // it came when it was over
		return true
	}
	if p.once {
		updated := strings.Replace(text, "alert.fired", "alert.updated", 1)
		return slices.Contains(want, name+" "+updated) || slices.Contains(want, name+" Updated: "+text)
	}
	return p.board != nil && slices.Contains(want, name+" Resolved: "+text)
}

// of is who a line of a state is a message to.
func (w *world) of(line string) *addressee {
	name, _, _ := strings.Cut(line, " ")
	if p := w.addressees[name]; p != nil {
		return p
	}
	return &addressee{}
}

// What the Ready condition of receivers says, as describe writes it.
const (
	untried  = `"reason":"Untried","status":"Unknown","type":"Ready"`
	answered = `"reason":"Answered","status":"True","type":"Ready"`
)

var objectLine = regexp.MustCompile(`^v1beta1\.(Alert|Receiver) (\S+) (.*)$`)

// leavesOpen says whether a line is of an Alert as expected, but for receivers of which it says
// that it is not known; or of such a receiver; or of one that was told by a process that was
// killed before it said so of the receiver, or did not see how it is now: the next will tell.
func (w *world) leavesOpen(line, expected string) bool {
	is, should := objectLine.FindStringSubmatch(line), objectLine.FindStringSubmatch(expected)
	if is == nil || should == nil || is[1] != should[1] || is[2] != should[2] {
		return false
	}
	if is[1] == string(v1beta1.KindReceiver) {
		return w.addressees[is[2]].once || (w.fault.kills() || w.fault.hidesReceiver()) && strings.ReplaceAll(strings.ReplaceAll(is[3], untried, answered), "Untried", "Answered") == should[3]
	}
	var a, b v1beta1.Alert
	if json.Unmarshal([]byte(is[3]), &a) != nil || json.Unmarshal([]byte(should[3]), &b) != nil || len(a.Status.Deliveries) != len(b.Status.Deliveries) {
		return false
	}
	open := false
	for i, row := range a.Status.Deliveries {
		switch {
		case isUndecided(row) && w.addressees[row.Name].once:
			open = true
		case row != b.Status.Deliveries[i]:
			return false
		}
	}
	return open && readyReason(&a) == v1beta1.ReasonOutcomeUnknown && fmt.Sprint(a.Spec) == fmt.Sprint(b.Spec)
}

// definite are answers of receivers that say that they have not taken a message.
var definite = []string{"409", "410", "412", "concurrency", "429", "redirect"}

// mayLoseAnswer says whether it may not be known afterwards what has become of a request.
func (f fault) mayLoseAnswer() bool {
	_, outside := outsideAnswers[f.kind]
	return f.kills() || outside && !slices.Contains(definite, f.kind) || f.then != nil && f.then.mayLoseAnswer()
}

// hidesReceiver: what receivers are told may be by an edition of theirs that is over.
func (f fault) hidesReceiver() bool {
	return strings.HasPrefix(f.of, "receivers") || slices.Contains([]string{watchCut, watchGone, frozen}, f.kind)
}

// count is how many faults it is.
func (f fault) count() int {
	switch {
	case f.kind == "":
		return 0
	case f.then != nil:
		return 1 + f.then.count()
	}
	return 1
}

// hook prepares a world with one receiver that knows keys.
func hook(edits ...func(*v1beta1.Receiver)) func(*world) {
	return func(w *world) { w.webhook("hook", edits...) }
}

// keyless prepares one with a receiver that does not.
func keyless(edits ...func(*v1beta1.Receiver)) func(*world) {
	return func(w *world) { w.gotify("phone", edits...) }
}

// story is what becomes of most Alerts.
func story(receivers ...string) func(*world) {
	return func(w *world) {
		a := w.fired(w.alert("disk", receivers...))
		w.change(a, saying("the disk is still full"))
		w.change(a, resolved)
		w.remove(a)
		w.ended(a)
	}
}

func pagerScenarios() []scenario {
	return []scenario{
		{name: "alert", prepare: hook(), steps: story("hook")},
		{name: "alert-no-key", prepare: keyless(), steps: story("phone")},
		{name: "alert-at-most-once", prepare: hook(atMostOnce), steps: story("hook")},
		{name: "alert-at-most-once-no-key", prepare: keyless(atMostOnce), steps: story("phone")},
		{name: "alert-three", prepare: func(w *world) {
			w.webhook("hook")
			w.discord("chat")
			w.gotify("phone", atMostOnce)
		}, steps: func(w *world) {
			a := w.fired(w.alert("disk", "hook", "chat", "phone"))
			w.remove(a)
			w.ended(a)
		}},
		{name: "alert-back", prepare: hook(), steps: alertBack},
		{name: "alert-back-unseen", prepare: hook(), steps: alertBackUnseen},
		{name: "alert-again", prepare: hook(), steps: func(w *world) {
			a := w.fired(w.alert("disk", "hook"))
			w.change(a, resolved)
			w.change(a, firing)
		}},
		{name: "alert-deleted-firing", prepare: hook(), steps: func(w *world) {
			a := w.fired(w.alert("disk", "hook"))
			w.remove(a)
			w.ended(a)
		}},
		{name: "alert-deleted-undelivered", prepare: hook(), steps: alertDeletedUndelivered},
		{name: "alert-ttl", prepare: hook(), steps: func(w *world) {
			a := w.alert("disk", "hook")
			a.Spec.TTLSecondsAfterFinished = new(int32(2))
			w.create(a)
			w.ended(a)
		}},
		{name: "alert-expired", prepare: hook(), steps: alertExpired},
		{name: "alert-filtered", prepare: hook(critical), steps: func(w *world) {
			a := w.fired(w.alert("disk", "hook"))
			w.change(a, func(a *v1beta1.Alert) { a.Spec.Severity = v1beta1.SeverityCritical })
		}},
		{name: "receiver-edited", prepare: hook(func(r *v1beta1.Receiver) { r.Spec.Suspend = true }), steps: receiverEdited},
		{name: "receiver-secret-rotated", prepare: hook(), steps: receiverSecretRotated},
		{name: "receiver-by-default", prepare: func(*world) {}, steps: receiverByDefault},
	}
}

// alertBack goes from A to B and back: that is a third message.
func alertBack(w *world) {
	a := w.fired(w.alert("disk", "hook"))
	w.change(a, saying("the disk is still full"))
	w.change(a, saying("the disk is full"))
}

// alertBackUnseen does so while the receiver is away: it is told A only, and that anew, as B
// may have arrived.
func alertBackUnseen(w *world) {
	a := w.fired(w.alert("disk", "hook"))
	w.addressees["hook"].down.Store(true)
	w.takenBack = "the disk is still full"
	edit(w, a, saying(w.takenBack))
	w.tried(a)
	w.addressees["hook"].down.Store(false)
	w.change(a, saying("the disk is full"))
}

// tried waits until an Alert has been, as it is now, without success.
func (w *world) tried(a *v1beta1.Alert) {
	w.says(a, v1beta1.ReasonRetrying)
	w.until(a, a.Name+" was tried", func() bool {
		return slices.ContainsFunc(a.Status.Deliveries, func(row v1beta1.Delivery) bool { return row.NextAttemptTime != nil })
	})
}

// alertDeletedUndelivered: who is away hears nothing of it later.
func alertDeletedUndelivered(w *world) {
	w.addressees["hook"].down.Store(true)
	a := w.alert("disk", "hook")
	w.create(a)
	w.tried(a)
	w.remove(a)
	w.ended(a)
	w.addressees["hook"].down.Store(false)
	w.fired(w.alert("memory", "hook"))
}

// alertExpired: nor of what has expired.
func alertExpired(w *world) {
	w.addressees["hook"].down.Store(true)
	a := w.alert("disk", "hook")
	a.Spec.ExpireAfterSeconds = new(int32(4))
	w.create(a)
	w.says(a, v1beta1.ReasonExpired)
	w.addressees["hook"].down.Store(false)
	w.fired(w.alert("memory", "hook"))
}

// receiverEdited: an edit lets go what waits for it, and sends nothing again.
func receiverEdited(w *world) {
	a := w.alert("disk", "hook")
	w.create(a)
	w.says(a, v1beta1.ReasonSuspended)
	r := &v1beta1.Receiver{ObjectMeta: w.meta("hook")}
	edit(w, r, func(r *v1beta1.Receiver) { r.Spec.Suspend = false })
	w.settled(a)
	edit(w, r, func(r *v1beta1.Receiver) { r.Spec.TimeoutSeconds = 2 })
	w.change(a, resolved)
}

// receiverSecretRotated: so does another Secret.
func receiverSecretRotated(w *world) {
	hook := w.addressees["hook"]
	hook.refuses = true
	a := w.fired(w.alert("disk", "hook"))
	hook.wrong = true
	w.rotate("hook", otherSecret)
	b := w.alert("memory", "hook")
	w.create(b)
	w.until(b, b.Name+" is refused", func() bool { // or was told with what there was before, by who had not seen the change
		return readyReason(b) == v1beta1.ReasonFailed || w.fault.hidesReceiver() && b.Status.FinishedTime != nil
	})
	hook.wrong = false
	w.rotate("hook", signingSecret)
	w.settled(b)
	w.change(a, resolved)
}

// receiverByDefault: an Alert without receivers waits for a default, and is not for the next.
func receiverByDefault(w *world) {
	a := w.alert("disk")
	w.create(a)
	w.says(a, v1beta1.ReasonNoReceiver)
	w.webhook("hook", byDefault)
	w.settled(a)
	wait(w.ctx, time.Second+100*time.Millisecond) // the newest default is the one, and age is in seconds
	w.webhook("other", byDefault)
	w.change(a, saying("the disk is still full"))
	w.fired(w.alert("memory"))
}
