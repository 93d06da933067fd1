// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/outboundtest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

const (
	key      = "canary/signing+key&canary-k3y"
	path     = "canary-path&T0/B0+p4th"
	queryKey = "canary query&v4lue/+"
	header   = `canary-h3ader "&/+`
	token    = "canary-t0ken&/+="
	password = "canary p4ss&wörd/+"
)

func signingSecret() string { return "whsec_" + base64.StdEncoding.EncodeToString([]byte(key)) }

func problemJSON(message string) string {
	body, err := json.Marshal(map[string]any{"title": message, "detail": message, "status": 401})
	if err != nil {
		panic(err) // strings always encode
	}
	return string(body)
}

func TestConformance(t *testing.T) {
	const query = "/hooks/canary-path&T0%2FB0+p4th?k=canary+query%26v4lue%2F%2B&x=1"
	canaries := []string{key, signingSecret(), path, queryKey, header, query, "canary+query%26v4lue%2F%2B"}
	for name, c := range map[string]struct {
		config   Config
		canaries []string
	}{
		"token": {Config{Token: token}, []string{token, "Bearer " + token}},
		"basic": {Config{Username: "canary-us3r", Password: password, Method: http.MethodPut},
			[]string{password, "canary-us3r", base64.StdEncoding.EncodeToString([]byte("canary-us3r:" + password))}},
		"user in the URL": {Config{URL: "canary-us3r:canary%20p4ss&w%C3%B6rd%2F+@"}, []string{password, "canary-us3r"}},
		"own header":      {Config{Headers: []Header{{"Authorization", "Basic Y2FuYXJ5OmNhbmFyeS1wNHNz"}}}, []string{"canary-p4ss"}},
	} {
		t.Run(name, func(t *testing.T) {
			notifytest.Run(t, notifytest.Provider{
				New: func(url string, client *outbound.Client) (notify.Sender, error) {
					config := c.config
					config.URL = strings.Replace(url, "//", "//"+config.URL, 1) + query
					config.SigningSecrets = []string{signingSecret()}
					config.Headers = append(config.Headers, Header{"X-Key", header})
					return New(config, client)
				},
				Canaries:    append(slices.Clone(canaries), c.canaries...),
				IgnoresBody: true,
				Confirming:  []int{200, 201, 202, 203, 204, 205, 206},
				ErrorBody:   func(message string) (string, string) { return "application/problem+json", problemJSON(message) },
				Key:         func(r notifytest.Request) string { return r.Header.Get("webhook-id") },
			})
		})
	}
}

func newSender(t *testing.T, server *notifytest.Server, config Config) *Sender {
	t.Helper()
	config.URL = server.URL + "/hook"
	s, err := New(config, outboundtest.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Now = func() time.Time { return time.Unix(1772366999, 0) }
	return s
}

func TestSend(t *testing.T) {
	for event, names := range map[result.Event][2]string{
		result.Fired:    {"alert.fired", "Firing"},
		result.Updated:  {"alert.updated", "Firing"},
		result.Resolved: {"alert.resolved", "Resolved"},
	} {
		server := notifytest.NewServer(t)
		server.Answer(notifytest.Status(http.StatusAccepted, ""))
		s := newSender(t, server, Config{Headers: []Header{{"X-Team", "a"}, {"x-team", "b\n"}}, Token: token, SigningSecrets: []string{signingSecret()}})
		got, err := s.Send(t.Context(), notifytest.Message(event), notifytest.Key("delivery", ""))
		if want := (result.Receipt{Note: "HTTP 202 Accepted"}); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", event, got, err)
		}
		r := server.Requests()[0]
		want := `{"version":"1","type":"` + names[0] + `","timestamp":"2026-03-01T12:00:00Z","data":{"uid":"5f0c","namespace":"shop",` +
			`"name":"kubecon-alert","receiver":"ClusterReceiver/oncall","incident":"incident","title":"Hi 🎉","content":"Hello KubeCon 👋",` +
			`"rawContent":"Hello KubeCon :wave:","severity":"Critical","state":"` + names[1] + `"}}`
		if r.Method != http.MethodPost || r.URI != "/hook" || string(r.Body) != want {
			t.Errorf("%s: got %s %s\n%s, want\n%s", event, r.Method, r.URI, r.Body, want)
		}
		signed := http.Header{}
		sign(signed, [][]byte{[]byte(key)}, "delivery", s.Now(), r.Body)
		for name, want := range map[string]string{
			"Content-Type":      "application/json",
			"Authorization":     "Bearer " + token,
			"X-Team":            "a,b",
			"Webhook-Id":        "delivery",
			"Webhook-Timestamp": "1772366999", // of the attempt, not of the event
			"Webhook-Signature": signed.Get("Webhook-Signature"),
		} {
			if got := strings.Join(r.Header[name], ","); got != want {
				t.Errorf("%s: header %s is %q, want %q", event, name, got, want)
			}
		}
	}
}

// The test vector of the Standard Webhooks libraries.
func TestSign(t *testing.T) {
	first, ok := signingKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if !ok {
		t.Fatal("the example's secret is refused")
	}
	header := http.Header{}
	sign(header, [][]byte{first, []byte(key)}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	signatures := strings.Fields(header.Get("webhook-signature"))
	if len(signatures) != 2 || signatures[0] != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" || !strings.HasPrefix(signatures[1], "v1,") {
		t.Errorf("got %q", signatures)
	}
}

func TestFailures(t *testing.T) {
	const problem = "application/problem+json; charset=utf-8"
	for _, c := range []struct {
		why, want string
		answer    http.HandlerFunc
	}{
		{"a body without a problem", "HTTP 500 Internal Server Error", notifytest.Status(500, `{"title":"root:x:0:0"}`, "Content-Type", "application/json")},
		{"a problem", "HTTP 422 Unprocessable Entity: Too long: 20 KB at most", notifytest.Status(422, `{"title":"Too long","detail":"20 KB\nat most"}`, "Content-Type", problem)},
		{"a problem without detail", "HTTP 400 Bad Request: Too long", notifytest.Status(400, `{"title":"Too long"}`, "Content-Type", problem)},
		{"a problem without title and detail", "HTTP 400 Bad Request", notifytest.Status(400, `{"status":400}`, "Content-Type", problem)},
		{"a problem that is not JSON", "HTTP 400 Bad Request", notifytest.Status(400, `<html>`, "Content-Type", problem)},
		{"a long problem", "HTTP 400 Bad Request: " + strings.Repeat("x", 253) + "…", notifytest.Status(400, problemJSON(strings.Repeat("x", 300)), "Content-Type", problem)},
		{"a problem at a redirect", "HTTP 302 Found", notifytest.Status(302, problemJSON("x"), "Content-Type", problem)},
		{"gone", "HTTP 410 Gone: the receiver says it is gone and wants no more", notifytest.Status(410, "")},
		{"an unknown status", "HTTP 599", notifytest.Status(599, "")},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(c.answer)
			_, err := newSender(t, server, Config{}).Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
			if own, ok := errors.AsType[*result.Error](err); !ok || own.Message != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// An endpoint whose clock differs from the operator's refuses the timestamp of every message, until NTP corrects one of them.
func TestClockSkew(t *testing.T) {
	for status, reason := range map[int]string{http.StatusBadRequest: result.ReasonRejected, http.StatusUnauthorized: result.ReasonUnauthorized} {
		t.Run(fmt.Sprintf("F-P12 a timestamp that is refused with %d", status), func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(notifytest.Status(status, problemJSON("Message timestamp too old"), "Content-Type", "application/problem+json"))
			_, err := newSender(t, server, Config{SigningSecrets: []string{signingSecret()}}).Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
			own, ok := errors.AsType[*result.Error](err)
			if !ok || own.Class != result.Configuration || own.Reason != reason {
				t.Errorf("got %+v, want %s, %s", err, result.Configuration, reason)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	const url = "https://example.com/canary"
	withHeader := func(name, value string) Config { return Config{URL: url, Headers: []Header{{"X", "1"}, {name, value}}} }
	for _, c := range []struct {
		why, want string
		config    Config
	}{
		{"no URL", "url: must be an absolute", Config{}},
		{"another scheme", "url: must be an absolute", Config{URL: "ftp://example.com/canary"}},
		{"a URL that cannot be parsed", "url: must be an absolute", Config{URL: "https://canary:canary"}},
		{"another method", "method: must be POST or PUT", Config{URL: url, Method: "canary"}},
		{"Host", "headers[1]: the header Host cannot be set", withHeader("host", "canary")},
		{"Content-Length", "headers[1]: the header Content-Length cannot", withHeader("Content-Length", "canary")},
		{"a header of Standard Webhooks", "headers[1]: the header Webhook-Id cannot", withHeader("webhook-id", "canary")},
		{"no name", "headers[1]: the name must be", withHeader("", "canary")},
		{"not a name", "headers[1]: the name must be", withHeader("canary: x\r\n", "")},
		{"not a value", "headers[1]: the value of the header X-Key", withHeader("X-Key", "canary\r\nHost: x")},
		{"a signing secret without its prefix", "signingSecret, signingSecretNext: must be whsec_", Config{URL: url, SigningSecrets: []string{signingSecret(), "canary"}}},
		{"a short one", "signingSecret, signingSecretNext: must be whsec_", Config{URL: url, SigningSecrets: []string{"whsec_Y2FuYXJ5"}}},
		{"one that is not base64", "signingSecret, signingSecretNext: must be whsec_", Config{URL: url, SigningSecrets: []string{"whsec_canary!"}}},
		{"two credentials", "token, username, url, headers: only one", Config{URL: url, Token: "canary", Username: "canary"}},
		{"one of them in the URL", "token, username, url, headers: only one", Config{URL: "https://canary:canary@example.com", Token: "canary"}},
		{"one of them in a header", "token, username, url, headers: only one", Config{URL: url, Username: "canary", Headers: []Header{{"authorization", "canary"}}}},
		{"a password without a username", "username: must not be empty", Config{URL: url, Password: "canary"}},
		{"a colon in the name", "username: must not be empty or have a colon", Config{URL: url, Username: "canary:canary"}},
		{"a token in two lines", "token: must have no control", Config{URL: url, Token: "canary\ncanary"}},
	} {
		_, err := New(c.config, outboundtest.Client(t))
		notifytest.WantInvalid(t, c.why, err, c.want)
	}
}

// TestPayloadPage compares docs/reference/webhook-payload.md with the code: its fields, and the signatures of its examples.
func TestPayloadPage(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash("../../../../docs/reference/webhook-payload.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	_, table, _ := strings.Cut(page, "| field of the body |")
	table, _, _ = strings.Cut(table, "\n\n")
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(table, -1) {
		for _, name := range regexp.MustCompile("`([a-zA-Z.]+)`").FindAllStringSubmatch(row[1], -1) {
			documented = append(documented, name[1])
		}
	}
	var fields []string
	for field := range reflect.TypeFor[envelope]().Fields() {
		if name := field.Tag.Get("json"); name != "data" {
			fields = append(fields, name)
		}
	}
	for field := range reflect.TypeFor[data]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		fields = append(fields, "data."+name)
	}
	slices.Sort(documented)
	slices.Sort(fields)
	if !slices.Equal(documented, fields) {
		t.Errorf("the page has the fields\n%q, the body has\n%q", documented, fields)
	}

	secret := regexp.MustCompile("`(whsec_[^`]+)`").FindStringSubmatch(page)
	if secret == nil {
		t.Fatal("the page does not have the signing secret of its examples")
	}
	signing, ok := signingKey(secret[1])
	if !ok {
		t.Fatalf("%s is no signing secret", secret[1])
	}
	var types []string
	for _, example := range regexp.MustCompile("(?ms)^```http\n(.*?)\n```$").FindAllStringSubmatch(page, -1) {
		head, body, _ := strings.Cut(example[1], "\n\n")
		header := http.Header{}
		for line := range strings.Lines(head) {
			if name, value, ok := strings.Cut(line, ": "); ok {
				header.Set(name, strings.TrimSpace(value))
			}
		}
		decoder := json.NewDecoder(strings.NewReader(body))
		decoder.DisallowUnknownFields()
		var message envelope
		if err := decoder.Decode(&message); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		types = append(types, message.Type)
		if encoded, err := notify.Encode(message); err != nil || string(encoded) != body {
			t.Errorf("the example is\n%s, and would be sent as\n%s (%v)", body, encoded, err)
		}
		seconds, err := strconv.ParseInt(header.Get("webhook-timestamp"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		signed := http.Header{}
		sign(signed, [][]byte{signing}, header.Get("webhook-id"), time.Unix(seconds, 0), []byte(body))
		for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			if got, want := header.Get(name), signed.Get(name); got != want {
				t.Errorf("%s: the example has %s: %s, signing gives %s", message.Type, name, got, want)
			}
		}
	}
	if want := []string{"alert.fired", "alert.updated", "alert.resolved"}; !slices.Equal(types, want) {
		t.Errorf("the page has examples of %q, not of %q", types, want)
	}
}
