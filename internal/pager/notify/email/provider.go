// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package email

import (
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// Provider describes e-mail to the registry.
var Provider = notify.Provider[v1beta1.EmailProvider]{
	Addresses: func(s *v1beta1.EmailProvider) []notify.Address {
		return notify.HostAddress("host", s.Host, s.TLS == v1beta1.EmailTLSNone)
	},
	Check: func(s *v1beta1.EmailProvider) notify.Problems {
		return check(configOf(s))
	},
	Warn: func(s *v1beta1.EmailProvider) (problems notify.Problems) {
		if s.TLS == v1beta1.EmailTLSNone {
			problems.Add("tls", None, "with None no username and password of the Secret can be used: no mail is sent where it has them; set StartTLS or Implicit")
		}
		return problems
	},
	New: func(s *v1beta1.EmailProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		config := configOf(s)
		config.Username, config.Password = secret.Get("username"), secret.Get("password")
		return New(config, client)
	},
	Modes: []notify.Mode{{
		SecretKeys: []string{"username", "password"},
		Repeat:     notify.Once + ", in mail programs that merge mails with equal `Message-ID`s, else twice",
		Key:        "`Message-ID`",
		Update:     notify.OwnMessage + ", in the thread",
		Resolve:    notify.OwnMessage + ", in the thread",
		Links:      notify.Lines,
		Sent:       "the mail server accepted the mail for every address that it does not refuse permanently",
		Probe:      "a login",
		ProbeGap:   "whether the sender and the recipients are accepted",
	}},
}

func configOf(s *v1beta1.EmailProvider) Config {
	c := Config{Host: s.Host, TLS: string(s.TLS), From: s.From, To: s.To, Hello: s.Hello}
	for _, h := range s.Headers {
		c.Headers = append(c.Headers, Header{Name: h.Name, Value: h.Value})
	}
	return c
}
