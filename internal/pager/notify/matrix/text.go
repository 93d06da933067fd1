// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package matrix

import "github.com/gophernetes/bellhop/internal/pager/notify"

// maxText bounds a text as JSON. An edit has the text twice, and an event has at most 64 KiB, including the fields that servers add.
const maxText = 28 << 10

// render returns the text of a message, and a note that says which parts were truncated; "": none.
func render(m notify.Message) (body, note string) {
	body, cut, omitted := notify.CutWithLinks(m.TitleWithStatus()+"\n"+m.Content(), m.Links(), maxText, notify.PlainJSON, notify.Link.Line)
	if cut {
		note = notify.CutNote("message", len(body), "bytes")
	}
	return body, note + omitted
}

// content is the content of an event of type m.room.message.
type content struct {
	MsgType    string    `json:"msgtype"`
	Body       string    `json:"body"`
	Mentions   struct{}  `json:"m.mentions"` // empty and never omitted: the text mentions nobody
	NewContent *content  `json:"m.new_content,omitempty"`
	RelatesTo  *relation `json:"m.relates_to,omitempty"`
}

type relation struct {
	RelType string `json:"rel_type"`
	EventID string `json:"event_id"`
}

func text(body string) content { return content{MsgType: "m.text", Body: body} }

// edit returns an event that replaces a message: the new content, and a text for clients without support for edits.
func edit(message, body string) content {
	edited, fallback := text(body), text("* "+body)
	fallback.NewContent = &edited
	fallback.RelatesTo = &relation{RelType: "m.replace", EventID: message}
	return fallback
}
