// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// Token returns the token in a value of a Secret. An error names the field and its valid values, but not the value.
func Token(field, what, value string) (string, error) {
	token := strings.TrimSpace(value) // the value of a Secret made with echo ends in a line break
	if token == "" || !isVisible(token) {
		return "", Invalid(field, "must be "+what+": not empty, and without spaces or control characters")
	}
	return token, nil
}

// HasBotToken reports whether a Secret has the token of a bot, rather than the address of an incoming webhook. An error: it
// has both or neither.
func HasBotToken(webhookURL, token string) (bool, error) {
	hasURL, hasToken := strings.TrimSpace(webhookURL) != "", strings.TrimSpace(token) != ""
	if hasURL == hasToken {
		return false, Invalid("url, token", "exactly one of them must be in the Secret: the url of an incoming webhook, or the token of a bot")
	}
	return hasToken, nil
}

// Authorization returns the value of the header Authorization for a bearer token, or for a username with its password; ""
// without credentials.
func Authorization(token, username, password string) (string, error) {
	token, username, password = strings.TrimSpace(token), trimLineBreaks(username), trimLineBreaks(password)
	switch {
	case token != "" && username+password != "":
		return "", Invalid("token, username", "only one of a token, and a username with its password, can be set")
	case !isVisible(token):
		return "", Invalid("token", "must have no spaces or control characters")
	case token != "":
		return "Bearer " + token, nil
	case username+password == "":
		return "", nil
	}
	return BasicAuthorization(username, password)
}

// BasicAuthorization returns the value of the header Authorization for a username with its password.
func BasicAuthorization(username, password string) (string, error) {
	username, password = trimLineBreaks(username), trimLineBreaks(password)
	if username == "" || strings.Contains(username, ":") {
		return "", Invalid("username", "must not be empty or have a colon")
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password)), nil
}

// trimLineBreaks removes the line break that ends the value of a Secret made with echo. A blank may be part of a password.
func trimLineBreaks(s string) string { return strings.TrimRight(s, "\r\n") }

func isVisible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// URLSecrets returns the parts of an address that must not be shown where the address is a credential: the whole as given,
// all after the host, and the values of the query, both decoded and encoded.
func URLSecrets(given string, u *url.URL) []string {
	secrets := []string{given, u.String(), u.RequestURI(), u.Path, u.RawQuery}
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
	}
	for pair := range strings.SplitSeq(u.RawQuery, "&") { // also where the query cannot be parsed
		_, value, _ := strings.Cut(pair, "=")
		secrets = append(secrets, value)
	}
	if password, ok := u.User.Password(); ok {
		secrets = append(secrets, password)
	}
	return secrets
}

// minKeyLength is the length from which a part of a path may be a key. Shorter parts are words, such as "notifications".
const minKeyLength = 16

// PathSecrets returns the parts of a path that may be keys.
func PathSecrets(u *url.URL) []string {
	var secrets []string
	for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
		if plain, err := url.PathUnescape(segment); err == nil && len(plain) >= minKeyLength {
			secrets = append(secrets, plain)
		}
	}
	return secrets
}
