// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// envelope is version 1 of the body.
type envelope struct {
	Version   string    `json:"version"`
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

type data struct {
	UID        string          `json:"uid"`
	Namespace  string          `json:"namespace"`
	Name       string          `json:"name"`
	Receiver   string          `json:"receiver"`
	Incident   string          `json:"incident"`
	Title      string          `json:"title"`
	Content    string          `json:"content"`
	RawContent string          `json:"rawContent"`
	Severity   notify.Severity `json:"severity"`
	State      string          `json:"state"`
	Links      []notify.Link   `json:"links,omitempty"`
}

func render(m notify.Message, k notify.Key) envelope {
	state := "Firing"
	if m.Event == result.Resolved {
		state = "Resolved"
	}
	return envelope{
		Version:   "1",
		Type:      "alert." + strings.ToLower(string(m.Event)),
		Timestamp: m.Time.UTC().Truncate(time.Second),
		Data: data{
			UID:        m.UID,
			Namespace:  m.Namespace,
			Name:       m.Name,
			Receiver:   m.Receiver,
			Incident:   k.Incident,
			Title:      m.Title(),
			Content:    m.Content(),
			RawContent: m.RawContent,
			Severity:   m.Severity,
			State:      state,
			Links:      m.Links(),
		},
	}
}
