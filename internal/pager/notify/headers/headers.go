// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package headers has the headers that a receiver adds to each request, such as a tenant's for the gateway before the service.
package headers

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// reserved has the headers that the connection or a sender sets. One that ends in a hyphen is the start of a name. The schema of
// v1beta1.HTTPHeader has the same.
var reserved = []string{
	"Accept-Encoding", "Authorization", "Connection", "Content-", "Expect", "Host", "Keep-Alive", "Proxy-", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "User-Agent", "X-Gotify-Key",
}

// Check returns problems, with the problems of the headers in a spec added.
func Check(problems notify.Problems, headers []v1beta1.HTTPHeader) notify.Problems {
	seen := map[string]bool{}
	for i, h := range headers {
		field, name := fieldOf(i), http.CanonicalHeaderKey(h.Name)
		switch {
		case seen[name]:
			problems.Add(field, h.Name, "the header "+name+" is set twice: names must differ in more than upper and lower case")
		case problemOf(h.Name, h.Value) != "":
			problems.Add(field, h.Name, problemOf(h.Name, h.Value))
		}
		seen[name] = true
	}
	return problems
}

// Of returns the headers of requests, with the values of the Secret.
func Of(headers []v1beta1.HTTPHeader, secret *notify.Secret) (http.Header, error) {
	all := http.Header{}
	for i, h := range headers {
		value := h.Value
		if h.SecretKey != "" {
			if value = strings.TrimSpace(secret.Get(h.SecretKey)); value == "" { // made with echo, it ends in a line break
				return nil, notify.Invalid(fieldOf(i), fmt.Sprintf("the Secret has no key %q with the value of the header %s", h.SecretKey, h.Name))
			}
		}
		if problem := problemOf(h.Name, value); problem != "" {
			return nil, notify.Invalid(fieldOf(i), problem)
		}
		all.Set(h.Name, value)
	}
	return all, nil
}

// SecretKeys returns the keys of the Secret that have values.
func SecretKeys(headers []v1beta1.HTTPHeader) (keys []string) {
	for _, h := range headers {
		if h.SecretKey != "" {
			keys = append(keys, h.SecretKey)
		}
	}
	return keys
}

// NewHTTP returns the HTTP of a sender whose requests have the headers, beside those that the sender sets. It removes their values, and the
// secrets, from quoted text.
func NewHTTP(client *outbound.Client, added http.Header, secrets ...string) notify.HTTP {
	h := notify.NewHTTP(client, append(Values(added), secrets...)...)
	maps.Copy(h.Header, added)
	return h
}

// Values returns the values of headers, and their words: they may be credentials, and are removed from quoted text.
func Values(headers http.Header) (values []string) {
	for _, all := range headers {
		for _, value := range all {
			values = append(append(values, value), strings.Fields(value)...)
		}
	}
	return values
}

func fieldOf(i int) string { return fmt.Sprintf("headers[%d]", i) }

func problemOf(name, value string) string {
	return Problem(name, value, func(canonical string) string {
		isReserved := func(r string) bool {
			return canonical == r || strings.HasSuffix(r, "-") && strings.HasPrefix(canonical, r)
		}
		if slices.ContainsFunc(reserved, isReserved) {
			return "Bellhop or the connection sets it; credentials of the service are in keys of the Secret"
		}
		return ""
	})
}

// Problem returns the problem of a header; "": none. why returns why a name cannot be set; "": it can.
func Problem(name, value string, why func(canonical string) string) string {
	canonical := http.CanonicalHeaderKey(name)
	switch {
	case !isToken(name):
		return "the name must be of letters, digits and !#$%&'*+-.^_`|~"
	case why(canonical) != "":
		return "the header " + canonical + " cannot be set: " + why(canonical)
	case !IsValue(value):
		return "the value of the header " + canonical + " must have no control characters"
	}
	return ""
}

// isToken reports whether a text can be the name of a header.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		letterOrDigit := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letterOrDigit && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// IsValue reports whether a text can be the value of a header.
func IsValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
