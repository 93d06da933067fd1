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

package limiter

import "time"

// QuickRetries is how often a request is repeated within about a minute after an answer that looks like a misconfiguration. An
// object whose further request gets such an answer is retried slowly.
const QuickRetries = 3

// misconfigurationDelays are the delays before each retry of a request whose answer looks like a misconfiguration: three quick
// ones, then slow ones. The last delay repeats.
var misconfigurationDelays = []time.Duration{5 * time.Second, 15 * time.Second, 45 * time.Second,
	5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute}

// MisconfigurationDelay is the delay before the next request after so many answers in a row that look like a misconfiguration.
func MisconfigurationDelay(answers int) time.Duration {
	return misconfigurationDelays[min(max(answers, 1), len(misconfigurationDelays))-1]
}

// answersToBlock is after how many answers in a row that look like a misconfiguration, over whichever objects, only one request
// at a time, the probe, is made.
const answersToBlock = 3

// misconfiguration is what a Bulkhead knows of answers that look like a misconfiguration of the endpoint: its credentials, its
// address, its TLS settings, or a proxy before it. The zero value knows of none.
type misconfiguration struct {
	answers int       // in a row: no request has succeeded since the first
	retries int       // of those before the next probe, as in MisconfigurationDelay
	probeAt time.Time // not before
}

// add takes in one more such answer. own is how many the object of the request has got in a row, with this one: after a restart
// they count, too.
func (m *misconfiguration) add(own int, unauthorized bool, now time.Time) {
	m.answers = max(m.answers+1, own)
	if !m.isBlocking() {
		return
	}
	m.retries = max(m.retries+1, own)
	if unauthorized { // quick retries with credentials that are refused could lock the account
		m.retries = max(m.retries, QuickRetries)
	}
	m.probeAt = now.Add(MisconfigurationDelay(m.retries))
}

// isBlocking reports whether only the probe is sent.
func (m *misconfiguration) isBlocking() bool { return m.answers >= answersToBlock }

// isSlow reports whether the quick retries have failed as well: a person has to look.
func (m *misconfiguration) isSlow() bool { return m.isBlocking() && m.retries > QuickRetries }
