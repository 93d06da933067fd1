// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"strings"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// Provider describes webhooks to the registry.
var Provider = notify.Provider[v1beta1.WebhookProvider]{
	Addresses:      func(s *v1beta1.WebhookProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	SkipsTLSVerify: func(s *v1beta1.WebhookProvider) bool { return s.InsecureSkipTLSVerify },
	Check:          func(s *v1beta1.WebhookProvider) notify.Problems { return check(s) },
	SecretKeys:     secretKeys,
	New: func(s *v1beta1.WebhookProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		config, err := configOf(s, secret)
		if err != nil {
			return nil, err
		}
		return New(config, client)
	},
	Modes: []notify.Mode{{
		SecretKeys: []string{"url", "token", "username", "password", "signingSecret", "signingSecretNext"},
		Repeat:     notify.Once + ", if the endpoint drops a `webhook-id` that it has seen",
		Key:        "`webhook-id`",
		Update:     notify.OwnMessage,
		Resolve:    notify.OwnMessage,
		Links:      "`links` of the body",
		Sent:       "the endpoint answered 2xx",
	}},
}

// check returns what is wrong with the settings in a spec. The URL in a Secret may have a user.
func check(s *v1beta1.WebhookProvider) (problems notify.Problems) {
	if u := problems.URL("url", s.URL); u != nil && u.User != nil {
		problems.AddURL("url", s.URL, "must have no user and password: put them into the Secret, as username and password, or the whole URL, as url")
	}
	for i, h := range s.Headers {
		field := fmt.Sprintf("headers[%d]", i)
		if problem := headerProblem(Header{Name: h.Name, Value: h.Value}); problem != "" {
			problems.Add(field, h.Name, problem)
		}
		if strings.EqualFold(h.Name, "Authorization") && h.SecretKey == "" {
			problems.Add(field, h.Name, "the value of Authorization belongs into the Secret: give its key in secretKey")
		}
	}
	return problems
}

// secretKeys returns the keys of the Secret that headers name.
func secretKeys(s *v1beta1.WebhookProvider) (keys []string) {
	for _, h := range s.Headers {
		if h.SecretKey != "" {
			keys = append(keys, h.SecretKey)
		}
	}
	return keys
}

func configOf(s *v1beta1.WebhookProvider, secret *notify.Secret) (Config, error) {
	c := Config{URL: s.URL, Method: string(s.Method),
		Token: secret.Get("token"), Username: secret.Get("username"), Password: secret.Get("password")}
	if c.URL == "" { // otherwise a user who may write the Secret and not the receiver could redirect the other credentials
		c.URL = secret.Get("url")
	}
	for _, key := range []string{"signingSecret", "signingSecretNext"} {
		if value := secret.Get(key); value != "" {
			c.SigningSecrets = append(c.SigningSecrets, value)
		}
	}
	for _, h := range s.Headers {
		value := h.Value
		if h.SecretKey != "" {
			if value = secret.Get(h.SecretKey); value == "" {
				return c, fmt.Errorf("spec.webhook.headers: the Secret has no key %q for the header %s", h.SecretKey, h.Name)
			}
		}
		c.Headers = append(c.Headers, Header{Name: h.Name, Value: value})
	}
	return c, secret.Err()
}
