// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package grpcnotifier

import (
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// Provider describes notifiers to the registry.
var Provider = notify.Provider[v1beta1.GRPCProvider]{
	Addresses: func(s *v1beta1.GRPCProvider) []notify.Address {
		address, isPlain, problem := endpoint(s.Address)
		if problem != "" {
			return nil
		}
		return notify.HostAddress("address", address, isPlain)
	},
	Check: func(s *v1beta1.GRPCProvider) notify.Problems { return check(configOf(s)) },
	New: func(s *v1beta1.GRPCProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		config := configOf(s)
		config.Token = secret.Get("token")
		return New(config, client)
	},
	Modes: []notify.Mode{{
		SecretKeys: []string{"token"},
		Repeat:     notify.Once + ", if the server drops a `delivery_key` that it has seen",
		Key:        "`delivery_key`",
		Update:     notify.OwnMessage + ", or as the server shows it",
		Resolve:    notify.OwnMessage + ", or as the server shows it",
		Links:      "`links` of the request",
		Sent:       "the server answered OK",
		Probe:      "`Probe` of the server",
		ProbeGap:   "what the server does not check",
	}},
}

func configOf(s *v1beta1.GRPCProvider) Config {
	c := Config{Address: s.Address, ServerName: s.ServerName}
	if len(s.Parameters) > 0 {
		c.Parameters = map[string]string{}
	}
	for name, value := range s.Parameters {
		c.Parameters[name] = string(value)
	}
	return c
}
