// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

// fuzz runs a decoder over what brokers write, and over what nobody should.
func fuzz(f *testing.F, seeds []string, check func(t *testing.T, a answer)) {
	for _, seed := range append(seeds,
		``, ` `, `{}`, `null`, `[]`, `7`, `"x"`, `{`, `{"a":}`, `{"a":1}{"a":2}`, "\ufeff{}", "{\"a\":\"\xff\"}", `{"a":"\ud800"}`,
		strings.Repeat(`[`, 100), strings.Repeat(`{"a":`, 100)+`1`+strings.Repeat(`}`, 100), `<html><body>502 Bad Gateway</body></html>`,
	) {
		f.Add([]byte(seed), 0)
		f.Add([]byte(seed), 1)
		f.Add([]byte(seed), 2)
	}
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		code := []int{http.StatusOK, http.StatusCreated, http.StatusAccepted}[uint(n)%3]
		check(t, answer{code, http.Header{}, body, &cleaner{credentials: []string{"canary-secret"}}})
	})
}

// checkProblem checks that what is said of a body has nothing of what is in it, but for
// the names that the protocol knows.
func checkProblem(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, field := range []string{
		"it ", "dashboard_url ", "operation ", "service_id ", "plan_id ", "parameters ", "maintenance_info", "credentials ", "metadata", "syslog_drain_url ",
		"route_service_url ", "volume_mounts ", "endpoints", "state ", "description ", "instance_usable ", "update_repeatable ", "services ", "access_token ", "token_type ",
	} {
		if strings.HasPrefix(err.Error(), field) && len(err.Error()) < 200 {
			return
		}
	}
	t.Errorf("got %q", err)
}

// checkShown checks what people may see.
func checkShown(t *testing.T, text string, limit int) {
	t.Helper()
	if len(text) > limit || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }) || strings.Contains(text, "canary-secret") {
		t.Errorf("got %q", text)
	}
}

// checkRaw checks what is passed on.
func checkRaw(t *testing.T, raw json.RawMessage) {
	t.Helper()
	var object map[string]any
	if raw != nil && (!utf8.Valid(raw) || !json.Valid(raw) || kindOf(raw) != "an object") {
		t.Errorf("got %q", raw)
	}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	if raw != nil && decoder.Decode(&object) != nil {
		t.Errorf("got %q", raw)
	}
}

func checkOperation(t *testing.T, a answer, operation string) {
	t.Helper()
	if a.status != http.StatusAccepted && operation != "" || utf8.RuneCountInString(operation) > maxOperation {
		t.Errorf("got the operation %q with %d", operation, a.status)
	}
}

func FuzzProvision(f *testing.F) {
	fuzz(f, []string{
		`{"dashboard_url":"https://d.example.com","operation":"task 1","metadata":{"labels":{"a":"b"}}}`, `{"dashboard_url":null,"operation":null}`,
		`{"operation":7}`, `{"dashboard_url":"canary-secret"}`, `{"operation":"` + strings.Repeat("x", 10001) + `"}`,
	}, func(t *testing.T, a answer) {
		response, err := readProvision(a)
		checkProblem(t, err)
		checkShown(t, response.DashboardURL, maxDashboard)
		if err == nil {
			checkOperation(t, a, response.Operation)
		}
	})
}

func FuzzUpdate(f *testing.F) {
	fuzz(f, []string{`{"dashboard_url":"https://d.example.com","operation":"task 1"}`, `{"dashboard_url":{}}`, `{"operation":[]}`}, func(t *testing.T, a answer) {
		response, err := readUpdate(a)
		checkProblem(t, err)
		checkShown(t, response.DashboardURL, maxDashboard)
		if err == nil {
			checkOperation(t, a, response.Operation)
		}
	})
}

func FuzzRemoval(f *testing.F) {
	fuzz(f, []string{`{"operation":"task 1"}`, `{"operation":{}}`, `{"x":[1]}`}, func(t *testing.T, a answer) {
		response, err := readRemoval(a)
		checkProblem(t, err)
		if err == nil {
			checkOperation(t, a, response.Operation)
		}
	})
}

func FuzzBinding(f *testing.F) {
	fuzz(f, []string{
		`{"credentials":{"uri":"mysql://u:p@h:3306/d","port":3306,"tls":true,"big":12345678901234567890,"nested":{"a":[null]}}}`,
		`{"credentials":{},"metadata":{"expires_at":"2030-01-01T00:00:00.0Z","renew_before":"2029-01-01T00:00:00Z"},"endpoints":[{"host":"h","ports":["1","2-3",4],"protocol":"udp"}]}`,
		`{"syslog_drain_url":"x","route_service_url":"y","volume_mounts":[{"driver":"d"}]}`, `{"credentials":"x"}`, `{"credentials":null,"operation":"task 1","parameters":{"a":1}}`,
		`{"metadata":{"expires_at":"0000-00-00T00:00:00Z"}}`, `{"endpoints":[{"ports":[99999999999999999999]}]}`,
	}, func(t *testing.T, a answer) {
		binding, err := readBinding(a)
		checkProblem(t, err)
		if err != nil {
			return
		}
		checkOperation(t, a, binding.Operation)
		checkRaw(t, binding.Credentials)
		checkRaw(t, binding.Parameters)
		if a.status == http.StatusAccepted && (binding.Credentials != nil || binding.Endpoints != nil) {
			t.Errorf("got %+v with 202", binding)
		}
		for _, endpoint := range binding.Endpoints {
			if endpoint.Protocol == "" {
				t.Errorf("got %+v", endpoint)
			}
		}
	})
}

func FuzzInstance(f *testing.F) {
	fuzz(f, []string{
		`{"service_id":"s","plan_id":"p","dashboard_url":"https://d","parameters":{"a":1.50},"maintenance_info":{"version":"1.0.0","description":7}}`,
		`{"parameters":[]}`, `{"maintenance_info":{"version":{}}}`, `{"service_id":1}`,
	}, func(t *testing.T, a answer) {
		instance, err := readInstance(a)
		checkProblem(t, err)
		checkShown(t, instance.DashboardURL, maxDashboard)
		if err == nil {
			checkRaw(t, instance.Parameters)
		}
	})
}

func FuzzLastOperation(f *testing.F) {
	fuzz(f, []string{
		`{"state":"in progress","description":"10%"}`, `{"state":"succeeded"}`, `{"state":"failed","description":"canary-secret\n","instance_usable":false,"update_repeatable":false}`,
		`{"state":"Failed"}`, `{"state":null}`, `{"state":["failed"]}`,
	}, func(t *testing.T, a answer) {
		last, err := readLastOperation(a)
		checkProblem(t, err)
		checkShown(t, last.Description, maxDescription)
		if known := last.State == osbresult.InProgress || last.State == osbresult.Succeeded || last.State == osbresult.Failed; err == nil && !known {
			t.Errorf("got the state %q", last.State)
		}
	})
}

func FuzzCatalog(f *testing.F) {
	fuzz(f, []string{
		`{"services":[]}`, `{"services":{}}`, `{"services":[null,7,{}]}`,
		`{"services":[{"id":"s","name":"s","bindable":true,"requires":["x"],"tags":["a"],"metadata":{"a":1},"plans":[{"id":"p","name":"p","free":false,"maximum_polling_duration":60,` +
			`"maintenance_info":{"version":"1.0.0"},"schemas":{"service_instance":{"create":{"parameters":{"type":"object"}}}}},{"id":"p","name":"q"},{"id":"q","name":"canary-secret\u0000","free":1}]}]}`,
		"{\"services\":[{\"id\":\"\xff\",\"name\":\"s\",\"plans\":[{\"id\":\"p\",\"name\":\"p\"}]}]}",
	}, func(t *testing.T, a answer) {
		catalog, err := readCatalog(a, DefaultCatalogLimits)
		checkProblem(t, err)
		if err != nil {
			return
		}
		ids := map[string]bool{}
		for _, problem := range catalog.Problems {
			checkShown(t, problem, maxProblem)
		}
		for _, s := range catalog.Services {
			if s.ID == "" || s.Name == "" || len(s.Plans) == 0 || ids["s"+s.ID] {
				t.Errorf("got %+v", s)
			}
			ids["s"+s.ID] = true
			checkRaw(t, s.Metadata)
			for _, p := range s.Plans {
				if p.ID == "" || p.Name == "" || ids["p"+p.ID] || p.MaximumPollingDuration < 0 || len(p.CreateInstance) > maxSchema {
					t.Errorf("got %+v", p)
				}
				ids["p"+p.ID] = true
				checkRaw(t, p.CreateInstance)
				checkRaw(t, p.UpdateInstance)
				checkRaw(t, p.CreateBinding)
			}
		}
	})
}

func FuzzError(f *testing.F) {
	for _, seed := range []string{
		`{"error":"AsyncRequired","description":"d","instance_usable":false,"update_repeatable":false}`, `{"error":"ConcurrencyError"}`, `{"error":7,"description":"canary-secret"}`,
		`{"description":"a\u0000\u202eb"}`, `<html>`, ``, `[]`, `{"description":"` + strings.Repeat("ö", 2000) + `"}`,
	} {
		for _, code := range []int{400, 410, 422, 500, 302, 204} {
			f.Add([]byte(seed), code)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, code int) {
		for operation := range operations {
			e := &exchange{operation: operation, version: "2.17"}
			out := e.failed(&outbound.Response{StatusCode: code, Body: body}, osbresult.Outcome{Status: code, Sent: true}, &cleaner{credentials: []string{"canary-secret"}})
			switch out.Class {
			case osbresult.Rejected, osbresult.Retry, osbresult.Misconfigured, osbresult.Unknown, osbresult.Gone, osbresult.Conflict, osbresult.NeedsAsync, osbresult.NeedsApp, osbresult.NeedsCatalog, osbresult.Concurrency, osbresult.Malformed:
			default:
				t.Errorf("%s, %d: got %q", e.operation, code, out.Class)
			}
			checkShown(t, out.Code, maxCode)
			checkShown(t, out.Description, maxDescription+64)
			if out.Description == "" || strings.Contains(out.Description, "<html") {
				t.Errorf("%s, %d: got %+v", e.operation, code, out)
			}
		}
	})
}

func FuzzToken(f *testing.F) {
	for _, seed := range []string{
		`{"access_token":"t","token_type":"Bearer","expires_in":3600}`, `{"access_token":"t","expires_in":"3600"}`, `{"access_token":"a b"}`, `{"access_token":7}`,
		`{"access_token":"t","expires_in":1e300}`, `{"access_token":"t","expires_in":-1}`, `{"error":"invalid_client"}`, ``, `<html>`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		token, lifetime, err := readToken(body)
		checkProblem(t, err)
		if err == nil && (token == "" || !isVisible(token)) || lifetime < 0 || lifetime > 40*365*24*time.Hour {
			t.Errorf("got %q for %s", token, lifetime)
		}
		if word := tokenError(body); len(word) > 32 {
			t.Errorf("got %q", word)
		}
	})
}
