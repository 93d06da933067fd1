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

package ntfy

import (
	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
)

const (
	// maxMessage is one byte less than ntfy's limit: servers take a message of exactly the limit for a file.
	maxMessage = 4095
	maxTitle   = 1024 // bytes
	// maxBody is one byte less than the JSON that ntfy reads, which is twice its limit for a message: it refuses a body of
	// exactly that length, because it cannot tell it from a longer one.
	maxBody = 8191
)

// notification is the part of the API's format that this package uses.
type notification struct {
	Topic      string `json:"topic"`
	Title      string `json:"title,omitempty"`
	Message    string `json:"message"`
	Priority   int    `json:"priority,omitempty"`
	SequenceID string `json:"sequence_id,omitempty"`
	ID         string `json:"id,omitempty"`
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

// render returns a notification as JSON, and a note of what was cut.
func (s *Sender) render(m notify.Message, sequence string) (body []byte, cuts string, err error) {
	n := notification{Topic: s.topic, Priority: priority(m), SequenceID: sequence}
	m.Severity = notify.Info // the priority shows it
	var cut bool
	if n.Title, cut = notify.Cut(m.TitleWithStatus(), maxTitle, notify.Bytes); cut {
		cuts = notify.CutNote("title", len(n.Title), "bytes")
	}
	frame, err := notify.Encode(n)
	if err != nil {
		return nil, "", err
	}
	n.Message, cut = notify.Cut(m.Content(), maxMessage, notify.Bytes)
	if short, again := notify.Cut(n.Message, maxBody-len(frame), notify.PlainJSON); again {
		n.Message, cut = short, true
	}
	if cut {
		cuts += notify.CutNote("content", len(n.Message), "bytes")
	}
	body, err = notify.Encode(n)
	return body, cuts, err
}
