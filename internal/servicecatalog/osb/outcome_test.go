// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

// The matrix of the protocol's reference: what each answer to each call means.
const matrix = `
answer         provision    update       deprovision  bind         unbind       fetch       poll        pollRemoval catalog

200 good       Done         Done         Done         Done         Done         Done        Done        Done        Done
200 bad        Malformed    Malformed    Malformed    Malformed    Malformed    Malformed   Malformed   Malformed   Malformed
200 array      Malformed    Malformed    Malformed    Malformed    Malformed    Malformed   Malformed   Malformed   Malformed
200 none       Done         Done         Done         Malformed    Done         Malformed   Malformed   Malformed   Malformed
200 null       Done         Done         Done         Malformed    Done         Malformed   Malformed   Malformed   Malformed
200 progress   Malformed    Malformed    Malformed    Malformed    Malformed    Malformed   Done        Done        Malformed
200 long       Malformed    Malformed    Malformed    Malformed    Malformed    Malformed   Malformed   Malformed   Done
200 cut        Unknown      Unknown      Unknown      Unknown      Unknown      Retry       Retry       Retry       Retry

201 good       Done         Unknown      Unknown      Done         Unknown      Malformed   Malformed   Malformed   Malformed
201 bad        Unknown      Unknown      Unknown      Unknown      Unknown      Malformed   Malformed   Malformed   Malformed
201 progress   Unknown      Unknown      Unknown      Unknown      Unknown      Malformed   Malformed   Malformed   Malformed
201 none       Done         Unknown      Unknown      Unknown      Unknown      Malformed   Malformed   Malformed   Malformed
201 cut        Unknown      Unknown      Unknown      Unknown      Unknown      Malformed   Malformed   Malformed   Malformed

202 good       Accepted     Accepted     Accepted     Accepted     Accepted     Malformed   Malformed   Malformed   Malformed
202 bad        Unknown      Unknown      Unknown      Unknown      Unknown      Malformed   Malformed   Malformed   Malformed
202 none       Unknown      Unknown      Unknown      Unknown      Unknown      Malformed   Malformed   Malformed   Malformed
202 unasked    Unknown      Unknown      NeedsAsync   Unknown      NeedsAsync   Malformed   Malformed   Malformed   Malformed

204 none       Unknown      Unknown      Unknown      Unknown      Unknown      Malformed   Malformed   Malformed   Malformed
206 good       Unknown      Unknown      Unknown      Unknown      Unknown      Malformed   Malformed   Malformed   Malformed

301 good       Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
304 none       Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
307 none       Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured

400 said       Rejected      Rejected      Rejected      Rejected      Rejected      Rejected      Rejected      Rejected      Rejected
400 bad        Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
400 none       Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
400 array      Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
400 gateway    Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
400 empty      Rejected      Rejected      Rejected      Rejected      Rejected      Rejected      Rejected      Rejected      Rejected
400 cut        Retry         Retry         Retry         Retry         Retry         Retry         Retry         Retry         Retry
400 long       Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
400 Async      Rejected      Rejected      Rejected      Rejected      Rejected      Rejected      Rejected      Rejected      Rejected
401 bad        Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
401 good       Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
403 bad        Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
403 good       Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
404 good       Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Gone          Malformed     Malformed     Misconfigured
405 good       Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
407 none       Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
408 none       Retry         Retry         Retry         Retry         Retry         Retry         Retry         Retry         Retry
409 good       Conflict      Misconfigured Misconfigured Conflict      Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
410 none       Misconfigured Misconfigured Gone          Misconfigured Gone          Misconfigured Malformed     Gone          Misconfigured
411 bad        Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
412 good       NeedsCatalog  NeedsCatalog  NeedsCatalog  NeedsCatalog  NeedsCatalog  NeedsCatalog  NeedsCatalog  NeedsCatalog  Misconfigured
413 said       Rejected      Rejected      Rejected      Rejected      Rejected      Rejected      Rejected      Rejected      Rejected
413 bad        Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
415 good       Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
418 good       Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
423 good       Retry         Retry         Retry         Retry         Retry         Retry         Retry         Retry         Retry
425 good       Retry         Retry         Retry         Retry         Retry         Retry         Retry         Retry         Retry
429 bad        Retry         Retry         Retry         Retry         Retry         Retry         Retry         Retry         Retry
431 good       Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured

422 said       Rejected      Rejected      Rejected      Rejected      Rejected      Rejected      Rejected      Rejected      Rejected
422 bad        Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
422 cut        Retry         Retry         Retry         Retry         Retry         Retry         Retry         Retry         Retry
422 long       Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured Misconfigured
422 Async      NeedsAsync   NeedsAsync   NeedsAsync   NeedsAsync   NeedsAsync   Rejected    Rejected    Rejected    Rejected
422 AsyncAgain Rejected     Rejected     Rejected     Rejected     Rejected     Rejected    Rejected    Rejected    Rejected
422 Concurrent Concurrency  Concurrency  Concurrency  Concurrency  Concurrency  Concurrency Concurrency Concurrency Rejected
422 Maintain   NeedsCatalog NeedsCatalog Rejected     NeedsCatalog Rejected     Rejected    Rejected    Rejected    Rejected
422 App        Rejected     Rejected     Rejected     NeedsApp     Rejected     Rejected    Rejected    Rejected    Rejected
422 other      Rejected     Rejected     Rejected     Rejected     Rejected     Rejected    Rejected    Rejected    Rejected

500 good       Unknown      Retry        Unknown      Unknown      Unknown      Retry       Retry       Retry       Retry
500 Async      Unknown      Retry        Unknown      Unknown      Unknown      Retry       Retry       Retry       Retry
501 bad        Unknown      Retry        Unknown      Unknown      Unknown      Retry       Retry       Retry       Retry
502 bad        Unknown      Unknown      Unknown      Unknown      Unknown      Retry       Retry       Retry       Retry
503 none       Unknown      Retry        Unknown      Unknown      Unknown      Retry       Retry       Retry       Retry
504 bad        Unknown      Unknown      Unknown      Unknown      Unknown      Retry       Retry       Retry       Retry
599 none       Unknown      Retry        Unknown      Unknown      Unknown      Retry       Retry       Retry       Retry
666 none       Unknown      Retry        Unknown      Unknown      Unknown      Retry       Retry       Retry       Retry

drop           Unknown      Unknown      Unknown      Unknown      Unknown      Retry       Retry       Retry       Retry
hang           Unknown      Unknown      Unknown      Unknown      Unknown      Retry       Retry       Retry       Retry
nobody         Retry        Retry        Retry        Retry        Retry        Retry       Retry       Retry       Retry
`

// answers of the matrix that have a body.
func answerOf(t *testing.T, name string) http.HandlerFunc {
	t.Helper()
	switch name {
	case "drop":
		return drop
	case "hang":
		return func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	}
	var code int
	var kind string
	if _, err := fmt.Sscanf(name, "%d %s", &code, &kind); err != nil {
		t.Fatalf("%q: %v", name, err)
	}
	body, ok := map[string]string{
		"good": good, "unasked": good, "gateway": `{"message":"bad request"}`, "empty": `{}`, "said": `{"description":"no"}`, "bad": "<html>nginx</html>", "array": "[]", "none": "", "null": " null\n", "cut": good, "progress": `{"state":"in progress"}`,
		"long":  `{"state":"succeeded","services":[],"x":"` + strings.Repeat("x", maxAnswer) + `"}`,
		"Async": `{"error":"AsyncRequired"}`, "AsyncAgain": `{"error":"AsyncRequired"}`, "Concurrent": `{"error":"ConcurrencyError"}`,
		"Maintain": `{"error":"MaintenanceInfoConflict"}`, "App": `{"error":"RequiresApp"}`, "other": `{"error":"asyncrequired"}`,
	}[kind]
	if !ok {
		t.Fatalf("there is no body for %q", name)
	}
	if kind == "cut" { // ends before its end
		return status(code, body, "Content-Length", "1000")
	}
	return status(code, body, "Location", "http://127.0.0.1:1/elsewhere")
}

// columnOf is the column of an operation in the matrix. Polls have pollRemoval, too.
var columnOf = map[Operation]string{
	ProvisionInstance: "provision", UpdateInstance: "update", DeprovisionInstance: "deprovision", Bind: "bind", Unbind: "unbind",
	GetInstance: "fetch", GetBinding: "fetch", PollLastOperation: "poll", PollBindingLastOperation: "poll", GetCatalog: "catalog",
}

// TestMatrix has F-R12: only a refusal in the protocol's own form is final.
func TestMatrix(t *testing.T) {
	rows := strings.Split(strings.TrimSpace(matrix), "\n")
	header := strings.Fields(rows[0])[1:]
	want(t, "operations with a call", len(calls(nil, true)), len(operations))
	nobody := newScript(t, nil)
	nobody.Close()
	s := newScript(t, nil)
	for _, row := range rows[1:] {
		cells := strings.Fields(row)
		if len(cells) == 0 {
			continue
		}
		name, cells := strings.Join(cells[:len(cells)-len(header)], " "), cells[len(cells)-len(header):]
		t.Run(name, func(t *testing.T) {
			c := newClient(t, s.URL, func(o *Options) {
				if name == "hang" {
					o.Outbound.Timeout = 400 * time.Millisecond
				}
			})
			if name == "nobody" {
				c = newClient(t, nobody.URL)
			} else {
				s.answers(answerOf(t, name))
			}
			incomplete := !strings.HasSuffix(name, "unasked") && !strings.HasSuffix(name, " Async")
			check := func(column string, call call) {
				out := call(t.Context(), c)
				want(t, column, string(out.Class), cells[slices.Index(header, column)])
				checkOutcome(t, column, name, out)
			}
			for operation := range operations {
				check(columnOf[operation], calls(nil, incomplete)[operation])
				if operations[operation].kind == polls {
					check("pollRemoval", pollOfRemoval(operation))
				}
			}
		})
	}
}

func pollOfRemoval(operation Operation) call {
	r := pollRequest("")
	if operation == PollBindingLastOperation {
		r = pollRequest(bindingID)
	}
	r.Removal = true
	return callOf((*Client).Poll, r)
}

// checkOutcome checks what is true of every outcome.
func checkOutcome(t *testing.T, what, name string, out osbresult.Outcome) {
	t.Helper()
	want(t, what+" was sent", out.Sent, name != "nobody")
	want(t, what+" has a status", out.Status != 0, name != "nobody" && name != "drop" && name != "hang")
	want(t, what+" is incomplete", out.Incomplete, strings.HasSuffix(name, " cut"))
	silent := slices.Contains([]osbresult.Class{osbresult.Done, osbresult.Accepted}, out.Class)
	want(t, what+" says what happened", out.Description == "", silent)
	for _, foreign := range []string{"nginx", "elsewhere", "127.0.0.1"} {
		if strings.Contains(out.Description, foreign) {
			t.Errorf("%s says %q", what, out.Description)
		}
	}
}

// TestMisconfigured has F-R12: which outcomes look like a misconfiguration, and are repeated
// seldom, and never refused for good.
func TestMisconfigured(t *testing.T) {
	for _, test := range []struct {
		out  osbresult.Outcome
		want bool
	}{
		{osbresult.Outcome{Class: osbresult.Misconfigured, Status: 403}, true},
		{osbresult.Outcome{Class: osbresult.Misconfigured}, true},
		{osbresult.Outcome{Class: osbresult.Malformed, Status: 200}, true},
		{osbresult.Outcome{Class: osbresult.Malformed, Status: 404}, false},
		{osbresult.Outcome{Class: osbresult.NeedsCatalog, Status: 412}, true},
		{osbresult.Outcome{Class: osbresult.NeedsCatalog, Status: 422}, false},
		{osbresult.Outcome{Class: osbresult.Rejected, Status: 400}, false},
		{osbresult.Outcome{Class: osbresult.Retry, Status: 503}, false},
		{osbresult.Outcome{Class: osbresult.Unknown, Status: 500}, false},
		{osbresult.Outcome{Class: osbresult.Done, Status: 200}, false},
	} {
		want(t, fmt.Sprintf("%+v", test.out), test.out.Misconfigured(), test.want)
	}
}

func TestUnsentAndUnanswered(t *testing.T) {
	s := newScript(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusCreated)
		for r.Context().Err() == nil { // drips until the client has had enough
			_, _ = w.Write([]byte(" "))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	c := newClient(t, s.URL, func(o *Options) { o.Outbound.Timeout = time.Second })
	_, out := c.Provision(t.Context(), provisionRequest())
	want(t, "a body that drips", out, osbresult.Outcome{Class: osbresult.Unknown, Status: 201, Sent: true, Incomplete: true, Description: "HTTP 201 Created, but no complete answer within the time limit"})

	s.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		for block := make([]byte, 4096); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	c = newClient(t, s.URL)
	_, out = c.Provision(t.Context(), provisionRequest())
	want(t, "a body without end", out, osbresult.Outcome{Class: osbresult.Unknown, Status: 201, Sent: true, Description: "HTTP 201 Created, but its body cannot be used: it is too long"})

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, out = c.Provision(ended, provisionRequest())
	want(t, "after the caller has given up", out, osbresult.Outcome{Class: osbresult.Retry, Description: "the request was cancelled", Canceled: true})

	guarded, err := NewClient(Options{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, out = guarded.Provision(t.Context(), provisionRequest())
	want(t, "an address that is refused", out.Class, osbresult.Misconfigured)
	want(t, "it was sent", out.Sent, false)
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := newScript(t, nil)
	c := newClient(t, s.URL, func(o *Options) { o.Now = func() time.Time { return now } })
	for value, wait := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "Sun, 01 Mar 2026 12:01:00 GMT": time.Minute, "Sun, 01 Mar 2026 11:00:00 GMT": 0, "-5": 0, "soon": 0,
		"99999999999999999999": 24 * time.Hour, "Fri, 01 Mar 2126 12:00:00 GMT": 24 * time.Hour,
	} {
		for code, body := range map[int]string{200: `{"state":"in progress"}`, 429: ``, 503: ``, 422: `{"error":"ConcurrencyError"}`} {
			s.answers(status(code, body, "Retry-After", value))
			_, out := c.Poll(t.Context(), pollRequest(""))
			want(t, fmt.Sprintf("%q with %d", value, code), out.RetryAfter, wait)
		}
	}
}

func TestLastOperation(t *testing.T) {
	s := newScript(t, nil)
	c := newClient(t, s.URL)
	for _, test := range []struct {
		why, body             string
		binding, removal      bool
		last                  osbresult.LastOperation
		class                 osbresult.Class
		unusable, notRepeated bool
	}{
		{why: "it runs", body: `{"state":"in progress","description":" 10%\n done\u0007 "}`, last: osbresult.LastOperation{State: osbresult.InProgress, Description: "10%  done"}, class: osbresult.Done},
		{why: "it went well", body: `{"state":"succeeded","instance_usable":false,"update_repeatable":false}`, last: osbresult.LastOperation{State: osbresult.Succeeded}, class: osbresult.Done},
		{why: "it went badly", body: `{"state":"failed","description":"no room","instance_usable":false,"update_repeatable":false}`, last: osbresult.LastOperation{State: osbresult.Failed, Description: "no room"}, class: osbresult.Done, unusable: true, notRepeated: true},
		{why: "flags that say nothing", body: `{"state":"failed","instance_usable":true,"update_repeatable":null}`, last: osbresult.LastOperation{State: osbresult.Failed}, class: osbresult.Done},
		{why: "a removal cannot be an update", body: `{"state":"failed","instance_usable":false,"update_repeatable":false}`, removal: true, last: osbresult.LastOperation{State: osbresult.Failed}, class: osbresult.Done, unusable: true},
		{why: "a binding has no flags", body: `{"state":"failed","instance_usable":false,"update_repeatable":false}`, binding: true, last: osbresult.LastOperation{State: osbresult.Failed}, class: osbresult.Done},
		{why: "another state", body: `{"state":"In Progress"}`, class: osbresult.Malformed},
		{why: "no state", body: `{"description":"succeeded"}`, class: osbresult.Malformed},
		{why: "a state of another type", body: `{"state":["succeeded"]}`, class: osbresult.Malformed},
	} {
		s.answers(status(200, test.body))
		r := pollRequest("")
		if test.binding {
			r = pollRequest(bindingID)
		}
		r.Removal = test.removal
		last, out := c.Poll(t.Context(), r)
		want(t, test.why, last, test.last)
		want(t, test.why, out.Class, test.class)
		want(t, test.why+", usable", out.InstanceUnusable, test.unusable)
		want(t, test.why+", repeatable", out.UpdateNotRepeatable, test.notRepeated)
	}
}

func TestErrors(t *testing.T) {
	s := newScript(t, nil)
	c := newClient(t, s.URL)
	for _, test := range []struct {
		why, body, code, description string
		unusable, notRepeatable      bool
		foreign                      bool
	}{
		{why: "its words", body: `{"error":"QuotaExceeded","description":"10 are enough"}`, code: "QuotaExceeded", description: "10 are enough"},
		{why: "control characters", body: `{"description":"a\u001b[31m\nb\u0000\u202ec"}`, description: "a [31m b  c"},
		{why: "many words", body: `{"description":"` + strings.Repeat("ö", 1000) + `"}`, description: strings.Repeat("ö", 510) + "…"},
		{why: "a long code", body: `{"error":"` + strings.Repeat("x", 1000) + `"}`, code: strings.Repeat("x", 125) + "…", description: "HTTP 422 Unprocessable Entity"},
		{why: "no words", body: `{}`, description: "HTTP 422 Unprocessable Entity"},
		{why: "blank words", body: `{"description":" \n"}`, description: "HTTP 422 Unprocessable Entity"},
		{why: "not of a broker", body: `<h1>secret page</h1>`, description: "HTTP 422 Unprocessable Entity", foreign: true},
		{why: "not an object", body: `"secret text"`, description: "HTTP 422 Unprocessable Entity", foreign: true},
		{why: "other types", body: `{"error":7,"description":{"a":1},"instance_usable":0,"update_repeatable":"false"}`, description: "HTTP 422 Unprocessable Entity"},
		{why: "one other type", body: `{"error":7,"description":"words","update_repeatable":false}`, description: "words", notRepeatable: true},
		{why: "another encoding", body: "{\"error\":\"Full\",\"description\":\"Platz f\xfcr 10\"}", code: "Full", description: "Platz f\ufffdr 10"},
		{why: "flags", body: `{"description":"broken","instance_usable":false,"update_repeatable":false}`, description: "broken", unusable: true, notRepeatable: true},
	} {
		s.answers(status(422, test.body))
		_, out := c.Update(t.Context(), UpdateRequest{Params: params()})
		class := osbresult.Rejected
		if test.foreign {
			class = osbresult.Misconfigured
		}
		want(t, test.why, out, osbresult.Outcome{
			Class: class, Status: 422, Sent: true, Code: test.code, Description: test.description,
			InstanceUnusable: test.unusable, UpdateNotRepeatable: test.notRepeatable,
		})
	}
	s.answers(status(422, "{\"error\":\"ConcurrencyError\",\"description\":\"in \xdcberarbeitung\"}"))
	_, concurrent := c.Update(t.Context(), UpdateRequest{Params: params()})
	want(t, "a code beside another encoding", concurrent.Class, osbresult.Concurrency)
	s.answers(status(422, `{"update_repeatable":false,"instance_usable":false}`))
	out := remove(t, c, removalRequest(""))
	want(t, "a removal cannot be an update", out.UpdateNotRepeatable, false)
	want(t, "but it can break an instance", out.InstanceUnusable, true)
	want(t, "of which a binding knows nothing", remove(t, c, removalRequest(bindingID)).InstanceUnusable, false)
}

// RequiresApp is answered twice: a broker of old looks for the GUID at the top.
func TestRequiresApp(t *testing.T) {
	s := newScript(t, status(422, `{"error":"RequiresApp"}`))
	c := newClient(t, s.URL)
	for _, test := range []struct {
		app   string
		top   bool
		class osbresult.Class
	}{{"", false, osbresult.NeedsApp}, {"ns", false, osbresult.NeedsApp}, {"", true, osbresult.NeedsApp}, {"ns", true, osbresult.Rejected}} {
		r := bindRequest()
		r.AppGUID, r.TopLevelAppGUID = test.app, test.top
		_, out := c.Bind(t.Context(), r)
		want(t, fmt.Sprintf("with %q, at the top %t", test.app, test.top), out.Class, test.class)
	}
}

// What is wrong with an answer is said by the name of the field, and not by its value.
func TestWrongTypes(t *testing.T) {
	for _, test := range []struct {
		operation  Operation
		body, says string
	}{
		{ProvisionInstance, `{"dashboard_url":["c4nary"]}`, "dashboard_url must be a string, not an array"},
		{ProvisionInstance, `c4nary`, "it is not JSON"},
		{ProvisionInstance, `{"x":"c4nary"`, "it is not JSON"},
		{ProvisionInstance, `{"x":1}{"x":"c4nary"}`, "it is not JSON"},
		{ProvisionInstance, "{\"x\":\"c4nary\xff\"}", "it is not JSON"},
		{ProvisionInstance, `"c4nary"`, "it must be a JSON object, not a string"},
		{ProvisionInstance, strings.Repeat(`{"c4nary":`, 65) + "1" + strings.Repeat("}", 65), "it is nested deeper than 64 levels"},
		{GetInstance, `{"parameters":"c4nary"}`, "parameters must be an object, not a string"},
		{GetInstance, `{"maintenance_info":{"version":5}}`, "maintenance_info.version must be a string, not a number"},
		{GetInstance, `{"maintenance_info":true}`, "maintenance_info must be an object, not a boolean"},
		{ProvisionInstance, `{"state":"in progress"}`, "it says that the operation is in progress, for which the status must be 202"},
		{Bind, `{"credentials":"c4nary"}`, "credentials must be an object, not a string"},
		{Bind, `{"credentials":["c4nary"]}`, "credentials must be an object, not an array"},
		{Bind, `{"credentials":{},"metadata":{"expires_at":"c4nary"}}`, "metadata.expires_at must be a time such as 2030-01-31T12:00:00.0Z"},
		{Bind, `{"credentials":{},"endpoints":[{"host":"h","ports":["c4nary"]}]}`, "endpoints[0].ports[0] must be a port or a range of ports such as 9000-9010"},
		{Bind, `{"credentials":{},"endpoints":["c4nary"]}`, "endpoints[0] must be an object, not a string"},
		{Bind, `{"credentials":{},"volume_mounts":{"a":"c4nary"}}`, "volume_mounts must be an array, not an object"},
		{GetBinding, ``, "it is empty, and must be a JSON object"},
		{PollLastOperation, `{"state":"c4nary"}`, `state must be "in progress", "succeeded" or "failed"`},
		{GetCatalog, `{"services":{"a":"c4nary"}}`, "services must be an array"},
		{GetCatalog, `{}`, "services must be an array"},
		{GetCatalog, `{"services":null}`, "services must be an array"},
		{GetCatalog, `["c4nary"]`, "it must be a JSON object, not an array"},
	} {
		s := newScript(t, status(200, test.body))
		out := calls(nil, true)[test.operation](t.Context(), newClient(t, s.URL))
		want(t, string(test.operation)+" with "+test.body, out, osbresult.Outcome{Class: osbresult.Malformed, Status: 200, Sent: true, Description: "HTTP 200 OK, but its body cannot be used: " + test.says})
	}
}

// Twice the same member: the last counts, as with most who read JSON.
func TestDuplicates(t *testing.T) {
	s := newScript(t, status(202, `{"operation":7,"operation":"first","Operation":"other","operation":"last"}`))
	response, out := newClient(t, s.URL).Provision(t.Context(), provisionRequest())
	want(t, "it is", out.Class, osbresult.Accepted)
	want(t, "the operation", response.Operation, "last")
}

func TestOperationsLength(t *testing.T) {
	for length, class := range map[int]osbresult.Class{10000: osbresult.Accepted, 10001: osbresult.Unknown} {
		s := newScript(t, status(202, `{"operation":"`+strings.Repeat("ö", length)+`"}`))
		for operation, call := range calls(nil, true) {
			if operations[operation].method != http.MethodGet {
				want(t, fmt.Sprintf("%s with %d", operation, length), call(t.Context(), newClient(t, s.URL)).Class, class)
			}
		}
	}
}

// A body as brokers write it is passed on as it is.
func TestNumbersStayAsTheyAre(t *testing.T) {
	const exact = `{"big":12345678901234567890,"ratio":1.50,"e":1e400,"nested":[{"n":-0}],"text":"<&>\u00f6","no":null}`
	s := newScript(t, status(201, `{"credentials":`+exact+`}`))
	c := newClient(t, s.URL)
	r := bindRequest()
	r.Parameters = []byte(exact)
	binding, _ := c.Bind(t.Context(), r)
	want(t, "the credentials", string(binding.Credentials), exact)
	if body := string(s.one(t).Body); !strings.Contains(body, `"parameters":`+exact) {
		t.Errorf("sent %s", body)
	}
	for _, parameters := range []string{`[]`, `7`, `"c4nary"`, `{`, `{}{}`} {
		r.Parameters = []byte(parameters)
		_, out := c.Bind(t.Context(), r)
		want(t, "parameters as "+parameters, out, osbresult.Outcome{Class: osbresult.Rejected, Description: "not sent: parameters must be a JSON object"})
	}
	for _, nothing := range []string{``, `null`, " "} {
		r.Parameters = []byte(nothing)
		if c.Bind(t.Context(), r); strings.Contains(string(s.take()[0].Body), "parameters") {
			t.Errorf("%q is sent", nothing)
		}
	}
}

func TestDashboard(t *testing.T) {
	s := newScript(t, nil)
	c := newClient(t, s.URL)
	for said, shown := range map[string]string{
		`"https://d.example.com/?a=b"`: "https://d.example.com/?a=b", `null`: "", `""`: "", `"https://d.example.com/\n"`: "",
		`"https://d.example.com/` + strings.Repeat("x", 9000) + `"`: "",
	} {
		for _, code := range []int{200, 201, 202} {
			s.answers(status(code, `{"dashboard_url":`+said+`}`))
			response, out := c.Provision(t.Context(), provisionRequest())
			want(t, said, response.DashboardURL, shown)
			if out.Class != osbresult.Done && out.Class != osbresult.Accepted {
				t.Errorf("%s: got %+v", said, out)
			}
		}
		s.answers(status(200, `{"dashboard_url":`+said+`}`))
		response, _ := c.Update(t.Context(), UpdateRequest{Params: params()})
		want(t, said, response.DashboardURL, shown)
	}
}

func TestRotation(t *testing.T) {
	s := newScript(t, status(201, `{"credentials":{}}`))
	r := bindRequest()
	r.Parameters, r.PredecessorID, r.AppGUID = []byte(`{"a":1}`), "old", "ns"
	newClient(t, s.URL).Bind(t.Context(), r)
	want(t, "the body", string(s.one(t).Body), `{"service_id":"`+serviceID+`","plan_id":"`+planID+`","context":{"platform":"kubernetes","namespace":"shop","clusterid":"c1"},"bind_resource":{"app_guid":"ns"},"predecessor_binding_id":"old"}`)
}

func TestObservations(t *testing.T) {
	s := newScript(t, status(503, ``, "Retry-After", "5"))
	var seen []Observation
	now := time.Now()
	c := newClient(t, s.URL, func(o *Options) {
		o.Observe = func(_ context.Context, one Observation) { seen = append(seen, one) }
		o.Now = func() time.Time { now = now.Add(time.Second); return now }
	})
	for operation, call := range calls(nil, true) {
		out := call(t.Context(), c)
		if len(seen) != 1 || seen[0].Operation != operation || seen[0].Outcome != out || seen[0].Duration <= 0 {
			t.Errorf("%s: got %+v", operation, seen)
		}
		want(t, string(operation)+", the broker knows it by", s.one(t).Header.Get("X-Broker-API-Request-Identity"), seen[0].RequestID)
		seen = nil
	}
	s.answers(status(412, ``))
	c.Catalog(t.Context(), "")
	want(t, "with all versions", len(seen), 1)
	requests := s.take()
	want(t, "with all versions, the broker knows the last by", requests[len(requests)-1].Header.Get("X-Broker-API-Request-Identity"), seen[0].RequestID)
}
