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

package pager

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/alertmanager"
	"github.com/gophernetes/bellhop/internal/notify/discord"
	"github.com/gophernetes/bellhop/internal/notify/email"
	"github.com/gophernetes/bellhop/internal/notify/event"
	"github.com/gophernetes/bellhop/internal/notify/googlechat"
	"github.com/gophernetes/bellhop/internal/notify/gotify"
	"github.com/gophernetes/bellhop/internal/notify/matrix"
	"github.com/gophernetes/bellhop/internal/notify/mattermost"
	"github.com/gophernetes/bellhop/internal/notify/ntfy"
	"github.com/gophernetes/bellhop/internal/notify/pagerduty"
	"github.com/gophernetes/bellhop/internal/notify/pushbullet"
	"github.com/gophernetes/bellhop/internal/notify/pushover"
	"github.com/gophernetes/bellhop/internal/notify/slack"
	"github.com/gophernetes/bellhop/internal/notify/teams"
	"github.com/gophernetes/bellhop/internal/notify/telegram"
	"github.com/gophernetes/bellhop/internal/notify/webhook"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// workshop makes senders.
type workshop struct {
	guard  *outbound.Guard
	events event.Creator
}

// newSender makes what talks to the receiver that spec describes. Errors name
// the field or the key of the Secret, never a value of it.
func (w workshop) newSender(spec *v1beta1.CommonReceiverSpec, data map[string][]byte) (notify.Sender, error) {
	if spec.Event != nil {
		return event.New(w.events), nil
	}
	options := outbound.Options{
		Timeout:           time.Duration(spec.TimeoutSeconds) * time.Second,
		CABundle:          data["ca.crt"],
		ClientCertificate: data["tls.crt"],
		ClientKey:         data["tls.key"],
	}
	if spec.Webhook != nil {
		options.InsecureSkipVerify = spec.Webhook.InsecureSkipTLSVerify
	}
	outside, err := outbound.NewClient(w.guard, options)
	if err != nil {
		return nil, err
	}
	keys := &credentials{data: data}
	sender, err := newOutsideSender(spec.Provider, keys, outside)
	if keys.err != nil { // it is why, if there is another
		return nil, keys.err
	}
	return sender, err
}

// newOutsideSender fills in each provider's configuration.
func newOutsideSender(p v1beta1.Provider, keys *credentials, outside *outbound.Client) (notify.Sender, error) {
	switch {
	case p.Webhook != nil:
		config, err := webhookConfig(p.Webhook, keys)
		if err != nil {
			return nil, err
		}
		return webhook.New(config, outside)
	case p.Pushbullet != nil:
		return pushbullet.New(pushbullet.Config{URL: p.Pushbullet.URL, Token: keys.get("token"),
			DeviceIden: p.Pushbullet.DeviceIden, Email: p.Pushbullet.Email, ChannelTag: p.Pushbullet.ChannelTag}, outside)
	case p.Slack != nil:
		return slack.New(slack.Config{WebhookURL: keys.get("url"), Token: keys.get("token"), Channel: p.Slack.Channel, URL: p.Slack.URL}, outside)
	case p.PagerDuty != nil:
		return pagerduty.New(pagerduty.Config{URL: p.PagerDuty.URL, RoutingKey: keys.get("routingKey")}, outside)
	case p.Telegram != nil:
		return telegram.New(telegram.Config{URL: p.Telegram.URL, Token: keys.get("token"),
			ChatID: p.Telegram.ChatID, MessageThreadID: int(p.Telegram.MessageThreadID)}, outside)
	case p.Email != nil:
		return email.New(email.Config{Host: p.Email.Host, TLS: string(p.Email.TLS), From: p.Email.From, To: p.Email.To,
			Username: keys.get("username"), Password: keys.get("password")}, outside)
	case p.Alertmanager != nil:
		return alertmanager.New(alertmanager.Config{URLs: p.Alertmanager.URLs, Labels: labelsOf(p.Alertmanager),
			Token: keys.get("token"), Username: keys.get("username"), Password: keys.get("password")}, outside)
	case p.Discord != nil:
		return discord.New(discord.Config{URL: keys.get("url"), ThreadID: p.Discord.ThreadID}, outside)
	case p.Teams != nil:
		return teams.New(teams.Config{URL: keys.get("url")}, outside)
	case p.GoogleChat != nil:
		return googlechat.New(googlechat.Config{URL: keys.get("url")}, outside)
	case p.Mattermost != nil:
		return mattermost.New(mattermost.Config{WebhookURL: keys.get("url"), URL: p.Mattermost.URL, ChannelID: p.Mattermost.ChannelID, Token: keys.get("token")}, outside)
	case p.Matrix != nil:
		return matrix.New(matrix.Config{URL: p.Matrix.URL, RoomID: p.Matrix.RoomID, Token: keys.get("token")}, outside)
	case p.Ntfy != nil:
		return ntfy.New(ntfy.Config{URL: p.Ntfy.URL, Topic: cmp.Or(p.Ntfy.Topic, keys.get("topic")),
			Token: keys.get("token"), Username: keys.get("username"), Password: keys.get("password")}, outside)
	case p.Gotify != nil:
		return gotify.New(gotify.Config{URL: p.Gotify.URL, Token: keys.get("token")}, outside)
	case p.Pushover != nil:
		return pushover.New(pushover.Config{URL: p.Pushover.URL, Token: keys.get("token"), User: keys.get("user"), Device: p.Pushover.Device}, outside)
	}
	return nil, errors.New("it has no provider")
}

func labelsOf(p *v1beta1.AlertmanagerProvider) map[string]string {
	labels := make(map[string]string, len(p.Labels))
	for name, value := range p.Labels {
		labels[name] = string(value)
	}
	return labels
}

// providerOf names the provider that spec has, as its field is called.
func providerOf(spec *v1beta1.CommonReceiverSpec) string {
	if spec == nil {
		return "none"
	}
	p := &spec.Provider
	for _, provider := range [...]struct {
		name string
		is   bool
	}{
		{"webhook", p.Webhook != nil}, {"pushbullet", p.Pushbullet != nil}, {"slack", p.Slack != nil}, {"pagerDuty", p.PagerDuty != nil},
		{"telegram", p.Telegram != nil}, {"email", p.Email != nil}, {"alertmanager", p.Alertmanager != nil}, {"event", p.Event != nil},
		{"discord", p.Discord != nil}, {"teams", p.Teams != nil}, {"googleChat", p.GoogleChat != nil}, {"mattermost", p.Mattermost != nil},
		{"matrix", p.Matrix != nil}, {"ntfy", p.Ntfy != nil}, {"gotify", p.Gotify != nil}, {"pushover", p.Pushover != nil},
	} {
		if provider.is {
			return provider.name
		}
	}
	return "none"
}

// remindEvery is how often a receiver has to be told again what it holds; 0: never.
func remindEvery(spec *v1beta1.CommonReceiverSpec) time.Duration {
	if spec == nil || spec.Alertmanager == nil {
		return 0
	}
	return alertmanager.RepostEvery
}

// isForgotten says whether what confirmed a row forgets it.
func isForgotten(row v1beta1.Delivery) bool { return alertmanager.IsHeld(row.ExternalID) }

func webhookConfig(spec *v1beta1.WebhookProvider, keys *credentials) (webhook.Config, error) {
	c := webhook.Config{
		URL:      spec.URL,
		Method:   string(spec.Method),
		Token:    keys.get("token"),
		Username: keys.get("username"),
		Password: keys.get("password"),
	}
	if c.URL == "" { // who may write the Secret but not the receiver does not redirect what else is in it
		c.URL = keys.get("url")
	}
	for _, key := range []string{"signingSecret", "signingSecretNext"} {
		if value := keys.get(key); value != "" {
			c.SigningSecrets = append(c.SigningSecrets, value)
		}
	}
	for _, h := range spec.Headers {
		value := h.Value
		if h.SecretKey != "" {
			if value = keys.get(h.SecretKey); value == "" {
				return c, fmt.Errorf("spec.webhook.headers: the Secret has no key %q for the header %s", h.SecretKey, h.Name)
			}
		}
		c.Headers = append(c.Headers, webhook.Header{Name: h.Name, Value: value})
	}
	return c, keys.err
}

// maxCredential bounds a credential, in bytes: looking for it in what others
// answer costs as much as it is long.
const maxCredential = 4096

// credentials are the values of a Secret; err is the first that cannot be one.
type credentials struct {
	data map[string][]byte
	err  error
}

func (c *credentials) get(key string) string {
	value := c.data[key]
	if len(value) > maxCredential && c.err == nil {
		c.err = fmt.Errorf("the Secret's key %s has %d bytes: at most %d are taken", key, len(value), maxCredential)
	}
	return string(value)
}
