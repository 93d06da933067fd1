// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

type editorOf string

func (e editorOf) CanEdit(externalID string) bool { return strings.Contains(string(e), externalID) }

// F-P58: the edit of the former message neither fails nor repeats the page that continues it, and takes 5 s at most.
func TestContinue(t *testing.T) {
	for _, c := range []struct {
		why    string
		former string
		change func(*Message)
		edit   func(context.Context, Message) error
		edits  int
		note   string // after that of the receipt
	}{
		{why: "it is changed", former: "1", edits: 1},
		{why: "nothing is continued", former: "1", change: func(m *Message) { m.Continues = false }},
		{why: "it cannot be edited", former: "of another service"},
		{why: "the service took the next message for a repeat of it", former: "2"},
		{why: "the edit fails", former: "1", edits: 1, note: "; the former message was not changed: HTTP 500",
			edit: func(context.Context, Message) error { return &result.Error{Class: result.Unknown, Message: "HTTP 500"} }},
		{why: "the edit panics", former: "1", edits: 1, note: "; the former message was not changed: ",
			edit: func(context.Context, Message) error { panic("a mistake") }},
	} {
		t.Run(c.why, func(t *testing.T) {
			m := Message{Event: result.Fired, Name: "a", Namespace: "n", RawContent: "content", Severity: Critical, RawLinks: []Link{{}}, Continues: true}
			if c.change != nil {
				c.change(&m)
			}
			edits := 0
			got := Continue(t.Context(), editorOf("12"), m, Key{ExternalID: c.former}, result.Receipt{ExternalID: "2", Note: "sent"}, func(ctx context.Context, former Message) error {
				edits++
				if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > continueTimeout {
					t.Errorf("until %s", deadline)
				}
				if former.TitleWithStatus() != "Continued: Kubernetes alert for n/a" || former.Content() != continuedText || former.RawLinks != nil || former.Continues {
					t.Errorf("got %+v", former)
				}
				if c.edit != nil {
					return c.edit(ctx, former)
				}
				return nil
			})
			if edits != c.edits || got.ExternalID != "2" || !strings.HasPrefix(got.Note, "sent"+c.note) || c.note == "" && got.Note != "sent" {
				t.Errorf("%d edits, got %+v", edits, got)
			}
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	got := Continue(ended, editorOf("12"), Message{Event: result.Fired, Continues: true}, Key{ExternalID: "1"}, result.Receipt{}, func(ctx context.Context, _ Message) error {
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Error("the edit outlives the attempt")
		}
		return ctx.Err()
	})
	if got.Note == "" {
		t.Error("the note does not say that the message was not changed")
	}
}
