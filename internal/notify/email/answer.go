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
	"context"
	"encoding/base64"
	"errors"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// errorOfStep classifies the error that ended a step of a session.
func errorOfStep(ctx context.Context, step string, err error, at outbound.Phase) *result.Error {
	e := &result.Error{Class: result.Configuration, Reason: result.ReasonBadAnswer, Message: "the answer is not one of SMTP"}
	if at == outbound.Asked {
		e.Class = result.Unknown
	}
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		e.Message = statusLine(answer)
		if class, reason := classOfCode(answer.Code, at); class != "" {
			e.Class, e.Reason = class, reason
		}
	} else if !isProtocolError(err) {
		e = notify.FromRequest(outbound.FromConn(ctx, err, at))
	}
	e.Message = step + ": " + e.Message
	return e
}

// classOfCode classifies an SMTP reply that is not a success; no class: the code is not one of a failure. After the end of
// DATA the server has read the mail, so a 5yz is about its content; before, it is about the sender, the recipients or the
// session.
func classOfCode(code int, at outbound.Phase) (result.Class, string) {
	switch code {
	case 530, 534, 535, 538:
		return result.Configuration, result.ReasonUnauthorized
	}
	switch {
	case code/100 == 4: // also 421 and 454, which are SMTP's rate limits
		return result.Temporary, result.ReasonServerError
	case code/100 == 5 && at == outbound.Asked:
		return result.Permanent, result.ReasonRejected
	case code/100 == 5:
		return result.Configuration, result.ReasonRejected
	}
	return "", ""
}

// isProtocolError reports whether the server's reply is not SMTP, rather than the connection broken.
func isProtocolError(err error) bool {
	_, answer := errors.AsType[textproto.ProtocolError](err)
	_, challenge := errors.AsType[base64.CorruptInputError](err)
	return answer || challenge || errors.Is(err, errChallenge)
}

// enhanced matches the status code of RFC 3463 at the start of a reply.
var enhanced = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`)

// statusLine returns the part of a reply that is quoted, such as "SMTP 550 5.1.1".
func statusLine(answer *textproto.Error) string {
	line := "SMTP " + strconv.Itoa(answer.Code)
	if code := enhanced.FindString(answer.Msg); strings.HasPrefix(code, strconv.Itoa(answer.Code/100)) {
		line += " " + code
	}
	return line
}
