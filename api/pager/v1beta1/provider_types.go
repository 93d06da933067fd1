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
// fields is set.
type Provider struct {
	// webhook is any HTTP endpoint. Each message is a JSON object with the headers
	// of Standard Webhooks 1.0.0: webhook-id is the same for every repeat of a
	// message.
	// +optional
	Webhook *WebhookProvider `json:"webhook,omitempty"`

	// pushbullet is Pushbullet. The key of a message is its guid: a repeat is the
	// same push.
	// +optional
	Pushbullet *PushbulletProvider `json:"pushbullet,omitempty"`

	// slack is Slack: an incoming webhook, or a bot where channel is set. Not
	// served yet.
	// +kubebuilder:validation:XValidation:rule="false",message="slack is not served by this release of Bellhop; served are webhook and pushbullet"
	// +optional
	Slack *SlackProvider `json:"slack,omitempty"`

	// pagerDuty is PagerDuty, Events API v2. Not served yet.
	// +kubebuilder:validation:XValidation:rule="false",message="pagerDuty is not served by this release of Bellhop; served are webhook and pushbullet"
	// +optional
	PagerDuty *PagerDutyProvider `json:"pagerDuty,omitempty"`

	// telegram is a Telegram bot. Not served yet.
	// +kubebuilder:validation:XValidation:rule="false",message="telegram is not served by this release of Bellhop; served are webhook and pushbullet"
	// +optional
	Telegram *TelegramProvider `json:"telegram,omitempty"`

	// email is e-mail over SMTP. Not served yet.
	// +kubebuilder:validation:XValidation:rule="false",message="email is not served by this release of Bellhop; served are webhook and pushbullet"
	// +optional
	Email *EmailProvider `json:"email,omitempty"`

	// alertmanager is Prometheus Alertmanager, API v2: messages are posted to
	// every replica and repeated before they end there. Not served yet.
	// +kubebuilder:validation:XValidation:rule="false",message="alertmanager is not served by this release of Bellhop; served are webhook and pushbullet"
	// +optional
	Alertmanager *AlertmanagerProvider `json:"alertmanager,omitempty"`

	// event is a Kubernetes Event about the Alert. It needs no Secret. Not served
	// yet.
	// +kubebuilder:validation:XValidation:rule="false",message="event is not served by this release of Bellhop; served are webhook and pushbullet"
	// +optional
	Event *EventProvider `json:"event,omitempty"`

	// discord is a Discord channel webhook. Not served yet.
	// +kubebuilder:validation:XValidation:rule="false",message="discord is not served by this release of Bellhop; served are webhook and pushbullet"
	// +optional
	Discord *DiscordProvider `json:"discord,omitempty"`

	// teams is a Microsoft Teams workflow webhook. Teams confirms only that it
	// queued a message. Not served yet.
	// +kubebuilder:validation:XValidation:rule="false",message="teams is not served by this release of Bellhop; served are webhook and pushbullet"
	// +optional
	Teams *TeamsProvider `json:"teams,omitempty"`

	// googleChat is a Google Chat space webhook. Not served yet.
	// +kubebuilder:validation:XValidation:rule="false",message="googleChat is not served by this release of Bellhop; served are webhook and pushbullet"
	// +optional
	GoogleChat *GoogleChatProvider `json:"googleChat,omitempty"`

	// mattermost is Mattermost: an incoming webhook, or a bot where channelID is
	// set. Not served yet.
	// +kubebuilder:validation:XValidation:rule="false",message="mattermost is not served by this release of Bellhop; served are webhook and pushbullet"
	// +optional
	Mattermost *MattermostProvider `json:"mattermost,omitempty"`

	// matrix is a Matrix room, unencrypted. The key of a message is its
	// transaction id. Not served yet.
	// +kubebuilder:validation:XValidation:rule="false",message="matrix is not served by this release of Bellhop; served are webhook and pushbullet"
	// +optional
	Matrix *MatrixProvider `json:"matrix,omitempty"`

	// ntfy is ntfy. The key of an incident is its sequence id, on servers of 2.16
	// and newer. Not served yet.
	// +kubebuilder:validation:XValidation:rule="false",message="ntfy is not served by this release of Bellhop; served are webhook and pushbullet"
	// +optional
	Ntfy *NtfyProvider `json:"ntfy,omitempty"`

	// gotify is Gotify. Not served yet.
	// +kubebuilder:validation:XValidation:rule="false",message="gotify is not served by this release of Bellhop; served are webhook and pushbullet"
	// +optional
	Gotify *GotifyProvider `json:"gotify,omitempty"`

	// pushover is Pushover. Not served yet.
	// +kubebuilder:validation:XValidation:rule="false",message="pushover is not served by this release of Bellhop; served are webhook and pushbullet"
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

// SlackProvider sends through Slack. Keys of the Secret: url of the incoming
// webhook, or token of the bot.
type SlackProvider struct {
	// channel is the id of the channel that the bot posts to.
	// +kubebuilder:validation:MaxLength=256
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
	// +optional
	URL string `json:"url,omitempty"`
}

// TelegramProvider sends through Telegram. Keys of the Secret: token of the
// bot.
type TelegramProvider struct {
	// url of the Bot API. Default https://api.telegram.org.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="must be an http or https URL with a host, such as https://example.com/path"
	// +optional
	URL string `json:"url,omitempty"`

	// chatID is the number of the chat, or @ and the name of a channel.
	// +kubebuilder:validation:MaxLength=256
	// +required
	ChatID string `json:"chatID,omitempty"`

	// messageThreadID is the topic of a forum to post in.
	// +optional
	MessageThreadID int64 `json:"messageThreadID,omitempty"`
}

// EmailProvider sends through Email. Keys of the Secret: username, password;
// ca.crt.
type EmailProvider struct {
	// host is the mail server, as host or host:port. Default port 587.
	// +kubebuilder:validation:MaxLength=260
	// +required
	Host string `json:"host,omitempty"`

	// tls is StartTLS, Implicit or None. Default StartTLS.
	// +default="StartTLS"
	// +optional
	TLS EmailTLS `json:"tls,omitempty"`

	// from is the address that messages come from.
	// +kubebuilder:validation:MaxLength=320
	// +required
	From string `json:"from,omitempty"`

	// to are the addresses that messages go to, at most 16.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=320
	// +listType=set
	// +required
	To []string `json:"to,omitempty"`
}

// AlertmanagerProvider sends through Alertmanager. Keys of the Secret:
// username and password, or token; ca.crt, tls.crt and tls.key.
type AlertmanagerProvider struct {
	// urls are the base addresses of all replicas, at most 8.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=2048
	// +listType=set
	// +required
	URLs []string `json:"urls,omitempty"`

	// labels are added to those of every message.
	// +kubebuilder:validation:MaxProperties=32
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
}

// EventProvider sends through Kubernetes Events. Keys of the Secret: none.
type EventProvider struct {
}

// DiscordProvider sends through Discord. Keys of the Secret: url of the
// webhook.
type DiscordProvider struct {
	// threadID is the thread to post in.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ThreadID string `json:"threadID,omitempty"`
}

// TeamsProvider sends through Teams. Keys of the Secret: url of the workflow.
type TeamsProvider struct {
}

// GoogleChatProvider sends through GoogleChat. Keys of the Secret: url of the
// webhook.
type GoogleChatProvider struct {
}

// MattermostProvider sends through Mattermost. Keys of the Secret: url of the
// incoming webhook, or token of the bot.
type MattermostProvider struct {
	// url of the server, for a bot.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="must be an http or https URL with a host, such as https://example.com/path"
	// +optional
	URL string `json:"url,omitempty"`

	// channelID is the channel that the bot posts to.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ChannelID string `json:"channelID,omitempty"`
}

// MatrixProvider sends through Matrix. Keys of the Secret: token of the
// account.
type MatrixProvider struct {
	// url of the homeserver.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="must be an http or https URL with a host, such as https://example.com/path"
	// +required
	URL string `json:"url,omitempty"`

	// roomID is the id of the room, such as !abc:example.com.
	// +kubebuilder:validation:MaxLength=256
	// +required
	RoomID string `json:"roomID,omitempty"`
}

// NtfyProvider sends through Ntfy. Keys of the Secret: token, or username and
// password; topic, in place of spec.ntfy.topic; ca.crt.
type NtfyProvider struct {
	// url of the server. Default https://ntfy.sh.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="must be an http or https URL with a host, such as https://example.com/path"
	// +optional
	URL string `json:"url,omitempty"`

	// topic to publish to.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Topic string `json:"topic,omitempty"`
}

// GotifyProvider sends through Gotify. Keys of the Secret: token of the
// application; ca.crt.
type GotifyProvider struct {
	// url of the server.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="must be an http or https URL with a host, such as https://example.com/path"
	// +required
	URL string `json:"url,omitempty"`
}

// PushoverProvider sends through Pushover. Keys of the Secret: token of the
// application, user or group key user.
type PushoverProvider struct {
	// url of the API. Default https://api.pushover.net.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="must be an http or https URL with a host, such as https://example.com/path"
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
