// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package providers is the registry of the notification providers. It finds the provider of a receiver's spec, its addresses and
// its sender.
package providers

import (
	"errors"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/alertmanager"
	"github.com/gophernetes/bellhop/internal/pager/notify/discord"
	"github.com/gophernetes/bellhop/internal/pager/notify/email"
	"github.com/gophernetes/bellhop/internal/pager/notify/event"
	"github.com/gophernetes/bellhop/internal/pager/notify/googlechat"
	"github.com/gophernetes/bellhop/internal/pager/notify/gotify"
	"github.com/gophernetes/bellhop/internal/pager/notify/grpcnotifier"
	"github.com/gophernetes/bellhop/internal/pager/notify/matrix"
	"github.com/gophernetes/bellhop/internal/pager/notify/mattermost"
	"github.com/gophernetes/bellhop/internal/pager/notify/ntfy"
	"github.com/gophernetes/bellhop/internal/pager/notify/pagerduty"
	"github.com/gophernetes/bellhop/internal/pager/notify/pushbullet"
	"github.com/gophernetes/bellhop/internal/pager/notify/pushover"
	"github.com/gophernetes/bellhop/internal/pager/notify/slack"
	"github.com/gophernetes/bellhop/internal/pager/notify/teams"
	"github.com/gophernetes/bellhop/internal/pager/notify/telegram"
	"github.com/gophernetes/bellhop/internal/pager/notify/webhook"
)

// registry has all providers, in the order of their names.
var registry = []registered{
	register("alertmanager", &alertmanager.Provider, func(p *v1beta1.Provider) *v1beta1.AlertmanagerProvider { return p.Alertmanager }),
	register("discord", &discord.Provider, func(p *v1beta1.Provider) *v1beta1.DiscordProvider { return p.Discord }),
	register("email", &email.Provider, func(p *v1beta1.Provider) *v1beta1.EmailProvider { return p.Email }),
	register("event", &event.Provider, func(p *v1beta1.Provider) *v1beta1.EventProvider { return p.Event }),
	register("googleChat", &googlechat.Provider, func(p *v1beta1.Provider) *v1beta1.GoogleChatProvider { return p.GoogleChat }),
	register("gotify", &gotify.Provider, func(p *v1beta1.Provider) *v1beta1.GotifyProvider { return p.Gotify }),
	register("grpc", &grpcnotifier.Provider, func(p *v1beta1.Provider) *v1beta1.GRPCProvider { return p.GRPC }),
	register("matrix", &matrix.Provider, func(p *v1beta1.Provider) *v1beta1.MatrixProvider { return p.Matrix }),
	register("mattermost", &mattermost.Provider, func(p *v1beta1.Provider) *v1beta1.MattermostProvider { return p.Mattermost }),
	register("ntfy", &ntfy.Provider, func(p *v1beta1.Provider) *v1beta1.NtfyProvider { return p.Ntfy }),
	register("pagerDuty", &pagerduty.Provider, func(p *v1beta1.Provider) *v1beta1.PagerDutyProvider { return p.PagerDuty }),
	register("pushbullet", &pushbullet.Provider, func(p *v1beta1.Provider) *v1beta1.PushbulletProvider { return p.Pushbullet }),
	register("pushover", &pushover.Provider, func(p *v1beta1.Provider) *v1beta1.PushoverProvider { return p.Pushover }),
	register("slack", &slack.Provider, func(p *v1beta1.Provider) *v1beta1.SlackProvider { return p.Slack }),
	register("teams", &teams.Provider, func(p *v1beta1.Provider) *v1beta1.TeamsProvider { return p.Teams }),
	register("telegram", &telegram.Provider, func(p *v1beta1.Provider) *v1beta1.TelegramProvider { return p.Telegram }),
	register("webhook", &webhook.Provider, func(p *v1beta1.Provider) *v1beta1.WebhookProvider { return p.Webhook }),
}

// registered is a provider in the registry.
type registered struct {
	name string
	// unset is the provider without settings.
	unset notify.Configured
	// of returns the provider with its settings in a spec; nil: the spec has none.
	of func(*v1beta1.Provider) notify.Configured
}

func register[S any](name string, provider *notify.Provider[S], settingsIn func(*v1beta1.Provider) *S) registered {
	return registered{name: name, unset: provider.With(nil), of: func(p *v1beta1.Provider) notify.Configured {
		if settings := settingsIn(p); settings != nil {
			return provider.With(settings)
		}
		return nil
	}}
}

// Provider is the provider of a receiver's spec.
type Provider struct {
	// Name is its field in the spec, such as pagerDuty.
	Name       string
	configured notify.Configured
}

// Of returns the provider of a spec; false: the spec has none, or the registry lacks it.
func Of(spec *v1beta1.CommonReceiverSpec) (Provider, bool) {
	if spec == nil {
		return Provider{}, false
	}
	for _, r := range registry {
		if configured := r.of(&spec.Provider); configured != nil {
			return Provider{Name: r.name, configured: configured}, true
		}
	}
	return Provider{}, false
}

// NameOf returns the name of a spec's provider, or "none".
func NameOf(spec *v1beta1.CommonReceiverSpec) string {
	if p, ok := Of(spec); ok {
		return p.Name
	}
	return "none"
}

// Addresses returns the addresses in a spec, with their fields below spec, such as webhook.url.
func (p Provider) Addresses() []notify.Address {
	all := p.configured.Addresses()
	for i := range all {
		all[i].Field = p.Name + "." + all[i].Field
	}
	return all
}

// Problems returns the problems of a spec that no Secret corrects, with fields below spec, such as webhook.url.
func Problems(spec *v1beta1.CommonReceiverSpec) notify.Problems {
	p, ok := Of(spec)
	if !ok {
		return nil
	}
	return p.below(p.configured.Check())
}

// Warnings returns the problems of a spec that has a Secret, which its author may intend.
func Warnings(spec *v1beta1.CommonReceiverSpec) notify.Problems {
	p, ok := Of(spec)
	if !ok || spec.SecretRef == nil {
		return nil
	}
	return p.below(p.configured.Warn())
}

// below returns problems with fields below spec.
func (p Provider) below(all notify.Problems) notify.Problems {
	for i := range all {
		all[i].Field = p.Name + "." + all[i].Field
	}
	return all
}

// SkipsTLSVerify reports whether the settings turn off the verification of certificates.
func (p Provider) SkipsTLSVerify() bool { return p.configured.SkipsTLSVerify() }

// RepostEvery returns the interval at which the alert with an external id is sent to a receiver again; 0: never, as where the id is of
// another provider, which the receiver had before.
func RepostEvery(spec *v1beta1.CommonReceiverSpec, externalID string) time.Duration {
	p, ok := Of(spec)
	if !ok {
		return 0
	}
	return p.configured.RepostEvery(externalID)
}

// RaisesByReopening reports whether a rise of severity notifies only where the incident is opened again.
func RaisesByReopening(spec *v1beta1.CommonReceiverSpec) bool {
	p, ok := Of(spec)
	return ok && p.configured.RaisesByReopening()
}

// Reference has the part of a notify.Provider that documentation and tests compare with the code.
type Reference struct {
	Name  string // the field in a receiver's spec
	Modes []notify.Mode
}

// References returns the references of all providers, in the order of their names.
func References() []Reference {
	var all []Reference
	for _, r := range registry {
		all = append(all, Reference{Name: r.name, Modes: r.unset.Modes()})
	}
	return all
}

// RepostInterval returns the interval of RepostEvery for an external id where the provider is not known: each provider is asked whether the
// id is one of its own.
func RepostInterval(externalID string) time.Duration {
	for _, r := range registry {
		if every := r.unset.RepostEvery(externalID); every > 0 {
			return every
		}
	}
	return 0
}

// Factory creates senders.
type Factory struct {
	Guard  *outbound.Guard
	Events event.Creator
	// AbsoluteNames is as in outbound.Options.
	AbsoluteNames bool
}

// NewSender returns the sender of a receiver with this spec and Secret. An error names the invalid field or key of the Secret, and
// not its value.
func (f Factory) NewSender(spec *v1beta1.CommonReceiverSpec, data map[string][]byte) (notify.Sender, error) {
	if spec.Event != nil { // created through the API server
		return event.New(f.Events), nil
	}
	p, ok := Of(spec)
	if !ok {
		return nil, errors.New("it has no known provider")
	}
	client, err := outbound.NewClient(f.Guard, outbound.Options{
		Timeout:            time.Duration(spec.TimeoutSeconds) * time.Second,
		CABundle:           data["ca.crt"],
		ClientCertificate:  data["tls.crt"],
		ClientKey:          data["tls.key"],
		InsecureSkipVerify: p.SkipsTLSVerify(),
		AbsoluteNames:      f.AbsoluteNames,
	})
	if err != nil {
		return nil, err
	}
	secret := notify.NewSecret(data)
	sender, err := p.configured.New(secret, client)
	switch {
	case secret.Err() != nil && err == nil:
		sender.Close()
		return nil, secret.Err()
	case secret.Err() != nil: // the cause of err
		return nil, secret.Err()
	case err != nil: // sender may be a nil pointer of the provider's type, which is no nil interface
		return nil, err
	}
	return sender, nil
}
