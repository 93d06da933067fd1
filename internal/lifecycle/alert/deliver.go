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

package alert

import (
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/limiter"
	"github.com/gophernetes/bellhop/internal/notify/result"
)

// OrderTolerance is how old an Alert is before a missing receiver or Secret is a problem.
const OrderTolerance = 5 * time.Minute

// resolve sends that the alert is over, until a time; zero: without end.
func (t *DeliveryPlan) resolve(p Target, until time.Time, w Inputs) {
	if p.Problem != nil {
		t.Row.Reason, t.Row.Message, t.Row.NextAttemptTime = p.Problem.Reason, p.Problem.Message, nil
		t.phase, t.reason = phaseBlocked, p.Problem.Reason
	} else {
		t.request(p, ResolvedHash(), result.Resolved, v1beta1.ReasonResolving, w)
	}
	t.Wake = Earliest(t.Wake, future(until, w.Now))
}

// rest settles a row. An error message stays only where the error is why.
func (t *DeliveryPlan) rest(state v1beta1.DeliveryState, reason string) {
	if t.Row.State != state && state != v1beta1.DeliveryExpired && state != v1beta1.DeliveryUnknown {
		t.Row.Message = ""
	}
	t.Row.State, t.Row.Reason, t.Row.NextAttemptTime = state, reason, nil
}

// planUnknown settles a row whose outcome is unknown and must not be repeated: a person decides, by a change of the content, which is
// another message, or of the policy, which repeats this one.
func (t *DeliveryPlan) planUnknown() {
	t.rest(v1beta1.DeliveryUnknown, v1beta1.ReasonOutcomeUnknown)
	t.phase, t.reason = phaseBlocked, v1beta1.ReasonOutcomeUnknown
}

// waitFor blocks a row until a person changes something, which causes an event.
func (t *DeliveryPlan) waitFor(p Problem) {
	t.Row.Reason, t.Row.Message, t.Row.NextAttemptTime = p.Reason, p.Message, nil
	t.Row.State = v1beta1.DeliveryPending
	t.phase, t.reason = phaseBlocked, p.Reason
}

// allowForOrder keeps a young Alert in progress whose receiver or Secret does not exist: manifests are applied together, in any
// order.
func (t *DeliveryPlan) allowForOrder(a *v1beta1.Alert, now time.Time) {
	until := a.CreationTimestamp.Add(OrderTolerance)
	missing := t.reason == v1beta1.ReasonReceiverNotFound || t.reason == v1beta1.ReasonSecretNotFound
	if missing && now.Before(until) {
		t.phase, t.Wake = phaseInProgress, until
	}
}

// isSlow reports whether a delivery has used up its quick retries.
func isSlow(row v1beta1.Delivery) bool { return row.MisconfiguredAnswers > limiter.QuickRetries }

// request makes the request for the content of a hash, if it is due: it waits between attempts, and after a final refusal until the
// receiver changes.
func (t *DeliveryPlan) request(p Target, hash string, event result.Event, reason string, w Inputs) {
	again := t.Row.LastAttemptedHash == hash
	unchanged := again && t.Row.LastAttemptedReceiver == p.Version
	if unchanged && t.Row.State == v1beta1.DeliveryFailed {
		t.phase, t.reason = phaseBlocked, v1beta1.ReasonFailed
		return
	}
	t.phase, t.reason = phaseInProgress, reason
	if unchanged && isSlow(t.Row) {
		t.phase, t.reason = phaseBlocked, v1beta1.ReasonMisconfigured
	}
	if event != result.Resolved {
		t.Row.State = v1beta1.DeliveryPending
	}
	next := t.Row.NextAttemptTime
	if unchanged && next != nil && w.Now.Before(next.Time) && !w.isRecovered(t.Row) {
		t.Wake = next.Time
		return
	}
	t.Send = &Request{Event: event, Hash: hash, Sequence: t.Row.Sequence, Attempt: t.Row.Attempts + 1, Version: p.Version,
		WriteAhead: isAtMostOnce(p), AtMostOnce: isAtMostOnce(p), OutcomeUnknown: t.Row.OutcomeUnknown, ByDefault: t.Row.ByDefault}
	if !again {
		t.Send.Sequence++
		t.Send.Attempt = 1
	}
	if unchanged {
		t.Send.Misconfigured, t.Send.FailingSince = t.Row.MisconfiguredAnswers, w.lastFailure(t.Row)
		if f, ok := w.Failed[RefOf(t.Row)]; ok {
			t.Send.FailingSince = f.Since
		}
		t.Send.OwnFault = isSlow(t.Row) && next != nil
	}
}

// resend repeats what a receiver holds that forgets it otherwise.
func (t *DeliveryPlan) resend(p Target, every time.Duration, last, now time.Time) {
	if t.Row.State != v1beta1.DeliverySent || t.phase != phaseSettled || every == 0 {
		return
	}
	if p.Problem != nil { // the receiver forgets it meanwhile
		t.Wake = now.Add(every)
		return
	}
	if t.Row.LastAttemptTime != nil && t.Row.LastAttemptTime.After(last) {
		last = t.Row.LastAttemptTime.Time
	}
	if due := last.Add(every); now.Before(due) {
		t.Wake = due
		return
	}
	t.Send = &Request{Event: result.Fired, Hash: t.Row.LastAttemptedHash, Sequence: t.Row.Sequence, Attempt: t.Row.Attempts, Version: p.Version, ResendEvery: every}
}

// isOutcomeUnknown reports whether the answer to the content of a hash was lost, and must not be repeated.
func isOutcomeUnknown(row v1beta1.Delivery, hash string, p Target) bool {
	return row.LastAttemptedHash == hash && row.AnswerLost && isAtMostOnce(p)
}

func isAtMostOnce(p Target) bool {
	return p.Spec != nil && p.Spec.DeliveryPolicy == v1beta1.AtMostOnce
}
