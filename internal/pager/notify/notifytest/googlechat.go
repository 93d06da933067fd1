// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"bytes"
	"html"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

func init() {
	register(Fixture{
		Provider:   "googleChat",
		NewService: func(secret string) Service { return NewGoogleChat(secret, secret) },
		Receiver: func(secret string, urls ...string) (v1beta1.Provider, map[string]string) {
			return v1beta1.Provider{GoogleChat: &v1beta1.GoogleChatProvider{}}, map[string]string{"url": urls[0] + GoogleChatPath + "?key=" + secret + "&token=" + secret}
		},
	})
}

// GoogleChatPath is the path of the webhook of a GoogleChat. Its query is key=…&token=….
const GoogleChatPath = "/v1/spaces/AAAAfake/messages"

// GoogleChat is a fake of a space of Google Chat and its webhook. A repeated request id is answered with the first message.
type GoogleChat struct {
	Display
	key, token string
	mu         sync.Mutex
	made       map[string]googleChatAnswer // by request id
	threads    map[string]string           // by their key
}

var _ Service = (*GoogleChat)(nil)

// NewGoogleChat returns a GoogleChat whose webhook requires this key and token.
func NewGoogleChat(key, token string) *GoogleChat {
	return &GoogleChat{key: key, token: token, made: map[string]googleChatAnswer{}, threads: map[string]string{}}
}

type googleChatThread struct {
	Name      string `json:"name,omitempty"`
	ThreadKey string `json:"threadKey,omitempty"`
}

type googleChatAnswer struct {
	Name   string           `json:"name"`
	Thread googleChatThread `json:"thread"`
}

type googleChatMessage struct {
	FallbackText string `json:"fallbackText"`
	CardsV2      []struct {
		CardID string `json:"cardId"`
		Card   struct {
			Sections []struct {
				Widgets []struct {
					TextParagraph *struct {
						Text string `json:"text"`
					} `json:"textParagraph"`
					ButtonList *struct {
						Buttons []struct {
							Text    string `json:"text"`
							OnClick struct {
								OpenLink struct {
									URL string `json:"url"`
								} `json:"openLink"`
							} `json:"onClick"`
						} `json:"buttons"`
					} `json:"buttonList"`
				} `json:"widgets"`
			} `json:"sections"`
		} `json:"card"`
	} `json:"cardsV2"`
	Thread googleChatThread `json:"thread"`
}

// ServeHTTP answers as Google Chat does.
func (g *GoogleChat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	body, err := io.ReadAll(r.Body)
	var m googleChatMessage
	switch {
	case r.URL.Path != GoogleChatPath || r.Method != http.MethodPost:
		googleChatError(w, http.StatusNotFound, "NOT_FOUND", "", "Requested entity was not found.")
	case query.Get("key") != g.key:
		googleChatError(w, http.StatusBadRequest, "INVALID_ARGUMENT", "API_KEY_INVALID", "API key not valid. Please pass a valid API key.")
	case query.Get("token") != g.token:
		googleChatError(w, http.StatusUnauthorized, "UNAUTHENTICATED", "", "The request does not have valid authentication credentials.")
	case err != nil || readJSON(bytes.NewReader(body), &m) != nil || !isJSON(r):
		googleChatError(w, http.StatusBadRequest, "INVALID_ARGUMENT", "", "Invalid JSON payload received.")
	case len(m.CardsV2) == 0 || !g.Fits(Size{Part: "message", Used: len(body), Max: 32000}):
		googleChatError(w, http.StatusBadRequest, "INVALID_ARGUMENT", "", "Message cannot be empty or too long.")
	default:
		replyInJSON(w, http.StatusOK, g.post(m, query.Get("requestId"), query.Get("messageReplyOption")))
	}
}

// post creates a message, or returns the one of a repeated request id.
func (g *GoogleChat) post(m googleChatMessage, requestID, replyOption string) googleChatAnswer {
	g.mu.Lock()
	defer g.mu.Unlock()
	if made, ok := g.made[requestID]; ok && requestID != "" {
		return made
	}
	id := "m" + strconv.Itoa(len(g.Seen())+1)
	thread := "spaces/AAAAfake/threads/" + id
	if old, ok := g.threads[m.Thread.ThreadKey]; ok && replyOption == "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD" {
		thread = old
	}
	g.threads[m.Thread.ThreadKey] = thread
	answer := googleChatAnswer{Name: "spaces/AAAAfake/messages/" + id + "." + id, Thread: googleChatThread{Name: thread}}
	g.made[requestID] = answer
	var texts []string
	var links []notify.Link
	for _, c := range m.CardsV2 {
		for _, s := range c.Card.Sections {
			for _, w := range s.Widgets {
				if w.TextParagraph != nil {
					texts = append(texts, googleChatText(w.TextParagraph.Text))
				}
				if w.ButtonList != nil {
					for _, b := range w.ButtonList.Buttons {
						links = append(links, notify.Link{Text: b.Text, Href: b.OnClick.OpenLink.URL})
					}
				}
			}
		}
	}
	text := strings.Join(texts, "\n")
	g.Put(Seen{ID: answer.Name, Text: text, Resolved: saysResolved(text), Links: linkLines(links)})
	return answer
}

// Thread returns the name of the thread that has a key.
func (g *GoogleChat) Thread(key string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.threads[key]
}

var googleChatTags = regexp.MustCompile(`</?(?:b|i|u|s|a|font|code|pre|ul|ol|li|time)(?: [^<>]*)?>`)

// googleChatText renders the text of a card: without tags, and with decoded entities.
func googleChatText(text string) string {
	return html.UnescapeString(strings.ReplaceAll(googleChatTags.ReplaceAllString(text, ""), "<br>", "\n"))
}

func googleChatError(w http.ResponseWriter, status int, name, reason, message string) {
	problem := map[string]any{"code": status, "message": message, "status": name}
	if reason != "" {
		problem["details"] = []map[string]string{{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}}
	}
	replyInJSON(w, status, map[string]any{"error": problem})
}
