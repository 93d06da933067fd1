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

package notify

import (
	"encoding/json"
	"math"
	"regexp"
	"time"

	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/redact"
)

// Decode reads the body of an answer, and reports whether it is complete and has that form.
func Decode(resp *outbound.Response, into any) bool {
	return resp.BodyErr == nil && json.Unmarshal(resp.Body, into) == nil
}

// IsID reports whether the text, whoever we have it from, is an id that can be kept in a status and shown, and put into a path
// if the pattern says so: it is of the pattern, and no credential is in it.
func IsID(pattern *regexp.Regexp, text string, redact *redact.Redactor) bool {
	return pattern.MatchString(text) && redact.Clean(text, len(text)) == text
}

// Seconds is a time that a service asks to wait, whatever it wrote: never less than nothing, at most outbound.MaxRetryAfter.
func Seconds(seconds float64) time.Duration {
	if !(seconds > 0) { // not a number is not more either
		return 0
	}
	milliseconds := math.Ceil(min(seconds, outbound.MaxRetryAfter.Seconds()) * 1000) // as a Duration it may not fit
	return time.Duration(milliseconds) * time.Millisecond
}

// maxQuote bounds what is quoted of a service's words, in bytes.
const maxQuote = 256

// Quote adds what the service said, "" for nothing. It is for services whose address is well known: what a server answers at
// an address that somebody chose may not be for the eyes of who chose it.
func Quote(e *result.Error, words string, redact *redact.Redactor) {
	if words != "" {
		e.Message += ": " + redact.Clean(words, maxQuote)
	}
}
