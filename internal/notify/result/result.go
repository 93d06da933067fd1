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

// Package result has what came of a notification: what a receiver confirmed, or how a request failed. It knows no HTTP.
package result

import (
	"errors"
	"time"
)

// Event is what happened to an alert.
type Event string

const (
	Fired    Event = "Fired"
	Updated  Event = "Updated" // the content differs from what the receiver holds
	Resolved Event = "Resolved"
)

// Receipt is what a receiver confirmed.
type Receipt struct {
	ExternalID string // the receiver's id of what it holds; "" if it does not say
	Note       string // for people
}

// Class says what to do after a failure. The set is closed.
type Class string

const (
	// Temporary: not accepted; try again later.
	Temporary Class = "Temporary"
	// Unknown: it may have been accepted; a repeat must carry the same key.
	Unknown Class = "Unknown"
	// Configuration: not accepted, and the answer looks like a misconfiguration of the receiver, of its Secret, or of what stands
	// before it, such as a proxy; it is tried again, seldom.
	Configuration Class = "Configuration"
	// Permanent: the service itself refused the content of this message; it is never sent again unchanged (R12).
	Permanent Class = "Permanent"
)

// Reasons are for conditions and metrics: a closed set, in CamelCase.
const (
	ReasonRateLimited      = "RateLimited"
	ReasonQuotaExhausted   = "QuotaExhausted"
	ReasonUnauthorized     = "Unauthorized"
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
)

// Error is a message that was not confirmed. Its text may be shown to everybody who can see the alert: it has no credentials.
type Error struct {
	Class      Class
	Reason     string        // one of the Reason constants
	RetryAfter time.Duration // what the receiver asked for; 0 if it did not
	Message    string
}

func (e *Error) Error() string { return e.Message }

// ClassOf returns the class of an error; "" for nil. An error that is no *Error is Unknown: the class that loses nothing.
func ClassOf(err error) Class {
	if err == nil {
		return ""
	}
	if own, ok := errors.AsType[*Error](err); ok {
		return own.Class
	}
	return Unknown
}
