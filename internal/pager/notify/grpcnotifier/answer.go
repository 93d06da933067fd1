// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package grpcnotifier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

const (
	// refusalDomain and refusalReason are the domain and the reason of the error with which a notifier refuses a content for good.
	refusalDomain = "notifier.bellhop.gophernetes.io"
	refusalReason = "REFUSED"

	// maxText bounds a text of the server, in bytes.
	maxText = 256
)

// meaning is the meaning of a code for the next attempt.
type meaning struct {
	name   string
	class  result.Class
	reason string
}

// meanings has the meanings of codes by notifier.proto. Where a code may come from a proxy that lost the answer, the class is Unknown.
var meanings = map[connect.Code]meaning{
	connect.CodeResourceExhausted: {"RESOURCE_EXHAUSTED", result.Temporary, result.ReasonRateLimited},
	connect.CodeAborted:           {"ABORTED", result.Temporary, result.ReasonServerError},

	connect.CodeUnavailable:      {"UNAVAILABLE", result.Unknown, result.ReasonServerError},
	connect.CodeDeadlineExceeded: {"DEADLINE_EXCEEDED", result.Unknown, result.ReasonTimeout},
	connect.CodeInternal:         {"INTERNAL", result.Unknown, result.ReasonServerError},
	connect.CodeUnknown:          {"UNKNOWN", result.Unknown, result.ReasonServerError},

	connect.CodeUnauthenticated:    {"UNAUTHENTICATED", result.Configuration, result.ReasonUnauthorized},
	connect.CodePermissionDenied:   {"PERMISSION_DENIED", result.Configuration, result.ReasonForbidden},
	connect.CodeNotFound:           {"NOT_FOUND", result.Configuration, result.ReasonNotFound},
	connect.CodeUnimplemented:      {"UNIMPLEMENTED", result.Configuration, result.ReasonNotFound},
	connect.CodeInvalidArgument:    {"INVALID_ARGUMENT", result.Configuration, result.ReasonRejected},
	connect.CodeFailedPrecondition: {"FAILED_PRECONDITION", result.Configuration, result.ReasonRejected},
	connect.CodeOutOfRange:         {"OUT_OF_RANGE", result.Configuration, result.ReasonRejected},
	connect.CodeAlreadyExists:      {"ALREADY_EXISTS", result.Configuration, result.ReasonRejected},
	connect.CodeDataLoss:           {"DATA_LOSS", result.Configuration, result.ReasonRejected},
	connect.CodeCanceled:           {"CANCELLED", result.Configuration, result.ReasonRejected},
}

func meaningOf(code connect.Code) meaning {
	if m, ok := meanings[code]; ok {
		return m
	}
	return meaning{fmt.Sprintf("Code(%d)", code), result.Configuration, result.ReasonRejected}
}

// classify returns the error of a call that the library could not read as a success. The library's own texts are not shown.
func (s *Sender) classify(ctx context.Context, err error, made *notify.Call) *result.Error {
	if failure := s.CallError(made); failure != nil {
		return failure // no answer, or an HTTP status, which may be a proxy's
	}
	if answer := answerOf(err, made.Response); answer != nil {
		return s.fromStatus(answer)
	}
	if made.Response.BodyErr == nil && ctx.Err() != nil { // the library reads nothing of a complete answer any more
		return notify.FromRequest(&outbound.Error{Kind: outbound.Timeout, Message: "no complete answer within the time limit", Sent: true})
	}
	return s.BadAnswer(made.Response)
}

// answerOf returns the status with which a server ended a call; nil: the status is OK, or the answer has none. The library's error has it, unless
// text or details are not encoded as gRPC requires: then only the code counts.
func answerOf(err error, resp *outbound.Response) *connect.Error {
	if answer, ok := errors.AsType[*connect.Error](err); ok && connect.IsWireError(answer) {
		return answer
	}
	code, unreadable := strconv.ParseUint(cmp.Or(resp.Trailer.Get("Grpc-Status"), resp.Header.Get("Grpc-Status")), 10, 32)
	if unreadable == nil && code != 0 {
		return connect.NewError(connect.Code(code), nil)
	}
	return nil
}

// fromStatus classifies a status that the server sent.
func (s *Sender) fromStatus(answer *connect.Error) *result.Error {
	m := meaningOf(answer.Code())
	e := &result.Error{Class: m.class, Reason: m.reason, Message: "gRPC " + m.name}
	if text := strings.TrimSpace(s.redactor.Clean(answer.Message(), maxText)); text != "" {
		e.Message += ": " + text
	}
	if IsRefusal(answer) {
		e.Class = result.Permanent
	}
	for _, detail := range detailsOf(answer) {
		if d, ok := detail.(*errdetails.RetryInfo); ok && (e.Class == result.Temporary || e.Class == result.Unknown) {
			e.RetryAfter = waitOf(d)
		}
	}
	return e
}

// IsRefusal reports whether an error is that by which a notifier refuses a content for good.
func IsRefusal(err error) bool {
	answer, ok := errors.AsType[*connect.Error](err)
	return ok && answer.Code() == connect.CodeInvalidArgument && slices.ContainsFunc(detailsOf(answer), func(detail proto.Message) bool {
		d, ok := detail.(*errdetails.ErrorInfo)
		return ok && d.GetDomain() == refusalDomain && d.GetReason() == refusalReason
	})
}

// detailsOf returns the details of a status whose type is known.
func detailsOf(answer *connect.Error) (details []proto.Message) {
	for _, detail := range answer.Details() {
		if value, err := detail.Value(); err == nil {
			details = append(details, value)
		}
	}
	return details
}

// waitOf returns how long the server asks to wait: at least 0, at most outbound.MaxRetryAfter.
func waitOf(d *errdetails.RetryInfo) time.Duration {
	return min(max(d.GetRetryDelay().AsDuration(), 0), outbound.MaxRetryAfter)
}
