// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

func init() {
	const bot, chat = "123456789:", "-1001234567890"
	register(Fixture{
		Provider:   "telegram",
		NewService: func(secret string) Service { return NewTelegram(bot+secret, chat) },
		Receiver: func(secret string, urls ...string) (v1beta1.Provider, map[string]string) {
			return v1beta1.Provider{Telegram: &v1beta1.TelegramProvider{URL: urls[0], ChatID: chat}}, map[string]string{"token": bot + secret}
		},
	})
}

// Telegram is a fake of Telegram's Bot API. It has no idempotency key, and numbers the messages of each chat. A text that
// begins with "Resolved: " is resolved.
type Telegram struct {
	Display
	token string

	mu    sync.Mutex
	chats map[string]int // numbers of the last messages
}

var _ Service = (*Telegram)(nil)

// NewTelegram returns a Telegram with a bot, and the chats to which it may send.
func NewTelegram(token string, chatIDs ...string) *Telegram {
	t := &Telegram{token: token, chats: map[string]int{}}
	for _, id := range chatIDs {
		t.chats[id] = 0
	}
	return t
}

var telegramMethods = map[string][]string{
	"getChat":         {"chat_id"},
	"sendMessage":     {"chat_id", "text", "link_preview_options", "message_thread_id"},
	"editMessageText": {"chat_id", "text", "link_preview_options", "message_id"},
}

// ServeHTTP answers as Telegram does.
func (t *Telegram) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	result, code, problem := t.answer(r)
	if code != http.StatusOK {
		replyInJSON(w, code, map[string]any{"ok": false, "error_code": code, "description": problem})
		return
	}
	replyInJSON(w, code, map[string]any{"ok": true, "result": result})
}

func (t *Telegram) answer(r *http.Request) (result any, code int, problem string) {
	bot, method, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/bot"), "/")
	known, ok := telegramMethods[method]
	switch {
	case !ok || r.Method != http.MethodPost:
		return nil, http.StatusNotFound, "Not Found"
	case bot != t.token:
		return nil, http.StatusUnauthorized, "Unauthorized"
	case r.ParseMultipartForm(1<<20) != nil:
		return nil, http.StatusBadRequest, "Bad Request: can't parse the form"
	}
	for name := range r.MultipartForm.Value {
		if !slices.Contains(known, name) { // Telegram ignores unknown parameters, which would hide a mistake
			return nil, http.StatusBadRequest, "Bad Request: unknown parameter " + name
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	chat := r.PostFormValue("chat_id")
	if _, ok := t.chats[chat]; !ok {
		return nil, http.StatusBadRequest, "Bad Request: chat not found"
	}
	if method == "getChat" {
		return map[string]any{"id": -1001234567890, "type": "supergroup", "title": "On call", "accent_color_id": 1}, http.StatusOK, ""
	}
	text := strings.TrimSpace(r.PostFormValue("text"))
	switch preview := r.PostFormValue("link_preview_options"); {
	case preview != "" && !json.Valid([]byte(preview)):
		return nil, http.StatusBadRequest, "Bad Request: can't parse link preview options JSON object"
	case text == "":
		return nil, http.StatusBadRequest, "Bad Request: message text is empty"
	case !t.Fits(Size{Part: "message", Used: len(utf16.Encode([]rune(text))), Max: 4096}):
		return nil, http.StatusBadRequest, "Bad Request: message is too long"
	}
	if method == "sendMessage" {
		return t.send(chat, r.PostFormValue("message_thread_id"), text)
	}
	return t.edit(chat, r.PostFormValue("message_id"), text)
}

func (t *Telegram) send(chat, thread, text string) (result any, code int, problem string) {
	if n, err := strconv.Atoi(thread); thread != "" && (err != nil || n < 2) { // 1 is the topic General, which has no number in requests
		return nil, http.StatusBadRequest, "Bad Request: message thread not found"
	}
	t.chats[chat]++
	return t.show(chat, t.chats[chat], text), http.StatusOK, ""
}

func (t *Telegram) edit(chat, message, text string) (result any, code int, problem string) {
	old, ok := t.Find(chat + "/" + message)
	id, err := strconv.Atoi(message)
	switch {
	case !ok || err != nil:
		return nil, http.StatusBadRequest, "Bad Request: message to edit not found"
	case old.Text == text:
		return nil, http.StatusBadRequest, "Bad Request: message is not modified: specified new message content and reply markup " +
			"are exactly the same as a current content and reply markup of the message"
	}
	return t.show(chat, id, text), http.StatusOK, ""
}

func (t *Telegram) show(chat string, message int, text string) any {
	t.Put(Seen{ID: fmt.Sprintf("%s/%d", chat, message), Text: text, Resolved: saysResolved(text)})
	return map[string]any{"message_id": message, "date": 1772366400, "chat": map[string]any{"id": -1001234567890, "type": "supergroup"}, "text": text}
}
