// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/headers"
)

// authenticate sets the header Authorization. At most one source of the credential may be set.
func authenticate(header http.Header, config Config, target *url.URL) error {
	token := strings.TrimSpace(config.Token)
	sources := 0
	for _, given := range []bool{token != "", config.Username+config.Password != "", target.User != nil, header.Get("Authorization") != ""} {
		if given {
			sources++
		}
	}
	switch {
	case sources > 1:
		return notify.Invalid("token, username, url, headers", "only one of a token, a username with its password, a user in the URL, and a header Authorization can be set")
	case !headers.IsValue(token):
		return notify.Invalid("token", "must have no control characters")
	case token != "":
		header.Set("Authorization", "Bearer "+token)
	case config.Username+config.Password != "":
		return setBasic(header, config.Username, config.Password)
	case target.User != nil:
		user := target.User
		target.User = nil // it is sent in the header only
		password, _ := user.Password()
		return setBasic(header, user.Username(), password)
	}
	return nil
}

func setBasic(header http.Header, username, password string) error {
	authorization, err := notify.BasicAuthorization(username, password)
	if err != nil {
		return err
	}
	header.Set("Authorization", authorization)
	return nil
}

// secrets returns the texts that are removed from quoted text. They include the whole URL: where it is in a Secret, its path
// is the credential.
func secrets(config Config, target *url.URL, header http.Header, keys [][]byte) []string {
	secrets := append(notify.URLSecrets(config.URL, target), notify.PathSecrets(target)...)
	secrets = append(secrets, config.Token, config.Username, config.Password)
	secrets = append(secrets, headers.Values(header)...) // Authorization is one of them
	if username, password, ok := (&http.Request{Header: header}).BasicAuth(); ok {
		secrets = append(secrets, username, password)
	}
	for i, secret := range config.SigningSecrets {
		secrets = append(secrets, strings.TrimPrefix(strings.TrimSpace(secret), "whsec_"), string(keys[i]))
	}
	return secrets
}

// reserved has the headers that the protocol or this package sets.
var reserved = map[string]bool{
	"Host": true, "Content-Length": true, "Content-Type": true, "Content-Encoding": true, "User-Agent": true,
	"Accept-Encoding": true, "Connection": true, "Keep-Alive": true, "Transfer-Encoding": true, "Te": true, "Trailer": true,
	"Upgrade": true, "Expect": true, "Proxy-Authorization": true, "Proxy-Connection": true,
}

func headerProblem(h Header) string {
	return headers.Problem(h.Name, h.Value, func(canonical string) string {
		if reserved[canonical] || strings.HasPrefix(canonical, "Webhook-") {
			return "it is bellhop's own"
		}
		return ""
	})
}
