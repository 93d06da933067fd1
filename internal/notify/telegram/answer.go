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

package telegram

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-telegram/bot"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// answer is the form of the API's responses.
type answer struct {
	OK          bool            `json:"ok"`
	ErrorCode   int             `json:"error_code"`
	Result      json.RawMessage `json:"result"`
	Description string          `json:"description"`
	Parameters  struct {
		RetryAfter      int64 `json:"retry_after"`        // seconds
		MigrateToChatID int64 `json:"migrate_to_chat_id"` // the new id of a group
	} `json:"parameters"`
}

// call makes one request through the library, and decodes the response itself: the library has no type for most errors, and
// fails on members that it does not know. The response is returned also with an error.
func (s *Sender) call(request func(*bot.Bot) error) (*outbound.Response, answer, *result.Error) {
	call := s.NewCall()
	library, err := bot.New(s.config.Token, bot.WithServerURL(s.config.URL), bot.WithHTTPClient(0, bufferedCall{call}),
		bot.WithSkipGetMe(), bot.WithUpdatesChannelCap(0), bot.WithErrorsHandler(func(error) {})) // the default handler logs
	if err == nil {
		_ = request(library) // call has the outcome
	}
	failure := s.CallError(call)
	if call.Response == nil {
		return nil, answer{}, failure
	}
	a := notify.ErrorBody[answer](call.Response)
	if failure == nil && !a.OK {
		failure = notify.BadAnswer(call.Response)
	}
	return call.Response, a, failure
}

// bufferedCall reads the request's body before it is sent. The library writes the body in a goroutine, which has ended then,
// and net/http can repeat the request where a reused connection is closed.
type bufferedCall struct{ *notify.Call }

// Do implements the library's HttpClient.
func (c bufferedCall) Do(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.ContentLength = int64(len(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, _ = req.GetBody()
	return c.Call.Do(req)
}

// outcome is the outcome of an edit.
type outcome int

const (
	edited      outcome = iota
	unchanged           // the message has that text already
	deleted             // the message was deleted
	notEditable         // the message exists, and Telegram refuses the edit
)

// editErrors has parts of the descriptions with which Telegram refuses edits, with status 400. The responses have no codes.
var editErrors = []struct {
	text string // in lower case
	what outcome
}{
	{"message is not modified", unchanged},
	{"message_not_modified", unchanged},
	{"message to edit not found", deleted},
	{"message_id_invalid", deleted},
	{"message can't be edited", notEditable},
	{"message_author_required", notEditable},
	{"message_edit_time_expired", notEditable},
}

// editOutcome returns the outcome of a refused edit; false: the description is not one of editErrors.
func (a answer) editOutcome() (what outcome, ok bool) {
	description := strings.ToLower(a.Description)
	for _, e := range editErrors {
		if strings.Contains(description, e.text) {
			return e.what, true
		}
	}
	return edited, false
}

// receiverErrors has parts of descriptions, with status 400, that are about the chat or the bot's rights and not about the
// message.
var receiverErrors = []struct {
	text   string // in lower case
	reason string
}{
	{"chat not found", result.ReasonNotFound},
	{"peer_id_invalid", result.ReasonNotFound},
	{"message thread not found", result.ReasonNotFound},
	{"topic_deleted", result.ReasonNotFound},
	{"topic_closed", result.ReasonUnauthorized},
	{"rights", result.ReasonUnauthorized}, // missing or insufficient
	{"chat_write_forbidden", result.ReasonUnauthorized},
	{"chat_admin_required", result.ReasonUnauthorized},
}

func (s *Sender) refine(e *result.Error, resp *outbound.Response) {
	a := notify.ErrorBody[answer](resp)
	notify.ClassifyRefusal(e, resp, !a.OK && a.ErrorCode == resp.StatusCode && a.Description != "")
	if resp.StatusCode == http.StatusBadRequest {
		for _, m := range receiverErrors {
			if strings.Contains(strings.ToLower(a.Description), m.text) {
				e.Class, e.Reason = result.Configuration, m.reason
				break
			}
		}
		if to := a.Parameters.MigrateToChatID; to != 0 {
			e.Class, e.Reason = result.Configuration, result.ReasonGone
			e.Message += ": the group is a supergroup now; chatID must be " + strconv.FormatInt(to, 10)
		}
	}
	s.Quote(e, a.Description)
	if seconds := a.Parameters.RetryAfter; seconds > 0 && (e.Class == result.Temporary || e.Class == result.Unknown) {
		e.RetryAfter = notify.Seconds(float64(seconds))
	}
}
