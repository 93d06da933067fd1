// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// Provider is the service that a receiver's messages are sent through: exactly one of
// its fields is set. The Secret of each but event may also have ca.crt, which is then
// the only trusted authority, and tls.crt and tls.key, a client certificate; all in PEM.
type Provider struct {
	// webhook is any HTTP endpoint. Each message is a JSON object with the headers of
	// Standard Webhooks 1.0.0: webhook-id is the same for every repeat of a message, so
	// that an endpoint can drop duplicates. Updates and the resolve are messages of
	// their own. Sent means that the endpoint answered 2xx.
	// +optional
	Webhook *WebhookProvider `json:"webhook,omitempty"`

	// pushbullet is Pushbullet. The key of a message is its guid: a repeat is the same
	// push. An update is a push of its own; the resolve dismisses the last one.
	// +optional
	Pushbullet *PushbulletProvider `json:"pushbullet,omitempty"`

	// slack is Slack: an incoming webhook, or a bot where channel is set. Updates and
	// the resolve edit a bot's message, without a notification; a webhook's are messages
	// of their own. Slack has no key: a message may be seen twice after a lost answer.
	// +optional
	Slack *SlackProvider `json:"slack,omitempty"`

	// pagerDuty is PagerDuty, Events API v2. All events of an Alert have one dedup_key:
	// neither a repeat nor an update, which changes the alert, notifies again. Sent means
	// that PagerDuty queued the event, not that a person was notified.
	// +optional
	PagerDuty *PagerDutyProvider `json:"pagerDuty,omitempty"`

	// telegram is a Telegram bot. Updates and the resolve edit the message, without a
	// notification. Telegram has no key: a message may be seen twice after a lost answer.
	// +optional
	Telegram *TelegramProvider `json:"telegram,omitempty"`

	// email is e-mail over SMTP. The key of a message is its Message-ID, by which mail
	// programs fold repeats. Updates and the resolve are mails of their own in the
	// thread. Sent means that the mail server accepted it for every address, not that it
	// was delivered.
	// +optional
	Email *EmailProvider `json:"email,omitempty"`

	// alertmanager is Prometheus Alertmanager, API v2: an alert is posted to every
	// replica and repeated every 2 minutes; it ends 10 minutes after the last repeat. It
	// is identified by its labels: a repeat is the same alert. Sent means that a replica
	// has it, not that a person was notified.
	// +optional
	Alertmanager *AlertmanagerProvider `json:"alertmanager,omitempty"`

	// event is a Kubernetes Event about the Alert. It needs no Secret. The name of the
	// Event is derived from the key of its message: a repeat finds it. Updates and the
	// resolve are Events of their own. Kubernetes deletes them after an hour by default,
	// and no person is notified.
	// +optional
	Event *EventProvider `json:"event,omitempty"`

	// discord is a Discord channel webhook. Updates and the resolve edit the message,
	// without a notification. Discord has no key: a message may be seen twice after a
	// lost answer.
	// +optional
	Discord *DiscordProvider `json:"discord,omitempty"`

	// teams is a Microsoft Teams workflow webhook. Sent means that the workflow was
	// started; whether Teams shows the card is not known. There is no key: a card may
	// be seen twice after a lost answer. Updates and the resolve are cards of their own.
	// +optional
	Teams *TeamsProvider `json:"teams,omitempty"`

	// googleChat is a Google Chat space webhook. The key of a message is its requestId:
	// a repeat is the same message. Updates and the resolve are replies in the thread of
	// the first message.
	// +optional
	GoogleChat *GoogleChatProvider `json:"googleChat,omitempty"`

	// mattermost is Mattermost: an incoming webhook, or a bot where channelID is set.
	// Updates and the resolve edit a bot's post; a webhook's are posts of their own.
	// After a lost answer a webhook's post may be seen twice; a bot's only if the repeat
	// is more than 30 seconds later.
	// +optional
	Mattermost *MattermostProvider `json:"mattermost,omitempty"`

	// matrix is a Matrix room, unencrypted. The key of a message is its transaction id:
	// a repeat is the same message as long as the homeserver remembers it, in Synapse
	// for a day. Updates and the resolve edit it, without a notification.
	// +optional
	Matrix *MatrixProvider `json:"matrix,omitempty"`

	// ntfy is ntfy. All messages of an Alert have one sequence id: on servers of 2.16
	// and newer a repeat, an update and the resolve replace the notification, which
	// appears once, though it may sound twice.
	// +optional
	Ntfy *NtfyProvider `json:"ntfy,omitempty"`

	// gotify is Gotify. It has no key: a message may be seen twice after a lost answer.
	// Updates and the resolve are messages of their own.
	// +optional
	Gotify *GotifyProvider `json:"gotify,omitempty"`

	// pushover is Pushover. A Critical message is repeated every minute, for an hour or
	// until it is acknowledged, and until the Alert is updated or resolved. Updates and
	// the resolve are messages of their own. Pushover has no key: a message may be seen
	// twice after a lost answer.
	// +optional
	Pushover *PushoverProvider `json:"pushover,omitempty"`

	// grpc is a notifier: a server of your own, in any language, with the gRPC interface
	// bellhop.notifier.v1. The key of a message is its delivery_key, by which the server
	// drops repeats. Updates and the resolve are messages of their own. Sent means that
	// the server answered OK.
	// +optional
	GRPC *GRPCProvider `json:"grpc,omitempty"`
}
