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

package v1beta1

// Provider is what a receiver's messages are sent through: exactly one of its
// fields is set. Beside the keys that stand at each, the Secret of any but event
// may have ca.crt, which is then the only authority that is trusted, and tls.crt
// and tls.key, a client certificate; all in PEM.
type Provider struct {
	// webhook is any HTTP endpoint. Each message is a JSON object with the headers
	// of Standard Webhooks 1.0.0: webhook-id is the same for every repeat of a
	// message, so that an endpoint can drop what it has seen. Updates and the end
	// are messages of their own. Sent means that it answered 2xx.
	// +optional
	Webhook *WebhookProvider `json:"webhook,omitempty"`

	// pushbullet is Pushbullet. The key of a message is its guid: a repeat is the
	// same push. An update is a push of its own; the end dismisses the last one.
	// +optional
	Pushbullet *PushbulletProvider `json:"pushbullet,omitempty"`

	// slack is Slack: an incoming webhook, or a bot where channel is set. A bot's
	// message is edited by updates and the end, which rings nobody; a webhook's are
	// messages of their own. Slack knows no key: after a lost answer a message may
	// be there twice.
	// +optional
	Slack *SlackProvider `json:"slack,omitempty"`

	// pagerDuty is PagerDuty, Events API v2. All events of an Alert have one
	// dedup_key: a repeat pages nobody again, nor does an update, which changes the
	// alert. Sent means that PagerDuty queued the event, not that anybody was paged.
	// +optional
	PagerDuty *PagerDutyProvider `json:"pagerDuty,omitempty"`

	// telegram is a Telegram bot. Updates and the end edit the message, which rings
	// nobody. Telegram knows no key: after a lost answer a message may be there
	// twice.
	// +optional
	Telegram *TelegramProvider `json:"telegram,omitempty"`

	// email is e-mail over SMTP. The key of a message is its Message-ID, by which
	// mail programs fold a repeat. Updates and the end are mails of their own in the
	// thread. Sent means that the mail server took it for every address, not that it
	// was delivered.
	// +optional
	Email *EmailProvider `json:"email,omitempty"`

	// alertmanager is Prometheus Alertmanager, API v2: an alert is posted to every
	// replica and repeated every 2 minutes; it ends by itself 10 minutes after the
	// last repeat. It is known by its labels: a repeat is the same alert. Sent means
	// that a replica holds it, not that anybody was told.
	// +optional
	Alertmanager *AlertmanagerProvider `json:"alertmanager,omitempty"`

	// event is a Kubernetes Event about the Alert. It needs no Secret. The Event is
	// named after the key of its message: a repeat finds it there. Updates and the
	// end are Events of their own. Kubernetes deletes them after an hour by default,
	// and nobody is paged.
	// +optional
	Event *EventProvider `json:"event,omitempty"`

	// discord is a Discord channel webhook. Updates and the end edit the message,
	// which rings nobody. A webhook takes no key: after a lost answer a message may
	// be there twice.
	// +optional
	Discord *DiscordProvider `json:"discord,omitempty"`

	// teams is a Microsoft Teams workflow webhook. Sent means that the workflow was
	// started; whether Teams shows the card is not known. There is no key: after a
	// lost answer a card may be there twice. Updates and the end are cards of their
	// own.
	// +optional
	Teams *TeamsProvider `json:"teams,omitempty"`

	// googleChat is a Google Chat space webhook. The key of a message is its
	// requestId: a repeat is the same message. Updates and the end are replies in
	// the thread of the first.
	// +optional
	GoogleChat *GoogleChatProvider `json:"googleChat,omitempty"`

	// mattermost is Mattermost: an incoming webhook, or a bot where channelID is
	// set. A bot's post is edited by updates and the end; a webhook's are posts of
	// their own. After a lost answer a webhook's post may be there twice; a bot's
	// only if the repeat is more than 30 seconds later.
	// +optional
	Mattermost *MattermostProvider `json:"mattermost,omitempty"`

	// matrix is a Matrix room, unencrypted. The key of a message is its transaction
	// id: a repeat is the same message as long as the homeserver remembers it, in
	// Synapse for a day. Updates and the end edit it, which rings nobody.
	// +optional
	Matrix *MatrixProvider `json:"matrix,omitempty"`

	// ntfy is ntfy. All messages of an Alert have one sequence id: on servers of
	// 2.16 and newer a repeat, an update and the end replace the notification, so
	// that it is seen once, though it may ring twice.
	// +optional
	Ntfy *NtfyProvider `json:"ntfy,omitempty"`

	// gotify is Gotify. It knows no key: after a lost answer a message may be there
	// twice. Updates and the end are messages of their own.
	// +optional
	Gotify *GotifyProvider `json:"gotify,omitempty"`

	// pushover is Pushover. What is Critical rings every minute, for an hour or
	// until somebody acknowledges it, and stops when the Alert is updated or over.
	// Updates and the end are messages of their own.
	// Pushover knows no key: after a lost answer a message may be seen twice.
	// +optional
	Pushover *PushoverProvider `json:"pushover,omitempty"`
}

// WebhookProvider sends to any HTTP endpoint. Keys of the Secret: url, where
// spec.webhook.url is left out because the URL is itself a credential;
// signingSecret and, during a rotation, signingSecretNext (whsec_ and base64
// of 24 to 64 bytes); token, sent as bearer token; username and password;
// ca.crt, tls.crt and tls.key; and the secretKey of each header.
type WebhookProvider struct {
	// url that the messages are sent to. Http or https. Default: the key url of
	// the Secret.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="must be an http or https URL with a host, such as https://example.com/path"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[^/]*//[^/?#]*@')",message="must have no user and password: put them into the Secret (username and password), or the whole URL (url)"
	// +optional
	URL string `json:"url,omitempty"`

	// method of the request, POST or PUT. Default POST.
	// +default="POST"
	// +optional
	Method WebhookMethod `json:"method,omitempty"`

	// headers are sent with each request, at most 16.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Headers []WebhookHeader `json:"headers,omitempty"`

	// insecureSkipTLSVerify sends messages to a server whose certificate was not
	// checked. Default false.
	// +optional
	InsecureSkipTLSVerify bool `json:"insecureSkipTLSVerify,omitempty"`
}

// +kubebuilder:validation:AtMostOneOf=deviceIden;email;channelTag

// PushbulletProvider sends through Pushbullet. Keys of the Secret: token, the
// access token.
type PushbulletProvider struct {
	// url of the API. Default https://api.pushbullet.com.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="must be an http or https URL with a host, such as https://example.com/path"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[?#]') && !self.matches('^[^/]*//[^/?#]*@')",message="must have neither user nor query: credentials belong into the Secret"
	// +optional
	URL string `json:"url,omitempty"`

	// deviceIden is the device to push to. Default: all devices of the owner of
	// the token.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	DeviceIden string `json:"deviceIden,omitempty"`

	// email is the person to push to.
	// +kubebuilder:validation:MaxLength=320
	// +optional
	Email string `json:"email,omitempty"`

	// channelTag is the channel to push to.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	ChannelTag string `json:"channelTag,omitempty"`
}

// +kubebuilder:validation:XValidation:rule="!has(self.url) || has(self.channel)",message="url is for a bot: set channel, too"

// SlackProvider sends through Slack. Keys of the Secret: url of the incoming
// webhook, or token of the bot.
type SlackProvider struct {
	// url of the Web API, for a bot. Default https://slack.com/api/.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="must be an http or https URL with a host, such as https://example.com/path"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[?#]') && !self.matches('^[^/]*//[^/?#]*@')",message="must have neither user nor query: credentials belong into the Secret"
	// +optional
	URL string `json:"url,omitempty"`

	// channel is the id of the channel that the bot posts to.
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Z0-9]+$`
	// +optional
	Channel string `json:"channel,omitempty"`
}

// PagerDutyProvider sends through PagerDuty. Keys of the Secret: routingKey,
// the integration key.
type PagerDutyProvider struct {
	// url of the service. Default https://events.pagerduty.com; in the EU
	// https://events.eu.pagerduty.com.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="must be an http or https URL with a host, such as https://example.com/path"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[?#]') && !self.matches('^[^/]*//[^/?#]*@')",message="must have neither user nor query: credentials belong into the Secret"
	// +optional
	URL string `json:"url,omitempty"`
}

// TelegramProvider sends through Telegram. Keys of the Secret: token of the
// bot.
type TelegramProvider struct {
	// url of the Bot API. Default https://api.telegram.org.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="must be an http or https URL with a host, such as https://example.com/path"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[?#]') && !self.matches('^[^/]*//[^/?#]*@')",message="must have neither user nor query: credentials belong into the Secret"
	// +optional
	URL string `json:"url,omitempty"`

	// chatID is the number of the chat, which is negative for groups and channels,
	// or @ and the name of a public one.
	// +kubebuilder:validation:MaxLength=33
	// +kubebuilder:validation:Pattern=`^(-?[1-9][0-9]{0,18}|@[A-Za-z0-9_]{4,32})$`
	// +required
	ChatID string `json:"chatID,omitempty"`

	// messageThreadID is the topic of a forum to post in. Leave it out for the topic
	// General.
	// +kubebuilder:validation:Minimum=1
	// +optional
	MessageThreadID int32 `json:"messageThreadID,omitempty"`
}

// EmailProvider sends through e-mail. Keys of the Secret: username and
// password.
type EmailProvider struct {
	// host is the mail server, as host or host:port. Default port 587, 465 with
	// Implicit, 25 with None.
	// +kubebuilder:validation:MaxLength=260
	// +required
	Host string `json:"host,omitempty"`

	// tls is StartTLS, Implicit or None, which cannot be used with a username.
	// Default StartTLS.
	// +default="StartTLS"
	// +optional
	TLS EmailTLS `json:"tls,omitempty"`

	// from is the address that mails come from, such as alerts@example.com or
	// Alerts <alerts@example.com>, in ASCII.
	// +kubebuilder:validation:MaxLength=320
	// +kubebuilder:validation:Pattern=`^[ -~]+@[ -~]+$`
	// +required
	From string `json:"from,omitempty"`

	// to are the addresses that mails go to, at most 16. All see each other. One
	// that is refused does not keep the others from getting it.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=320
	// +kubebuilder:validation:items:Pattern=`^[ -~]+@[ -~]+$`
	// +listType=set
	// +required
	To []string `json:"to,omitempty"`
}

// AlertmanagerProvider sends through Alertmanager. Keys of the Secret:
// username and password, or token.
type AlertmanagerProvider struct {
	// urls are the base addresses of all replicas, at most 8.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=2048
	// +kubebuilder:validation:items:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="must be an http or https URL with a host, such as https://example.com/path"
	// +kubebuilder:validation:items:XValidation:rule="!self.matches('[?#]') && !self.matches('^[^/]*//[^/?#]*@')",message="must have neither user nor query: credentials belong into the Secret"
	// +listType=set
	// +required
	URLs []string `json:"urls,omitempty"`

	// labels are added to those of every message, at most 32. alertname, namespace,
	// severity and bellhop_incident are Bellhop's own.
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(name, name.matches('^[a-zA-Z_][a-zA-Z0-9_]*$'))",message="the name of a label is of letters, digits and _, and does not begin with a digit"
	// +kubebuilder:validation:XValidation:rule="!self.exists(name, name in ['alertname', 'namespace', 'severity', 'bellhop_incident'])",message="alertname, namespace, severity and bellhop_incident are set by Bellhop itself"
	// +optional
	Labels map[string]LabelValue `json:"labels,omitempty"`
}

// EventProvider sends through Kubernetes Events. Keys of the Secret: none.
type EventProvider struct {
}

// DiscordProvider sends through Discord. Keys of the Secret: url of the
// webhook.
type DiscordProvider struct {
	// threadID is the thread to post in, by its number; a forum needs one.
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[0-9]+$`
	// +optional
	ThreadID string `json:"threadID,omitempty"`
}

// TeamsProvider sends through Teams. Keys of the Secret: url of the workflow.
type TeamsProvider struct {
}

// GoogleChatProvider sends through Google Chat. Keys of the Secret: url of the
// webhook.
type GoogleChatProvider struct {
}

// +kubebuilder:validation:XValidation:rule="has(self.url) == has(self.channelID)",message="url and channelID are for a bot and belong together"

// MattermostProvider sends through Mattermost. Keys of the Secret: url of the
// incoming webhook, or token of the bot.
type MattermostProvider struct {
	// url of the server, for a bot.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="must be an http or https URL with a host, such as https://example.com/path"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[?#]') && !self.matches('^[^/]*//[^/?#]*@')",message="must have neither user nor query: credentials belong into the Secret"
	// +optional
	URL string `json:"url,omitempty"`

	// channelID is the channel that the bot posts to.
	// +kubebuilder:validation:MaxLength=26
	// +kubebuilder:validation:Pattern=`^[a-z0-9]{26}$`
	// +optional
	ChannelID string `json:"channelID,omitempty"`
}

// MatrixProvider sends through Matrix. Keys of the Secret: token of the
// account.
type MatrixProvider struct {
	// url of the homeserver.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="must be an http or https URL with a host, such as https://example.com/path"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[?#]') && !self.matches('^[^/]*//[^/?#]*@')",message="must have neither user nor query: credentials belong into the Secret"
	// +required
	URL string `json:"url,omitempty"`

	// roomID is the id of the room, such as !abc:example.com; an alias, such as
	// #ops:example.com, is none.
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^!`
	// +required
	RoomID string `json:"roomID,omitempty"`
}

// NtfyProvider sends through ntfy. Keys of the Secret: token, or username and
// password; topic, in place of spec.ntfy.topic.
type NtfyProvider struct {
	// url of the server. Default https://ntfy.sh.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="must be an http or https URL with a host, such as https://example.com/path"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[?#]') && !self.matches('^[^/]*//[^/?#]*@')",message="must have neither user nor query: credentials belong into the Secret"
	// +optional
	URL string `json:"url,omitempty"`

	// topic to publish to. Default: the key topic of the Secret.
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[-_A-Za-z0-9]+$`
	// +optional
	Topic string `json:"topic,omitempty"`
}

// GotifyProvider sends through Gotify. Keys of the Secret: token of the
// application.
type GotifyProvider struct {
	// url of the server.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="must be an http or https URL with a host, such as https://example.com/path"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[?#]') && !self.matches('^[^/]*//[^/?#]*@')",message="must have neither user nor query: credentials belong into the Secret"
	// +required
	URL string `json:"url,omitempty"`
}

// PushoverProvider sends through Pushover. Keys of the Secret: token of the
// application, user or group key user.
type PushoverProvider struct {
	// url of the API. Default https://api.pushover.net.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="must be an http or https URL with a host, such as https://example.com/path"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[?#]') && !self.matches('^[^/]*//[^/?#]*@')",message="must have neither user nor query: credentials belong into the Secret"
	// +optional
	URL string `json:"url,omitempty"`

	// device to send to. Default: all devices of the user.
	// +kubebuilder:validation:MaxLength=25
	// +optional
	Device string `json:"device,omitempty"`
}

// WebhookMethod is an HTTP method.
// +kubebuilder:validation:Enum=POST;PUT
type WebhookMethod string

// +kubebuilder:validation:ExactlyOneOf=value;secretKey
// +kubebuilder:validation:XValidation:rule="self.name.lowerAscii() != 'authorization' || has(self.secretKey)",message="the value of Authorization belongs into the Secret: give its key in secretKey"

// WebhookHeader is a header of a request. Its value is given here or, where it
// is a credential, in the Secret.
type WebhookHeader struct {
	// name of the header, such as X-Team. Headers that Bellhop sets itself
	// (Host, Content-Type, User-Agent, webhook-*, …) are refused.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!#$%&'*+.^_|~-]+$`
	// +kubebuilder:validation:XValidation:rule="!(self.lowerAscii() in ['host', 'content-length', 'content-type', 'content-encoding', 'user-agent', 'accept-encoding', 'connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'expect', 'proxy-authorization', 'proxy-connection']) && !self.lowerAscii().startsWith('webhook-')",message="is set by Bellhop itself"
	// +required
	Name string `json:"name,omitempty"`

	// value of the header.
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^[\t -~]*$`
	// +optional
	Value string `json:"value,omitempty"`

	// secretKey is the key of the receiver's Secret that has the value.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	SecretKey string `json:"secretKey,omitempty"`
}

// EmailTLS says how a connection to a mail server is protected.
// +kubebuilder:validation:Enum=StartTLS;Implicit;None
type EmailTLS string

const (
	// EmailStartTLS begins in the clear and goes on over TLS, or not at all.
	EmailStartTLS EmailTLS = "StartTLS"
	// EmailTLSImplicit is TLS from the start.
	EmailTLSImplicit EmailTLS = "Implicit"
	// EmailTLSNone is not encrypted.
	EmailTLSNone EmailTLS = "None"
)

// LabelValue is the value of a label in Alertmanager.
// +kubebuilder:validation:MaxLength=1024
type LabelValue string
