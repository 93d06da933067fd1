// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pushover

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

const (
	maxTitle   = 250 // characters
	maxMessage = 1024
	maxURL     = 512
	maxURLText = 100

	resolvedText = "The alert is over."
	noContent    = "(no content)" // Pushover refuses an empty message
)

// The priorities, and the repeats of an emergency.
const (
	low       = -1 // shown without sound
	normal    = 0
	high      = 1 // rings also in the user's quiet hours
	emergency = 2 // rings until it is acknowledged

	retrySeconds  = 60
	expireSeconds = 3600
	updateSuffix  = "-update" // of the tag of an update's emergency, which stays where the first message's is canceled
)

// request is the part of the API's format that this package uses.
type request struct {
	Token    string `json:"token"`
	User     string `json:"user,omitempty"`
	Device   string `json:"device,omitempty"`
	Title    string `json:"title,omitempty"`
	Message  string `json:"message,omitempty"`
	Priority int    `json:"priority,omitempty"`
	Retry    int    `json:"retry,omitempty"`
	Expire   int    `json:"expire,omitempty"`
	Tags     string `json:"tags,omitempty"`
	Sound    string `json:"sound,omitempty"`
	TTL      int    `json:"ttl,omitempty"`
	URL      string `json:"url,omitempty"`
	URLTitle string `json:"url_title,omitempty"`
}

func priority(m notify.Message) int {
	switch {
	case m.Event == result.Resolved:
		return low
	case m.Severity == notify.Critical:
		return emergency
	case m.Severity == notify.Warning:
		return high
	}
	return normal
}

// render returns a request for a message, and a note that says which parts were truncated; "": none.
func (s *Sender) render(m notify.Message, incident string) (r request, cuts string) {
	r = request{Token: s.config.Token, User: s.config.User, Device: s.config.Device, Priority: priority(m)}
	content, links := m.Content(), m.Links()
	switch {
	case m.Event == result.Resolved:
		content, links = resolvedText, nil // they are in an earlier message
	case strings.TrimSpace(content) == "":
		content = noContent
	}
	var cut bool
	if r.Title, cut = notify.Cut(m.TitleWithStatus(), maxTitle, notify.Characters); cut {
		cuts = notify.CutNote("title", maxTitle, "characters")
	}
	if i := slices.IndexFunc(links, func(l notify.Link) bool { return len(l.Href) <= maxURL }); i >= 0 {
		r.URL = links[i].Href
		r.URLTitle, _ = notify.Cut(links[i].Text, maxURLText, notify.Characters)
		links = slices.Delete(links, i, i+1)
	}
	text, cut, omitted := notify.CutWithLinks(content, links, maxMessage, notify.Characters, notify.Link.Line)
	if r.Message = text; cut {
		cuts += notify.CutNote("content", maxMessage, "characters")
	}
	cuts += omitted
	if r.Priority == emergency {
		r.Retry, r.Expire, r.Tags = cmp.Or(s.config.Retry, retrySeconds), cmp.Or(s.config.Expire, expireSeconds), incident
		if m.Event == result.Updated {
			r.Tags += updateSuffix
		}
	} else {
		r.TTL = s.config.TTL
	}
	if m.Event != result.Resolved {
		r.Sound = s.config.Sound
	}
	return r, cuts
}
