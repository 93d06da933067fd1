// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// A sender signs and sends deliveries.
type sender struct {
	t      *testing.T
	url    string
	secret string
}

// startInbox returns an inbox, what it prints, and a sender.
func startInbox(t *testing.T) (*Inbox, *bytes.Buffer, *sender) {
	t.Helper()
	secret, out := NewSecret(), &bytes.Buffer{}
	i := New(Options{SigningSecret: secret, Out: out})
	server := httptest.NewServer(i.Handler())
	t.Cleanup(server.Close)
	return i, out, &sender{t: t, url: server.URL, secret: secret}
}

type data map[string]string

func (s *sender) body(event string, d data) []byte {
	s.t.Helper()
	all := data{
		"uid": "5f0c", "namespace": "default", "name": "kubecon-alert", "receiver": "ClusterReceiver/inbox", "incident": "one",
		"title": "Kubernetes alert for default/kubecon-alert", "content": "Hello KubeCon 👋", "rawContent": "Hello KubeCon :wave:",
		"severity": "Info", "state": "Firing",
	}
	if event == "alert.resolved" {
		all["state"] = "Resolved"
	}
	maps.Copy(all, d)
	body, err := json.Marshal(map[string]any{"version": "1", "type": event, "timestamp": "2026-03-01T12:00:00Z", "data": all})
	if err != nil {
		s.t.Fatal(err)
	}
	return body
}

func (s *sender) request(ctx context.Context, id string, body []byte) *http.Request {
	s.t.Helper()
	webhook, err := standardwebhooks.NewWebhook(s.secret)
	if err != nil {
		s.t.Fatal(err)
	}
	now := time.Now()
	signature, err := webhook.Sign(id, now, body)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/hook", bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", fmt.Sprint(now.Unix()))
	r.Header.Set("Webhook-Signature", signature)
	return r
}

func (s *sender) do(r *http.Request) (status int, body string) {
	s.t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// send delivers a message, and returns the status of the answer.
func (s *sender) send(id, event string, d data) int {
	s.t.Helper()
	status, _ := s.do(s.request(s.t.Context(), id, s.body(event, d)))
	return status
}

func (s *sender) get(path string) string {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	status, body := s.do(r)
	if status != http.StatusOK {
		s.t.Fatalf("GET %s: %d", path, status)
	}
	return body
}

func TestDelivery(t *testing.T) {
	i, out, s := startInbox(t)
	r := s.request(t.Context(), "first", s.body("alert.fired", nil))
	r.Header.Set("X-Team", "storage")
	if status, _ := s.do(r); status != http.StatusNoContent {
		t.Fatalf("answered %d", status)
	}
	m := i.Messages()[0]
	got := fmt.Sprintln(m.WebhookID, m.Attempts, m.Accepted, m.Event, m.Incident, m.UID, m.Namespace, m.Name, m.Receiver,
		m.Title, m.Content, m.RawContent, m.Severity, m.State, m.Resolved, m.Header.Get("X-Team"))
	want := "first 1 1 alert.fired one 5f0c default kubecon-alert ClusterReceiver/inbox Kubernetes alert for default/kubecon-alert " +
		"Hello KubeCon 👋 Hello KubeCon :wave: Info Firing false storage\n"
	if got != want || time.Since(m.ReceivedAt) > time.Minute || !json.Valid(m.Body) {
		t.Errorf("got  %swant %s", got, want)
	}
	if line := out.String(); !strings.HasPrefix(line, "📟 ") || !strings.HasSuffix(line, "  Info      Kubernetes alert for default/kubecon-alert · Hello KubeCon 👋\n") {
		t.Errorf("printed %q", line)
	}
	if i.Started() != 1 || i.InFlight() != 0 || i.Refused() != 0 {
		t.Errorf("%d started, %d in flight, %d refused", i.Started(), i.InFlight(), i.Refused())
	}
}

func TestRepeats(t *testing.T) {
	i, out, s := startInbox(t)
	s.send("first", "alert.fired", nil)
	s.send("second", "alert.updated", data{"content": "other"})
	s.send("first", "alert.fired", data{"content": "not what it was"})
	messages := i.Messages()
	if len(messages) != 2 || messages[0].Attempts != 2 || messages[0].Content != "Hello KubeCon 👋" || messages[1].Attempts != 1 {
		t.Errorf("got %+v", messages)
	}
	if lines := out.String(); !strings.HasSuffix(lines, "(request 2 of this message)\n") || strings.Count(lines, "\n") != 3 {
		t.Errorf("printed %q", lines)
	}
}

func TestIncidents(t *testing.T) {
	i, _, s := startInbox(t)
	s.send("1", "alert.fired", nil)
	s.send("2", "alert.fired", data{"incident": "two"})
	s.send("3", "alert.resolved", nil)
	s.send("1", "alert.fired", nil) // a late repetition does not open the incident again
	if !i.IsResolved("one") || i.IsResolved("two") || !i.Messages()[0].Resolved || i.Messages()[1].Resolved {
		t.Error("one incident is resolved, the other is not")
	}
	s.send("4", "alert.fired", nil)
	if i.IsResolved("one") {
		t.Error("it fired again")
	}
}

func TestRefusals(t *testing.T) {
	for why, c := range map[string]struct {
		change func(*http.Request)
		body   string
		want   int
		says   string
	}{
		"another body than was signed": {change: func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
		}, want: http.StatusUnauthorized, says: "no matching signature"},
		"another key": {change: func(r *http.Request) {
			r.Header.Set("Webhook-Signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
		}, want: http.StatusUnauthorized, says: "no matching signature"},
		"another id":   {change: func(r *http.Request) { r.Header.Set("Webhook-Id", "x") }, want: http.StatusUnauthorized, says: "no matching signature"},
		"no signature": {change: func(r *http.Request) { r.Header.Del("Webhook-Signature") }, want: http.StatusUnauthorized, says: "missing required headers"},
		"an old one":   {change: func(r *http.Request) { r.Header.Set("Webhook-Timestamp", "1614265330") }, want: http.StatusUnauthorized, says: "too old"},
		"not JSON":     {body: "hello", want: http.StatusBadRequest, says: "Not a message of Bellhop"},
		"a version to come": {
			body: `{"version":"2"}`, want: http.StatusBadRequest, says: `version \"2\" is not known`,
		},
		"too large": {body: strings.Repeat(" ", maxBody+1), want: http.StatusRequestEntityTooLarge, says: "1048576 bytes at most"},
	} {
		t.Run(why, func(t *testing.T) {
			i, out, s := startInbox(t)
			body := []byte(c.body)
			if c.body == "" {
				body = s.body("alert.fired", nil)
			}
			r := s.request(t.Context(), "first", body)
			if c.change != nil {
				c.change(r)
			}
			if status, answer := s.do(r); status != c.want || !strings.Contains(answer, c.says) {
				t.Errorf("got %d %s, want %d %s", status, answer, c.want, c.says)
			}
			if len(i.Messages()) != 0 || out.Len() != 0 || i.Refused() != 1 {
				t.Errorf("it was taken: %+v", i.Messages())
			}
		})
	}
}

func TestSecrets(t *testing.T) {
	one, other := NewSecret(), NewSecret()
	if err := CheckSecret(one); err != nil || one == other {
		t.Errorf("not a new secret: %v", err)
	}
	for _, secret := range []string{"", "whsec_", "whsec_Y2FuYXJ5", strings.TrimPrefix(NewSecret(), "whsec_"), "whsec_canary!"} {
		if err := CheckSecret(secret); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", secret, err)
		}
	}
	s := &sender{t: t, secret: NewSecret()}
	for secret, want := range map[string]int{"": http.StatusNoContent, "canary": http.StatusUnauthorized} {
		w := httptest.NewRecorder()
		New(Options{SigningSecret: secret}).Handler().ServeHTTP(w, s.request(t.Context(), "first", s.body("alert.fired", nil)))
		if w.Code != want {
			t.Errorf("with the secret %q: %d, want %d", secret, w.Code, want)
		}
	}
}

func TestJSON(t *testing.T) {
	_, _, s := startInbox(t)
	if text := s.get("/messages"); text != "[]\n" {
		t.Errorf("got %q", text)
	}
	r := s.request(t.Context(), "1", s.body("alert.fired", nil))
	r.Header.Set("Authorization", "Bearer canary")
	s.do(r)
	text := s.get("/messages")
	var got []Message
	if err := json.Unmarshal([]byte(text), &got); err != nil || len(got) != 1 || got[0].WebhookID != "1" || got[0].Content != "Hello KubeCon 👋" {
		t.Errorf("got %s: %v", text, err)
	}
	if strings.Contains(text, "canary") {
		t.Error("a credential is shown")
	}
}

func TestTerminalLine(t *testing.T) {
	_, out, s := startInbox(t)
	s.send("1", "alert.resolved", data{"title": "a\x1b[2Jb\rc", "content": "\u202eabc\n" + strings.Repeat("ü", 200)})
	line := out.String()
	if strings.ContainsAny(line, "\x1b\r\u202e") || strings.Count(line, "\n") != 1 || !strings.Contains(line, "  Resolved  a [2Jb c ·  abc üü") || !strings.HasSuffix(line, "ü…\n") {
		t.Errorf("printed %q", line)
	}
}

func TestRespond(t *testing.T) {
	i, out, s := startInbox(t)
	i.Respond(Answer(http.StatusTooManyRequests, http.Header{"Retry-After": {"7"}}))
	if status := s.send("1", "alert.fired", nil); status != http.StatusTooManyRequests || out.Len() != 0 {
		t.Errorf("answered %d, printed %q", status, out)
	}
	i.Respond(func(r *http.Request) (int, http.Header, string) {
		body, err := io.ReadAll(r.Body)
		return http.StatusAccepted, nil, fmt.Sprint(strings.Contains(string(body), "KubeCon"), err)
	})
	if status, body := s.do(s.request(t.Context(), "1", s.body("alert.fired", nil))); status != http.StatusAccepted || body != "true <nil>" {
		t.Errorf("answered %d %s", status, body)
	}
	i.Respond(nil)
	if status := s.send("1", "alert.fired", nil); status != http.StatusNoContent {
		t.Errorf("answered %d", status)
	}
	if m := i.Messages(); len(m) != 1 || m[0].Attempts != 3 || m[0].Accepted != 2 {
		t.Errorf("got %+v", m)
	}
}

func TestHang(t *testing.T) {
	i, _, s := startInbox(t)
	i.Respond(Hang)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for len(i.Messages()) == 0 && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	response, err := http.DefaultClient.Do(s.request(ctx, "1", s.body("alert.fired", nil)))
	if err == nil {
		response.Body.Close()
		t.Fatal("it answered")
	}
	if m := i.Messages(); len(m) != 1 || m[0].Attempts != 1 || m[0].Accepted != 0 {
		t.Errorf("got %+v", m)
	}
	for deadline := time.Now().Add(10 * time.Second); i.InFlight() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the request is still in flight after its client disconnected")
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	i, _, s := startInbox(t)
	const messages, repeats = 20, 5
	var wg sync.WaitGroup
	for n := range messages * repeats {
		wg.Go(func() {
			s.send(fmt.Sprint(n%messages), "alert.fired", data{"incident": fmt.Sprint(n % messages)})
			i.Messages()
			i.Respond(nil)
			s.get("/")
		})
	}
	wg.Wait()
	for _, m := range i.Messages() {
		if m.Attempts != repeats || m.Accepted != repeats {
			t.Errorf("%s: %d attempts, %d accepted", m.WebhookID, m.Attempts, m.Accepted)
		}
	}
	if len(i.Messages()) != messages || i.Started() != messages*repeats || i.InFlight() != 0 {
		t.Errorf("%d messages, %d started, %d in flight", len(i.Messages()), i.Started(), i.InFlight())
	}
}

func TestServeEndsWithHangingResponder(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	i := New(Options{SigningSecret: NewSecret()})
	s := &sender{t: t, url: "http://" + listener.Addr().String(), secret: i.secret}
	i.Respond(Hang)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- i.Serve(ctx, listener) }()
	broken := make(chan error, 1)
	r := s.request(t.Context(), "1", s.body("alert.fired", nil))
	go func() {
		response, err := http.DefaultClient.Do(r)
		if err == nil {
			response.Body.Close()
		}
		broken <- err
	}()
	for i.InFlight() == 0 {
		time.Sleep(time.Millisecond)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := <-broken; err == nil {
		t.Error("it answered")
	}
}
