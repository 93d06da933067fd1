/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package osb

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/redact/redacttest"

	"github.com/gophernetes/bellhop/internal/osb/result"
)

// A broker that says all that it was told tells nobody through us: neither our credentials
// nor what the caller knows to be secret, however it is spelled.
func TestSecretsAreNotQuoted(t *testing.T) {
	const user, password, token = "canary-us3r", "canary p4ss&wörd/+\"<", "canary-t0ken&/+="
	const parameter = "canary par4meter/\\\"ö"
	tokens := newScript(t, status(200, `{"access_token":"`+token+`"}`))
	for name, test := range map[string]struct {
		auth     Auth
		canaries []string
	}{
		"basic":  {Auth{Username: user, Password: password}, []string{user, password, base64.StdEncoding.EncodeToString([]byte(user + ":" + password))}},
		"bearer": {Auth{BearerToken: token}, []string{token}},
		"oauth2": {Auth{OAuth2: &OAuth2{TokenURL: tokens.URL, ClientID: user, ClientSecret: password}}, []string{token, user, password}},
	} {
		t.Run(name, func(t *testing.T) {
			forms := map[string]string{}
			for _, canary := range append(test.canaries, parameter) {
				for encoding, form := range redacttest.Encodings(canary) {
					forms[form] = canary + ", " + encoding
				}
			}
			said := ""
			s := newScript(t, func(w http.ResponseWriter, r *http.Request) {
				text, _ := json.Marshal(said)
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
			check := func(what, spelled string, shown any) {
				t.Helper()
				text := fmt.Sprintf("%v", shown)
				for form, of := range forms {
					if strings.Contains(text, form) {
						t.Fatalf("%s, told %s, shows %s: %s", what, spelled, of, text)
					}
				}
			}
			for form, spelled := range forms {
				// At the end of what is shown, too: a secret that is cut is still one.
				for _, before := range []string{"echo: ", strings.Repeat("x", maxDescription-8)} {
					said = before + form
					_, out := c.Update(t.Context(), UpdateRequest{Params: p})
					check("an error", spelled, out)
					last, out := c.Poll(t.Context(), PollRequest{Params: p})
					check("a poll", spelled, []any{last, out})
				}
				instance, _ := c.FetchInstance(t.Context(), p)
				check("a dashboard", spelled, instance.DashboardURL)
				if strings.HasSuffix(spelled, "plain") && !strings.HasPrefix(spelled, parameter) {
					catalog, _ := c.Catalog(t.Context(), "")
					check("a catalog's problems", spelled, catalog.Problems)
				}
			}
		})
	}
}

// Secrets are asked for at most once for an answer, and only where its text is shown; where they are not
// all known, only the status and a code of the protocol are.
func TestTextIsWithheldWhereSecretsAreNotKnown(t *testing.T) {
	for name, test := range map[string]struct {
		status         int
		body           string
		all            bool
		asked          int
		text, withheld string // that is shown, where all are known and where they are not
	}{
		"a refusal":             {400, `{"error":"Odd","description":"no disks"}`, true, 1, "Odd no disks", ""},
		"the same, not known":   {400, `{"error":"Odd","description":"no disks"}`, false, 1, " HTTP 400 Bad Request", "yes"},
		"a code, not known":     {422, `{"error":"ConcurrencyError","description":"busy"}`, false, 1, "ConcurrencyError HTTP 422 Unprocessable Entity", "yes"},
		"a refusal without any": {400, `{}`, false, 0, " HTTP 400 Bad Request", ""},
		"in progress":           {200, `{"state":"in progress","description":"50 %"}`, true, 0, "", ""},
		"succeeded":             {200, `{"state":"succeeded","description":"100 %"}`, true, 0, "", ""},
		"failed":                {200, `{"state":"failed","description":"no disks"}`, true, 1, "no disks", ""},
		"failed, not known":     {200, `{"state":"failed","description":"no disks"}`, false, 1, "", "yes"},
	} {
		s := newScript(t, status(test.status, test.body))
		p, asked := params(), 0
		p.Secrets = func() ([]string, bool) { asked++; return nil, test.all }
		last, out := newClient(t, s.URL).Poll(t.Context(), PollRequest{Params: p})
		text := last.Description
		if out.Class != result.Done {
			text = out.Code + " " + out.Description
		}
		if text != test.text || asked != test.asked || out.Withheld != (test.withheld != "") {
			t.Errorf("%s: %q, withheld %t, asked %d times; want %q, %q, %d", name, text, out.Withheld, asked, test.text, test.withheld, test.asked)
		}
	}
}

// What a broker calls an operation stands in a status. One that has a secret in it cannot be
// stored, nor repeated without it.
func TestAnOperationHasNoSecret(t *testing.T) {
	for said, want := range map[string]result.Class{"create-42": result.Accepted, "create-westeurope": result.Accepted, "create-canary-par4meter": result.Unknown, "create-canary%2Dpar4meter": result.Unknown} {
		s := newScript(t, status(http.StatusAccepted, `{"operation":"`+said+`"}`))
		c := newClient(t, s.URL)
		p := params()
		p.Secrets, p.AcceptsIncomplete = func() ([]string, bool) { return []string{"canary-par4meter", "westeurope"}, true }, true
		outcomes := map[string]result.Outcome{}
		_, outcomes["provision"] = c.Provision(t.Context(), ProvisionRequest{Params: p, Context: within(), OrganizationGUID: "o", SpaceGUID: "s"})
		_, outcomes["update"] = c.Update(t.Context(), UpdateRequest{Params: p})
		_, outcomes["deprovision"] = c.Deprovision(t.Context(), RemovalRequest{Params: p})
		_, outcomes["bind"] = c.Bind(t.Context(), BindRequest{Params: p, BindingID: "b", Context: within()})
		_, outcomes["unbind"] = c.Unbind(t.Context(), RemovalRequest{Params: p, BindingID: "b"})
		for verb, out := range outcomes {
			if out.Class != want || want == result.Unknown && !strings.Contains(out.Description, "operation must not repeat a secret") {
				t.Errorf("%s, told %q: %s: %s", verb, said, out.Class, out.Description)
			}
		}
	}
}

// Nor is what we authenticate with; but whose name we have may be there by chance.
func TestAnOperationHasNoCredential(t *testing.T) {
	for said, want := range map[string]result.Class{"create-for-bellhop-at-site": result.Accepted, "create-canary-pa55word": result.Unknown} {
		s := newScript(t, status(http.StatusAccepted, `{"operation":"`+said+`"}`))
		c := newClient(t, s.URL, func(o *Options) { o.Auth = Auth{Username: "bellhop-at-site", Password: "canary-pa55word"} })
		p := params()
		p.AcceptsIncomplete = true
		if _, out := c.Update(t.Context(), UpdateRequest{Params: p}); out.Class != want {
			t.Errorf("told %q: %s: %s", said, out.Class, out.Description)
		}
	}
}

// What must not be shown is not sent either.
func TestSecretsAreNotSent(t *testing.T) {
	s := newScript(t, status(200, good))
	c := newClient(t, s.URL)
	p := params()
	p.Secrets = func() ([]string, bool) { return []string{"canary"}, true }
	c.Deprovision(t.Context(), RemovalRequest{Params: p})
	c.Provision(t.Context(), ProvisionRequest{Params: p, Context: within(), OrganizationGUID: "o", SpaceGUID: "s"})
	if all := fmt.Sprintf("%s", s.take()); strings.Contains(all, "canary") {
		t.Error(all)
	}
}
