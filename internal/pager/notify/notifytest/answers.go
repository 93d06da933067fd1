// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound/outboundtest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// AnswerRow is a row of the table of answers with an HTTP status in docs/reference/http-responses.md. Run tests each row with each
// provider, and the suite docs compares the page with the rows.
type AnswerRow struct {
	Answer string       // the first cell of the page
	Class  result.Class // "": Confirmed
	Reason string

	answers func(Provider) []answer
}

// answer is one answer that a row is about.
type answer struct {
	why    string
	status int
	header []string // names and values in turn
	body   string
	// foreign: the body is not the service's, so that no message can be gone by it.
	foreign bool
	wait    time.Duration // that the answer asks for
	// quotable: the body has the text "no such thing" in the service's form.
	quotable bool
}

// AnswerRows is the table of R12: the class of each answer is the same at all receivers, but for the exceptions in Provider.
func AnswerRows() []AnswerRow {
	return []AnswerRow{
		{"2xx in a form that the service documents", "", "", accepted},
		{"2xx that says that the request failed, such as `{\"ok\":false}`", result.Configuration, result.ReasonRejected, failedSuccess},
		{"any other 2xx, such as a web page", result.Unconfirmed, result.ReasonBadAnswer, undocumentedSuccess},
		{"408, 504", result.Unknown, result.ReasonTimeout, statuses(408, 504)},
		{"409: an earlier attempt, whose answer was lost, may have been accepted", result.Unknown, result.ReasonConflict, statuses(409)}, // F-P18
		{"425, any other 5xx", result.Unknown, result.ReasonServerError, statuses(425, 500, 501, 502, 503, 507, 508, 511, 520, 529)},     // F-P1
		{"423", result.Temporary, result.ReasonServerError, statuses(423)},                                                               // F-P18
		{"429", result.Temporary, result.ReasonRateLimited, statuses(429)},
		{"401", result.Configuration, result.ReasonUnauthorized, statuses(401)},
		{"403", result.Configuration, result.ReasonForbidden, statuses(403)}, // F-P44
		{"404", result.Configuration, result.ReasonNotFound, statuses(404)},
		{"410", result.Configuration, result.ReasonGone, statuses(410)},
		{"3xx; redirects are not followed", result.Configuration, result.ReasonRedirected, redirects},
		{"400, 413, 422 in the error format that the service documents", result.Permanent, result.ReasonRejected, refusals}, // F-P1
		{"400, 413, 422 in another form, any other 4xx", result.Configuration, result.ReasonRejected, rejections},           // F-P18
	}
}

// otherBodies are bodies of a proxy, an ingress or a gateway between the operator and a service.
var otherBodies = map[string]string{
	"HTML":                 "<html><head><title>Bad Request</title></head><body>nginx</body></html>",
	"empty":                "",
	"text":                 "no healthy upstream",
	"JSON object":          `{"code":400,"status":400,"message":"no such route","error":"Bad Request","errors":[]}`,
	"JSON object in error": `{"ok":true,"error":{"code":502,"message":"no such route","type":"gateway","status":"INVALID_ARGUMENT"}}`,
	"JSON list":            `["no such route"]`,
}

func foreign(status int, header ...string) (answers []answer) {
	for form, body := range otherBodies {
		answers = append(answers, answer{why: form, status: status, header: header, body: body, foreign: true})
	}
	return answers
}

// own returns an answer in the service's own error format.
func own(p Provider, status int, header ...string) answer {
	contentType, body := p.ErrorBody("no such thing")
	return answer{why: "the service's error format", status: status, header: append(header, "Content-Type", contentType), body: body, quotable: true}
}

func accepted(p Provider) []answer {
	answers := []answer{{why: "as documented", status: p.acceptStatus(), body: p.Accept}}
	for _, status := range p.Confirming {
		answers = append(answers, answer{why: "no body", status: status}, answer{why: "a text", status: status, header: []string{"Content-Type", "text/plain"}, body: "done"})
	}
	return answers
}

// failedSuccess returns the answers with which servers that imitate the service, or its gateways, fail although the status is a success.
func failedSuccess(p Provider) (answers []answer) {
	if !p.NeedsBody {
		return nil // the service documents no body
	}
	for _, body := range []string{`{"ok":false}`, `{"success":false,"message":"no"}`, `{"result":"error","msg":"no"}`, `{"status":"failed"}`, `{"error":"no such channel"}`} {
		answers = append(answers, answer{why: body, status: http.StatusOK, header: []string{"Content-Type", "application/json"}, body: body, foreign: true})
	}
	return answers
}

// undocumentedSuccess: F-B1, F-P38.
func undocumentedSuccess(p Provider) (answers []answer) {
	html := []string{"Content-Type", "text/html; charset=utf-8"}
	for _, status := range []int{200, 201, 202, 203, 206} {
		answers = append(answers, answer{why: "a web page", status: status, header: html, body: otherBodies["HTML"], foreign: true})
	}
	for _, status := range []int{200, 201, 202, 203, 204, 205, 206} {
		if !slices.Contains(p.Confirming, status) {
			answers = append(answers, answer{why: "no body", status: status, foreign: true})
		}
	}
	if !slices.Contains(p.Confirming, http.StatusOK) {
		for _, form := range []string{"text", "JSON list"} {
			answers = append(answers, answer{why: form, status: http.StatusOK, body: otherBodies[form], foreign: true})
		}
		answers = append(answers, answer{why: "an object of another service", status: http.StatusOK, body: `{"version":"1.2.3"}`, foreign: true})
	}
	return answers
}

// statuses returns answers whose status alone decides, in the service's format and in others, with a wait and without.
func statuses(all ...int) func(Provider) []answer {
	return func(p Provider) (answers []answer) {
		for _, status := range all {
			waits := own(p, status, "Retry-After", "7")
			waits.wait = 7 * time.Second
			answers = append(append(answers, own(p, status), waits), foreign(status)...)
		}
		return answers
	}
}

func redirects(p Provider) (answers []answer) {
	for _, status := range []int{300, 301, 302, 303, 307, 308} {
		to := []string{"Location", "/canary-elsewhere"}
		answers = append(append(answers, own(p, status, to...)), foreign(status, to...)...)
	}
	return append(answers, answer{why: "no body", status: http.StatusNotModified, foreign: true})
}

var contentRefusals = []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}

// refusals: an answer is Permanent only where it refuses the content in the service's own error format, and is complete.
func refusals(p Provider) (answers []answer) {
	if p.RefusalBody == nil {
		return nil
	}
	for _, status := range contentRefusals {
		contentType, body := p.RefusalBody(status)
		answers = append(answers, answer{why: "the documented format", status: status, header: []string{"Content-Type", contentType}, body: body})
	}
	return answers
}

func rejections(p Provider) (answers []answer) {
	for _, status := range contentRefusals {
		answers = append(answers, foreign(status)...)
		if p.RefusalBody == nil {
			answers = append(answers, own(p, status))
			continue
		}
		contentType, body := p.RefusalBody(status)
		answers = append(answers, answer{
			why: "the documented format, cut off", status: status, body: body,
			header: []string{"Content-Type", contentType, "Content-Length", strconv.Itoa(len(body) + 1)},
		})
	}
	for _, status := range []int{402, 405, 406, 411, 412, 414, 415, 421, 424, 426, 428, 431, 451} {
		answers = append(append(answers, own(p, status)), foreign(status)...)
	}
	return answers
}

// table tests each answer of each row at a server and with a sender of its own, so that nothing depends on other traffic.
func (conf conformance) table(t *testing.T) {
	for _, row := range AnswerRows() {
		for _, answer := range row.answers(conf.Provider) {
			t.Run(fmt.Sprintf("%s/%d, %s", row.Answer, answer.status, answer.why), func(t *testing.T) { conf.answered(t, row, answer) })
		}
	}
}

func (conf conformance) answered(t *testing.T, row AnswerRow, answer answer) {
	server := NewServer(t)
	server.Answer(Status(answer.status, answer.body, answer.header...))
	sender, err := conf.New(server.URL, outboundtest.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	receipt, err := sender.Send(t.Context(), Message(result.Fired), Key("delivery", ""))
	if n := len(server.Requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	if row.Class == "" {
		if err != nil {
			t.Errorf("got %v, want a receipt", err)
		}
		return
	}
	want := conf.expected(row, answer)
	e, ok := errors.AsType[*result.Error](err)
	if !ok {
		t.Fatalf("got %+v, %v; want %s", receipt, err, want.Class)
	}
	if e.Class != want.Class || e.Reason != want.Reason {
		t.Errorf("got %s, %s (%s); want %s, %s", e.Class, e.Reason, e.Message, want.Class, want.Reason)
	}
	if answer.wait > 0 && e.RetryAfter != want.RetryAfter {
		t.Errorf("waits for %s, want %s", e.RetryAfter, want.RetryAfter)
	}
	if !strings.HasPrefix(e.Message, fmt.Sprintf("HTTP %d", answer.status)) || strings.Contains(e.Message, "elsewhere") {
		t.Errorf("got message %q", e.Message)
	}
	if quoted := strings.Contains(e.Message, "no such thing"); answer.status >= 400 && answer.quotable && quoted == conf.QuotesNothing {
		t.Errorf("the text of the response is quoted: %t, want %t: %q", quoted, !conf.QuotesNothing, e.Message)
	}
	if !answer.foreign {
		return // the service may say by it that the earlier message is gone
	}
	for _, event := range []result.Event{result.Updated, result.Resolved} {
		if conf.ExternalID != "" {
			conf.answeredAgain(t, sender, event, want)
		}
	}
}

// expected returns the error of an answer, with the provider's exceptions.
func (conf conformance) expected(row AnswerRow, answer answer) Classification {
	want := Classification{Class: row.Class, Reason: row.Reason}
	if own, ok := conf.Overrides[answer.status]; ok {
		want = own
	}
	if want.Class == result.Temporary || want.Class == result.Unknown {
		want.RetryAfter = max(want.RetryAfter, answer.wait)
	}
	return want
}

// answeredAgain sends the message after the first one, and gets the same answer to each request. A request before the message had no effect, so that
// its failure has the class that notify.NotSent returns.
func (conf conformance) answeredAgain(t *testing.T, sender notify.Sender, event result.Event, want Classification) {
	t.Helper()
	receipt, err := sender.Send(t.Context(), Message(event), Key("delivery", conf.ExternalID))
	before := notify.NotSent(&result.Error{Class: want.Class})
	if class := result.ClassOf(err); class != want.Class && class != result.ClassOf(before) {
		t.Errorf("%s: got %+v, %v; want %s", event, receipt, err, want.Class)
	}
}
