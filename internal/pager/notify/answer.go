// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"encoding/json"
	"math"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
)

// Decode decodes the body of a response, and reports whether the body is complete and has the form of into.
func Decode(resp *outbound.Response, into any) bool {
	return resp.BodyErr == nil && json.Unmarshal(resp.Body, into) == nil
}

// ErrorBody decodes the body of a response whose status is an error, in the form that a provider documents. It returns the zero
// value where the body has another form, such as a proxy's.
func ErrorBody[T any](resp *outbound.Response) T {
	var body T
	if json.Unmarshal(resp.Body, &body) != nil {
		var none T
		return none
	}
	return body
}

// Seconds returns a number of seconds that a service asks to wait as a duration: at least 0, at most outbound.MaxRetryAfter.
func Seconds(seconds float64) time.Duration {
	if !(seconds > 0) { // also false for NaN
		return 0
	}
	milliseconds := math.Ceil(min(seconds, outbound.MaxRetryAfter.Seconds()) * 1000) // the unbounded number can overflow a Duration
	return time.Duration(milliseconds) * time.Millisecond
}
