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

// Package providers is the registry of the notification providers: what the operator knows of the provider that a receiver's
// spec has.
package providers

import (
	"errors"
	"reflect"
	"strings"
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

// registry has every provider, by the type of its settings.
var registry = index(
	describe(alertmanager.Provider),
	describe(discord.Provider),
	describe(email.Provider),
	describe(event.Provider),
	describe(googlechat.Provider),
	describe(gotify.Provider),
	describe(matrix.Provider),
	describe(mattermost.Provider),
	describe(ntfy.Provider),
	describe(pagerduty.Provider),
	describe(pushbullet.Provider),
	describe(pushover.Provider),
	describe(slack.Provider),
	describe(teams.Provider),
	describe(telegram.Provider),
	describe(webhook.Provider),
)

// description is a notify.Provider whose settings have any type.
type description struct {
	settings       reflect.Type // a pointer
	addresses      func(settings any) []notify.Address
	skipsTLSVerify func(settings any) bool
	newSender      func(settings any, secret *notify.Secret, client *outbound.Client) (notify.Sender, error)
	resendEvery    time.Duration
}

func describe[S any](p notify.Provider[S]) description {
	d := description{settings: reflect.TypeFor[*S](), resendEvery: p.ResendEvery,
		addresses:      func(any) []notify.Address { return nil },
		skipsTLSVerify: func(any) bool { return false },
		newSender: func(settings any, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
			return p.New(settings.(*S), secret, client)
		},
	}
	if p.Addresses != nil {
		d.addresses = func(settings any) []notify.Address { return p.Addresses(settings.(*S)) }
	}
	if p.SkipsTLSVerify != nil {
		d.skipsTLSVerify = func(settings any) bool { return p.SkipsTLSVerify(settings.(*S)) }
	}
	return d
}

func index(all ...description) map[reflect.Type]description {
	byType := make(map[reflect.Type]description, len(all))
	for _, d := range all {
		byType[d.settings] = d
	}
	return byType
}

// Provider is the provider that a receiver's spec has.
type Provider struct {
	// Name is its field in the spec, such as pagerDuty.
	Name     string
	settings any
	description
}

// Of returns the provider of a spec; false: it has none.
func Of(spec *v1beta1.CommonReceiverSpec) (Provider, bool) {
	if spec == nil {
		return Provider{}, false
	}
	union := reflect.ValueOf(&spec.Provider).Elem()
	for i := range union.NumField() {
		member := union.Field(i)
		if member.IsNil() {
			continue
		}
		name, _, _ := strings.Cut(union.Type().Field(i).Tag.Get("json"), ",")
		return Provider{Name: name, settings: member.Interface(), description: registry[member.Type()]}, true
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
	all := p.addresses(p.settings)
	for i := range all {
		all[i].Field = p.Name + "." + all[i].Field
	}
	return all
}

// SkipsTLSVerify reports whether the verification of certificates is turned off.
func (p Provider) SkipsTLSVerify() bool { return p.skipsTLSVerify(p.settings) }

// ResendEvery returns the interval at which an active alert is sent to a receiver again; 0: it is not.
func ResendEvery(spec *v1beta1.CommonReceiverSpec) time.Duration {
	p, _ := Of(spec)
	return p.resendEvery
}

// Forgets reports whether the receiver that returned an external id forgets an active alert that is not sent again.
func Forgets(externalID string) bool { return alertmanager.IsActiveAlert(externalID) }

// Factory creates senders.
type Factory struct {
	Guard  *outbound.Guard
	Events event.Creator
}

// NewSender returns the sender of the receiver that a spec and its Secret describe. An error names the field or the key of the
// Secret that is wrong, never a value.
func (f Factory) NewSender(spec *v1beta1.CommonReceiverSpec, data map[string][]byte) (notify.Sender, error) {
	if spec.Event != nil { // it sends through the API server
		return event.New(f.Events), nil
	}
	p, ok := Of(spec)
	if !ok {
		return nil, errors.New("it has no provider")
	}
	client, err := outbound.NewClient(f.Guard, outbound.Options{
		Timeout:            time.Duration(spec.TimeoutSeconds) * time.Second,
		CABundle:           data["ca.crt"],
		ClientCertificate:  data["tls.crt"],
		ClientKey:          data["tls.key"],
		InsecureSkipVerify: p.SkipsTLSVerify(),
	})
	if err != nil {
		return nil, err
	}
	secret := notify.NewSecret(data)
	sender, err := p.newSender(p.settings, secret, client)
	if secret.Err() != nil { // the cause of another error
		return nil, secret.Err()
	}
	return sender, err
}
