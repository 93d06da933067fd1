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

package email

import (
	"bytes"
	"strings"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
)

// maxID bounds what is kept of a Message-ID.
const maxID = 256

// id is a Message-ID, without its brackets, for a key.
func (s *Sender) messageID(key string) string {
	_, domain, _ := strings.Cut(s.from.Address, "@")
	return key + "@" + domain
}

// compose writes the mail. It is the same in every repeat.
func (s *Sender) compose(m notify.Message, k notify.Key) ([]byte, error) {
	letter := gomail.NewMsg(gomail.WithEncoding(gomail.EncodingQP), gomail.WithNoDefaultUserAgent())
	letter.FromMailAddress(s.from)
	letter.ToMailAddress(s.to...)
	letter.Subject(subject(m))
	letter.SetDateWithValue(m.Time.UTC())
	letter.SetMessageIDWithValue(s.messageID(k.Delivery))
	thread := "<" + s.messageID(k.Incident) + ">"
	letter.SetGenHeader(gomail.HeaderInReplyTo, thread)
	letter.SetGenHeader(gomail.HeaderReferences, thread)
	letter.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's holiday is an answer to this
	letter.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")
	letter.SetGenHeader(gomail.HeaderXMailer, notify.UserAgent)
	if m.Severity == notify.Critical && m.Event != result.Resolved {
		letter.SetGenHeader(gomail.HeaderImportance, "high")
		letter.SetGenHeader(gomail.HeaderXPriority, "1")
	}
	letter.SetBodyString(gomail.TypeTextPlain, body(m))
	var text bytes.Buffer
	if _, err := letter.WriteTo(&text); err != nil {
		return nil, notify.Invalid("content", "cannot be written as a mail")
	}
	return text.Bytes(), nil
}

// subject is the headline as the one line that a header may have. Titles are short enough for it.
func subject(m notify.Message) string {
	line := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, m.TitleWithStatus())
	line = strings.Join(strings.Fields(line), " ")
	return strings.ReplaceAll(line, "=?", "=\u200b?") // or it would be taken for what is encoded already
}

func body(m notify.Message) string {
	var b strings.Builder
	if m.Event == result.Resolved {
		b.WriteString("Resolved. The alert was:\n\n")
	}
	b.WriteString(m.Content())
	b.WriteString("\n\n-- \nAlert " + m.Namespace + "/" + m.Name + ", severity " + string(m.Severity) + "\n")
	return b.String()
}
