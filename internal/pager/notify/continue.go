// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"context"
	"time"

	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// continueTimeout bounds the edit of a former message: the attempt waits for it, and the next message was accepted already.
const continueTimeout = 5 * time.Second

// continuedText is the content of a message that another one continues.
const continuedText = "This alert continues in the next message."

// Continue changes the message with the external id, where the message of a receipt continues it, so that readers do not take the former
// one for current. edit makes one request. The next message was accepted, so that it is not sent again if the edit fails. Then the receipt's note
// says why the former one was not changed.
func Continue(ctx context.Context, s Editor, m Message, k Key, receipt result.Receipt, edit func(context.Context, Message) error) result.Receipt {
	if !m.Continues || !s.CanEdit(k.ExternalID) || receipt.ExternalID == k.ExternalID {
		return receipt
	}
	ctx, cancel := context.WithTimeout(ctx, continueTimeout)
	defer cancel()
	if err := recovering(ctx, func() error { return edit(ctx, m.continued()) }); err != nil {
		receipt.Note += "; the former message was not changed: " + err.Error()
	}
	return receipt
}

// recovering returns a panic of a function as an error.
func recovering(ctx context.Context, f func() error) (err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			err = FromPanic(ctx, recovered)
		}
	}()
	return f()
}

// continued returns the edit of the former message. It has neither severity nor content: the next message has those.
func (m Message) continued() Message {
	m.Event, m.Severity, m.IsContinued, m.Continues = result.Updated, "", true, false
	m.RawContent, m.RawLinks, m.RawInstances = continuedText, nil, nil
	return m
}
