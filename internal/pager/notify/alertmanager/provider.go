// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertmanager

import (
	"fmt"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/headers"
)

// Provider describes Alertmanager to the registry.
var Provider = notify.Provider[v1beta1.AlertmanagerProvider]{
	Addresses: func(s *v1beta1.AlertmanagerProvider) (all []notify.Address) {
		for i, u := range s.URLs {
			all = append(all, notify.URLAddress(fmt.Sprintf("urls[%d]", i), u)...)
		}
		return all
	},
	Check: func(s *v1beta1.AlertmanagerProvider) notify.Problems { return headers.Check(check(s.URLs), s.Headers) },
	New: func(s *v1beta1.AlertmanagerProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		labels := make(map[string]string, len(s.Labels))
		for name, value := range s.Labels {
			labels[name] = string(value)
		}
		added, err := headers.Of(s.Headers, secret)
		if err != nil {
			return nil, err
		}
		return New(Config{URLs: s.URLs, Labels: labels, Headers: added,
			Token: secret.Get("token"), Username: secret.Get("username"), Password: secret.Get("password")}, client)
	},
	RepostEvery: repostEvery,
	SecretKeys:  func(s *v1beta1.AlertmanagerProvider) []string { return headers.SecretKeys(s.Headers) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"token", "username", "password"},
		Repeat:     notify.Once,
		Key:        "labels",
		Update:     notify.InPlace,
		Resolve:    notify.InPlace,
		Links:      "annotations `runbook_url`, `dashboard_url` and `links`, and `generatorURL`",
		Sent:       "a replica has the alert, not that a person was notified",
		Probe:      "the status of every replica, where one success is enough",
		ProbeGap:   "whether its routes notify a person",
	}},
}
