// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package email

import (
	"context"
	"errors"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// errorOfStep classifies the error that ended a step of a session.
func errorOfStep(ctx context.Context, step string, err error, at outbound.Phase) *result.Error {
	e := &result.Error{Class: result.Configuration, Reason: result.ReasonBadAnswer, Message: "the answer is not one of SMTP"}
	if at == outbound.Asked { // the server has the mail
		e.Class = result.Unconfirmed
	}
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		e.Message = statusLine(answer)
		if class, reason := classOfReply(answer, at); class != "" {
			e.Class, e.Reason = class, reason
		}
	} else if !isProtocolError(err) {
		e = notify.FromRequest(outbound.FromConn(ctx, err, at))
	}
	e.Message = step + ": " + e.Message
	return e
}

// aboutContent matches the enhanced codes (RFC 3463) that are about the mail itself: the size (X.3.4, and X.2.3 of a mailbox), and the
// content or its form (X.6.Z).
var aboutContent = regexp.MustCompile(`^5\.(?:6\.\d{1,3}|3\.4|2\.3)$`)

// classOfReply classifies an SMTP reply that is not a success; no class: the code is not one of a failure. A 5yz is final only after
// DATA, when the server has read the mail, and with an enhanced code about its content: servers also answer there for the sender
// (quota, DMARC, block lists), the recipients (full mailboxes) and themselves.
func classOfReply(answer *textproto.Error, at outbound.Phase) (result.Class, string) {
	switch answer.Code {
	case 530, 534, 535, 538:
		return result.Configuration, result.ReasonUnauthorized
	}
	switch {
	case answer.Code/100 == 4: // also 421 and 454, which are SMTP's rate limits
		return result.Temporary, result.ReasonServerError
	case answer.Code/100 == 5 && at == outbound.Asked && aboutContent.MatchString(enhancedCode(answer)):
		return result.Permanent, result.ReasonRejected
	case answer.Code/100 == 5:
		return result.Configuration, result.ReasonRejected
	}
	return "", ""
}

// isProtocolError reports whether the server's reply is not SMTP, rather than the connection broken.
func isProtocolError(err error) bool {
	_, answer := errors.AsType[textproto.ProtocolError](err)
	return answer || errors.Is(err, errChallenge)
}

// enhanced matches the status code of RFC 3463 at the start of a reply.
var enhanced = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`)

// enhancedCode returns the enhanced code of a reply; "" where it has none that agrees with its code.
func enhancedCode(answer *textproto.Error) string {
	if code := enhanced.FindString(answer.Msg); strings.HasPrefix(code, strconv.Itoa(answer.Code/100)) {
		return code
	}
	return ""
}

// statusLine returns the part of a reply that is quoted, such as "SMTP 550 5.1.1".
func statusLine(answer *textproto.Error) string {
	return strings.TrimSpace("SMTP " + strconv.Itoa(answer.Code) + " " + enhancedCode(answer))
}
