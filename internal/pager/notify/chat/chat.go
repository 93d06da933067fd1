// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package chat has the parts that the senders of chat services share: how a sender shows one message for each alert, and a sender for incoming
// webhooks.
package chat

import (
	"context"

	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// An Edit changes the message with the external id of the key. mayPost reports that this message cannot be changed, and that a new one may
// be accepted; the error, if there is one, says why. If mayPost is true, EditOrPost ignores the error and posts a new message.
type Edit func(ctx context.Context, m notify.Message, k notify.Key) (receipt result.Receipt, mayPost bool, err error)

// A Post creates a message.
type Post func(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error)

// EditOrPost makes one attempt of a sender. Updated and Resolved change the message about the alert. Fired is a new message, and so are
// Updated and Resolved where there is no message that can be changed; a Quiet one is not posted then. If a new message continues an earlier one, as
// Message.Continues says, the earlier one is edited to say so.
func EditOrPost(ctx context.Context, s notify.Editor, m notify.Message, k notify.Key, edit Edit, post Post) (result.Receipt, error) {
	if m.Event != result.Fired && s.CanEdit(k.ExternalID) {
		receipt, mayPost, err := edit(ctx, m, k)
		if !mayPost {
			return receipt, err
		}
	}
	if m.Quiet {
		return notify.KeptBack(), nil
	}
	receipt, err := post(ctx, ownMessage(m), k)
	if err != nil {
		return result.Receipt{}, err
	}
	return notify.Continue(ctx, s, m, k, receipt, func(ctx context.Context, former notify.Message) error {
		_, _, err := edit(ctx, former, k)
		return err
	}), nil
}

// ownMessage returns the message as it is sent as a new one. A resolve has no content, which is in an earlier message or was never sent.
func ownMessage(m notify.Message) notify.Message {
	if m.Event == result.Resolved {
		m.RawContent, m.RawLinks = "", nil
	}
	return m
}
