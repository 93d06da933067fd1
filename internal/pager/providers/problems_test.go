// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package providers

import (
	"slices"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// F-B8: a refusal says the field, the value and what is right, in words.
// F-JP5: a receiver that cannot work whatever its Secret has is refused.
// F-JP8: of a URL only what is no credential is shown, and no form of an address that only some programs read is accepted.
func TestProblems(t *testing.T) {
	type email = v1beta1.EmailProvider
	mail := func(change func(*email)) v1beta1.Provider {
		e := email{Host: "smtp.example.com", From: "a@example.com", To: []string{"b@example.com"}}
		change(&e)
		return v1beta1.Provider{Email: &e}
	}
	host := func(h string) v1beta1.Provider { return mail(func(e *email) { e.Host = h }) }
	webhook := func(u string) v1beta1.Provider {
		return v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{URL: u}}
	}
	header := func(name, value string) v1beta1.Provider {
		return v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{URL: "https://example.com", Headers: []v1beta1.WebhookHeader{{Name: name, Value: value}}}}
	}
	for _, c := range []struct {
		settings           v1beta1.Provider
		field, value, word string // no field: there is no problem
	}{
		{settings: webhook("https://example.com:8443/hook?x=y")},
		{settings: webhook("https://[2001:db8::1]/")},
		{settings: webhook("")},
		{webhook("example.com/hook"), "webhook.url", "example.com/…", "must be an absolute http or https URL with a host, such as https://example.com/path"},
		{webhook("http://user:pa/ss@example.com/hook"), "webhook.url", "http://…@example.com/…", "must be an absolute http or https URL"},
		{webhook("http://user:pw@example.com/hook"), "webhook.url", "http://…@example.com/…", "put them into the Secret, as username and password, or the whole URL, as url"},
		{webhook("https://example.com:99999/token"), "webhook.url", "https://example.com:99999/…", "a port from 1 to 65535"},
		{webhook("http://2130706433/"), "webhook.url", "http://2130706433/", "IPv4 in four decimal numbers"},
		{webhook("http://0x7f.0.0.1/"), "webhook.url", "http://0x7f.0.0.1/", "IPv4 in four decimal numbers"},
		{webhook("http://127.1/"), "webhook.url", "http://127.1/", "IPv4 in four decimal numbers"},
		{webhook("http://0x7f000001/"), "webhook.url", "http://0x7f000001/", "IPv4 in four decimal numbers"},
		{header("Webhook-Id", "x"), "webhook.headers[0]", "Webhook-Id", "bellhop's own"},
		{header("Authorization", "x"), "webhook.headers[0]", "Authorization", "belongs into the Secret"},
		{header("X Team", "x"), "webhook.headers[0]", "X Team", "must be of letters, digits"},
		{header("X-Team", "a\r\nb"), "webhook.headers[0]", "X-Team", "must have no control characters"},

		{settings: v1beta1.Provider{PagerDuty: &v1beta1.PagerDutyProvider{URL: "https://events.eu.pagerduty.com"}}},
		{v1beta1.Provider{PagerDuty: &v1beta1.PagerDutyProvider{URL: "https://events.pagerduty.com/v2/enqueue"}}, "pagerDuty.url", "https://events.pagerduty.com/…", "must be without the path /v2/enqueue"},

		{settings: host("smtp.example.com:2525")},
		{settings: host("[2001:db8::1]:25")},
		{host("https://smtp.example.com"), "email.host", "https://smtp.example.com", "must be a host, such as smtp.example.com"},
		{host(":abc"), "email.host", ":abc", "must be a host name or IP address"},
		{host("smtp.example.com:99999"), "email.host", "smtp.example.com:99999", "a port from 1 to 65535"},
		{host(":99999"), "email.host", ":99999", "must be a host name or IP address"},
		{host(":25:25"), "email.host", ":25:25", "must be a host name or IP address"},
		{host("127.1"), "email.host", "127.1", "IPv4 in four decimal numbers"},
		{settings: mail(func(e *email) { e.From = "Jürgen Müller <alerts@example.com>" })},
		{mail(func(e *email) { e.From = "a@@b" }), "email.from", "a@@b", "must be a mail address in ASCII"},
		{mail(func(e *email) { e.From = "jürgen@example.com" }), "email.from", "jürgen@example.com", "must be a mail address in ASCII"},
		{mail(func(e *email) { e.To = []string{"b@example.com", "a@x, b@x"} }), "email.to[1]", "a@x, b@x", "must be one mail address, and this is 2: write each as an item of its own"},

		{settings: v1beta1.Provider{Ntfy: &v1beta1.NtfyProvider{URL: "https://ntfy.example.com/", Topic: "ops"}}},
		{v1beta1.Provider{Ntfy: &v1beta1.NtfyProvider{URL: "https://ntfy.sh/ops"}}, "ntfy.url", "https://ntfy.sh/…", "must have no path: put the topic into ntfy.topic"},
		{v1beta1.Provider{Ntfy: &v1beta1.NtfyProvider{Topic: "ops/db"}}, "ntfy.topic", "ops/db", "must have 1 to 64 letters, digits, - and _"},

		{v1beta1.Provider{Telegram: &v1beta1.TelegramProvider{ChatID: "@example", URL: "https://api.telegram.org/bot123:abc"}}, "telegram.url", "https://api.telegram.org/…", "put it into the Secret, as token"},
		{v1beta1.Provider{Telegram: &v1beta1.TelegramProvider{ChatID: "t.me/x"}}, "telegram.chatID", "t.me/x", "must be the number of a chat"},
		{v1beta1.Provider{Matrix: &v1beta1.MatrixProvider{URL: "https://example.com/_matrix/client", RoomID: "!a:example.com"}}, "matrix.url", "https://example.com/…", "without /_matrix"},
		{v1beta1.Provider{Matrix: &v1beta1.MatrixProvider{URL: "https://example.com", RoomID: "#ops:example.com"}}, "matrix.roomID", "#ops:example.com", "this is an alias"},
		{v1beta1.Provider{Mattermost: &v1beta1.MattermostProvider{URL: "https://example.com/hooks/abc", ChannelID: strings.Repeat("a", 26)}}, "mattermost.url", "https://example.com/…", "put it into the Secret, as url"},
		{v1beta1.Provider{Mattermost: &v1beta1.MattermostProvider{URL: "https://example.com", ChannelID: "town-square"}}, "mattermost.channelID", "town-square", "26 lower-case letters and digits"},
		{v1beta1.Provider{Slack: &v1beta1.SlackProvider{URL: "https://hooks.slack.com/services/T/B/x", Channel: "C0123456789"}}, "slack.url", "https://hooks.slack.com/…", "put it into the Secret, as url"},
		{v1beta1.Provider{Slack: &v1beta1.SlackProvider{Channel: "#alerts"}}, "slack.channel", "#alerts", "must be the id of a channel, such as C0123456789"},
		{v1beta1.Provider{Alertmanager: &v1beta1.AlertmanagerProvider{URLs: []string{"https://a", "https://b/api/v2/alerts"}}}, "alertmanager.urls[1]", "https://b/…", "without /api/v2/alerts"},
		{v1beta1.Provider{Gotify: &v1beta1.GotifyProvider{URL: "https://me:secret@example.com"}}, "gotify.url", "https://…@example.com", "must have neither user, query nor fragment"},
		{v1beta1.Provider{Discord: &v1beta1.DiscordProvider{ThreadID: "general"}}, "discord.threadID", "general", "must be the id of a thread"},
		{v1beta1.Provider{Pushbullet: &v1beta1.PushbulletProvider{Email: "someone"}}, "pushbullet.email", "someone", "must be one mail address"},
		{v1beta1.Provider{Pushover: &v1beta1.PushoverProvider{Device: "my phone"}}, "pushover.device", "my phone", "must be the name of a device"},
		{settings: v1beta1.Provider{Event: &v1beta1.EventProvider{}}},
	} {
		problems := Problems(&v1beta1.CommonReceiverSpec{Provider: c.settings})
		switch {
		case c.field == "" && len(problems) > 0:
			t.Errorf("a valid spec has problems: %+v", problems)
		case c.field != "" && (len(problems) != 1 || problems[0].Field != c.field || problems[0].Value != c.value || !strings.Contains(problems[0].Message, c.word)):
			t.Errorf("got %+v, want one of %s, %q: %s", problems, c.field, c.value, c.word)
		}
	}
	for want, secret := range map[int]*v1beta1.SecretReference{0: nil, 1: {Name: "mail"}} {
		spec := &v1beta1.CommonReceiverSpec{Provider: mail(func(e *email) { e.TLS = v1beta1.EmailTLSNone }), SecretRef: secret}
		if warnings := Warnings(spec); len(warnings) != want || want > 0 && warnings[0].Field != "email.tls" {
			t.Errorf("mail without TLS, with the Secret %v: %+v", secret, warnings)
		}
	}
}

// F-U1: a Secret without the provider's keys, or with others, is named with its keys; a credential is never shown.
func TestUnusedKeys(t *testing.T) {
	hook := v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{URL: "https://example.com", Headers: []v1beta1.WebhookHeader{{Name: "X-Key", SecretKey: "team-key"}}}}
	pager := v1beta1.Provider{PagerDuty: &v1beta1.PagerDutyProvider{}}
	for _, c := range []struct {
		settings v1beta1.Provider
		keys     string
		want     string
	}{
		{hook, "signingSecret team-key ca.crt tls.crt tls.key", ""},
		{hook, "ca.crt", ""},
		{hook, "signing-secret team-key", `Secret "s" has keys that webhook does not use: signing-secret (it uses url, token, username, password, signingSecret, signingSecretNext, team-key, ca.crt, tls.crt, tls.key)`},
		{pager, "routing_key", `Secret "s" has keys that pagerDuty does not use: routing_key (it uses routingKey, ca.crt, tls.crt, tls.key)`},
		{pager, "", `Secret "s" has no keys (pagerDuty uses routingKey, ca.crt, tls.crt, tls.key)`},
		{pager, "a b c d e f routingKey", `Secret "s" has keys that pagerDuty does not use: a, b, c, d, e and 1 more (it uses routingKey, ca.crt, tls.crt, tls.key)`},
	} {
		data := map[string][]byte{}
		for key := range strings.FieldsSeq(c.keys) {
			data[key] = []byte("canary")
		}
		spec := &v1beta1.CommonReceiverSpec{Provider: c.settings, SecretRef: &v1beta1.SecretReference{Name: "s"}}
		if got := UnusedKeys(spec, data); got != c.want {
			t.Errorf("%q: got %s, want %s", c.keys, got, c.want)
		}
	}
	if got := UnusedKeys(&v1beta1.CommonReceiverSpec{Provider: pager}, nil); got != "" {
		t.Errorf("without a Secret: %s", got)
	}
}

// F-U37: a wrong value of a Secret is said to be there, and one of the spec is not.
func TestSecretOf(t *testing.T) {
	secret := &v1beta1.SecretReference{Name: "s"}
	for _, c := range []struct {
		settings v1beta1.Provider
		secret   *v1beta1.SecretReference
		fields   string
		want     string
	}{
		{v1beta1.Provider{PagerDuty: &v1beta1.PagerDutyProvider{}}, secret, "routingKey", "s"},
		{v1beta1.Provider{PagerDuty: &v1beta1.PagerDutyProvider{}}, nil, "routingKey", ""},
		{v1beta1.Provider{Email: &v1beta1.EmailProvider{Host: "mail.example.com"}}, secret, "username, password", "s"},
		{v1beta1.Provider{Email: &v1beta1.EmailProvider{Host: "mail.example.com"}}, secret, "host", ""},
		{v1beta1.Provider{Gotify: &v1beta1.GotifyProvider{URL: "https://example.com"}}, secret, "url", ""},
		{v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{}}, secret, "url", "s"},
		{v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{URL: "https://example.com"}}, secret, "url", ""},
		{v1beta1.Provider{Ntfy: &v1beta1.NtfyProvider{Topic: "t"}}, secret, "token, username", "s"},
		{v1beta1.Provider{Ntfy: &v1beta1.NtfyProvider{Topic: "t"}}, secret, "topic", ""},
		{v1beta1.Provider{Ntfy: &v1beta1.NtfyProvider{}}, secret, "the server cannot be reached", ""},
		{v1beta1.Provider{}, secret, "url", ""},
	} {
		if got := SecretOf(&v1beta1.CommonReceiverSpec{Provider: c.settings, SecretRef: c.secret}, c.fields); got != c.want {
			t.Errorf("%+v, %s: got %q, want %q", c.settings, c.fields, got, c.want)
		}
	}
}

// Only an address in a Secret that the provider uses counts.
func TestSecretAddress(t *testing.T) {
	const inSecret = "http://192.0.2.1:8080/hook"
	for name, c := range map[string]struct {
		settings v1beta1.Provider
		value    string
		want     []notify.Address
	}{
		"webhook":                 {v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{}}, inSecret, []notify.Address{{Field: "url", Host: "192.0.2.1", Plain: true}}},
		"a line break at the end": {v1beta1.Provider{Teams: &v1beta1.TeamsProvider{}}, "https://localhost/\n", []notify.Address{{Field: "url", Host: "localhost"}}},
		"no URL":                  {v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{}}, "", nil},
		"the spec has another":    {v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{URL: "https://example.com"}}, inSecret, nil},
		"a key that is not used":  {v1beta1.Provider{PagerDuty: &v1beta1.PagerDutyProvider{}}, inSecret, nil},
	} {
		got := SecretAddress(&v1beta1.CommonReceiverSpec{Provider: c.settings}, map[string][]byte{"url": []byte(c.value)})
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}
