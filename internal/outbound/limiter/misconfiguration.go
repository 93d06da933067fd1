// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter

import "time"

// QuickRetries is the number of retries within about a minute after an answer that looks like a misconfiguration. After a further
// such answer the object is retried slowly.
const QuickRetries = 3

// misconfigurationDelays are the delays before each retry of a request whose answer looks like a misconfiguration: three quick
// ones, then slow ones. The last delay repeats.
var misconfigurationDelays = []time.Duration{5 * time.Second, 15 * time.Second, 45 * time.Second,
	5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute}

// MisconfigurationDelay returns the delay before the next request after a number of answers in a row that look like a
// misconfiguration.
func MisconfigurationDelay(answers int) time.Duration {
	return misconfigurationDelays[min(max(answers, 1), len(misconfigurationDelays))-1]
}

// answersToBlock is the number of such answers in a row, over all objects, after which only first attempts and one request at a time,
// the probe, are sent. After as many refusals of the credentials in a row only the probe is sent: services lock accounts.
const answersToBlock = 3

// misconfiguration counts the answers that look like a misconfiguration of the endpoint: its credentials, its address, its TLS settings, or a proxy.
// The zero value has counted none.
type misconfiguration struct {
	answers      int       // in a row
	unauthorized int       // refusals of the credentials in a row
	retries      int       // before the next probe, as in MisconfigurationDelay
	probeAt      time.Time // not before
}

// add records such an answer. own is the number of them in a row for the object of the request, this one included: after a restart
// they count, too.
func (m *misconfiguration) add(own int, unauthorized bool, now time.Time) {
	m.answers = max(m.answers+1, own)
	if !m.isBlocking() {
		return
	}
	m.retries = max(m.retries+1, own)
	if unauthorized { // quick retries with refused credentials could lock the account
		m.retries = max(m.retries, QuickRetries)
	}
	m.probeAt = now.Add(MisconfigurationDelay(m.retries))
}

// countUnauthorized records whether such an answer refused the credentials.
func (m *misconfiguration) countUnauthorized(unauthorized bool) {
	if m.unauthorized++; !unauthorized {
		m.unauthorized = 0
	}
}

// sparesCredentials reports whether only the probe uses the credentials.
func (m *misconfiguration) sparesCredentials() bool { return m.unauthorized >= answersToBlock }

// isBlocking reports whether only first attempts and the probe are sent.
func (m *misconfiguration) isBlocking() bool { return m.answers >= answersToBlock }

// isSlow reports whether the quick retries have failed as well.
func (m *misconfiguration) isSlow() bool { return m.isBlocking() && m.retries > QuickRetries }
