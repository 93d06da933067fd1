// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// unconfirmedDelays are the delays after answers that confirm nothing. The first is short, since a proxy may have answered; after the
// second a person has seen the message twice if the service did take it.
var unconfirmedDelays = [result.MaxUnconfirmed - 1]time.Duration{15 * time.Second, 5 * time.Minute}

// unconfirmedHint says how a person can have a message sent again that was answered with an unknown success.
const unconfirmedHint = "; it may have arrived each time, so it is not repeated any more: to send it again, change the Alert, or the receiver's provider or Secret"

// applyUnconfirmed returns the row after a success that the service does not document. The message may have been shown to people, so it
// is repeated at most twice (R12).
func applyUnconfirmed(row v1beta1.Delivery, o Outcome) v1beta1.Delivery {
	row.UnconfirmedAnswers = o.Unconfirmed + 1
	if row.UnconfirmedAnswers >= result.MaxUnconfirmed {
		row.State, row.Message = v1beta1.DeliveryUnknown, o.Failure.Message+unconfirmedHint
		return row
	}
	row.State = stateOfOpen(row, o.Event)
	wait := backoff.Spread(unconfirmedDelays[row.UnconfirmedAnswers-1], o.Hash+string(o.Ref.Kind)+o.Ref.Name, o.Attempt)
	row.NextAttemptTime = times.NotBefore(o.At.Add(wait))
	return row
}

// isUnconfirmed reports whether a version of the receiver has answered the content as often as is tried, and confirmed nothing.
func isUnconfirmed(row v1beta1.Delivery, t Target) bool {
	return row.UnconfirmedAnswers >= result.MaxUnconfirmed && row.LastAttemptedReceiver == t.Version
}
