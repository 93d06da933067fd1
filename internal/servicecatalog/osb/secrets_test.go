// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/outbound/redact/redacttest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

// A broker may echo what it was sent. Errors, polls, dashboards and the problems of a catalog must not contain the client's credentials or
// the values of Params.Secrets, in any encoding.
func TestEchoedSecretsAreRedacted(t *testing.T) {
	const user, password, token = "canary-us3r", "canary p4ss&wörd/+\"<", "canary-t0ken&/+="
	const parameter = "canary par4meter/\\\"ö"
	tokenServer := newScript(t, status(200, `{"access_token":"`+token+`"}`))
	for name, test := range map[string]struct {
		auth        Auth
		credentials []string
	}{
		"basic":  {Auth{Username: user, Password: password}, []string{user, password, base64.StdEncoding.EncodeToString([]byte(user + ":" + password))}},
		"bearer": {Auth{BearerToken: token}, []string{token}},
		"oauth2": {Auth{OAuth2: &OAuth2{TokenURL: tokenServer.URL, ClientID: user, ClientSecret: password}}, []string{token, user, password}},
	} {
		t.Run(name, func(t *testing.T) {
			type origin struct{ secret, encoding string }
			origins := map[string]origin{} // by encoded secret
			for _, secret := range append(test.credentials, parameter) {
				for encoding, encoded := range redacttest.Encodings(secret) {
					origins[encoded] = origin{secret, encoding}
				}
			}
			echo := ""
			s := newScript(t, func(w http.ResponseWriter, r *http.Request) {
				text, _ := json.Marshal(echo)
				body := `{"error":` + string(text) + `,"description":` + string(text) + `,"state":"failed","dashboard_url":` + string(text) +
					`,"services":[{"name":` + string(text) + `},{"id":` + string(text) + `,"name":"n","requires":[` + string(text) + `],"plans":[{"id":"p","name":"p"},{"id":"p","name":` + string(text) + `}]}]}`
				code := http.StatusBadRequest
				if r.Method == http.MethodGet {
					code = http.StatusOK
				}
				status(code, body)(w, r)
			})
			c := newClient(t, s.URL, func(o *Options) { o.Auth = test.auth })
			p := params()
			p.Secrets = func() ([]string, bool) { return []string{parameter}, true }
			check := func(what string, echoed origin, shown any) {
				t.Helper()
				text := fmt.Sprintf("%v", shown)
				for encoded, of := range origins {
					if strings.Contains(text, encoded) {
						t.Fatalf("%s shows %s (%s) if the broker echoes %s (%s): %s", what, of.secret, of.encoding, echoed.secret, echoed.encoding, text)
					}
				}
			}
			for encoded, echoed := range origins {
				// The longer text ends within the secret when it is cut to maxDescription: a part of a secret must not be shown either.
				for _, before := range []string{"echo: ", strings.Repeat("x", maxDescription-8)} {
					echo = before + encoded
					_, out := c.Update(t.Context(), UpdateRequest{Params: p})
					check("an error", echoed, out)
					last, out := c.Poll(t.Context(), PollRequest{Params: p})
					check("a poll", echoed, []any{last, out})
				}
				instance, _ := c.FetchInstance(t.Context(), p)
				check("a dashboard", echoed, instance.DashboardURL)
				// A request for the catalog has no Params, so that only credentials are redacted in the answer.
				if isPlainCredential := echoed.encoding == "plain" && echoed.secret != parameter; isPlainCredential {
					catalog, _ := c.Catalog(t.Context(), "")
					check("a catalog's problems", echoed, catalog.Problems)
				}
			}
		})
	}
}

// Params.Secrets is called at most once for an answer, and only if a text of the answer is shown. If it does not return all secrets, only
// the HTTP status and an error code of the protocol are shown.
func TestTextIsWithheldIfSecretsAreUnknown(t *testing.T) {
	for name, test := range map[string]struct {
		status   int
		body     string
		allKnown bool // what Params.Secrets returns
		calls    int  // of Params.Secrets
		text     string
		withheld bool
	}{
		"a refusal is shown":                                    {400, `{"error":"Odd","description":"no disks"}`, true, 1, "Odd no disks", false},
		"a refusal is withheld if secrets are unknown":          {400, `{"error":"Odd","description":"no disks"}`, false, 1, " HTTP 400 Bad Request", true},
		"a code of the protocol is shown in any case":           {422, `{"error":"ConcurrencyError","description":"busy"}`, false, 1, "ConcurrencyError HTTP 422 Unprocessable Entity", true},
		"a refusal without a text has nothing to withhold":      {400, `{}`, false, 0, " HTTP 400 Bad Request", false},
		"a description in progress is not shown":                {200, `{"state":"in progress","description":"50 %"}`, true, 0, "", false},
		"a description of a success is not shown":               {200, `{"state":"succeeded","description":"100 %"}`, true, 0, "", false},
		"a failed operation is shown":                           {200, `{"state":"failed","description":"no disks"}`, true, 1, "no disks", false},
		"a failed operation is withheld if secrets are unknown": {200, `{"state":"failed","description":"no disks"}`, false, 1, "", true},
	} {
		s := newScript(t, status(test.status, test.body))
		p, calls := params(), 0
		p.Secrets = func() ([]string, bool) { calls++; return nil, test.allKnown }
		last, out := newClient(t, s.URL).Poll(t.Context(), PollRequest{Params: p})
		text := last.Description
		if out.Class != osbresult.Done {
			text = out.Code + " " + out.Description
		}
		if text != test.text || calls != test.calls || out.Withheld != test.withheld {
			t.Errorf("%s: %q, withheld %t, %d calls; want %q, %t, %d", name, text, out.Withheld, calls, test.text, test.withheld, test.calls)
		}
	}
}

// F-S40: an ordinary broker's answer about an instance with 20,000 values in a Secret took 11 s, past the context of the request.
func TestManySecretsWithholdTheTextOnly(t *testing.T) {
	many := make([]string, 20_000)
	for i := range many {
		many[i] = fmt.Sprintf("canary-value-%06d", i)
	}
	for body, want := range map[string]struct {
		status int
		class  osbresult.Class
	}{
		`{"operation":"create-42"}`:                  {http.StatusAccepted, osbresult.Accepted},
		`{"operation":"create-canary-value-019999"}`: {http.StatusAccepted, osbresult.Unknown},
		`{"description":"canary-value-000001"}`:      {http.StatusBadRequest, osbresult.Rejected},
	} {
		s := newScript(t, status(want.status, body))
		p := params()
		p.Secrets, p.AcceptsIncomplete = func() ([]string, bool) { return many, true }, true
		_, out := newClient(t, s.URL).Provision(t.Context(), ProvisionRequest{Params: p, Context: within(), OrganizationGUID: "o", SpaceGUID: "s"})
		if out.Class != want.class || strings.Contains(out.Description, "canary") {
			t.Errorf("%s: %s %q, want %s", body, out.Class, out.Description, want.class)
		}
		if refused := want.class == osbresult.Rejected; out.Withheld != refused || out.TooManySecrets != refused {
			t.Errorf("%s: withheld %t, too many secrets %t", body, out.Withheld, out.TooManySecrets)
		}
	}
}

// F-S40: an instance with many values in its Secrets has the URL of its dashboard, unless one of them is in it.
func TestADashboardOfAnInstanceWithManySecrets(t *testing.T) {
	for _, n := range []int{1, 20_000} {
		many := []string{"ab"}
		for i := range n {
			many = append(many, fmt.Sprintf("canary-value-%06d", i))
		}
		for address, want := range map[string]bool{
			"https://dashboard.example/ab":         true,
			"":                                     false,
			"https://dashboard.example/" + many[n]: false,
			"https://dashboard.example/\\u0007":    false,
			"https://dashboard.example ":           false,
			"https://dashboard.example/" + strings.Repeat("x", maxDashboard): false,
		} {
			s := newScript(t, status(http.StatusOK, `{"dashboard_url":"`+address+`"}`))
			p := params()
			p.Secrets = func() ([]string, bool) {
				if address == "" {
					t.Error("the secrets are read")
				}
				return many, true
			}
			is, out := newClient(t, s.URL).Update(t.Context(), UpdateRequest{Params: p})
			if out.Class != osbresult.Done || (is.DashboardURL != "") != want || want && is.DashboardURL != address {
				t.Errorf("%d secrets, %.60q: %s, %q", n, address, out.Class, is.DashboardURL)
			}
		}
	}
}

// The operation in an answer is stored in the status, and must be sent to the broker unchanged. So one that contains a secret is invalid,
// which makes the outcome unknown. Secrets of less than minLongSecret bytes, such as westeurope, may be in it by chance.
func TestOperationWithASecretIsInvalid(t *testing.T) {
	for operation, want := range map[string]osbresult.Class{"create-42": osbresult.Accepted, "create-westeurope": osbresult.Accepted, "create-canary-par4meter": osbresult.Unknown, "create-canary%2Dpar4meter": osbresult.Unknown} {
		s := newScript(t, status(http.StatusAccepted, `{"operation":"`+operation+`"}`))
		c := newClient(t, s.URL)
		p := params()
		p.Secrets, p.AcceptsIncomplete = func() ([]string, bool) { return []string{"canary-par4meter", "westeurope"}, true }, true
		outcomes := map[string]osbresult.Outcome{}
		_, outcomes["provision"] = c.Provision(t.Context(), ProvisionRequest{Params: p, Context: within(), OrganizationGUID: "o", SpaceGUID: "s"})
		_, outcomes["update"] = c.Update(t.Context(), UpdateRequest{Params: p})
		_, outcomes["deprovision"] = c.Deprovision(t.Context(), RemovalRequest{Params: p})
		_, outcomes["bind"] = c.Bind(t.Context(), BindRequest{Params: p, BindingID: "b", Context: within()})
		_, outcomes["unbind"] = c.Unbind(t.Context(), RemovalRequest{Params: p, BindingID: "b"})
		for request, out := range outcomes {
			saysWhy := strings.Contains(out.Description, "operation must not repeat a secret")
			if out.Class != want || want == osbresult.Unknown && !saysWhy {
				t.Errorf("%s with the operation %q: %s: %s", request, operation, out.Class, out.Description)
			}
		}
	}
}

// The client's password must not be in the operation either. The user name is no secret there: it may be in it by chance.
func TestOperationWithThePasswordIsInvalid(t *testing.T) {
	for operation, want := range map[string]osbresult.Class{"create-for-bellhop-at-site": osbresult.Accepted, "create-canary-pa55word": osbresult.Unknown} {
		s := newScript(t, status(http.StatusAccepted, `{"operation":"`+operation+`"}`))
		c := newClient(t, s.URL, func(o *Options) { o.Auth = Auth{Username: "bellhop-at-site", Password: "canary-pa55word"} })
		p := params()
		p.AcceptsIncomplete = true
		if _, out := c.Update(t.Context(), UpdateRequest{Params: p}); out.Class != want {
			t.Errorf("the operation %q: %s: %s", operation, out.Class, out.Description)
		}
	}
}

// Params.Secrets are for the redaction of answers only: no request contains them.
func TestSecretsAreNotSent(t *testing.T) {
	s := newScript(t, status(200, good))
	c := newClient(t, s.URL)
	p := params()
	p.Secrets = func() ([]string, bool) { return []string{"canary"}, true }
	c.Deprovision(t.Context(), RemovalRequest{Params: p})
	c.Provision(t.Context(), ProvisionRequest{Params: p, Context: within(), OrganizationGUID: "o", SpaceGUID: "s"})
	if requests := fmt.Sprintf("%s", s.take()); strings.Contains(requests, "canary") {
		t.Error(requests)
	}
}
