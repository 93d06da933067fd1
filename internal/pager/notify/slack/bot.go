// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package slack

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/chat"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Bot is a notify.Sender that posts through the Web API.
type Bot struct {
	notify.HTTP
	config Config
	url    string
	token  string
}

var (
	_ notify.Sender = (*Bot)(nil)
	_ notify.Prober = (*Bot)(nil)
	_ notify.Editor = (*Bot)(nil)
)

// errIncomplete is the error of a success whose body lacks documented members.
var errIncomplete = errors.New("incomplete")

// messageGone is Slack's code of an edit whose message was deleted.
const messageGone = "message_not_found"

// uneditable has the codes of a refused edit after which a new message may be accepted: the cause may be the earlier
// message's channel or author.
var uneditable = []string{
	messageGone, "cant_update_message", "edit_window_closed", "channel_not_found", "not_in_channel", "is_archived",
}

func newBot(config Config, client *outbound.Client) (*Bot, error) {
	if config.URL == "" {
		config.URL = DefaultURL
	}
	base, err := notify.ParseBaseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	token, err := notify.Token("token", "the token of a bot", config.Token)
	if err != nil {
		return nil, err
	}
	if config.Channel == "" {
		return nil, notify.Invalid("channel", "must be the id of a channel, such as C0123456789, for a bot")
	}
	b := &Bot{
		HTTP:   notify.NewHTTP(client, token),
		config: config,
		url:    strings.TrimSuffix(base.String(), "/") + "/", // the library appends the method's name
		token:  token,
	}
	b.MayQuote = slices.Contains(hosts, base.Hostname())
	return b, nil
}

// Send makes one attempt. It makes two requests where the message cannot be edited, and where it continues an earlier one.
func (b *Bot) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	return chat.EditOrPost(ctx, b, m, k, b.edit, b.post)
}

// edit is a chat.Edit: it replaces the message.
func (b *Bot) edit(ctx context.Context, m notify.Message, k notify.Key) (receipt result.Receipt, mayPost bool, err error) {
	channel, ts, _ := b.parseID(k.ExternalID)
	message, cuts := b.config.render(m)
	refusal, err := b.call(func(api *slack.Client) error {
		_, edited, _, err := api.UpdateMessageContext(ctx, channel, ts, options(message, k)...)
		if err == nil && edited != ts {
			err = errIncomplete
		}
		return err
	})
	switch {
	case err == nil:
		return result.Receipt{ExternalID: k.ExternalID, Note: "HTTP 200 OK: the message was edited" + cuts}, false, nil
	case m.Event == result.Resolved && refusal == messageGone:
		return result.Receipt{Note: "the message is gone already"}, false, nil
	}
	return result.Receipt{}, slices.Contains(uneditable, refusal), err
}

// CanEdit reports whether an external id is of a message of a bot.
func (b *Bot) CanEdit(externalID string) bool {
	_, _, ok := b.parseID(externalID)
	return ok
}

// post is a chat.Post.
func (b *Bot) post(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	message, cuts := b.config.render(m)
	var id string
	_, err := b.call(func(api *slack.Client) error {
		channel, ts, err := api.PostMessageContext(ctx, b.config.Channel, append(options(message, k), b.postOptions(m)...)...)
		id = channel + "/" + ts
		if _, _, ok := b.parseID(id); err == nil && !ok {
			err = errIncomplete
		}
		return err
	})
	if err != nil {
		return result.Receipt{}, err
	}
	return result.Receipt{ExternalID: id, Note: "HTTP 200 OK" + cuts}, nil
}

// options sets every option: chat.update and chat.postMessage have different defaults.
func options(message slack.Attachment, k notify.Key) []slack.MsgOption {
	return []slack.MsgOption{
		slack.MsgOptionAttachments(message),
		slack.MsgOptionParse(false),
		slack.MsgOptionLinkNames(false),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "bellhop_alert", EventPayload: map[string]any{"delivery": k.Delivery}}),
	}
}

// postOptions returns the options of a new message, which an edit does not have: Slack keeps the author, and notifies nobody of an edit.
func (b *Bot) postOptions(m notify.Message) []slack.MsgOption {
	options := []slack.MsgOption{slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl()}
	if text := b.config.mentions(m); text != "" {
		options = append(options, slack.MsgOptionText(text, false))
	}
	if b.config.Username != "" {
		options = append(options, slack.MsgOptionUsername(b.config.Username))
	}
	if b.config.IconEmoji != "" {
		options = append(options, slack.MsgOptionIconEmoji(b.config.IconEmoji))
	}
	if b.config.IconURL != "" {
		options = append(options, slack.MsgOptionIconURL(b.config.IconURL))
	}
	return options
}

// Probe requests the account of the token.
func (b *Bot) Probe(ctx context.Context) error {
	_, err := b.call(func(api *slack.Client) error {
		account, err := api.AuthTestContext(ctx)
		if err == nil && account.UserID == "" {
			err = errIncomplete
		}
		return err
	})
	return err
}

// call makes one request. With an error it also returns Slack's code, where there is one.
func (b *Bot) call(method func(*slack.Client) error) (refusal string, err error) {
	call := b.NewCall()
	err = method(slack.New(b.token, slack.OptionHTTPClient(call), slack.OptionAPIURL(b.url)))
	if err == nil {
		return "", nil
	}
	var answer struct {
		Error string `json:"error"`
	}
	if call.Response != nil && !notify.Decode(call.Response, &answer) {
		answer.Error = ""
	}
	failure := b.CallError(call)
	if failure == nil && answer.Error == "" {
		failure = b.BadAnswer(call.Response)
	} else if failure == nil {
		failure = b.errorOfCode(call.Response, answer.Error)
	}
	quoteCode(&b.HTTP, failure, answer.Error)
	return answer.Error, failure
}

// errorOfCode returns the error of a response with a success status and an error code, which is how the Web API reports errors.
func (b *Bot) errorOfCode(resp *outbound.Response, refusal string) *result.Error {
	e := &result.Error{Message: notify.StatusLine(resp.StatusCode)}
	e.Class, e.Reason = classOfCode(refusal)
	if e.Class == result.Temporary || e.Class == result.Unknown {
		e.RetryAfter = outbound.RetryAfter(resp.Header, b.Now())
	}
	return e
}

func classOfCode(refusal string) (result.Class, string) {
	switch refusal {
	case "internal_error", "fatal_error", "service_unavailable": // by Slack's documentation "some aspect of the operation" may have succeeded
		return result.Unknown, result.ReasonServerError
	case "request_timeout":
		return result.Unknown, result.ReasonTimeout
	case "ratelimited", "rate_limited", "message_limit_exceeded":
		return result.Temporary, result.ReasonRateLimited
	case "team_added_to_org": // the workspace is being moved into an organization
		return result.Temporary, result.ReasonServerError
	case "msg_too_long", "msg_blocks_too_long", "no_text", "too_many_attachments", "attachment_payload_limit_exceeded",
		"invalid_arguments", "invalid_blocks", "invalid_metadata_format", "invalid_metadata_schema", "metadata_too_large":
		return result.Permanent, result.ReasonRejected
	case "channel_not_found":
		return result.Configuration, result.ReasonNotFound
	case "is_archived":
		return result.Configuration, result.ReasonGone
	case "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type":
		return result.Configuration, result.ReasonUnauthorized
	case "missing_scope", "no_permission", "access_denied", "ekm_access_denied", "org_login_required", "team_access_not_granted",
		"two_factor_setup_required", "not_in_channel":
		return result.Configuration, result.ReasonForbidden
	}
	if strings.HasPrefix(refusal, "restricted_action") {
		return result.Configuration, result.ReasonForbidden
	}
	// The other documented codes are about the app, the workspace or the network of the client. They refuse every message
	// until a user changes the configuration.
	return result.Configuration, result.ReasonRejected
}

var messageID = regexp.MustCompile(`^([A-Z][A-Z0-9]{1,63})/([0-9]{1,16}\.[0-9]{1,16})$`)

// parseID splits an ExternalID that is in a form that this package writes.
func (b *Bot) parseID(id string) (channel, ts string, ok bool) {
	parts := messageID.FindStringSubmatch(id)
	if parts == nil || !b.IsID(messageID, id) {
		return "", "", false
	}
	return parts[1], parts[2], true
}
