// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

func init() {
	register(Fixture{
		Provider:   "discord",
		NewService: func(secret string) Service { return NewDiscord("1234567890", secret) },
		Receiver: func(secret string, urls ...string) (v1beta1.Provider, map[string]string) {
			return v1beta1.Provider{Discord: &v1beta1.DiscordProvider{}}, map[string]string{"url": urls[0] + "/api/webhooks/1234567890/" + secret}
		},
	})
}

// Discord is a fake of Discord with one channel and its webhook. It has no idempotency key: a repeat is another message.
type Discord struct {
	Display
	id, token string
	mu        sync.Mutex
	threads   map[string]string // of each message
}

var _ Service = (*Discord)(nil)

// NewDiscord returns a Discord whose webhook is at /api/webhooks/id/token.
func NewDiscord(id, token string) *Discord {
	return &Discord{id: id, token: token, threads: map[string]string{}}
}

type discordMessage struct {
	Content *string `json:"content"`
	Embeds  *[]struct {
		Description string `json:"description"`
		Color       int    `json:"color"`
	} `json:"embeds"`
	AllowedMentions *struct {
		Parse *[]string `json:"parse"`
	} `json:"allowed_mentions"`
}

// ServeHTTP answers as Discord does.
func (d *Discord) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hook := "/api/webhooks/" + d.id + "/" + d.token
	messageID, isMessage := strings.CutPrefix(r.URL.Path, hook+"/messages/")
	switch {
	case !strings.HasPrefix(r.URL.Path, "/api/webhooks/"+d.id+"/"):
		discordError(w, http.StatusNotFound, 10015, "Unknown Webhook")
	case r.URL.Path == hook && r.Method == http.MethodGet:
		replyInJSON(w, http.StatusOK, map[string]any{"id": d.id, "type": 1, "name": "alerts", "channel_id": "7", "guild_id": "8", "token": d.token})
	case r.URL.Path == hook && r.Method == http.MethodPost:
		d.write(w, r, "")
	case isMessage && r.Method == http.MethodPatch:
		d.write(w, r, messageID)
	case r.URL.Path != hook && !isMessage:
		discordError(w, http.StatusUnauthorized, 50027, "Invalid Webhook Token")
	default:
		discordError(w, http.StatusMethodNotAllowed, 0, "405: Method Not Allowed")
	}
}

// write creates a message, or replaces the one with the id.
func (d *Discord) write(w http.ResponseWriter, r *http.Request, id string) {
	var m discordMessage
	if readJSON(r.Body, &m) != nil || !isJSON(r) || m.AllowedMentions == nil || m.AllowedMentions.Parse == nil {
		discordError(w, http.StatusBadRequest, 50109, "The request body contains invalid JSON.")
		return
	}
	text, sizes, total, blank := "", []Size(nil), 0, false
	if m.Content != nil {
		text = *m.Content
		sizes = append(sizes, Size{Part: "title", Used: utf8.RuneCountInString(text), Max: 2000})
	}
	if m.Embeds != nil {
		for _, e := range *m.Embeds {
			n := utf8.RuneCountInString(e.Description)
			sizes = append(sizes, Size{Part: "description", Used: n, Max: 4096})
			total, blank = total+n, blank || n == 0
			text += "\n" + e.Description
		}
	}
	fits := d.Fits(append(sizes, Size{Part: "embeds", Used: total, Max: 6000})...)
	thread := r.URL.Query().Get("thread_id")
	d.mu.Lock()
	defer d.mu.Unlock()
	switch known, ok := d.threads[id]; {
	case id != "" && (!ok || known != thread):
		discordError(w, http.StatusNotFound, 10008, "Unknown Message")
		return
	case strings.TrimSpace(text) == "":
		discordError(w, http.StatusBadRequest, 50006, "Cannot send an empty message")
		return
	case blank || !fits:
		discordError(w, http.StatusBadRequest, 50035, "Invalid Form Body")
		return
	case id == "":
		id = strconv.Itoa(1478000000000000000 + len(d.threads))
		d.threads[id] = thread
	}
	for _, kind := range *m.AllowedMentions.Parse {
		text += "\n(mentions " + kind + ")" // a mention that notifies
	}
	d.Put(Seen{ID: id, Text: DiscordText(text), Resolved: saysResolved(text)})
	if r.Method == http.MethodPost && r.URL.Query().Get("wait") != "true" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	replyInJSON(w, http.StatusOK, map[string]any{"id": id, "type": 0, "webhook_id": d.id})
}

// Delete deletes a message, as a user can.
func (d *Discord) Delete(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.threads, id)
}

func discordError(w http.ResponseWriter, status, code int, message string) {
	replyInJSON(w, status, map[string]any{"code": code, "message": message})
}

var discordNamedLink = regexp.MustCompile(`^\[((?:\\.|[^\[\]\\])+)\]\((https?://[^\s()<>]+)\)$`)

var discordMarkup = regexp.MustCompile("\\[(?:\\\\.|[^\\[\\]\\\\\n])+\\]\\(https?://[^\\s()<>]+\\)|(?::[A-Za-z0-9_+-]*)?https?://[^\\s<]+|\\\\[^0-9A-Za-z\\s]|\\*|_|`|~~|\\|\\||<[@#:/t]|@everyone|@here|\\]\\(|:[A-Za-z0-9_+-]+:|(?m:^[ \\t]*(?:#|>|-#? |\\+ |[0-9]+\\. ))")

// DiscordText renders Markdown as Discord does: it removes the backslashes of escaped characters. Markup, which is not shown
// as typed, becomes "�". A named link becomes the text of a notify.Link.
func DiscordText(markdown string) string {
	return discordMarkup.ReplaceAllStringFunc(markdown, func(found string) string {
		switch named := discordNamedLink.FindStringSubmatch(found); {
		case named != nil:
			return DiscordText(named[1]) + ": " + named[2]
		case strings.Contains(found, "://"): // a link, with a preceding colon that is no part of an emoji
			return found
		case found[0] == '\\':
			return found[1:]
		}
		return "�"
	})
}
