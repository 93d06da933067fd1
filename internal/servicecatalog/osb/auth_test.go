// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

func TestNewClientRefuses(t *testing.T) {
	certificate, _ := keyPair(t)
	for _, test := range []struct {
		why, says string
		change    func(*Options)
	}{
		{"no URL", "url: must be an absolute", func(o *Options) { o.URL = "" }},
		{"another scheme", "url: must be an absolute", func(o *Options) { o.URL = "ftp://c4nary" }},
		{"a URL that cannot be parsed", "url: must be an absolute", func(o *Options) { o.URL = "https://c4nary:c4nary" }},
		{"a query", "url: must have neither query", func(o *Options) { o.URL += "?c4nary=1" }},
		{"a fragment", "url: must have neither query", func(o *Options) { o.URL += "#c4nary" }},
		{"two credentials", "username, bearer token, OAuth2: at most one", func(o *Options) { o.Auth = Auth{Username: "c4nary", BearerToken: "c4nary"} }},
		{"a colon in the name", "username: must have no colon", func(o *Options) { o.Auth.Username = "c4nary:" }},
		{"a token in two lines", "bearer token: must have no spaces", func(o *Options) { o.Auth.BearerToken = "c4nary\nc4nary" }},
		{"a token server that is none", "OAuth2 tokenURL: must be", func(o *Options) { o.Auth.OAuth2 = &OAuth2{TokenURL: "c4nary", ClientID: "c4nary"} }},
		{"credentials in its address", "OAuth2 tokenURL: must be", func(o *Options) { o.Auth.OAuth2 = &OAuth2{TokenURL: "https://c4nary@example.com", ClientID: "c4nary"} }},
		{"a token for nobody", "OAuth2 clientID: must not be empty", func(o *Options) { o.Auth.OAuth2 = &OAuth2{TokenURL: "https://example.com"} }},
		{"a certificate without its key", "the client certificate and its key", func(o *Options) { o.Auth.ClientCertificate = certificate }},
		{"an authority that is none", "the CA bundle has no certificate", func(o *Options) { o.Outbound.CABundle = []byte("c4nary") }},
	} {
		o := Options{URL: "https://example.com"}
		test.change(&o)
		c, err := NewClient(o)
		if c != nil || err == nil || !strings.HasPrefix(err.Error(), test.says) || strings.Contains(err.Error(), "c4nary") {
			t.Errorf("%s: got %v, %v", test.why, c, err)
		}
	}
}

// Manifests of old may have the credentials in the URL.
func TestUserInURL(t *testing.T) {
	s := newScript(t, status(200, good))
	withUser := strings.Replace(s.URL, "//", "//us3r:p4ss%20word@", 1)
	for why, test := range map[string]struct {
		auth Auth
		want string
	}{
		"nothing else":   {Auth{}, "Basic dXMzcjpwNHNzIHdvcmQ="},
		"something else": {Auth{BearerToken: "t0ken"}, "Bearer t0ken"},
	} {
		newClient(t, withUser, func(o *Options) { o.Auth = test.auth }).Catalog(t.Context(), "")
		want(t, why, s.one(t).Header.Get("Authorization"), test.want)
	}
}

func TestAuthPrintsNothing(t *testing.T) {
	auth := Auth{Username: "c4nary", Password: "c4nary", BearerToken: "c4nary", OAuth2: &OAuth2{ClientSecret: "c4nary"}, ClientKey: []byte("c4nary")}
	inJSON, err := json.Marshal(map[string]any{"auth": auth, "oauth2": *auth.OAuth2})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{auth, &auth, *auth.OAuth2, auth.OAuth2, struct{ A Auth }{auth}} {
			if text := fmt.Sprintf(verb, value); strings.Contains(text, "c4nary") || strings.Contains(text, "63346e617279") {
				t.Errorf("%s: %s", verb, text)
			}
		}
	}
	if strings.Contains(string(inJSON), "c4nary") {
		t.Error(string(inJSON))
	}
}

// issuer is a token server that numbers its tokens.
type issuer struct {
	*script
	issued  atomic.Int32
	expires string // as it is written
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{expires: "600"}
	i.script = newScript(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"access_token":"t0ken-%d","token_type":"Bearer","expires_in":%s}`, i.issued.Add(1), i.expires)
	})
	return i
}

func (i *issuer) auth(o *Options) {
	o.Auth = Auth{OAuth2: &OAuth2{TokenURL: i.URL, ClientID: "c:id", ClientSecret: "s3cret &+"}}
}

func TestTokenIsKeptAndRenewed(t *testing.T) {
	tokens, s := newIssuer(t), newScript(t, status(200, good))
	now := time.Now()
	c := newClient(t, s.URL, tokens.auth, func(o *Options) { o.Now = func() time.Time { return now } })
	for i, step := range []struct {
		after time.Duration
		token string
	}{{0, "t0ken-1"}, {time.Second, "t0ken-1"}, {568 * time.Second, "t0ken-1"}, {time.Second, "t0ken-2"}, {0, "t0ken-2"}} {
		now = now.Add(step.after)
		c.Catalog(t.Context(), "")
		want(t, fmt.Sprintf("step %d", i), s.one(t).Header.Get("Authorization"), "Bearer "+step.token)
	}
	want(t, "who asks", tokens.take()[0].Header.Get("Authorization"), "Basic YyUzQWlkOnMzY3JldCslMjYlMkI=") // both escaped before
}

func TestTokenWithoutEnd(t *testing.T) {
	for _, expires := range []string{`null`, `0`, `-1`, `"soon"`, `{}`} {
		tokens, s := newIssuer(t), newScript(t, status(200, good))
		tokens.expires = expires
		now := time.Now()
		c := newClient(t, s.URL, tokens.auth, func(o *Options) { o.Now = func() time.Time { return now } })
		c.Catalog(t.Context(), "")
		now = now.Add(1000 * time.Hour)
		c.Catalog(t.Context(), "")
		want(t, "tokens with "+expires, tokens.issued.Load(), 1)
	}
	for _, expires := range []string{`"600"`, `600.5`} {
		tokens, s := newIssuer(t), newScript(t, status(200, good))
		tokens.expires = expires
		now := time.Now()
		c := newClient(t, s.URL, tokens.auth, func(o *Options) { o.Now = func() time.Time { return now } })
		c.Catalog(t.Context(), "")
		now = now.Add(600 * time.Second)
		c.Catalog(t.Context(), "")
		want(t, "tokens with "+expires, tokens.issued.Load(), 2)
	}
}

// A token that is refused is renewed, once; the request that was refused is made again.
func TestRefusedTokenIsRenewed(t *testing.T) {
	tokens := newIssuer(t)
	refused := map[string]bool{"Bearer t0ken-1": true}
	s := newScript(t, func(w http.ResponseWriter, r *http.Request) {
		if refused[r.Header.Get("Authorization")] {
			status(401, `{"description":"expired"}`)(w, r)
			return
		}
		status(201, `{}`)(w, r)
	})
	c := newClient(t, s.URL, tokens.auth)
	_, out := c.Provision(t.Context(), provisionRequest())
	want(t, "with another token", out.Class, osbresult.Done)
	requests := s.take()
	want(t, "requests", len(requests), 2)
	want(t, "the body again", string(requests[1].Body), string(requests[0].Body))
	want(t, "tokens", tokens.issued.Load(), 2)

	refused["Bearer t0ken-2"], refused["Bearer t0ken-3"] = true, true
	_, out = c.Provision(t.Context(), provisionRequest())
	want(t, "refused again", out, osbresult.Outcome{Class: osbresult.Misconfigured, Status: 401, Sent: true, Description: "expired"})
	want(t, "requests", len(s.take()), 2)
	want(t, "tokens", tokens.issued.Load(), 3)
}

// F-S39: a process that no longer leads does not send the request again with another token.
func TestRefusedTokenIsNotRenewedWhereNothingMayBeSent(t *testing.T) {
	tokens := newIssuer(t)
	s := newScript(t, status(401, `{"description":"expired"}`))
	c := newClient(t, s.URL, tokens.auth)
	request := provisionRequest()
	request.MayRepeat = func() bool { return false }
	_, out := c.Provision(t.Context(), request)
	want(t, "outcome", out, osbresult.Outcome{Class: osbresult.Misconfigured, Status: 401, Sent: true, Description: "expired"})
	want(t, "requests", len(s.take()), 1)
}

func TestTokenIsShared(t *testing.T) {
	release := make(chan struct{})
	var asked atomic.Int32
	tokens := newScript(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		<-release
		_, _ = w.Write([]byte(`{"access_token":"t0ken"}`))
	})
	s := newScript(t, status(200, good))
	c := newClient(t, s.URL, func(o *Options) { o.Auth = Auth{OAuth2: &OAuth2{TokenURL: tokens.URL, ClientID: "id"}} })
	var all sync.WaitGroup
	var done atomic.Int32
	for range 16 {
		all.Go(func() {
			if _, out := c.Catalog(t.Context(), ""); out.Class == osbresult.Done {
				done.Add(1)
			}
		})
	}
	close(release)
	all.Wait()
	want(t, "requests for a token", asked.Load(), 1)
	want(t, "catalogs", done.Load(), 16)
}

func TestNoToken(t *testing.T) {
	const echo = `{"error":"invalid_client","error_description":"s3cret","access_token":"t0ken"}`
	s := newScript(t, status(200, good))
	for why, test := range map[string]struct {
		answer http.HandlerFunc
		says   string
		wait   time.Duration
	}{
		"refused":             {status(401, echo), "HTTP 401 Unauthorized: invalid_client", 0},
		"a word of its own":   {status(400, `{"error":"s3cret"}`), "HTTP 400 Bad Request", 0},
		"not a token server":  {status(404, "s3cret page"), "HTTP 404 Not Found", 0},
		"away for a while":    {status(503, "", "Retry-After", "9"), "HTTP 503 Service Unavailable", 9 * time.Second},
		"a redirect":          {status(302, "", "Location", "/s3cret"), "HTTP 302 Found", 0},
		"no token":            {status(200, `{"x":"s3cret"}`), "the token server's answer cannot be used: access_token must be a word", 0},
		"another kind":        {status(200, `{"access_token":"t0ken","token_type":"mac"}`), "the token server's answer cannot be used: token_type must be bearer", 0},
		"a token of two":      {status(200, `{"access_token":"t0ken s3cret"}`), "the token server's answer cannot be used: access_token must be a word", 0},
		"a token of no words": {status(200, `{"access_token":["s3cret"]}`), "the token server's answer cannot be used: access_token must be a string, not an array", 0},
		"no JSON":             {status(200, `s3cret`), "the token server's answer cannot be used: it is not JSON", 0},
		"no answer":           {drop, "the connection broke before a complete answer came", 0},
	} {
		tokens := newScript(t, test.answer)
		c := newClient(t, s.URL, func(o *Options) {
			o.Auth = Auth{OAuth2: &OAuth2{TokenURL: tokens.URL, ClientID: "id", ClientSecret: "s3cret"}}
		})
		_, out := c.Provision(t.Context(), provisionRequest())
		class := osbresult.Misconfigured
		if why == "away for a while" || why == "no answer" {
			class = osbresult.Retry
		}
		want(t, why, out, osbresult.Outcome{Class: class, Description: "there is no OAuth2 token for the broker: " + test.says, RetryAfter: test.wait})
		want(t, why+", requests to the broker", len(s.take()), 0)
		_, _ = c.Provision(t.Context(), provisionRequest())
		want(t, why+", requests for a token", len(tokens.take()), 2)
	}
}

// F-S9: the header is bounded, and where it is too large for a broker the groups are left out.
func TestIdentityIsBounded(t *testing.T) {
	user := Identity{Username: "alice", UID: "uid", Extra: map[string][]string{"scopes": {"x"}}}
	for range 400 {
		user.Groups = append(user.Groups, "a-group-with-quite-a-long-name")
	}
	if got := len(user.header()); got > 6<<10 || got < 4<<10 {
		t.Errorf("the header has %d bytes", got)
	}
	var sizes []int
	s := newScript(t, func(w http.ResponseWriter, r *http.Request) {
		sizes = append(sizes, len(r.Header.Get("X-Broker-API-Originating-Identity")))
		if len(sizes) == 1 {
			status(http.StatusRequestHeaderFieldsTooLarge, "")(w, r)
			return
		}
		status(201, `{}`)(w, r)
	})
	request := provisionRequest()
	request.Identity = &user
	_, out := newClient(t, s.URL).Provision(t.Context(), request)
	want(t, "outcome", out.Class, osbresult.Done)
	if len(sizes) != 2 || sizes[1] > 256 || sizes[1] == 0 {
		t.Errorf("headers of %v bytes", sizes)
	}
	always := newScript(t, status(http.StatusRequestHeaderFieldsTooLarge, ""))
	_, out = newClient(t, always.URL).Provision(t.Context(), request)
	want(t, "431 is no refusal", out.Class, osbresult.Misconfigured)
	want(t, "requests", len(always.take()), 2)
}

// F-P66: a panic while a token is requested is a failure for all that wait for it, and not for later requests.
func TestPanicWhileATokenIsRequested(t *testing.T) {
	s := newScript(t, status(200, `{"access_token": "t0ken", "token_type": "bearer"}`))
	made, err := newTokens(OAuth2{TokenURL: s.URL, ClientID: "id", ClientSecret: "s3cret"}, loopback(), outbound.Options{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	client := made.client
	made.client = nil // the request panics
	var waiting sync.WaitGroup
	for range 3 {
		waiting.Go(func() {
			if got, failed := made.authorize(t.Context()); failed == nil || failed.Class != osbresult.Retry || !strings.Contains(failed.Description, "a mistake in Bellhop") {
				t.Errorf("%+v, %+v", got, failed)
			}
		})
	}
	waiting.Wait()
	made.client = client
	if got, failed := made.authorize(t.Context()); failed != nil || got.header != "Bearer t0ken" {
		t.Errorf("a later request: %+v, %+v", got, failed)
	}
}
