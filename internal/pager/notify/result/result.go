// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package result has the results of a notification: the receipt of a message that was accepted, and the error of one that was
// not. It does not depend on HTTP.
package result

import (
	"errors"
	"time"
)

// Event is the transition of an alert that a message announces.
type Event string

const (
	Fired    Event = "Fired"
	Updated  Event = "Updated" // the content differs from the receiver's
	Resolved Event = "Resolved"
)

// Receipt is a receiver's confirmation of a message.
type Receipt struct {
	ExternalID string // the receiver's id of the message; "" if it has none
	Note       string // in the Alert's status, for users
	// KeptBack: nothing was sent, as the message was Quiet, and the earlier one cannot be changed. The receipt of that one stays.
	KeptBack bool
	// Refused is why some of the receiver's recipients do not get the message, in the receiver's status; "": all get it.
	Refused string
}

// NoteOfKeptBack is the note about a change of which nobody has to be told, where the message that the receiver shows cannot be changed.
const NoteOfKeptBack = "the service cannot update the message without a notification: the next message has this change"

// Class is the meaning of a failure for the next attempt. The set is closed.
type Class string

const (
	// Temporary: the message was not accepted. It is sent again after a backoff.
	Temporary Class = "Temporary"
	// Unknown: the message may have been accepted. A repeat has the same key.
	Unknown Class = "Unknown"
	// Unconfirmed: the status is a success, and the answer is not the one that the service documents. The message may have been
	// accepted. It is repeated under the same key, MaxUnconfirmed times at all.
	Unconfirmed Class = "Unconfirmed"
	// Configuration: the message was not accepted, and the cause is probably the configuration of the receiver, its Secret,
	// or a proxy between. It is sent again at long intervals.
	Configuration Class = "Configuration"
	// Permanent: the service itself refused the content of this message. It is never sent again unchanged (R12).
	Permanent Class = "Permanent"
)

// MaxUnconfirmed is the number of Unconfirmed answers to a message after which it is not repeated: each attempt may have shown it to
// people (R12).
const MaxUnconfirmed = 3

// Reasons for conditions and metrics. The set is closed.
const (
	ReasonRateLimited      = "RateLimited"
	ReasonQuotaExhausted   = "QuotaExhausted"
	ReasonUnauthorized     = "Unauthorized" // the credentials are refused: repeated, they may lock an account
	ReasonForbidden        = "Forbidden"    // a right is missing, or a proxy refuses the request
	ReasonNotFound         = "NotFound"
	ReasonConflict         = "Conflict"
	ReasonGone             = "Gone"
	ReasonRejected         = "Rejected"
	ReasonRedirected       = "Redirected"
	ReasonServerError      = "ServerError"
	ReasonBadAnswer        = "BadAnswer"
	ReasonTimeout          = "Timeout"
	ReasonCanceled         = "Canceled"
	ReasonConnectionFailed = "ConnectionFailed"
	ReasonAddressRefused   = "AddressRefused"
	ReasonTLSFailed        = "TLSFailed"
	ReasonInvalidReceiver  = "InvalidReceiver"
	ReasonInternalError    = "InternalError"
)

// Error is the error of a message that was not confirmed. Its text has no credentials: it is shown in the Alert's status.
type Error struct {
	Class      Class
	Reason     string        // one of the Reason constants
	RetryAfter time.Duration // as the receiver asked for; 0 if it did not
	Message    string
	// Partial says which of the receiver's recipients have the message, in the sender's own form of at most 256 bytes; it is handed to
	// the next attempt. "": as before the attempt.
	Partial string
}

func (e *Error) Error() string { return e.Message }

// ClassOf returns the class of an error; "" for nil. An error that is not an *Error is Unknown, the class that loses no
// message.
func ClassOf(err error) Class {
	if err == nil {
		return ""
	}
	if own, ok := errors.AsType[*Error](err); ok {
		return own.Class
	}
	return Unknown
}
