// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-telegram/bot"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// answer is the JSON body of a response of the Bot API, after a success and after an error.
type answer struct {
	OK          bool            `json:"ok"`
	ErrorCode   int             `json:"error_code"`
	Result      json.RawMessage `json:"result"`
	Description string          `json:"description"`
	Parameters  struct {
		RetryAfter      int64 `json:"retry_after"`        // seconds
		MigrateToChatID int64 `json:"migrate_to_chat_id"` // the id of the supergroup that the group has become
	} `json:"parameters"`
}

// call makes one request through the library, and decodes the response itself: the library has no type for most errors, and
// fails on members that it does not know. The response is returned also with an error; nil: there was no response.
func (s *Sender) call(request func(*bot.Bot) error) (*outbound.Response, answer, *result.Error) {
	recorded := s.NewCall()
	client, err := bot.New(s.config.Token,
		bot.WithServerURL(s.config.URL),
		bot.WithHTTPClient(0, bufferedCall{recorded}),
		bot.WithSkipGetMe(),
		bot.WithUpdatesChannelCap(0),
		bot.WithErrorsHandler(func(error) {}), // the default handler logs
	)
	if err == nil {
		_ = request(client) // recorded has the response and the transport's error
	}
	failure := s.CallError(recorded)
	if recorded.Response == nil {
		return nil, answer{}, failure
	}
	body := notify.ErrorBody[answer](recorded.Response)
	if failure == nil && !body.OK {
		failure = s.BadAnswer(recorded.Response)
	}
	return recorded.Response, body, failure
}

// bufferedCall reads the whole body of a request before it sends the request. The library's goroutine that writes the body has
// ended by then, and net/http can repeat the request when the server has closed a reused connection.
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

// editOutcome is the outcome of an edit.
type editOutcome int

const (
	edited      editOutcome = iota
	unchanged               // the message has that text already
	deleted                 // the message was deleted
	notEditable             // the message exists, and Telegram refuses the edit
)

// editErrors has parts of the descriptions with which Telegram refuses edits. All have status 400; they differ by their text only.
var editErrors = []struct {
	text    string // in lower case
	outcome editOutcome
}{
	{"message is not modified", unchanged},
	{"message_not_modified", unchanged},
	{"message to edit not found", deleted},
	{"message_id_invalid", deleted},
	{"message can't be edited", notEditable},
	{"message_author_required", notEditable},
	{"message_edit_time_expired", notEditable},
}

// classifyEditError returns the outcome of a refused edit; isKnown: the description is one of editErrors.
func (a answer) classifyEditError() (outcome editOutcome, isKnown bool) {
	description := strings.ToLower(a.Description)
	for _, known := range editErrors {
		if strings.Contains(description, known.text) {
			return known.outcome, true
		}
	}
	return edited, false
}

// receiverErrors has parts of the descriptions of errors with status 400 whose cause is the chat or the bot's rights instead of the message.
var receiverErrors = []struct {
	text   string // in lower case
	reason string
}{
	{"chat not found", result.ReasonNotFound},
	{"peer_id_invalid", result.ReasonNotFound},
	{"message thread not found", result.ReasonNotFound},
	{"topic_deleted", result.ReasonNotFound},
	{"topic_closed", result.ReasonForbidden},
	{"rights", result.ReasonForbidden}, // "not enough rights to …", "have no rights to …"
	{"chat_write_forbidden", result.ReasonForbidden},
	{"chat_admin_required", result.ReasonForbidden},
}

// refine changes the error of a response by the answer's description and parameters; see notify.HTTP.
func (s *Sender) refine(e *result.Error, resp *outbound.Response) {
	a := notify.ErrorBody[answer](resp)
	isDocumented := !a.OK && a.ErrorCode == resp.StatusCode && a.Description != ""
	notify.ClassifyRefusal(e, resp, isDocumented)
	if resp.StatusCode == http.StatusBadRequest {
		a.refineBadRequest(e)
	}
	s.Quote(e, a.Description)
	mayRetry := e.Class == result.Temporary || e.Class == result.Unknown
	if seconds := a.Parameters.RetryAfter; seconds > 0 && mayRetry {
		e.RetryAfter = notify.Seconds(float64(seconds))
	}
}

// refineBadRequest makes an error of status 400 one of the receiver's configuration, where the answer says so.
func (a answer) refineBadRequest(e *result.Error) {
	description := strings.ToLower(a.Description)
	for _, known := range receiverErrors {
		if strings.Contains(description, known.text) {
			e.Class, e.Reason = result.Configuration, known.reason
			break
		}
	}
	if supergroup := a.Parameters.MigrateToChatID; supergroup != 0 {
		e.Class, e.Reason = result.Configuration, result.ReasonGone
		e.Message += ": the group is a supergroup now; chatID must be " + strconv.FormatInt(supergroup, 10)
	}
}
