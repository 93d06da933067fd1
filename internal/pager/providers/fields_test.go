// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package providers

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// F-B10: each field that users of Alertmanager and Flux set, and a receiver offers, is in the request; a resolve mentions nobody.
func TestFields(t *testing.T) {
	for _, c := range []struct {
		why      string
		settings func(at string) v1beta1.Provider
		data     func(at string) map[string]string
		event    result.Event
		has      []string // of the body, of which a form is decoded
		hasNot   []string
	}{
		{why: "a webhook of Slack", settings: func(string) v1beta1.Provider {
			return v1beta1.Provider{Slack: &v1beta1.SlackProvider{Username: "Pager", IconEmoji: ":fire:", Footer: "<eu-1>", Mentions: []string{"U0123456789", "S0123456789", "here"}}}
		}, data: hookAt("/services/T/B/x"), has: []string{`"username":"Pager"`, `"icon_emoji":":fire:"`, `"footer":"&lt;eu-1&gt;"`, `"text":"<@U0123456789> <!subteam^S0123456789> <!here>"`}},
		{why: "its resolve", settings: func(string) v1beta1.Provider {
			return v1beta1.Provider{Slack: &v1beta1.SlackProvider{IconURL: "https://example.com/i.png", Mentions: []string{"channel"}}}
		}, data: hookAt("/services/T/B/x"), event: result.Resolved, has: []string{`"icon_url":"https://example.com/i.png"`}, hasNot: []string{"<!"}},
		{why: "a bot of Slack", settings: func(at string) v1beta1.Provider {
			return v1beta1.Provider{Slack: &v1beta1.SlackProvider{URL: at + "/api/", Channel: "C0123456789", Username: "Pager", IconURL: "https://example.com/i.png", Mentions: []string{"channel"}}}
		}, data: token, has: []string{"username=Pager", "icon_url=https://example.com/i.png", "text=<!channel>"}},
		{why: "Discord", settings: func(string) v1beta1.Provider {
			return v1beta1.Provider{Discord: &v1beta1.DiscordProvider{Username: "Pager", AvatarURL: "https://example.com/i.png", Mentions: []string{"12", "&34"}}}
		}, data: hookAt("/api/webhooks/1/x"), has: []string{`"username":"Pager"`, `"avatar_url":"https://example.com/i.png"`, `"content":"<@12> <@&34> `, `"allowed_mentions":{"parse":[],"users":["12"],"roles":["34"]}`}},
		{why: "its resolve", settings: func(string) v1beta1.Provider {
			return v1beta1.Provider{Discord: &v1beta1.DiscordProvider{Mentions: []string{"everyone"}}}
		}, data: hookAt("/api/webhooks/1/x"), event: result.Resolved, has: []string{`"allowed_mentions":{"parse":[]}`}, hasNot: []string{"@everyone"}},
		{why: "a webhook of Mattermost", settings: func(string) v1beta1.Provider {
			return v1beta1.Provider{Mattermost: &v1beta1.MattermostProvider{Username: "Pager", IconURL: "https://example.com/i.png"}}
		}, data: hookAt("/hooks/x"), has: []string{`"username":"Pager"`, `"icon_url":"https://example.com/i.png"`}},
		{why: "PagerDuty", settings: func(at string) v1beta1.Provider {
			return v1beta1.Provider{PagerDuty: &v1beta1.PagerDutyProvider{URL: at, Class: "disk", Component: "db", Group: "shop", Client: "eu-1", ClientURL: "https://example.com",
				Links: []v1beta1.PagerDutyLink{{Href: "https://example.com/runbook", Text: "Runbook"}}, Details: map[string]v1beta1.PagerDutyDetail{"region": "eu"}}}
		}, data: key("routingKey"), has: []string{`"class":"disk"`, `"component":"db"`, `"group":"shop"`, `"client":"eu-1"`, `"client_url":"https://example.com"`,
			`"links":[{"href":"https://example.com/runbook","text":"Runbook"}]`, `"region":"eu"`, `"receiver":`}},
		{why: "Pushover", settings: func(at string) v1beta1.Provider {
			return v1beta1.Provider{Pushover: &v1beta1.PushoverProvider{URL: at, Sound: "siren", RetrySeconds: 30, ExpireSeconds: 300, TTLSeconds: 60}}
		}, data: key("token", "user"), has: []string{`"sound":"siren"`, `"retry":30`, `"expire":300`}, hasNot: []string{`"ttl"`}}, // an emergency has none
		{why: "Telegram", settings: func(at string) v1beta1.Provider {
			return v1beta1.Provider{Telegram: &v1beta1.TelegramProvider{URL: at, ChatID: "1", DisableNotification: true}}
		}, data: func(string) map[string]string { return map[string]string{"token": "1:x"} }, has: []string{"disable_notification", "true"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			var body string
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				text, _ := io.ReadAll(r.Body)
				if body = string(text); strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
					body, _ = url.QueryUnescape(body)
				}
			}))
			defer server.Close()
			factory := Factory{Guard: outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil)}
			data := map[string][]byte{}
			for key, value := range c.data(server.URL) {
				data[key] = []byte(value)
			}
			spec := &v1beta1.CommonReceiverSpec{Provider: c.settings(server.URL), TimeoutSeconds: 5}
			if problems := Problems(spec); len(problems) > 0 {
				t.Fatalf("%+v", problems)
			}
			sender, err := factory.NewSender(spec, data)
			if err != nil {
				t.Fatal(err)
			}
			defer sender.Close()
			event := c.event
			if event == "" {
				event = result.Fired
			}
			_, _ = sender.Send(t.Context(), notifytest.Message(event), notifytest.Key("delivery", "")) // the answer is empty
			for _, want := range c.has {
				if !strings.Contains(body, want) {
					t.Errorf("%s is not in %s", want, body)
				}
			}
			for _, not := range c.hasNot {
				if strings.Contains(body, not) {
					t.Errorf("%s is in %s", not, body)
				}
			}
		})
	}
	t.Run("the fields are checked", func(t *testing.T) {
		for field, settings := range map[string]v1beta1.Provider{
			"slack.mentions[0]":      {Slack: &v1beta1.SlackProvider{Mentions: []string{"@ops"}}},
			"slack.iconEmoji":        {Slack: &v1beta1.SlackProvider{IconEmoji: "fire"}},
			"slack.footer":           {Slack: &v1beta1.SlackProvider{Footer: "a\nb"}},
			"discord.mentions[1]":    {Discord: &v1beta1.DiscordProvider{Mentions: []string{"1", "@ops"}}},
			"discord.username":       {Discord: &v1beta1.DiscordProvider{Username: "my Discord"}},
			"mattermost.iconURL":     {Mattermost: &v1beta1.MattermostProvider{IconURL: "https://user:pw@example.com"}},
			"pagerDuty.details":      {PagerDuty: &v1beta1.PagerDutyProvider{Details: map[string]v1beta1.PagerDutyDetail{"content": "x"}}},
			"pagerDuty.clientURL":    {PagerDuty: &v1beta1.PagerDutyProvider{ClientURL: "javascript:alert(1)"}},
			"pushover.sound":         {Pushover: &v1beta1.PushoverProvider{Sound: "very loud"}},
			"grpc.address":           {GRPC: &v1beta1.GRPCProvider{Address: "https://notifier.example.com"}},
			"grpc.serverName":        {GRPC: &v1beta1.GRPCProvider{Address: "notifier.example.com:443", ServerName: "a b"}},
			"email.hello":            {Email: &v1beta1.EmailProvider{Host: "h", From: "a@b", To: []string{"a@b"}, Hello: "a b"}},
			"email.headers[0].name":  {Email: &v1beta1.EmailProvider{Host: "h", From: "a@b", To: []string{"a@b"}, Headers: []v1beta1.EmailHeader{{Name: "bcc", Value: "x@y"}}}},
			"email.headers[0].value": {Email: &v1beta1.EmailProvider{Host: "h", From: "a@b", To: []string{"a@b"}, Headers: []v1beta1.EmailHeader{{Name: "X-Team", Value: "a\r\nBcc: x@y"}}}},
		} {
			if problems := Problems(&v1beta1.CommonReceiverSpec{Provider: settings}); len(problems) != 1 || problems[0].Field != field {
				t.Errorf("%s: %+v", field, problems)
			}
		}
	})
}

// F-B8: the name before an address may be in any language.
// F-B10: a mail has the headers of its receiver, and the session its name.
func TestMailFields(t *testing.T) {
	server, err := notifytest.NewSMTP(notifytest.SMTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	factory := Factory{Guard: outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil)}
	sender, err := factory.NewSender(&v1beta1.CommonReceiverSpec{Provider: v1beta1.Provider{Email: &v1beta1.EmailProvider{
		Host: server.Addr(), TLS: v1beta1.EmailTLSNone, From: "Jürgen <a@example.com>", To: []string{"b@example.com"}, Hello: "eu-1.example.com",
		Headers: []v1beta1.EmailHeader{{Name: "Reply-To", Value: "team@example.com"}, {Name: "X-Team", Value: "Straße"}},
	}}, TimeoutSeconds: 5}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sender.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", "")); err != nil {
		t.Fatal(err)
	}
	mail, session := fmt.Sprintf("%+v", server.Mails()), fmt.Sprint(server.Commands())
	for _, want := range []string{"Reply-To:[team@example.com]", "X-Team:[=?UTF-8?q?Stra=C3=9Fe?=]", "From:[=?utf-8?q?J=C3=BCrgen?= <a@example.com>]"} {
		if !strings.Contains(strings.ToLower(mail), strings.ToLower(want)) {
			t.Errorf("%s is not in %s", want, mail)
		}
	}
	if !strings.Contains(session, "EHLO eu-1.example.com") {
		t.Errorf("the session: %s", session)
	}
}

func hookAt(path string) func(at string) map[string]string {
	return func(at string) map[string]string { return map[string]string{"url": at + path} }
}

func token(string) map[string]string { return map[string]string{"token": "xoxb-x"} }

func key(names ...string) func(string) map[string]string {
	return func(string) map[string]string {
		data := map[string]string{}
		for _, name := range names {
			data[name] = strings.Repeat("a", 30)
		}
		return data
	}
}
