// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pagerduty

import (
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// Provider describes PagerDuty to the registry.
var Provider = notify.Provider[v1beta1.PagerDutyProvider]{
	Addresses: func(s *v1beta1.PagerDutyProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.PagerDutyProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		config := configOf(s)
		config.RoutingKey = secret.Get("routingKey")
		return New(config, client)
	},
	// An event for an open incident is added to it and pages no one.
	RaisesByReopening: true,
	Check:             func(s *v1beta1.PagerDutyProvider) notify.Problems { return check(configOf(s)) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"routingKey"},
		DefaultURL: DefaultURL,
		Repeat:     notify.Once,
		Key:        "`dedup_key`",
		Update:     notify.InPlace + ", without a notification",
		Resolve:    notify.InPlace,
		Links:      "`links` of the event",
		Sent:       "the event is queued, not that a person was notified",
	}},
}

func configOf(s *v1beta1.PagerDutyProvider) Config {
	c := Config{URL: s.URL, Class: s.Class, Component: s.Component, Group: s.Group, Client: s.Client, ClientURL: s.ClientURL}
	for _, link := range s.Links {
		c.Links = append(c.Links, Link{Href: link.Href, Text: link.Text})
	}
	for name, value := range s.Details {
		if c.Details == nil {
			c.Details = map[string]string{}
		}
		c.Details[name] = string(value)
	}
	return c
}
