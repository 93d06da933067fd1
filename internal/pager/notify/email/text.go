// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package email

import (
	"bytes"
	"math"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/version"
)

// maxID bounds a Message-ID in a receipt.
const maxID = 256

// messageID returns the Message-ID of a key, without brackets.
func (s *Sender) messageID(key string) string {
	_, domain, _ := strings.Cut(s.from.Address, "@")
	return key + "@" + domain
}

// dateStep is how much later than its event a mail has to be for a later date.
const dateStep = 10 * time.Minute

// dateOf returns the date of a mail, by which mail programs sort: the time of the event; for a late mail a time at most dateStep before the attempt.
// It goes in steps, so that a repeat soon after a lost response has the same date: servers that drop duplicates may compare it.
func dateOf(m notify.Message) time.Time {
	late := max(0, m.AttemptTime.Sub(m.Time))
	return m.Time.Add(late.Truncate(dateStep))
}

// compose returns the mail. A repeat within dateStep is byte for byte the same.
func (s *Sender) compose(m notify.Message, k notify.Key) ([]byte, error) {
	message := gomail.NewMsg(gomail.WithEncoding(gomail.EncodingQP), gomail.WithNoDefaultUserAgent())
	message.FromMailAddress(s.from)
	message.ToMailAddress(s.to...)
	message.Subject(subject(m))
	message.SetDateWithValue(dateOf(m).UTC())
	message.SetMessageIDWithValue(s.messageID(k.Delivery))
	thread := "<" + s.messageID(k.Incident) + ">"
	message.SetGenHeader(gomail.HeaderInReplyTo, thread)
	message.SetGenHeader(gomail.HeaderReferences, thread)
	message.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: prevents automatic replies
	message.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")
	message.SetGenHeader(gomail.HeaderXMailer, version.UserAgent())
	if m.Severity == notify.Critical && m.Event != result.Resolved {
		message.SetGenHeader(gomail.HeaderImportance, "high")
		message.SetGenHeader(gomail.HeaderXPriority, "1")
	}
	for _, h := range s.config.Headers {
		message.SetGenHeader(gomail.Header(h.Name), h.Value)
	}
	message.SetBodyString(gomail.TypeTextPlain, body(m))
	var text bytes.Buffer
	if _, err := message.WriteTo(&text); err != nil {
		return nil, notify.Invalid("content", "cannot be written as a mail")
	}
	return text.Bytes(), nil
}

// subject returns the title on one line. The limits of titles keep it short enough for a header.
func subject(m notify.Message) string {
	line := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, m.TitleWithStatus())
	line = strings.Join(strings.Fields(line), " ")
	return strings.ReplaceAll(line, "=?", "=\u200b?") // otherwise decoded as an encoded word
}

func body(m notify.Message) string {
	var b strings.Builder
	if m.Event == result.Resolved {
		b.WriteString("Resolved. The alert was:\n\n")
	}
	content := m.Content()
	lines, _ := notify.LinkLines(content, m.Links(), math.MaxInt, notify.Bytes, notify.Link.Line)
	b.WriteString(content + lines)
	b.WriteString("\n\n-- \nAlert " + m.Namespace + "/" + m.Name + ", severity " + string(m.Severity) + "\n")
	return b.String()
}
