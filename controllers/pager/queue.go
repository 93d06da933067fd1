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

package pager

import (
	"fmt"
	"slices"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/limiter"
)

const (
	// patience is how long an Alert waits for a slot at a receiver, or for an
	// answer, before its status says so, which costs a write.
	patience = 10 * time.Second
	// askAgain is how often it asks for a slot, should it not be called.
	askAgain = limiter.QueueTimeout / 3
)

// waiting is s where some turns have to wait for a slot at their receiver.
func (s step) waiting(queued map[v1beta1.ReceiverRef]limiter.Wait, now time.Time) step {
	s.turns = slices.Clone(s.turns)
	for i := range s.turns {
		t := &s.turns[i]
		wait, ok := queued[refOf(t.row)]
		if !ok || t.send == nil {
			continue
		}
		s.wake = earliest(s.wake, now.Add(askAgain))
		if t.send.remindEvery == 0 {
			s.wake = earliest(s.wake, future(wait.Since.Add(patience), now))
			t.queue(wait.Cause)
		}
		t.send = nil
	}
	return s
}

// queue says that the request waits for a slot. What the receiver answered to the attempt before stays: it is why.
func (t *turn) queue(cause limiter.Cause) {
	t.phase, t.row.NextAttemptTime = going, nil
	if cause == limiter.Misconfigured {
		t.phase = stalled
	}
	t.reason, t.waitsFor = whyQueued(cause, t.row)
	if t.row.TriedHash != t.send.hash || t.row.Message == "" {
		t.row.Reason, t.row.Message = t.reason, t.waitsFor
		t.waitsFor = ""
	}
}

// whyQueued is the reason of the Alert's condition, and what it waits for.
func whyQueued(cause limiter.Cause, row v1beta1.Delivery) (reason, text string) {
	seeReceiver := fmt.Sprintf("see the status of %s/%s", row.Kind, row.Name)
	switch cause {
	case limiter.Throttled:
		return v1beta1.ReasonThrottled, "as many messages as rateLimit or namespaceRateLimit allows were sent to this receiver"
	case limiter.Down:
		return v1beta1.ReasonQueued, "the receiver fails, or asked to be left alone; until it answers, one Alert at a time is sent: " + seeReceiver
	case limiter.Misconfigured:
		return v1beta1.ReasonMisconfigured, fmt.Sprintf("retried with %s/%s, see its status", row.Kind, row.Name)
	case limiter.Busy, limiter.Failing:
	}
	return v1beta1.ReasonQueued, "other requests to this receiver come first"
}

// isPatient says whether nothing goes on but that somebody waits, and none so
// long that the status has to say so.
func (v *view) isPatient() bool {
	for _, f := range v.world.underWay {
		if v.world.now.Sub(f.since) >= patience {
			return false
		}
	}
	for _, wait := range v.queued {
		if v.world.now.Sub(wait.Since) >= patience {
			return false
		}
	}
	return len(v.world.underWay)+len(v.queued) > 0
}
