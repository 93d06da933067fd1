// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/panics"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/version"
)

// Auth has the credentials of a broker: none, or one of three kinds, and optionally a client certificate. It prints as nothing.
type Auth struct {
	Username, Password string
	BearerToken        string
	OAuth2             *OAuth2

	ClientCertificate, ClientKey []byte // PEM
}

// OAuth2 gets tokens with the client credentials grant. The certificate of the token server is always verified.
type OAuth2 struct {
	TokenURL               string
	ClientID, ClientSecret string
	Scopes                 []string
}

const redacted = "[redacted]"

// Format prints no credentials, for any verb.
func (Auth) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// MarshalText prints no credentials.
func (Auth) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Format prints no credentials, for any verb.
func (OAuth2) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// MarshalText prints no credentials.
func (OAuth2) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func (a Auth) isNone() bool {
	return a.Username == "" && a.Password == "" && a.BearerToken == "" && a.OAuth2 == nil
}

// credential authenticates one request.
type credential struct {
	header    string   // Authorization; empty: none
	secrets   []string // the parts of it that must not be shown
	names     []string // nor these, which may stand in other words by chance
	renewable bool     // refused, another one may be accepted
}

// authorizer returns the credential for the next request.
type authorizer interface {
	// authorize returns an outcome if there is no credential.
	authorize(ctx context.Context) (credential, *osbresult.Outcome)
	// drop removes a credential that was refused.
	drop(credential)
	close()
}

func newAuthorizer(a Auth, guard *outbound.Guard, limits outbound.Options, now func() time.Time) (authorizer, error) {
	// A Secret made with echo ends in a line break; a blank may be part of a password.
	username, password := trimBreak(a.Username), trimBreak(a.Password)
	token := strings.TrimSpace(a.BearerToken)
	kinds := 0
	for _, given := range []bool{username+password != "", token != "", a.OAuth2 != nil} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		return nil, errors.New("username, bearer token, OAuth2: at most one of them can be set")
	case a.OAuth2 != nil:
		return newTokens(*a.OAuth2, guard, limits, now)
	case !isVisible(token):
		return nil, errors.New("bearer token: must have no spaces or control characters")
	case strings.Contains(username, ":"):
		return nil, errors.New("username: must have no colon, since Basic authentication cannot express it")
	}
	if token != "" {
		return fixed{header: "Bearer " + token, secrets: []string{token}}, nil
	}
	if kinds == 0 {
		return fixed{}, nil
	}
	return fixed(basic(username, password)), nil
}

func basic(username, password string) credential {
	both := base64.StdEncoding.EncodeToString([]byte(username + ":" + password))
	return credential{header: "Basic " + both, secrets: []string{both, password}, names: []string{username}}
}

func trimBreak(s string) string { return strings.TrimRight(s, "\r\n") }

// isVisible reports whether a text can be one word of a header.
func isVisible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// fixed is a credential that does not change.
type fixed credential

func (f fixed) authorize(context.Context) (credential, *osbresult.Outcome) { return credential(f), nil }
func (fixed) drop(credential)                                              {}
func (fixed) close()                                                       {}

// tokens gets tokens, and caches one until shortly before its expiry. Concurrent callers wait for the same token.
type tokens struct {
	client  *outbound.Client
	url     string
	form    string
	own     credential // of ours towards the token server
	secrets []string
	names   []string
	now     func() time.Time

	mu      sync.Mutex
	current credential
	ends    time.Time // zero: when it is refused
	pending *pendingToken
}

type pendingToken struct {
	done   chan struct{}
	got    credential
	failed *osbresult.Outcome
}

func newTokens(o OAuth2, guard *outbound.Guard, limits outbound.Options, now func() time.Time) (*tokens, error) {
	id, secret := strings.TrimSpace(o.ClientID), strings.TrimSpace(o.ClientSecret)
	u, err := url.Parse(strings.TrimSpace(o.TokenURL))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return nil, errors.New("OAuth2 tokenURL: must be an absolute http or https URL, without user and fragment")
	}
	if id == "" {
		return nil, errors.New("OAuth2 clientID: must not be empty")
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(o.Scopes) > 0 {
		form.Set("scope", strings.Join(o.Scopes, " "))
	}
	limits.InsecureSkipVerify = false
	client, err := outbound.NewClient(guard, limits)
	if err != nil {
		return nil, err
	}
	own := basic(url.QueryEscape(id), url.QueryEscape(secret)) // RFC 6749, 2.3.1
	return &tokens{client: client, url: u.String(), form: form.Encode(), own: own, secrets: append(own.secrets, secret), names: append(own.names, id), now: now}, nil
}

func (t *tokens) close() { t.client.CloseIdleConnections() }

func (t *tokens) drop(refused credential) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current.header == refused.header { // otherwise another request has renewed it
		t.current = credential{}
	}
}

func (t *tokens) authorize(ctx context.Context) (credential, *osbresult.Outcome) {
	t.mu.Lock()
	if t.current.header != "" && (t.ends.IsZero() || t.now().Before(t.ends)) {
		defer t.mu.Unlock()
		return t.current, nil
	}
	if t.pending == nil {
		t.pending = &pendingToken{done: make(chan struct{})}
		// Other callers wait for it, so the first caller's context does not end it.
		go t.renew(context.WithoutCancel(ctx), t.pending)
	}
	pending := t.pending
	t.mu.Unlock()
	select {
	case <-pending.done:
		return pending.got, pending.failed
	case <-ctx.Done():
		return credential{}, noToken(osbresult.Retry, "the request was cancelled", 0)
	}
}

// renew gets a token for all callers that wait.
func (t *tokens) renew(ctx context.Context, pending *pendingToken) {
	got, lifetime, failed := t.guardedGet(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	pending.got, pending.failed = got, failed
	t.current, t.ends, t.pending = got, time.Time{}, nil
	if lifetime > 0 {
		t.ends = t.now().Add(lifetime - min(lifetime/10, 30*time.Second))
	}
	close(pending.done)
}

// guardedGet is get; after a panic there is no token. The next caller requests one.
func (t *tokens) guardedGet(ctx context.Context) (got credential, lifetime time.Duration, failed *osbresult.Outcome) {
	defer func() {
		if recovered := recover(); recovered != nil {
			got, lifetime, failed = credential{}, 0, noToken(osbresult.Retry, panics.Count(ctx, panics.Broker, "requesting an OAuth2 token", recovered).Error(), 0)
		}
	}()
	return t.get(ctx)
}

// get sends one request for a token.
func (t *tokens) get(ctx context.Context) (credential, time.Duration, *osbresult.Outcome) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, strings.NewReader(t.form))
	if err != nil {
		return credential{}, 0, noToken(osbresult.Misconfigured, "the token URL is not valid", 0)
	}
	req.Header.Set("Authorization", t.own.header)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", version.UserAgent())
	resp, err := t.client.Do(ctx, req)
	if err != nil {
		class := osbresult.Retry
		if failure, ok := errors.AsType[*outbound.Error](err); ok && !failure.Sent {
			class = classOfUnsent(failure)
		}
		return credential{}, 0, noToken(class, err.Error(), 0) // an *outbound.Error, which is safe to show
	}
	wait := outbound.RetryAfter(resp.Header, t.now())
	if resp.StatusCode != http.StatusOK {
		class := osbresult.Misconfigured
		if isTemporary(resp.StatusCode) {
			class = osbresult.Retry
		}
		return credential{}, 0, noToken(class, statusLine(resp.StatusCode)+tokenError(resp.Body), wait)
	}
	token, lifetime, err := readToken(resp.Body)
	if err != nil {
		return credential{}, 0, noToken(osbresult.Misconfigured, "the token server's answer cannot be used: "+err.Error(), wait)
	}
	return credential{header: "Bearer " + token, secrets: append([]string{token}, t.secrets...), names: t.names, renewable: true}, lifetime, nil
}

// noToken returns the outcome of a request that was not sent, as there is no token.
func noToken(class osbresult.Class, why string, wait time.Duration) *osbresult.Outcome {
	return &osbresult.Outcome{Class: class, Description: "there is no OAuth2 token for the broker: " + why, RetryAfter: wait}
}

// tokenError returns the error code of a token server, if it is one of RFC 6749, 5.2. Other text is not shown: the author of the
// URL must not read answers of servers that only the operator reaches.
func tokenError(body []byte) string {
	o := readObject(body)
	word := o.text("error")
	if o.err() == nil && slices.Contains([]string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}, word) {
		return ": " + word
	}
	return ""
}
