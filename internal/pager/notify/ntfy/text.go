// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package ntfy

import (
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

const (
	// maxMessage is one byte less than ntfy's limit: servers take a message of exactly the limit for a file.
	maxMessage = 4095
	maxTitle   = 1024 // bytes
	// maxBody is one byte less than the JSON that ntfy reads, which is twice its limit for a message: it refuses a body of
	// exactly that length, because it cannot tell it from a longer one.
	maxBody = 8191
	// maxActions is how many buttons a notification may have, and maxActionBytes the size of their JSON: a notification to Android's apps has at most
	// 4,000 bytes, to which ntfy truncates only the message.
	maxActions     = 3
	maxActionBytes = 2000
)

// notification is the part of the API's format that this package uses.
type notification struct {
	Topic      string `json:"topic"`
	Title      string `json:"title,omitempty"`
	Message    string `json:"message"`
	Priority   int    `json:"priority,omitempty"`
	SequenceID string `json:"sequence_id,omitempty"`
	ID         string `json:"id,omitempty"`
	// Actions are buttons. In a response they have other members.
	Actions []action `json:"actions,omitempty"`
}

// action is a button that opens a link.
type action struct {
	Action string `json:"action"` // view
	Label  string `json:"label"`
	URL    string `json:"url"`
}

// actionsOf returns the buttons of a notification, and the links for which there is no room.
func actionsOf(links []notify.Link) (actions []action, rest []notify.Link, err error) {
	for _, link := range links {
		longer := append(actions, action{Action: "view", Label: link.Text, URL: link.Href})
		encoded, err := notify.Encode(longer)
		if err != nil {
			return nil, nil, err
		}
		if len(longer) > maxActions || len(encoded) > maxActionBytes {
			rest = append(rest, link)
			continue
		}
		actions = longer
	}
	return actions, rest, nil
}

// priority returns ntfy's priority of a severity.
func priority(m notify.Message) int {
	switch {
	case m.Event == result.Resolved:
		return 2 // without sound
	case m.Severity == notify.Critical:
		return 5
	case m.Severity == notify.Warning:
		return 4
	}
	return 3
}

// render returns a notification as JSON, and a note that says which parts were truncated; "": none.
func (s *Sender) render(m notify.Message, sequence string) (body []byte, cuts string, err error) {
	n := notification{Topic: s.topic, Priority: priority(m), SequenceID: sequence}
	m.Severity = notify.Info // the priority shows it
	var cut bool
	if n.Title, cut = notify.Cut(m.TitleWithStatus(), maxTitle, notify.Bytes); cut {
		cuts = notify.CutNote("title", len(n.Title), "bytes")
	}
	actions, rest, err := actionsOf(m.Links())
	if err != nil {
		return nil, "", err
	}
	n.Actions = actions
	frame, err := notify.Encode(n)
	if err != nil {
		return nil, "", err
	}
	lines, omitted := notify.LinkLines(m.Content(), rest, min(maxMessage, maxBody-len(frame)), notify.PlainJSON, notify.Link.Line)
	content, cut := notify.Cut(m.Content(), maxMessage-len(lines), notify.Bytes)
	if short, again := notify.Cut(content, maxBody-len(frame)-notify.Size(lines, notify.PlainJSON), notify.PlainJSON); again {
		content, cut = short, true
	}
	n.Message = content + lines
	if cut {
		cuts += notify.CutNote("content", len(n.Message), "bytes")
	}
	cuts += omitted
	body, err = notify.Encode(n)
	return body, cuts, err
}
