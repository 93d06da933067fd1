// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package mattermost

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/chat"
	"github.com/gophernetes/bellhop/internal/pager/notify/headers"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Bot is a notify.Sender that posts through the API.
type Bot struct {
	notify.HTTP
	posts     *url.URL
	me        *url.URL
	channelID string
	token     string
}

var (
	_ notify.Sender = (*Bot)(nil)
	_ notify.Prober = (*Bot)(nil)
	_ notify.Editor = (*Bot)(nil)
)

// post is the part of the API's format that this package uses.
type post struct {
	ID            string `json:"id,omitempty"`
	ChannelID     string `json:"channel_id,omitempty"`
	Message       string `json:"message,omitempty"`
	PendingPostID string `json:"pending_post_id,omitempty"`
}

func newBot(config Config, client *outbound.Client) (*Bot, error) {
	if config.URL == "" {
		return nil, notify.Invalid("url", "must be set for a bot, which has a token: the address of the server")
	}
	base, err := notify.ParseBaseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	token, err := notify.Token("token", "the token of a bot", config.Token)
	if err != nil {
		return nil, err
	}
	if config.ChannelID == "" {
		return nil, notify.Invalid("channelID", "must be the id of a channel, for a bot")
	}
	api := base.JoinPath("api", "v4")
	b := &Bot{
		HTTP:      headers.NewHTTP(client, config.Headers, token),
		posts:     api.JoinPath("posts"),
		me:        api.JoinPath("users", "me"),
		channelID: config.ChannelID,
		token:     token,
	}
	b.Header.Set("Authorization", "Bearer "+token)
	b.Refine = func(e *result.Error, resp *outbound.Response) { refine(&b.HTTP, e, resp) }
	return b, nil
}

// Send makes one attempt. It makes up to three requests where the post cannot be edited, and two where it continues an earlier one.
func (b *Bot) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	return chat.EditOrPost(ctx, b, m, k, b.edit, b.create)
}

// edit is a chat.Edit: it replaces the text of the post.
func (b *Bot) edit(ctx context.Context, m notify.Message, k notify.Key) (receipt result.Receipt, mayPost bool, err error) {
	text, cuts := render(m)
	resp, err := b.RequestJSON(ctx, http.MethodPut, b.posts.JoinPath(k.ExternalID, "patch"), post{Message: text})
	if err == nil && b.postIDOf(resp) != k.ExternalID {
		err = b.BadAnswer(resp)
	}
	if err == nil {
		return result.Receipt{ExternalID: k.ExternalID, Note: notify.StatusLine(resp.StatusCode) + ": the post was edited" + cuts}, false, nil
	}
	mayPost = isUneditable(resp)
	if mayPost && m.Event == result.Resolved {
		gone, err := b.isDeleted(ctx, k.ExternalID)
		if err != nil {
			return result.Receipt{}, false, notify.NotSent(err)
		}
		if gone {
			return result.Receipt{Note: "the post is gone already"}, false, nil
		}
	}
	return result.Receipt{}, mayPost, err
}

// CanEdit reports whether an external id is of a post.
func (b *Bot) CanEdit(externalID string) bool { return b.IsID(serverID, externalID) }

// create is a chat.Post.
func (b *Bot) create(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	text, cuts := render(m)
	resp, err := b.RequestJSON(ctx, http.MethodPost, b.posts, post{ChannelID: b.channelID, Message: text, PendingPostID: b.pendingID(k.Delivery)})
	if err != nil {
		return result.Receipt{}, err
	}
	id := b.postIDOf(resp)
	if id == "" {
		return result.Receipt{}, b.BadAnswer(resp)
	}
	return result.Receipt{ExternalID: id, Note: notify.StatusLine(resp.StatusCode) + cuts}, nil
}

// pendingID returns the key by which Mattermost recognizes a repeat. Mattermost does not check who used a key: another user
// who could guess it could use it first, and Mattermost would take the alert for a repeat of that user's post.
func (b *Bot) pendingID(delivery string) string {
	mac := hmac.New(sha256.New, []byte(b.token))
	mac.Write([]byte(delivery))
	return hex.EncodeToString(mac.Sum(nil))[:32]
}

// isUneditable reports whether a new post may be accepted although this edit was refused. Mattermost answers 403 also for a
// deleted post, and 400 after the time limit for edits or where the post's channel is archived.
func isUneditable(resp *outbound.Response) bool {
	if resp == nil {
		return false
	}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound:
		return true
	}
	return false
}

// isDeleted reports whether a post was deleted. An error: this is not known.
func (b *Bot) isDeleted(ctx context.Context, id string) (bool, error) {
	resp, err := b.Get(ctx, b.posts.JoinPath(id))
	switch result.ClassOf(err) {
	case result.Temporary, result.Unknown, result.Unconfirmed:
		return false, err
	case result.Configuration, result.Permanent:
		return resp != nil && resp.StatusCode == http.StatusNotFound && errorIDOf(&b.HTTP, resp) == "app.post.get.app_error", nil
	}
	return false, nil
}

// Probe requests the account of the token.
func (b *Bot) Probe(ctx context.Context) error {
	resp, err := b.Get(ctx, b.me)
	if err == nil && b.postIDOf(resp) == "" {
		err = b.BadAnswer(resp)
	}
	return err
}

// postIDOf returns the id in the body of a response; "" where the body is not Mattermost's.
func (b *Bot) postIDOf(resp *outbound.Response) string {
	var p post
	if !notify.Decode(resp, &p) || !b.IsID(serverID, p.ID) {
		return ""
	}
	return p.ID
}
