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

package grpcnotifier

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/outbound"
)

const (
	// refusalDomain and refusalReason are those of the error with which a notifier refuses a content for good.
	refusalDomain = "notifier.bellhop.gophernetes.io"
	refusalReason = "REFUSED"

	// maxText bounds a text of the server, in bytes.
	maxText = 256
)

// meaning is what a code means for the next attempt.
type meaning struct {
	name   string
	class  result.Class
	reason string
}

// meanings has what notifier.proto says about codes. Where a code may come from a proxy that lost the answer, the class is Unknown.
var meanings = map[codes.Code]meaning{
	codes.ResourceExhausted: {"RESOURCE_EXHAUSTED", result.Temporary, result.ReasonRateLimited},
	codes.Aborted:           {"ABORTED", result.Temporary, result.ReasonServerError},

	codes.Unavailable:      {"UNAVAILABLE", result.Unknown, result.ReasonServerError},
	codes.DeadlineExceeded: {"DEADLINE_EXCEEDED", result.Unknown, result.ReasonTimeout},
	codes.Internal:         {"INTERNAL", result.Unknown, result.ReasonServerError},
	codes.Unknown:          {"UNKNOWN", result.Unknown, result.ReasonServerError},

	codes.Unauthenticated:    {"UNAUTHENTICATED", result.Configuration, result.ReasonUnauthorized},
	codes.PermissionDenied:   {"PERMISSION_DENIED", result.Configuration, result.ReasonForbidden},
	codes.NotFound:           {"NOT_FOUND", result.Configuration, result.ReasonNotFound},
	codes.Unimplemented:      {"UNIMPLEMENTED", result.Configuration, result.ReasonNotFound},
	codes.InvalidArgument:    {"INVALID_ARGUMENT", result.Configuration, result.ReasonRejected},
	codes.FailedPrecondition: {"FAILED_PRECONDITION", result.Configuration, result.ReasonRejected},
	codes.OutOfRange:         {"OUT_OF_RANGE", result.Configuration, result.ReasonRejected},
	codes.AlreadyExists:      {"ALREADY_EXISTS", result.Configuration, result.ReasonRejected},
	codes.DataLoss:           {"DATA_LOSS", result.Configuration, result.ReasonRejected},
	codes.Canceled:           {"CANCELLED", result.Configuration, result.ReasonRejected},
}

func meaningOf(code codes.Code) meaning {
	if m, ok := meanings[code]; ok {
		return m
	}
	return meaning{code.String(), result.Configuration, result.ReasonRejected}
}

// classify returns the error of a call; nil: the server answered OK.
func (s *Sender) classify(ctx context.Context, err error, p *progress, l *link) *result.Error {
	if err == nil {
		return nil
	}
	answer := status.Convert(err)
	switch {
	case p.began.Load() && isUnreadable(answer):
		return &result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer,
			Message: "the notifier answered, but not with a response of at most 256 KiB in the form of the interface"}
	case p.answered.Load():
		return s.fromStatus(answer)
	}
	return unanswered(ctx, answer.Code(), p.sent.Load(), l.failure.Load())
}

// isUnreadable reports whether the error is gRPC's own, of a response that it could not take.
func isUnreadable(answer *status.Status) bool {
	for _, start := range []string{"grpc: received message larger than max", "grpc: received message after decompression larger than max",
		"grpc: failed to unmarshal", "grpc: failed to decompress"} {
		if strings.HasPrefix(answer.Message(), start) {
			return true
		}
	}
	return false
}

// fromStatus classifies a status that the server sent.
func (s *Sender) fromStatus(answer *status.Status) *result.Error {
	m := meaningOf(answer.Code())
	e := &result.Error{Class: m.class, Reason: m.reason, Message: "gRPC " + m.name}
	if text := strings.TrimSpace(s.redactor.Clean(answer.Message(), maxText)); text != "" {
		e.Message += ": " + text
	}
	if IsRefusal(answer) {
		e.Class = result.Permanent
	}
	for _, detail := range answer.Details() {
		if d, ok := detail.(*errdetails.RetryInfo); ok && (e.Class == result.Temporary || e.Class == result.Unknown) {
			e.RetryAfter = waitOf(d)
		}
	}
	return e
}

// IsRefusal reports whether a notifier refuses a content for good.
func IsRefusal(answer *status.Status) bool {
	return answer.Code() == codes.InvalidArgument && slices.ContainsFunc(answer.Details(), func(detail any) bool {
		d, ok := detail.(*errdetails.ErrorInfo)
		return ok && d.GetDomain() == refusalDomain && d.GetReason() == refusalReason
	})
}

// waitOf returns how long the server asks to wait: at least 0, at most outbound.MaxRetryAfter.
func waitOf(d *errdetails.RetryInfo) time.Duration {
	return min(max(d.GetRetryDelay().AsDuration(), 0), outbound.MaxRetryAfter)
}

// unanswered classifies a call that the server did not end with a status of gRPC. The texts of gRPC are not shown: they have addresses,
// and parts of what other servers answer.
func unanswered(ctx context.Context, code codes.Code, sent bool, dialed *outbound.Error) *result.Error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return notify.FromRequest(&outbound.Error{Kind: outbound.Canceled, Message: "the call was cancelled", Sent: sent})
	case !sent && dialed != nil:
		return notify.FromRequest(dialed)
	case !sent && (ctx.Err() != nil || code == codes.DeadlineExceeded):
		return notify.FromRequest(&outbound.Error{Kind: outbound.Unreachable, Message: "no connection within the time limit"})
	case !sent:
		return notify.FromRequest(&outbound.Error{Kind: outbound.Unreachable, Message: "the connection could not be opened"})
	case ctx.Err() != nil || code == codes.DeadlineExceeded:
		return notify.FromRequest(&outbound.Error{Kind: outbound.Timeout, Message: "no complete answer within the time limit", Sent: true})
	case code == codes.Unavailable || code == codes.Canceled:
		return notify.FromRequest(&outbound.Error{Kind: outbound.Broken, Message: "the connection broke before a complete answer came", Sent: true})
	}
	m := meaningOf(code)
	return &result.Error{Class: m.class, Reason: m.reason, Message: "the answer is not one of gRPC, which takes it for " + m.name}
}
