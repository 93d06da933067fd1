// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Confirmation is the result of a message by the body of a response whose status is a success.
type Confirmation int

const (
	Undocumented Confirmation = iota // nothing that is known
	Accepted
	Failed
)

// ConfirmationOf reads the forms in which servers that speak a chat service's format confirm a message or refuse it: the text ok, and an
// object with one of the members ok, success, result, status and error. Slack and Mattermost answer ok, Rocket.Chat
// {"success":true}, Zulip {"result":"success"}, and most services {"ok":false} or {"error":…} where they fail.
func ConfirmationOf(resp *outbound.Response) Confirmation {
	body := bytes.TrimSpace(resp.Body)
	var object map[string]any
	switch {
	case resp.BodyErr != nil || resp.Truncated:
		return Undocumented
	case strings.EqualFold(string(body), "ok"):
		return Accepted
	case json.Unmarshal(body, &object) != nil:
		return Undocumented
	case slices.ContainsFunc([]string{"error", "errors", "errcode"}, func(name string) bool { return isSet(object[name]) }):
		return Failed
	}
	confirmation := Undocumented
	for _, name := range []string{"ok", "success", "result", "status"} {
		ofMember := confirmationOfMember(object[name])
		if ofMember == Failed {
			return Failed
		}
		if ofMember == Accepted {
			confirmation = Accepted
		}
	}
	return confirmation
}

// isSet reports whether a member of a JSON object has a value that is not empty.
func isSet(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return value != 0.0
}

func confirmationOfMember(value any) Confirmation {
	switch v := value.(type) {
	case bool:
		if v {
			return Accepted
		}
		return Failed
	case string:
		switch strings.ToLower(v) {
		case "ok", "success":
			return Accepted
		case "error", "fail", "failed", "failure":
			return Failed
		}
	}
	return Undocumented
}

// IsPage reports whether a response is a page for people, as a login page, a captive portal or a proxy sends it. A response with only the media type
// of a page does not count: web frameworks send it with any text.
func IsPage(resp *outbound.Response) bool {
	start := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(resp.Body[:min(len(resp.Body), 512)], []byte("\uFEFF"))))
	return slices.ContainsFunc(pageStarts, func(tag string) bool { return bytes.HasPrefix(start, []byte(tag)) })
}

var pageStarts = []string{"<!doctype html", "<html", "<head", "<body", "<title", "<meta", "<script", "<!--", "<?xml"}

// IsHTML reports whether a header has the media type of a page.
func IsHTML(header http.Header) bool {
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && (mediaType == "text/html" || mediaType == "application/xhtml+xml")
}

// BadAnswer returns the error of a response whose status is a success and whose body is not the one that the service documents: a
// failure where the body says so, else Unconfirmed (R12). It has the start of the body of any server: a person has to decide
// whether the message arrived, and a success has not the text of a service that refused.
func (h *HTTP) BadAnswer(resp *outbound.Response) *result.Error {
	e := &result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: StatusLine(resp.StatusCode)}
	switch {
	case resp.BodyErr != nil:
		e.Message += ", but " + resp.BodyErr.Error() // an *outbound.Error, which has no part of the URL
		return e
	case ConfirmationOf(resp) == Failed:
		e.Class, e.Reason = result.Configuration, result.ReasonRejected
		e.Message += ", but the answer says that it failed"
	default:
		e.Message += ", but the answer is not in the form that this receiver's API documents"
	}
	switch {
	case IsPage(resp):
		e.Message += ": a web page"
	case len(bytes.TrimSpace(resp.Body)) == 0:
		e.Message += ": it is empty"
	default:
		e.Message += ": " + strings.TrimSpace(h.redactor.Clean(strings.TrimSpace(string(resp.Body)), maxQuote))
	}
	return e
}
